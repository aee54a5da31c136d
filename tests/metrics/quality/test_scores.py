"""The registered scores, of models whose faults are chosen."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from imgen import binding
from imgen.data.domains import Domains
from imgen.data.spec import DataSpec
from imgen.errors import DataError
from imgen.images import from_float, to_float
from imgen.metrics.quality import pictures as making
from imgen.metrics.quality.frechet import frechet_distance, moments
from imgen.metrics.quality.lpips import lpips_diversity
from imgen.metrics.quality.networks import network_of
from imgen.metrics.quality.pictures import comparisons, generated
from imgen.metrics.quality.scores import fid, fid_clean, inception_scores, kid, kid_clean, precision_recall
from imgen.model import Way
from imgen.plugins import installed

CPU = torch.device("cpu")


@pytest.fixture
def good(plain):
    return plain.evaluation(plain.Draws(), plain.dataset(plain.pictures(600, seed=1)))


def test_picture_i_depends_on_i_and_the_seed_alone(plain, monkeypatch):
    data = plain.dataset(plain.pictures(4))
    few, many = (generated(plain.evaluation(plain.Draws(), data), n, "fid") for n in (5, 600))
    first, whole = torch.cat(list(few.parts())), torch.cat(list(many.parts()))
    assert first.shape == (5, 3, 16, 16) and whole.shape == (600, 3, 16, 16) and whole.dtype == torch.uint8
    assert torch.equal(first, whole[:5]) and len(whole.unique(dim=0)) == 600
    other = generated(plain.evaluation(plain.Draws(), data, seed=1), 5, "fid")
    assert not torch.equal(torch.cat(list(other.parts())), first)


@pytest.mark.parametrize("kept", [True, False])
def test_pictures_are_made_once_where_they_fit(plain, monkeypatch, kept):
    if not kept:
        monkeypatch.setattr(making, "_MOST_KEPT", 10)
    model = plain.Draws().train()
    evaluation = plain.evaluation(model, plain.dataset(plain.pictures(4)))
    for n in (300, 300, 10):
        assert sum(len(part) for part in generated(evaluation, n, "fid").parts()) == n
    assert model.training and set(model.passes) == {64}
    assert sum(model.passes) == (512 if kept else 2 * 512 + 256)


def test_fid_is_the_distance_of_the_features(plain, good):
    told = fid(network="random", pictures=600)(good)
    network = network_of("random", None, CPU, "fid")

    def features(images):
        x = torch.nn.functional.interpolate(images.float(), size=(64, 64), mode="bilinear")
        return network.see(x)[0].numpy()

    made = torch.cat(list(generated(good, 600, "fid").parts()))
    wanted = frechet_distance(moments(features(made)), moments(features(good.dataset.columns["images"])))
    assert told.values["fid"] == pytest.approx(wanted, rel=1e-4)
    assert told.counts == {"pictures": 600, "real": 600}
    assert "network random (733846547b60) at 64x64, resizing bilinear" in told.protocol
    assert any("600 pictures are not more than the 736 features" in note for note in told.notes)
    assert told.details["real_features"] == "seen now"


def test_a_good_model_is_near_the_real_row_and_a_faint_one_is_not(plain, good):
    dim = plain.evaluation(plain.Draws(scale=0.5), good.dataset)
    metrics = {
        "fid": fid(network="random", pictures=600),
        "fid-clean": fid_clean(network="random", pictures=600),
        "kid": kid(network="random", pictures=600, subsets=10, subset_size=200),
        "kid-clean": kid_clean(network="random", pictures=600, subsets=10, subset_size=200),
    }
    for name, metric in metrics.items():
        key = name.removesuffix("-clean")
        right, faint = (metric(evaluation).values for evaluation in (good, dim))
        assert right[key] < 0.2 * faint[key], name
        assert right[f"{key}_real"] < 0.2 * faint[key], name
    assert abs(metrics["kid"](good).values["kid"]) < 1e-3


def test_precision_and_recall_tell_fidelity_from_diversity(plain, good):
    metric = precision_recall(network="random", pictures=300)
    right = metric(good).values
    faint = metric(plain.evaluation(plain.Draws(scale=0.7), good.dataset)).values
    assert right["precision"] > 0.6 and right["recall"] > 0.6 and 0.6 < right["density"] < 1.5
    assert right["precision_real"] > 0.6 and right["coverage_real"] > 0.6
    # What is faint lies in the middle of the real ones, and reaches nobody at the rim.
    assert faint["precision"] > 0.9 and faint["recall"] < 0.2 and faint["density"] > right["density"]


def test_the_inception_score_of_a_classifier_of_ones_own(plain, good, tmp_path):
    path, model = plain.classifier(tmp_path / "judge.safetensors")
    told = inception_scores(network="classifier", weights=path, pictures=300, splits=3)(good)
    real = good.dataset.columns["images"]
    with torch.no_grad():
        chances = model.classify(to_float(real[np.linspace(0, 599, 300).round().astype(np.int64)]))[0].double()
    order = np.random.default_rng(20201).permutation(300)
    parts = chances[torch.from_numpy(order)].split(100)
    by_hand = [float((p * (p.log() - p.mean(dim=0).log())).sum(dim=1).mean().exp()) for p in parts]
    assert told.values["inception_score_a_real"] == pytest.approx(np.mean(by_hand), rel=1e-5)
    mean = (told.values["inception_score_a"] + told.values["inception_score_b-c"]) / 2
    assert told.values["inception_score"] == pytest.approx(mean) and 1 <= mean < 3
    assert fid(network="classifier", weights=path, pictures=300)(good).values["fid"] >= 0


def test_a_second_evaluation_finds_the_features_kept(plain, good):
    metric = fid(network="random", pictures=600)
    first = metric(good)
    again = metric(plain.evaluation(plain.Draws(), good.dataset))
    assert again.details["real_features"] == "kept from an earlier evaluation"
    assert again.values == first.values


def test_figures_follow_from_the_seed(plain, good):
    metric = kid(network="random", pictures=100, subsets=3, subset_size=50)
    told = [metric(plain.evaluation(plain.Draws(), good.dataset, seed=seed)).values for seed in (3, 3, 4)]
    assert told[0] == told[1] != told[2]


def test_few_real_pictures_are_told(plain):
    evaluation = plain.evaluation(plain.Draws(), plain.dataset(plain.pictures(7)))
    told = precision_recall(network="random", pictures=50)(evaluation)
    assert told.counts == {"pictures": 50, "real": 7}
    assert math.isnan(told.values["precision_real"]) and not math.isnan(told.values["precision"])
    assert any("no more than 7 real pictures" in note for note in told.notes)
    assert any("too few for the real row: it needs 12" in note for note in told.notes)
    small = kid(network="random", pictures=50, subsets=2)(evaluation)
    assert any("subsets are of 7 pictures" in note for note in small.notes)


class Swaps(nn.Module):
    """A translator between two domains: faint ones become clear, and clear ones stay as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.ways, self.multiple = [Way("faint", "clear"), Way("clear", "faint")], 1

    def translate(self, images, way):
        return images * 2 if way.target == "clear" else images


