"""DiscoGAN's networks: counts and layers of the authors' code, first weights, sizes, and independence of the batch."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from imgen.data.spec import DataSpec
from imgen.model import Way
from imgen_discogan.networks import BatchNorm, CrossDomain, Discriminator, Generator, PointDiscriminator, PointGenerator


def spec(size=64, **more):
    return DataSpec(image=(3, size, size), domains=("square", "disc"), **more)


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("levels", "parameters"), [(3, 1_318_016), (4, 5_513_856), (5, 7_153_480)])
def test_a_generator_has_the_parameters_of_the_authors_code(levels, parameters):
    network = Generator(3, levels=levels, width=64, norm="batch")
    assert count(network) == parameters
    assert network(torch.rand(2, 3, 64, 64)).shape == (2, 3, 64, 64)


def test_three_levels_by_hand():
    """64 and 128 and 256 channels there and back, kernels of 16 places, two numbers for each normalised channel."""
    kernels = 16 * (3 * 64 + 64 * 128 + 128 * 256) * 2
    assert kernels + 2 * (128 + 256 + 128 + 64) == 1_318_016


def test_a_discriminator_has_the_parameters_and_features_of_the_authors_code():
    network = Discriminator(spec(), width=64, norm="batch", size_aware=False)
    assert count(network) == 2_765_568
    score, features = network(torch.rand(2, 3, 64, 64))
    assert score.shape == (2, 1)
    assert [tuple(each.shape[1:]) for each in features] == [(128, 16, 16), (256, 8, 8), (512, 4, 4)]


def test_layers_are_in_the_authors_order():
    layers = Generator(3, levels=4, width=64, norm="batch").layers
    kinds = [type(layer).__name__ for layer in layers]
    down, up = ["Conv2d", "BatchNorm", "LeakyReLU"], ["ConvTranspose2d", "BatchNorm", "ReLU"]
    assert kinds == ["Conv2d", "LeakyReLU", *down * 3, *up * 3, "ConvTranspose2d", "Sigmoid"]
    for layer in layers:
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            assert (layer.kernel_size, layer.stride, layer.padding, layer.bias) == ((4, 4), (2, 2), (1, 1), None)
        if isinstance(layer, nn.LeakyReLU):
            assert layer.negative_slope == 0.2


def test_the_fifth_level_squeezes_a_picture_into_a_hundred_numbers():
    layers = Generator(3, levels=5, width=8, norm="batch").layers
    x = torch.rand(2, 3, 64, 64)
    sizes = [tuple((x := layer(x)).shape[1:]) for layer in layers]
    assert (100, 1, 1) in sizes and sizes[-1] == (3, 64, 64)


@pytest.mark.parametrize(("size", "levels"), [(32, 3), (64, 4), (128, 5), (256, 6)])
def test_a_size_aware_discriminator_gives_one_verdict_a_picture(size, levels):
    network = Discriminator(spec(size), width=4, norm="instance", size_aware=True)
    score, features = network(torch.rand(2, 3, size, size))
    assert score.shape == (2, 1) and len(network.levels) == levels and len(features) == levels - 1
    assert features[-1].shape[1:] == (min(4 << (levels - 1), 32), 4, 4)


def test_the_authors_discriminator_gives_a_map_where_pictures_are_larger_and_refuses_smaller_ones():
    network = Discriminator(spec(128), width=4, norm="batch", size_aware=False)
    assert network(torch.rand(2, 3, 128, 128))[0].shape == (2, 25)
    with pytest.raises(ValueError, match="64x64 or more, not 32x32; set size_aware"):
        Discriminator(spec(32), width=4, norm="batch", size_aware=False)


def test_first_weights_of_2017():
    """U(-s, s) with s from a kernel's inputs, transposed ones too; gains from U(0, 1)."""
    network = CrossDomain(spec(), init="official2017")
    last = network.ab.layers[-2]
    assert isinstance(last, nn.ConvTranspose2d)
    bound = 1 / math.sqrt(64 * 16)
    assert 0.97 * bound < last.weight.abs().max() <= bound
    assert last.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)
    gains = torch.cat([layer.weight for layer in network.ab.layers if isinstance(layer, BatchNorm)])
    assert gains.min() < 0.02 and gains.max() > 0.98 and gains.mean().item() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(("init", "deviation"), [("normal02", 0.02), ("default", 0.144 / math.sqrt(3))])
