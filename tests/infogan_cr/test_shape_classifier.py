"""The classifier behind the inception score: its network, its training and its file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import conv2d

from imgen.data.factored.drawn_sprites import drawn_sprites
from imgen.data.factored.dsprites import dsprites
from imgen.data.loader import Loader
from imgen.data.shapes import shapes
from imgen.data.spec import Attribute, DataSpec
from imgen.errors import DataError
from imgen.images import to_float
from imgen.metrics.weights import write_weights
from imgen.model import read_config
from imgen.testing import check_model
from imgen_infogan_cr import shape_classifier
from imgen_infogan_cr.networks import InfoGan
from imgen_infogan_cr.shape_classifier import (
    NAME,
    ShapeClassifier,
    Training,
    kind_of,
    kinds_of,
    read_shape_classifier,
    shape_classifier_of,
    train_shape_classifier,
    with_kinds,
)

THREE = DataSpec(image=(1, 64, 64), attributes=(Attribute("shape", ("0", "1", "2")),))
QUICK = Training(steps=3, batch=8, settle=0)


def weights(model):
    return torch.cat([each.flatten().double() for each in model.state_dict().values()])


@pytest.fixture
def data():
    return drawn_sprites(size=16, shapes=2, scales=2, positions=4)


def test_parameters_by_hand():
    """Kernels of 4x4, biases, the dense layers of 4x4x64 and 128, and two numbers a channel for each norm."""
    convolutions = (1 * 32 + 32 * 32 + 32 * 64 + 64 * 64) * 16 + 32 + 32 + 64 + 64
    dense = 1024 * 128 + 128 + 128 * 3 + 3
    norms = 2 * (32 + 32 + 64 + 64 + 128)
    found = sum(parameter.numel() for parameter in ShapeClassifier(THREE).parameters())
    assert found == convolutions + dense + norms == 247_619


def test_layers_and_their_order():
    model = ShapeClassifier(THREE)
    kinds = [type(layer).__name__ for layer in model.layers]
    stage = ["Conv2d", "LeakyReLU", "BatchNorm2d"]
    assert kinds == [*stage * 4, "Flatten", "Linear", "LeakyReLU", "BatchNorm1d", "Linear"]
    convs = [layer for layer in model.layers if isinstance(layer, torch.nn.Conv2d)]
    assert [layer.out_channels for layer in convs] == [32, 32, 64, 64]
    assert {(layer.kernel_size, layer.stride, layer.padding) for layer in convs} == {((4, 4), (2, 2), (1, 1))}
    norms = [layer for layer in model.layers if hasattr(layer, "running_mean")]
    # A decay of 0.9 is a momentum of 0.1.
    assert {(norm.momentum, norm.eps, norm.affine) for norm in norms} == {(0.1, 1e-5, True)}
    assert {layer.negative_slope for layer in model.layers if isinstance(layer, torch.nn.LeakyReLU)} == {0.2}


def test_first_weights():
    model = ShapeClassifier(THREE)
    convs = torch.cat([layer.weight.flatten() for layer in model.layers if isinstance(layer, torch.nn.Conv2d)])
    dense = model.layers[13].weight
    assert convs.abs().max() <= 0.04
    assert float(convs.detach().std()) == pytest.approx(0.88 * 0.02, rel=0.02)  # a normal cut off at two deviations
    assert dense.abs().max() > 0.06
    assert float(dense.detach().std()) == pytest.approx(0.02, rel=0.02)
    biases = [layer.bias for layer in model.layers if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear)]
    assert all(not bias.any() for bias in biases)


def test_a_forward_pass_by_hand():
    """In evaluation mode: bias, rectifier, and only then the norm, of pictures in [0, 1]."""
    model = ShapeClassifier(replace(THREE, image=(1, 16, 16)), dim=2, hidden=5)
    rng = np.random.default_rng(0)
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            drawn = torch.from_numpy(
                rng.uniform(0.5, 1.5, value.shape) if "var" in name else rng.normal(size=value.shape)
            )
            value.copy_(drawn)
    model.eval()
    images = torch.from_numpy(rng.uniform(-1, 1, (3, 1, 16, 16))).float()
    found = model.classify(images)[0].detach().double().numpy()
    x = (images.double() + 1) / 2

    def activated(x, norm, shape):
        x = torch.where(x > 0, x, 0.2 * x)
        mean, var, scale, shift = (
            each.detach().double().view(shape) for each in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
        )
        return (x - mean) / torch.sqrt(var + 1e-5) * scale + shift

    for at in (0, 3):
        layer = model.layers[at]
        x = conv2d(x, layer.weight.detach().double(), layer.bias.detach().double(), stride=2, padding=1)
        x = activated(x, model.layers[at + 2], (1, -1, 1, 1))
    x = x.flatten(1)
    first, last = model.layers[7], model.layers[10]
    x = activated(x @ first.weight.detach().double().T + first.bias.detach().double(), model.layers[9], (1, -1))
    logits = (x @ last.weight.detach().double().T + last.bias.detach().double()).numpy()
    wanted = np.exp(logits - logits.max(axis=1, keepdims=True))
    assert found == pytest.approx(wanted / wanted.sum(axis=1, keepdims=True), abs=1e-4)


def test_it_is_a_classifier_as_imgen_knows_them():
    check_model(ShapeClassifier(THREE, dim=4, hidden=8), THREE)
    two = replace(THREE, attributes=(*THREE.attributes, Attribute("colour", ("red", "green"))))
    check_model(ShapeClassifier(two, dim=4, hidden=8), two)
    with pytest.raises(ValueError, match="kinds are told as attributes"):
        ShapeClassifier(replace(THREE, attributes=()))


def test_five_walks_through_dsprites():
    assert Training().whole(737_280) == Training().length(737_280) == 57_600
    assert Training(steps=800).length(737_280) == 800
    assert Training(steps=800).length(640) == 50
    assert Training(epochs=1).length(3) == 1


def test_the_kinds_of_dsprites_are_its_shapes():
    data = dsprites()
    assert kind_of(data)[0] == 0
    rows = np.array([0, 245_759, 245_760, 491_520, 737_279])
    assert kinds_of(data, rows).tolist() == [0, 0, 1, 2, 2]
    (attribute,) = with_kinds(data).attributes
    assert (attribute.name, attribute.values) == ("shape", ("shape 0", "shape 1", "shape 2"))


def test_a_kind_that_is_not_the_first_factor(data):
    """The classes are those of the first factor without an order, wherever it stands."""
    last = replace(data, spec=replace(data.spec, factors=data.spec.factors[::-1]))
    assert kind_of(last) == (3, data.spec.factors[0])


def test_it_learns():
    drawn = drawn_sprites(size=16, shapes=2, scales=1, positions=8)
    data = replace(drawn, columns={"images": drawn.columns["images"].decode_all(1)})
    model, steps = train_shape_classifier(data, Training(epochs=12, batch=32, settle=30), "cpu")
    assert steps == 48
    assert not model.training
    rows = np.arange(128)
    with torch.no_grad():
        told = model.classify(to_float(data.columns["images"]))[0].argmax(dim=1)
    assert float((told == kinds_of(data, rows)).double().mean()) > 0.95


def test_weights_follow_from_the_seed_and_nothing_else_moves(data):
    torch.manual_seed(5)
    np.random.seed(5)
    noise, other = torch.get_rng_state(), np.random.get_state()[1].tolist()
    with torch.no_grad():
        one = weights(train_shape_classifier(data, QUICK)[0])
    assert torch.equal(noise, torch.get_rng_state())
    assert np.random.get_state()[1].tolist() == other
    torch.manual_seed(6)
    assert torch.equal(one, weights(train_shape_classifier(data, QUICK)[0]))
    assert not torch.equal(one, weights(train_shape_classifier(data, replace(QUICK, seed=1))[0]))
    assert not torch.equal(one, weights(train_shape_classifier(data, replace(QUICK, steps=4))[0]))


def test_batch_norm_settles_and_nothing_else_moves(data):
    """What settles hears of later batches alone: the running averages, and by a decay of 0.9."""
    one, two = (train_shape_classifier(data, replace(QUICK, settle=n))[0] for n in (0, 1))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    rows = Loader(data, batch=8, seed=0, device=torch.device("cpu")).rows(3)["images"]
    seen = one.layers[:2]((to_float(data.columns["images"].fetch(rows)) + 1) / 2)
    wanted = 0.9 * one.layers[2].running_mean + 0.1 * seen.mean(dim=(0, 2, 3))
    assert torch.allclose(two.layers[2].running_mean, wanted, atol=1e-6)
    assert not torch.allclose(two.layers[2].running_mean, one.layers[2].running_mean, atol=1e-6)


def test_it_is_trained_once_for_equal_settings(data):
    one = shape_classifier_of(data, QUICK)
    assert shape_classifier_of(data, replace(QUICK)) is one
    assert shape_classifier_of(data, replace(QUICK, seed=1)) is not one
    assert shape_classifier_of(replace(data), QUICK) is not one


def test_a_file_is_written_once_and_read_afterwards(data, tmp_path, monkeypatch):
    path = tmp_path / "kept" / "shapes.safetensors"
    one = shape_classifier_of(data, QUICK, path)
    config = read_config(path)
    assert config.name == NAME and config.plugin.startswith("infogan_cr (imgen ")
    assert {"steps": 3, "batch": 8, "lr": 0.01, "settle": 0, "seed": 0}.items() <= config.origin.items()
    monkeypatch.setattr(shape_classifier, "train_shape_classifier", None)
    again = shape_classifier_of(drawn_sprites(size=16, shapes=2, scales=2, positions=4), QUICK, str(path))
    images = torch.rand(4, 1, 16, 16) * 2 - 1
    assert torch.equal(one.model.classify(images)[0], again.model.classify(images)[0])
    assert again.origin["steps"] == 3


def test_files_of_something_else_are_refused(data, tmp_path):
    path = tmp_path / "shapes.safetensors"
    shape_classifier_of(data, QUICK, path)
    for other in (
        drawn_sprites(size=32, shapes=2, scales=2, positions=4),
        drawn_sprites(size=16, shapes=3, scales=2, positions=4),
        drawn_sprites(size=16, shapes=2, scales=2, positions=5),
    ):
        with pytest.raises(DataError, match="was trained on other kinds, factors or sizes"):
            shape_classifier_of(other, QUICK, path)
    settings = {"num_codes": 2, "dim": 4, "hidden": 4}
    write_weights(path, InfoGan(data.spec, **settings), "infogan", settings, data.spec, {})
    with pytest.raises(DataError, match="holds the model 'infogan'; a classifier of kinds is a file of"):
        read_shape_classifier(path, data)
    model = ShapeClassifier(with_kinds(data))
    write_weights(path, model, NAME, {}, with_kinds(data), {"steps": "many"})
    with pytest.raises(DataError, match="does not say how it was trained"):
        read_shape_classifier(path, data)
    path.write_bytes(b"no weights")
    with pytest.raises(DataError, match=r"shapes\.safetensors: not a"):
        read_shape_classifier(path, data)


def test_what_does_not_fit_is_refused(data, tmp_path):
    with pytest.raises(DataError, match="none of the factors of this data is a kind"):
        train_shape_classifier(drawn_sprites(size=16), QUICK)
    with pytest.raises(DataError, match="nothing is known of the factors"):
        train_shape_classifier(shapes(identities=2, photos=2, size=16), QUICK)
    with pytest.raises(DataError, match="not 24x24"):
        train_shape_classifier(drawn_sprites(size=24, shapes=2, positions=2), QUICK)
    with pytest.raises(DataError, match="diverged; take a smaller rate"):
        train_shape_classifier(data, replace(QUICK, lr=1e30))
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="is no folder, so the classifier cannot be written there"):
        shape_classifier_of(data, QUICK, tmp_path / "file" / "shapes.safetensors")