def test_translations_are_compared_with_the_held_out_target(plain):
    faint, clear = plain.pictures(200, scale=0.4), plain.pictures(200, seed=1, scale=0.8)
    data = Domains(
        spec=DataSpec(image=(3, 16, 16), domains=("faint", "clear")),
        columns={"a": faint[:2], "b": clear[:2]},
        test={"a": faint, "b": clear},
    )
    told = fid(network="random", pictures=150)(plain.evaluation(Swaps(), data))
    assert told.counts == {"pictures_ab": 150, "real_ab": 150, "pictures_ba": 150, "real_ba": 150}
    values = told.values
    assert values["fid_ab"] < 0.3 * values["fid_ba"]
    assert values["fid"] == pytest.approx((values["fid_ab"] + values["fid_ba"]) / 2)
    assert {"fid_real", "fid_real_ab", "fid_real_ba"} < set(values)
    (ab, _) = comparisons(plain.evaluation(Swaps(), data), 1000, "fid")
    assert torch.equal(torch.cat(list(ab.made.parts())), from_float(to_float(faint) * 2))
    with pytest.raises(DataError, match="fid: the data set holds nothing of 'clear' out"):
        fid(network="random")(plain.evaluation(Swaps(), Domains(spec=data.spec, columns={}, test={"a": faint})))


