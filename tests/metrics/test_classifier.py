"""A classifier that is trained to judge, and the judges that it is one of."""

from __future__ import annotations

import gc
import weakref
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from imgen.binding import settings_of
from imgen.data.spec import Attribute, DataSpec
from imgen.errors import DataError
from imgen.images import to_float
from imgen.metrics import classifier
from imgen.metrics.attribute_network import AttributeClassifier
from imgen.metrics.classifier import JudgeSettings, judge_of, predictions, read_classifier, scores, train_classifier
from imgen.metrics.editing import edit_accuracy
from imgen.metrics.weights import _kept
from imgen.model import ModelConfig, read_config, write_model

QUICK = JudgeSettings(steps=3, batch=8, width=2)
ENOUGH = JudgeSettings(steps=150, batch=32, width=4, rate=0.01)
CPU = torch.device("cpu")


def weights(model):
    return torch.cat([each.flatten().double() for each in model.state_dict().values()])


class Files:
    """A column that is fetched."""

    def __init__(self, pictures):
        self.pictures, self.shape, self.dtype = pictures, tuple(pictures.shape), pictures.dtype

    def fetch(self, rows):
        assert rows.dtype == np.int64
        return self.pictures[torch.from_numpy(rows)]


def test_it_learns_from_all_that_is_known(plain):
    """And not from what a model may see: here nothing."""
    data = plain.labelled(200, 60)
    assert (data.columns["attributes"] == -1).all()
    model = train_classifier(data, ENOUGH, seed=0)
    accuracy, recall = scores(lambda images: predictions(model, images, CPU), data)
    assert min(accuracy.values()) > 0.9
    assert len(recall) == 7


def test_unknown_values_teach_nothing(plain):
    """Half of the values are unknown, and one attribute wholly: the others are learnt all the same."""
    data = plain.labelled(300, 60)
    data.truth[::2, 0] = -1
    data.truth[:, 2] = -1
    model = train_classifier(data, ENOUGH, seed=0)
    accuracy, _ = scores(lambda images: predictions(model, images, CPU), data)
    assert min(accuracy["shade"], accuracy["Smiling"]) > 0.9
    # Nothing has moved the head of the third.
    untouched = train_classifier(data, replace(ENOUGH, steps=0), seed=0)
    assert torch.equal(model.heads[2].weight, untouched.heads[2].weight)


def test_data_of_which_nothing_is_known_is_refused(plain):
    data = plain.labelled()
    data.truth.fill_(-1)
    with pytest.raises(DataError, match="no training picture has a known value"):
        train_classifier(data, QUICK, seed=0)


def test_the_loss_by_hand():
    logits = torch.tensor([[0.0, 0.0], [2.0, 0.0], [5.0, 1.0]])
    first, second = 0.6931472, 2.1269280  # of ln 2; of ln(1 + e^2)
    lost = classifier._masked(logits, torch.tensor([0, 1, -1]), torch.tensor([0.5, 2.0]))
    assert float(lost) == pytest.approx((0.5 * first + 2 * second) / 2, rel=1e-6)
    assert float(classifier._masked(logits, torch.tensor([-1, -1, -1]), torch.ones(2))) == 0


def test_rare_values_weigh_more():
    """Three of one and one of the other: 4 / (2 * 3) and 4 / (2 * 1); what nobody shows does not count as a value."""
    truth = torch.tensor([[0], [0], [0], [1], [-1]])
    (told,) = classifier._weights(truth, (Attribute("x", ("a", "b")),))
    assert told.tolist() == pytest.approx([4 / 6, 2])
    (told,) = classifier._weights(truth, (Attribute("x", ("a", "b", "c")),))
    assert told[:2].tolist() == pytest.approx([4 / 6, 2])
    (told,) = classifier._weights(torch.tensor([[0]] * 99 + [[1]]), (Attribute("x", ("a", "b")),))
    assert told.tolist() == pytest.approx([100 / 198, 20])