def test_other_first_weights(init, deviation):
    last = CrossDomain(spec(), init=init).ab.layers[-2]
    assert last.weight.std().item() == pytest.approx(deviation, rel=0.06)


def test_points_have_three_hidden_layers_and_their_judges_five():
    assert count(PointGenerator(2, 128)) == (2 * 128 + 128) + 2 * (128 * 128 + 128) + (128 * 2 + 2)
    assert count(PointDiscriminator(2, 128)) == (2 * 128 + 128) + 4 * (128 * 128 + 128) + (128 + 1)
    score, features = PointDiscriminator(2, 8)(torch.rand(5, 2))
    assert score.shape == (5, 1) and len(features) == 4


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_a_translation_does_not_depend_on_what_else_is_in_the_batch(norm):
    """After batches of two very different kinds were seen in training."""
    torch.manual_seed(0)
    model = CrossDomain(spec(16), levels=3, width=8, norm=norm, init="default")
    model.train()
    for _ in range(5):
        model.ab(torch.rand(8, 3, 16, 16))
    model.eval()
    picture, dark, bright = torch.rand(1, 3, 16, 16) * 2 - 1, -torch.ones(3, 3, 16, 16), torch.ones(3, 3, 16, 16)
    with torch.no_grad():
        alone, among_dark, among_bright = (
            model.translate(torch.cat([picture, *others]), model.ways[0])[0] for others in ((), (dark,), (bright,))
        )
    assert torch.allclose(alone, among_dark, atol=1e-6) and torch.allclose(alone, among_bright, atol=1e-6)


def test_in_training_batch_norm_does_depend_on_the_batch():
    """The authors translate their test pictures so: the test above would fail there."""
    torch.manual_seed(0)
    model = CrossDomain(spec(16), levels=3, width=8, norm="batch", init="default").train()
    picture, bright = torch.rand(1, 3, 16, 16), torch.ones(3, 3, 16, 16)
    with torch.no_grad():
        alone, among = model.ab(picture)[0], model.ab(torch.cat([picture, bright]))[0]
    assert (alone - among).abs().max() > 0.01


def test_running_statistics_follow_real_pictures_alone():
    norm = BatchNorm(2).train()
    made, real = torch.full((4, 2, 3, 3), 7.0), torch.randn(4, 2, 3, 3) + 2
    before = norm.running_mean.clone()
    plain = norm(made + torch.randn_like(made), follow=False)
    assert torch.equal(norm.running_mean, before) and plain.mean().abs() < 1e-5
    norm(real)
    assert torch.allclose(norm.running_mean, 0.1 * real.mean((0, 2, 3)))


def test_what_running_statistics_give_is_near_what_a_large_batch_gives():
    """Evaluated one by one, translations are those of training mode in a large batch of real pictures."""
    torch.manual_seed(0)
    model = CrossDomain(spec(16), levels=3, width=8, norm="batch", init="default").train()
    kind = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        for _ in range(60):
            model.ab((kind + 0.3 * torch.randn(64, 3, 16, 16)).clamp(0, 1))
        pictures = (kind + 0.3 * torch.randn(256, 3, 16, 16)).clamp(0, 1)
        together = model.ab(pictures, follow=False)
        singly = model.eval().ab(pictures)
    assert (together - singly).abs().mean() < 0.25 * together.std()


def test_ways_and_sizes():
    model = CrossDomain(spec(), width=4)
    assert model.ways == [Way("square", "disc"), Way("disc", "square")] and model.multiple == 16
    assert CrossDomain(spec(), width=4, variant="gan").ways == [Way("square", "disc")]
    assert CrossDomain(spec(), width=4, levels=5).multiple == 64
    x = torch.rand(1, 3, 64, 64) * 2 - 1
    ab, ba = (model.translate(x, way) for way in model.ways)
    assert torch.allclose(ab, model.ab((x + 1) / 2) * 2 - 1) and not torch.allclose(ab, ba)


@pytest.mark.parametrize(
    ("data", "settings", "says"),
    [
        (DataSpec(image=(3, 64, 64)), {}, "this data set has none; take one with domains"),
        (spec(40), {}, "multiples of 16, not 40x40"),
        (spec(32), {"levels": 5}, "multiples of 64, not 32x32"),
    ],
)
def test_what_does_not_fit(data, settings, says):
    with pytest.raises(ValueError, match=says):
        CrossDomain(data, width=4, **settings)
