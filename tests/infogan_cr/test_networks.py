"""Networks: the authors' sizes, paddings, orders of layers and first weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from imgen import DataSpec
from imgen.testing import check_model
from imgen_infogan_cr.algorithm import InfoGanCr
from imgen_infogan_cr.factor_vae import FactorVae
from imgen_infogan_cr.networks import CrDiscriminator, InfoGan, conv, deconv
from imgen_infogan_cr.spectral import SpectralConv2d, SpectralLinear
from imgen_infogan_cr.vae_networks import Vae


def count(*networks: nn.Module) -> int:
    return sum(parameter.numel() for network in networks for parameter in network.parameters())


def sequence(network: nn.Module) -> list[str]:
    """The kinds of layers in order, without shapes."""
    short = {
        "SpectralConv2d": "sconv", "SpectralLinear": "slinear", "Conv2d": "conv", "Linear": "linear",
        "ConvTranspose2d": "deconv", "BatchNorm1d": "norm", "BatchNorm2d": "norm", "ReLU": "relu",
        "LeakyReLU": "lrelu", "Sigmoid": "sigmoid", "Tanh": "tanh",
    }  # fmt: skip
    return [short[type(layer).__name__] for layer in network.modules() if type(layer).__name__ in short]


FACES = {"arch": "faces", "d_noise": 100, "dim": 64, "hidden": 1024}
GAMES = {
    "dsprites": (1, 64, {}, (251_393, 263_878, 247_749)),
    "cdsprites": (1, 64, {"num_codes": 2}, (251_009, 263_491, 247_362)),
    "teapots": (3, 64, {"arch": "teapots"}, (252_419, 264_902, 250_373)),
    "faces": (3, 32, FACES, (5_346_563, 4_318_854, 4_323_397)),
}


@pytest.fixture(params=GAMES)
def game(request):
    channels, size, settings, counts = GAMES[request.param]
    made = InfoGanCr(DataSpec(image=(channels, size, size)), **settings)
    made.name, made.counts = request.param, counts
    return made


def test_parameters_are_the_authors(game):
    parts = (game.model.generator,), (game.model.encoder, game.d_head), (game.cr,)
    assert tuple(count(*each) for each in parts) == game.counts


@pytest.mark.parametrize(("channels", "counts"), [(1, (249_172, 248_833)), (3, (250_196, 249_859))])
def test_parameters_of_factor_vae_are_the_authors(channels, counts):
    game = FactorVae(DataSpec(image=(channels, 64, 64)))
    assert (count(game.model.encoder), count(game.model.decoder), count(game.tc)) == (*counts, 4_017_002)
    assert not [layer for layer in game.modules() if isinstance(layer, nn.BatchNorm2d | SpectralLinear)]
    assert sequence(game.model.encoder) == ["conv", "relu"] * 4 + ["linear"] * 3
    assert sequence(game.tc) == ["linear", "lrelu"] * 5 + ["linear"]


def test_layers_with_spectral_norm(game):
    """All of the discriminator and of the codes' head; of the contrastive one all but the last, in sprites only."""
    discriminator = [*sequence(game.model.encoder), *sequence(game.d_head)]
    assert not {"conv", "linear", "norm"} & set(discriminator)
    contrast = sequence(game.cr)
    if game.name in ("dsprites", "cdsprites"):
        assert discriminator.count("sconv") == 4 and discriminator.count("slinear") == 4
        assert contrast == ["sconv", "lrelu"] * 4 + ["slinear", "lrelu", "linear"]
    elif game.name == "teapots":
        assert contrast == [*("conv", "lrelu"), *("conv", "lrelu", "norm") * 3, *("linear", "lrelu", "norm"), "linear"]
    else:
        assert discriminator == ["sconv", "lrelu"] * 4 + ["slinear", "slinear"]
        assert contrast == [*("conv", "lrelu"), *("conv", "norm", "lrelu") * 3, "linear"]
    assert not [layer for layer in game.model.generator.modules() if isinstance(layer, SpectralLinear | SpectralConv2d)]


