"""What edits leave of a picture: figures worked by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from imgen.data.spec import DataSpec
from imgen.errors import DataError
from imgen.metrics.attribute_network import AttributeClassifier
from imgen.metrics.classifier import NAME
from imgen.metrics.edit_likeness import edit_identity, edit_reconstruction, pair_cosines, threshold_of
from imgen.model import ModelConfig, write_model


def idle(images, place, value):
    return images


def test_an_editor_that_changes_nothing_loses_nothing(plain):
    told = edit_reconstruction()(plain.evaluation(plain.Editor(idle), plain.labelled(size=16)))
    assert (told["same_l1"], told["same_psnr"], told["round_l1"], told["round_psnr"]) == (0, 100, 0, 100)
    assert told["same_ssim"] == told["round_ssim"] == pytest.approx(1)


def test_what_is_lost(plain):
    """Heads of the smile make pictures a tenth of the range brighter; two of them, two tenths. Others do nothing."""

    def brighten(images, place, value):
        return images + 0.2 if place == 1 else images

    told = edit_reconstruction()(plain.evaluation(plain.Editor(brighten), plain.labelled()))
    assert told["same_l1"] == pytest.approx(0.1 / 3, rel=1e-5)
    assert told["round_l1"] == pytest.approx(0.2 / 3, rel=1e-5)
    assert told["same_psnr_Smiling"] == pytest.approx(20, rel=1e-5)
    assert told["round_psnr_Smiling"] == pytest.approx(-20 * math.log10(0.2), rel=1e-5)
    assert told["same_psnr"] == pytest.approx((20 + 100 + 100) / 3, rel=1e-5)
    assert told["same_psnr_shade"] == 100
    # Pictures of 8 pixels are smaller than the window.
    assert "same_ssim" not in told


def test_which_heads_are_asked(plain):
    """Of one dark picture: its own head; there by each of the others, and back by its own."""
    known = torch.full((40, 3), -1)
    known[7, 0] = 0
    model = plain.Editor(idle)
    told = edit_reconstruction()(plain.evaluation(model, plain.labelled(known=known)))
    assert model.done == [(1, name) for name in ("dark", "grey", "dark", "light", "dark")]
    assert set(told) == {f"{kind}_{name}" for kind in ("same", "round") for name in ("l1", "psnr", "psnr_shade")}


def test_no_more_pictures_than_asked(plain):
    model = plain.Editor(idle, plain.attributes[1:2])
    edit_reconstruction(pictures=10)(plain.evaluation(model, plain.labelled()))
    assert sum(n for n, _ in model.done) == 30


def test_pictures_that_no_head_fits_are_refused(plain):
    data = plain.labelled(known=torch.full((40, 3), -1))
    with pytest.raises(DataError, match="edit-reconstruction: no held-out picture"):
        edit_reconstruction()(plain.evaluation(plain.Editor(idle), data))


def test_cosines_of_all_pairs():
    rows = torch.tensor([[1.0, 0], [0, 1], [0.6, 0.8]])
    assert pair_cosines(rows).tolist() == pytest.approx([0, 0.6, 0.8])


def test_the_threshold():
    cosines = torch.arange(3000).flip(0) / 3000
    # Three of 3,000 may exceed it: the fourth highest.
    assert threshold_of(cosines, 1e-3) == pytest.approx(2996 / 3000)
    assert int((cosines > threshold_of(cosines, 1e-3)).sum()) == 3
    assert threshold_of(cosines[:999], 1e-3) == pytest.approx(2999 / 3000)


@pytest.fixture
def embedding(tmp_path):
    """A weights file of a network that embeds, and the network."""

    def make(spec):
        path = tmp_path / "faces.safetensors"
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = AttributeClassifier(spec, width=3).eval()
        config = ModelConfig(name=NAME, settings={"width": 3}, data=spec, plugin="imgen")
        write_model(path, config, model.state_dict())
        return str(path), model

    return make


def test_an_unchanged_face_is_the_same(plain, embedding):
    path, model = embedding(plain.labelled().spec)
    told = edit_identity(embedding=path)(plain.evaluation(plain.Editor(idle), plain.labelled()))
    assert told["identity"] == told["identity_tint"] == pytest.approx(1)
    assert told["verified"] == 1
    assert told["pairs"] == 40 * 39 / 2
    seen = torch.nn.functional.normalize(model.embed(plain.floats(plain.labelled())).detach().double())
    apart = (seen @ seen.T)[~torch.eye(40, dtype=torch.bool)]
    assert told["floor"] == pytest.approx(float(apart.mean()))
    assert told["threshold"] == pytest.approx(float(apart.max()))


def test_a_changed_face_is_told_by_attribute(plain, embedding):
    """Whoever edits the tint makes negatives."""
    data = plain.labelled()
    path, model = embedding(data.spec)

    def negates(images, place, value):
        return -images if place == 2 else images

    told = edit_identity(embedding=path)(plain.evaluation(plain.Editor(negates), data))
    images = plain.floats(data)
    near = torch.cosine_similarity(*(model.embed(each).detach().double() for each in (images, -images)))
    cold = data.test["attributes"][:, 2] == 0
    expected = float((near[cold].mean() + near[~cold].mean()) / 2)
    assert told["identity_tint"] == pytest.approx(expected, abs=1e-6)
    assert told["identity"] == pytest.approx((1 + 1 + expected) / 3, abs=1e-6)
    passed = near > told["threshold"]
    assert told["verified_tint"] == pytest.approx(
        float(passed[cold].double().mean() + passed[~cold].double().mean()) / 2
    )


def test_pictures_are_resized_to_the_network(plain, embedding):
    path, _ = embedding(replace(plain.labelled().spec, image=(3, 32, 32)))
    told = edit_identity(embedding=path, pictures=5)(plain.evaluation(plain.Editor(idle), plain.labelled()))
    assert told["identity"] == pytest.approx(1)
    assert told["pairs"] == 10


def test_what_does_not_fit_is_refused(plain, embedding, tmp_path):
    evaluation = plain.evaluation(plain.Editor(idle), plain.labelled())
    with pytest.raises(DataError, match=r"edit-identity: .*give the setting embedding"):
        edit_identity()(evaluation)
    with pytest.raises(DataError, match="no such file"):
        edit_identity(embedding=str(tmp_path / "nothing.safetensors"))(evaluation)
    path, _ = embedding(DataSpec(image=(1, 8, 8), attributes=plain.attributes))
    with pytest.raises(DataError, match="1 channels"):
        edit_identity(embedding=path)(evaluation)
    path, _ = embedding(plain.labelled().spec)
    with pytest.raises(DataError, match="two held-out pictures"):
        edit_identity(embedding=path, pictures=1)(evaluation)
    unknown = plain.labelled(known=torch.full((40, 3), -1))
    with pytest.raises(DataError, match="edit-identity: needs held-out pictures whose values"):
        edit_identity(embedding=path)(plain.evaluation(plain.Editor(idle), unknown))
