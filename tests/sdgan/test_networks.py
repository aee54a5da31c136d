"""Layers of SD-GAN against loops over TensorFlow's definition, and sizes against the paper's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from imgen.data.spec import DataSpec
from imgen.model import Generator
from imgen_sdgan.networks import (
    BeganAutoencoder,
    BeganGenerator,
    DcganGenerator,
    SiameseDiscriminator,
    StackedDiscriminator,
    conv,
    double,
    draw_grid,
    draw_tuples,
    pictures,
)


def size_of(*modules):
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


def same_padding(n, kernel, stride):
    out = -(-n // stride)
    total = max((out - 1) * stride + kernel - n, 0)
    return out, total // 2


def same_conv(x, weight, bias, stride):
    """(C, H, W) with weight (out, in, kernel, kernel), as TensorFlow defines SAME."""
    _, height, width = x.shape
    kernel = weight.shape[-1]
    (rows, top), (columns, left) = same_padding(height, kernel, stride), same_padding(width, kernel, stride)
    y = np.tile(bias[:, None, None], (1, rows, columns))
    for i in range(rows):
        for j in range(columns):
            for a in range(kernel):
                for b in range(kernel):
                    row, column = i * stride + a - top, j * stride + b - left
                    if 0 <= row < height and 0 <= column < width:
                        y[:, i, j] += weight[:, :, a, b] @ x[:, row, column]
    return y


def same_transposed(x, weight, bias, stride):
    """(C, H, W) with weight (in, out, kernel, kernel): the adjoint of the SAME convolution from twice the size."""
    _, height, width = x.shape
    kernel = weight.shape[-1]
    _, before = same_padding(height * stride, kernel, stride)
    y = np.tile(bias[:, None, None], (1, height * stride, width * stride))
    for i in range(height):
        for j in range(width):
            for a in range(kernel):
                for b in range(kernel):
                    row, column = i * stride + a - before, j * stride + b - before
                    if 0 <= row < height * stride and 0 <= column < width * stride:
                        y[:, row, column] += weight[:, :, a, b].T @ x[:, i, j]
    return y


@pytest.mark.parametrize(("kernel", "stride"), [(5, 2), (3, 2), (3, 1)])
def test_a_convolution_pads_as_tensorflow_does(kernel, stride):
    layer, x = conv(2, 3, kernel, stride), torch.randn(1, 2, 8, 8)
    weight, bias = (parameter.detach().double().numpy() for parameter in layer.parameters())
    expected = same_conv(x[0].double().numpy(), weight, bias, stride)
    np.testing.assert_allclose(layer(x)[0].detach().numpy(), expected, atol=1e-5)


def test_a_transposed_convolution_pads_as_tensorflow_does():
    layer, x = double(2, 3), torch.randn(1, 2, 4, 4)
    weight, bias = (parameter.detach().double().numpy() for parameter in layer.parameters())
    expected = same_transposed(x[0].double().numpy(), weight, bias, 2)
    np.testing.assert_allclose(layer(x)[0].detach().numpy(), expected, atol=1e-5)


def test_the_usual_padding_would_be_another_layer():
    layer, x = conv(2, 3, 5, 2), torch.randn(1, 2, 8, 8)
    usual = torch.nn.functional.conv2d(x, *layer.parameters(), stride=2, padding=2)
    assert (layer(x) - usual).abs().max() > 0.1


def test_parameter_counts_are_the_papers(spec):
    pairs, quads = spec(64), spec(64, k=4)
    with torch.device("meta"):
        assert size_of(g := DcganGenerator(pairs)) == 5_135_363
        assert size_of(d := SiameseDiscriminator(pairs)) == 9_030_529
        assert size_of(SiameseDiscriminator(quads)) == 13_749_121
        assert size_of(g, d) == 14_165_892
        assert size_of(g, StackedDiscriminator(pairs)) == 11_811_396
        assert size_of(generator := BeganGenerator(pairs)) == 2_011_523
        autoencoder = BeganAutoencoder(pairs)
    assert size_of(autoencoder.encoder) == 12_868_452
    assert size_of(autoencoder.merge, autoencoder.split) == 60_350
    assert size_of(autoencoder.decoder) == 2_011_523
    assert size_of(autoencoder) == 14_940_325
    assert size_of(autoencoder, generator) == 16_951_848


def test_dcgan_starts_with_the_authors_spread(spec):
    model = DcganGenerator(spec(64))
    weight = model.dense.weight
    assert weight.abs().max() <= 0.034642
    assert weight.std().item() == pytest.approx(0.02, rel=0.01)
    assert model.dense.bias.abs().max() == 0
    assert model(draw_tuples(model, 8, 2).flatten(0, 1)).std().item() == pytest.approx(0.26, abs=0.02)


def test_began_starts_with_xavier(spec):
    layer = BeganGenerator(spec(16)).decoder.dense
    bound = (6 / (layer.in_features + layer.out_features)) ** 0.5
    assert 0.99 * bound < layer.weight.abs().max() <= bound
    assert layer.bias.abs().max() == 0


@pytest.mark.parametrize("size", [16, 32, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_generators_make_pictures_of_the_data(spec, size, channels):
    for model in (DcganGenerator(spec(size, 2, channels), dim=4), BeganGenerator(spec(size, 2, channels), hidden=4)):
        assert isinstance(model, Generator)
        assert pictures(model, draw_grid(model, 2, 3)).shape == (2, 3, channels, size, size)


@pytest.mark.parametrize("k", [2, 3, 4])
@pytest.mark.parametrize("size", [16, 32])
def test_judges_look_at_whole_tuples(spec, k, size):
    images = torch.rand(2, k, 3, size, size)
    for norm in ("batch", "layer", "none"):
        assert SiameseDiscriminator(spec(size, k), dim=4, norm=norm)(images).shape == (2,)
        assert StackedDiscriminator(spec(size, k), dim=4, norm=norm)(images).shape == (2,)
    assert BeganAutoencoder(spec(size, k), hidden=4)(images).shape == images.shape


@pytest.mark.parametrize("size", [(8, 8), (48, 48), (64, 32)])
def test_other_sizes_are_refused(size):
    with pytest.raises(ValueError, match="square pictures of 16, 32, 64"):
        DcganGenerator(DataSpec(image=(3, *size), group=2))


def test_a_tuple_shares_its_identity_and_nothing_else(spec):
    model = DcganGenerator(spec(), d_identity=5, d_observation=7, dim=4)
    z = draw_tuples(model, 6, 3)
    assert z.shape == (6, 3, 12)
    assert z.abs().max() <= 1
    assert (z[:, :1, :5] == z[:, :, :5]).all()
    assert len(z[..., 5:].flatten(0, 1).unique(dim=0)) == 18
    assert len(z[:, 0, :5].unique(dim=0)) == 6


def test_a_grid_shares_identities_along_rows_and_observations_down_columns(spec):
    model = BeganGenerator(spec(), d_identity=5, d_observation=7, hidden=4)
    z = draw_grid(model, 3, 4)
    assert (z[:, :1, :5] == z[:, :, :5]).all()
    assert (z[:1, :, 5:] == z[:, :, 5:]).all()
    assert len(z.flatten(0, 1).unique(dim=0)) == 12


def test_draws_follow_the_generator_they_are_given(spec):
    model = BeganGenerator(spec(), hidden=4)
    first, second = (model.draw("identity", 3, torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(first, second)
    assert first.shape == (3, 50)


def test_towers_normalise_one_place_of_the_tuple_at_a_time(spec):
    d = SiameseDiscriminator(spec(), dim=4, norm="batch")
    seen = []
    for module in d.tower.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.register_forward_hook(lambda module, given, made: seen.append(made))
    d.eval()  # even in evaluation there are no running averages
    d(torch.rand(5, 2, 3, 16, 16) * torch.tensor([0.1, 1.0])[:, None, None, None])
    assert [len(made) for made in seen] == [5, 5]
    for made in seen:
        assert made.mean((0, 2, 3)).abs().max() < 1e-5


def test_without_batch_norm_one_call_equals_a_call_for_each_picture(spec):
    d, images = SiameseDiscriminator(spec(k=3), dim=4, norm="layer"), torch.rand(2, 3, 3, 16, 16)
    whole = d(images)
    d.apart = True
    torch.testing.assert_close(d(images), whole)


def test_running_averages_follow_every_pass_of_the_generator(spec):
    model = DcganGenerator(spec(), dim=4)
    norm = model.layers[0]
    x = model.dense(z := draw_tuples(model, 8, 2).flatten(0, 1)).unflatten(1, (-1, 4, 4))
    model(z)
    torch.testing.assert_close(norm.running_mean, 0.01 * x.mean((0, 2, 3)))
    assert norm.eps == 1e-3


def test_the_autoencoders_bottleneck_has_one_identity(spec):
    autoencoder = BeganAutoencoder(spec(k=4), d_identity=3, d_observation=5, hidden=4)
    assert autoencoder.merge.weight.shape == (3 + 4 * 5, 4 * 8)
    assert [head.weight.shape for head in autoencoder.split] == [(8, 23)] * 4