def test_batch_norm_stands_behind_or_before_the_activation(game):
    layers = sequence(game.model.generator)
    if game.name == "faces":
        wanted = [*("linear", "norm", "relu") * 2, *("deconv", "norm", "relu") * 2, "deconv", "tanh"]
    else:
        wanted = [*("linear", "relu", "norm") * 2, *("deconv", "lrelu", "norm") * 3, "deconv", "sigmoid"]
    assert layers == wanted
    norms = [layer for layer in game.model.generator.modules() if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert isinstance(norms[1], nn.BatchNorm1d), "over all features, before they become a picture"
    assert all((norm.momentum, norm.eps) == (0.1, 1e-5) for norm in norms)


def same_conv(x: torch.Tensor, weight: torch.Tensor, stride: int = 2) -> torch.Tensor:
    """TensorFlow's SAME, pixel by pixel: in all max(k - s, 0) for even sizes, the odd one at the end."""
    (_, _, height, width), kernel = x.shape, weight.shape[2]
    before = (kernel - stride) // 2
    made = torch.zeros(x.shape[0], weight.shape[0], height // stride, width // stride)
    for row in range(height // stride):
        for column in range(width // stride):
            for down in range(kernel):
                for across in range(kernel):
                    r, c = row * stride + down - before, column * stride + across - before
                    if 0 <= r < height and 0 <= c < width:
                        made[:, :, row, column] += x[:, :, r, c] @ weight[:, :, down, across].T
    return made


@pytest.mark.parametrize("kernel", [4, 5])
def test_padding_is_tensorflows(kernel):
    torch.manual_seed(0)
    layer, x = conv(2, 3, kernel), torch.randn(1, 2, 8, 8)
    plain = next(each for each in layer.modules() if isinstance(each, nn.Conv2d))
    nn.init.zeros_(plain.bias)
    assert torch.allclose(layer(x), same_conv(x, plain.weight), atol=1e-5)
    spectral = conv(2, 3, kernel, spectral=True)
    assert spectral(x).shape == (1, 3, 4, 4)


@pytest.mark.parametrize("kernel", [4, 5])
def test_a_transposed_convolution_is_the_gradient_of_the_convolution(kernel):
    """That is what TensorFlow's is: with the same kernel it sends back what the other took."""
    torch.manual_seed(0)
    layer = deconv(3, 2, kernel)
    plain = next(each for each in layer.modules() if isinstance(each, nn.ConvTranspose2d))
    nn.init.zeros_(plain.bias)
    y, x = torch.randn(1, 3, 4, 4), torch.zeros(1, 2, 8, 8, requires_grad=True)
    (back,) = torch.autograd.grad((same_conv(x, plain.weight) * y).sum(), x)
    assert layer(y).shape == x.shape and torch.allclose(layer(y), back, atol=1e-5)


def test_first_weights():
    torch.manual_seed(0)
    game = InfoGanCr(DataSpec(image=(1, 64, 64)))
    dense, kernel = (each.weight.detach() for each in (game.model.generator.dense[3], game.model.encoder.trunk[2]))
    assert float(dense.std()) == pytest.approx(0.02, rel=0.02) and dense.abs().max() > 0.06
    assert float(kernel.std()) == pytest.approx(0.0176, rel=0.03) and kernel.abs().max() <= 0.04
    assert not any(layer.bias.any() for layer in game.modules() if isinstance(layer, nn.Linear | nn.Conv2d))
    assert float(game.d_head.weight.detach().std()) == pytest.approx(0.02, rel=0.2)


def test_starting_afresh_leaves_the_vectors_of_spectral_norm():
    torch.manual_seed(0)
    network = CrDiscriminator(DataSpec(image=(1, 16, 16)), 3, "sprites", 4, 8)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.reset_parameters()
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]) == (name.endswith((".u", ".bias"))), name


@pytest.mark.parametrize("size", [16, 32, 64, 128])
@pytest.mark.parametrize("arch", ["sprites", "teapots", "faces"])
def test_models_of_other_sizes_keep_their_contract(size, arch):
    data = DataSpec(image=(3, size, size))
    check_model(InfoGan(data, arch=arch, num_codes=3, d_noise=2, dim=4, hidden=8).eval(), data)
    network = CrDiscriminator(data, 3, arch, 4, 8)
    assert network(torch.randn(2, *data.image), torch.randn(2, *data.image)).shape == (2, 3)


def test_factor_vae_keeps_its_contract_and_draws_codes_when_asked():
    data = DataSpec(image=(1, 32, 32))
    model = Vae(data, num_codes=4, dim=4, hidden=8).eval()
    check_model(model, data)
    shown = torch.rand(400, 1, 32, 32) * 2 - 1
    with torch.no_grad():
        mean, logvar = model.encoder(shown)
        drawn = model.encode(shown, torch.Generator().manual_seed(0))
    assert torch.equal(model.encode(shown), mean)
    normal = (drawn - mean) / (logvar / 2).exp()
    assert float(normal.std()) == pytest.approx(1, abs=0.05) and float(normal.mean()) == pytest.approx(0, abs=0.06)


@pytest.mark.parametrize("image", [(1, 28, 28), (1, 64, 32), (1, 8, 8)])
def test_other_sizes_are_refused(image):
    with pytest.raises(ValueError, match=r"square pictures of 16, 32, 64, 128 \.\.\. pixels, not"):
        InfoGan(DataSpec(image=image))