def test_edits_are_compared_with_who_shows_the_value(plain):
    evaluation = plain.evaluation(plain.Editor(plain.setting).eval(), plain.labelled(n_test=90, size=16))
    pairs = {each.name: each for each in comparisons(evaluation, 1000, "fid")}
    known = evaluation.dataset.test["attributes"]
    assert set(pairs) == {"dark", "grey", "light", "not-Smiling", "Smiling", "cold", "warm"}
    assert pairs["warm"].real.count == int((known[:, 2] == 1).sum())
    assert pairs["warm"].made.count == int((known[:, 2] == 0).sum())


def wrong_size(plain):
    return plain.evaluation(plain.Draws(size=32), plain.dataset(plain.pictures(20)))


def no_numbers(plain):
    return plain.evaluation(plain.Draws(scale=math.nan), plain.dataset(plain.pictures(20)))


def no_generator(plain):
    return plain.evaluation(nn.Identity(), plain.dataset(plain.pictures(20)))


def vectors(plain):
    data = SimpleNamespace(spec=DataSpec(image=(3, 16, 16), vector=2), columns={})
    return plain.evaluation(plain.Draws(), data)


def no_pictures(plain):
    data = SimpleNamespace(spec=DataSpec(image=(3, 16, 16)), columns={"a": plain.pictures(4)})
    return plain.evaluation(plain.Draws(), data)


def one_picture(plain):
    return plain.evaluation(plain.Draws(), plain.dataset(plain.pictures(1)))


METRICS = {
    "fid": fid(network="random", pictures=20),
    "kid-clean": kid_clean(network="random", pictures=20),
    "precision-recall": precision_recall(network="random", pictures=20),
    "lpips-diversity": lpips_diversity(weights="none", pairs=10),
}


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(
    ("evaluation", "why"),
    [
        (no_generator, "needs a model that makes pictures"),
        (vectors, "items of this data set are vectors"),
        (no_pictures, "a column of pictures, 'images'"),
    ],
)
def test_models_and_data_that_do_not_fit(plain, name, evaluation, why):
    with pytest.raises(DataError, match=f"^{name}: .*{why}"):
        METRICS[name](evaluation(plain))


@pytest.mark.parametrize(
    ("metric", "evaluation", "why"),
    [
        (METRICS["fid"], wrong_size, r"fid: the model makes pictures of \(3, 32, 32\), the data set has \(3, 16, 16\)"),
        (METRICS["fid"], no_numbers, "fid: the model makes pictures whose pixels are no numbers"),
        (METRICS["fid"], one_picture, "fid: needs 2 pictures or more of either kind; there are 20 made and 1 real"),
        (METRICS["precision-recall"], one_picture, "precision-recall: needs 6 pictures or more of either kind"),
        (inception_scores(network="random"), no_generator, "inception-score: needs a model that makes pictures"),
        (inception_scores(network="random"), wrong_size, "inception-score: the network random tells no classes"),
        (fid(network="classifier"), wrong_size, "fid: network classifier needs the setting weights"),
        (fid(network="random", weights="x"), wrong_size, "fid: network random takes no weights"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(plain, metric, evaluation, why):
    with pytest.raises(DataError, match=why) as told:
        metric(evaluation(plain))
    assert "\n" not in str(told.value)


def test_a_classifier_without_features_or_classes(plain, good, tmp_path, monkeypatch):
    from imgen.metrics.attribute_network import AttributeClassifier

    path, _ = plain.classifier(tmp_path / "judge.safetensors")
    monkeypatch.delattr(AttributeClassifier, "embed")
    monkeypatch.setattr(AttributeClassifier, "classify", lambda self, images: [images.new_ones(len(images), 5) / 5])
    with pytest.raises(DataError, match="fid: the network classifier gives no features"):
        fid(network="classifier", weights=path, pictures=20)(good)


@pytest.mark.parametrize("name", ["fid", "fid-clean", "kid", "kid-clean", "inception-score", "precision-recall"])
def test_a_network_that_is_not_known_is_told_before_anything_runs(name):
    factory = installed().registry("metrics").get(name).load()
    _, problems = binding.check(factory, {"network": "vgg"})
    assert [problem.text for problem in problems] == ["network must be inception | classifier | random, not 'vgg'"]
    assert binding.check(factory, {})[0]["pictures"] == 50_000