def test_it_follows_from_the_seed_and_leaves_no_trace(plain):
    data, threads = plain.labelled(), torch.get_num_threads()
    torch.manual_seed(5)
    np.random.seed(5)
    noise, other = torch.get_rng_state(), np.random.get_state()[1].tolist()
    with torch.no_grad():
        one = weights(train_classifier(data, QUICK, seed=1))
    assert torch.equal(noise, torch.get_rng_state())
    assert np.random.get_state()[1].tolist() == other
    assert torch.get_num_threads() == threads
    torch.manual_seed(6)
    assert torch.equal(one, weights(train_classifier(data, QUICK, seed=1)))
    assert not torch.equal(one, weights(train_classifier(data, QUICK, seed=2)))


def test_any_column_will_do(plain):
    data = plain.labelled()
    files = replace(data, columns={**data.columns, "images": Files(data.columns["images"])})
    assert torch.equal(*(weights(train_classifier(each, QUICK, seed=0)) for each in (data, files)))


def test_pictures_are_mirrored_only_where_asked(plain):
    data = plain.labelled()
    with_, without = (weights(train_classifier(data, replace(QUICK, mirrored=on), seed=0)) for on in (True, False))
    assert not torch.equal(with_, without)
    even = replace(data, columns={**data.columns, "images": data.columns["images"].amax(dim=3, keepdim=True) * 0 + 7})
    wide = {**even.columns, "images": even.columns["images"].expand(-1, -1, -1, 8).contiguous()}
    same = [train_classifier(replace(even, columns=wide), replace(QUICK, mirrored=on), seed=0) for on in (True, False)]
    assert torch.equal(*(weights(each) for each in same))


@pytest.mark.parametrize(("side", "blocks"), [(8, 2), (16, 3), (32, 4), (64, 4), (128, 4), (9, 2), (200, 4)])
def test_maps_end_at_four_pixels_or_a_little_more(side, blocks):
    spec = DataSpec(image=(3, side, side), attributes=(Attribute("x", ("a", "b", "c")),))
    model = AttributeClassifier(spec, width=2).eval()
    assert len(model.blocks) == blocks
    sizes = []
    model.blocks.register_forward_hook(lambda _module, _given, maps: sizes.append(maps.shape[-1]))
    assert model.embed(torch.zeros(2, 3, side, side)).shape == (2, 2 * 2 ** (blocks - 1))
    assert 4 <= sizes[0] < 8


def test_a_classifier_needs_attributes():
    with pytest.raises(ValueError, match="attributes are told"):
        AttributeClassifier(DataSpec(image=(3, 8, 8)))


def test_predictions_are_the_likeliest_values(plain):
    class Fixed:
        attributes = plain.attributes[:2]

        def classify(self, images):
            return [torch.tensor([[0.2, 0.5, 0.3]]).repeat(len(images), 1), torch.tensor([[0.4, 0.6]] * len(images))]

    assert predictions(Fixed(), torch.zeros(130, 3, 8, 8), CPU).tolist() == [[1, 1]] * 130


def test_pictures_that_are_no_numbers_are_not_told(plain):
    model = AttributeClassifier(plain.labelled().spec, width=2).eval()
    images = torch.zeros(3, 3, 8, 8)
    images[1, 0, 2, 2] = float("nan")
    told = predictions(model, images, CPU)
    assert told[1].tolist() == [-1, -1, -1]
    assert (told[[0, 2]] >= 0).all()


def test_scores_by_hand(plain):
    """Four pictures, the values of one attribute known of three: two of them told right."""
    known = torch.full((40, 3), -1)
    known[[0, 13, 26], 1] = torch.tensor([0, 1, 1])
    data = plain.labelled(known=known)

    def says(images):
        return torch.tensor([[0, 1, 0]]).repeat(len(images), 1)

    assert scores(says, data) == ({"Smiling": 2 / 3}, {"not Smiling": 0, "Smiling": 1})
    # Taken evenly: pictures 0, 13, 26 and 39.
    assert scores(says, data, 4) == scores(says, data)
    assert scores(says, data, 1) == ({"Smiling": 0}, {"not Smiling": 0})


def test_who_judges(plain):
    with_oracle, without = plain.labelled(), plain.labelled(oracle=False)

    def kind(data, judge):
        return judge_of(plain.evaluation(None, data), replace(QUICK, judge=judge)).kind

    assert kind(with_oracle, "auto") == kind(with_oracle, "oracle") == "oracle"
    assert kind(with_oracle, "classifier") == kind(without, "auto") == "classifier"
    with pytest.raises(DataError, match="set judge to classifier"):
        kind(without, "oracle")
    with pytest.raises(DataError, match="some of them held out"):
        kind(plain.labelled(test={}), "auto")


def test_one_judge_serves_all_metrics_and_goes_with_the_data(plain):
    data = plain.labelled(oracle=False)
    one = judge_of(plain.evaluation("a model", data), QUICK)
    assert judge_of(plain.evaluation("another", data), replace(QUICK)) is one
    assert judge_of(plain.evaluation("a model", data, seed=1), QUICK) is not one
    assert judge_of(plain.evaluation("a model", data), replace(QUICK, steps=4)) is not one
    assert judge_of(plain.evaluation("a model", plain.labelled(oracle=False)), QUICK) is not one
    assert set(one.accuracy) == {"shade", "Smiling", "tint"}
    ended, place = weakref.ref(data), id(data)
    assert place in _kept
    del data
    gc.collect()
    assert ended() is None
    assert place not in _kept
    assert one.read(torch.zeros(2, 3, 8, 8)).shape == (2, 3)


def test_a_file_is_written_once_and_read_afterwards(plain, tmp_path, monkeypatch):
    settings = replace(QUICK, path=str(tmp_path / "judge" / "model.safetensors"))
    data = plain.labelled(oracle=False)
    images = to_float(data.test["images"])
    trained = judge_of(plain.evaluation(None, data), settings)
    config = read_config(tmp_path / "judge" / "model.safetensors")
    assert (config.name, config.settings, config.data) == (classifier.NAME, {"width": 2}, data.spec)
    assert config.origin["steps"] == 3
    monkeypatch.setattr(classifier, "train_classifier", None)
    again = judge_of(plain.evaluation(None, plain.labelled(oracle=False), seed=9), settings)
    assert torch.equal(again.read(images), trained.read(images))
    assert again.accuracy == trained.accuracy


def test_files_of_something_else_are_refused(plain, tmp_path):
    data, path = plain.labelled(), tmp_path / "model.safetensors"

    def write(spec, name=classifier.NAME, model=None):
        config = ModelConfig(name=name, settings={"width": 2}, data=spec, plugin="imgen", origin={})
        write_model(path, config, (model or AttributeClassifier(spec, width=2)).state_dict())

    write(replace(data.spec, image=(3, 16, 16)))
    with pytest.raises(DataError, match="trained on other attributes or sizes"):
        read_classifier(path, data.spec, "cpu")
    write(replace(data.spec, attributes=data.spec.attributes[:1]))
    with pytest.raises(DataError, match="trained on other attributes or sizes"):
        read_classifier(path, data.spec, "cpu")
    write(replace(data.spec, about="other pictures"))
    assert isinstance(read_classifier(path, data.spec, "cpu"), AttributeClassifier)
    write(data.spec, name="nothing-known")
    with pytest.raises(DataError, match="nothing-known"):
        read_classifier(path, data.spec, "cpu")
    path.write_bytes(b"no weights")
    with pytest.raises(DataError, match=str(path)):
        read_classifier(path, data.spec, "cpu")


def test_a_file_that_cannot_be_written_is_told(plain, tmp_path):
    (tmp_path / "a file").write_text("")
    settings = replace(QUICK, path=str(tmp_path / "a file" / "model.safetensors"))
    with pytest.raises(DataError, match="the classifier cannot be written"):
        judge_of(plain.evaluation(None, plain.labelled(oracle=False)), settings)


def test_the_metrics_settings_are_those_of_the_judge():
    """One default for each, wherever it is given."""
    metric = settings_of(edit_accuracy)
    beside = {"judge": "judge", "path": "classifier", "mirrored": "mirrored"}
    for each in fields(JudgeSettings):
        assert metric[beside.get(each.name, f"classifier_{each.name}")].default == each.default
    assert settings_of(AttributeClassifier)["width"].default == JudgeSettings().width
