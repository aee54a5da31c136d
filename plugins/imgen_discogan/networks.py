"""DiscoGAN's networks: two generators that ship as one model, and discriminators that show their features.

Source: Kim et al., 2017, and the authors' code: kernels of 4, no biases, no skip connections. Pictures are in [0, 1]
inside and in [-1, 1] at the border.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from imgen.binding import Count
from imgen.data.spec import DataSpec
from imgen.model import Way
from imgen.nn.doubling import DoublingConv2d
from imgen.nn.instance_norm import InstanceNorm2d

Levels = Literal[3, 4, 5]
Norm = Literal["batch", "instance", "none"]
DiscriminatorNorm = Literal["batch", "instance", "spectral", "none"]
Upsample = Literal["transposed", "resize"]
Init = Literal["official2017", "default", "normal02"]
Variant = Literal["discogan", "recongan", "gan"]

BOTTLENECK = 100
_SLOPE = 0.2


class Generator(nn.Module):
    """A picture of one domain from a picture of the other, in [0, 1].

    Shapes: (B, C, H, W) to the same; sides are multiples of 2 ** min(levels, 4), and of 64 for five levels.
    """

    def __init__(
        self, channels: int, *, levels: int, width: int, norm: Norm, upsample: Upsample = "transposed"
    ) -> None:
        """levels: convolutions on either side; the fifth squeezes 4x4 into one point of 100 numbers."""
        super().__init__()
        widths = [width << level for level in range(min(levels, 4))]
        layers: list[nn.Module] = [_conv(channels, width), _leaky()]
        for fine, coarse in pairwise(widths):
            layers += [_conv(fine, coarse), *_normed(coarse, norm), _leaky()]
        if levels == 5:
            # At one point instance norm would leave nothing but its bias.
            squeezed = [] if norm == "instance" else _normed(BOTTLENECK, norm)
            layers += [nn.Conv2d(widths[-1], BOTTLENECK, 4, bias=False), *squeezed, _leaky()]
            layers += [nn.ConvTranspose2d(BOTTLENECK, widths[-1], 4, bias=False), *_normed(widths[-1], norm), _relu()]
        for coarse, fine in pairwise(widths[::-1]):
            layers += [*_up(coarse, fine, upsample), *_normed(fine, norm), _relu()]
        self.layers = nn.ModuleList([*layers, *_up(width, channels, upsample), nn.Sigmoid()])

    def forward(self, x: Tensor, follow: bool = True) -> Tensor:
        """follow: whether batch norm's running statistics take note of these inputs."""
        for layer in self.layers:
            x = layer(x, follow) if isinstance(layer, BatchNorm) else layer(x)
        return x


class BatchNorm(nn.BatchNorm2d):
    """Batch norm whose running statistics follow real inputs alone.

    A generator meets real pictures and, on the way back, made ones. What ships is used on real ones, with running
    statistics, so that a picture's translation does not depend on what else is in its batch. The authors never leave
    training mode: their test pictures are normalised with each other.
    """

    def forward(self, x: Tensor, follow: bool = True) -> Tensor:
        if self.training and not follow:
            return F.batch_norm(x, None, None, self.weight, self.bias, training=True, eps=self.eps)
        return super().forward(x)


class Discriminator(nn.Module):
    """How real a picture in [0, 1] looks: raw scores, and the features behind them.

    Shapes: (B, C, H, W) to scores (B, places), one place where the last kernel covers all that is left, and features
    from the second level on.
    """

    def __init__(self, data: DataSpec, *, width: int, norm: DiscriminatorNorm, size_aware: bool) -> None:
        """size_aware: as many levels as lead to 4x4, whatever the size; else the authors' four, made for 64x64."""
        super().__init__()
        channels, height, side = data.image
        levels = max(2, math.ceil(math.log2(min(height, side) / 4))) if size_aware else 4
        if min(height, side) >> levels < 4:
            raise ValueError(
                f"the authors' discriminator needs pictures of 64x64 or more, not {side}x{height}; "
                "set size_aware to true, or dataset.size to 64"
            )
        widths = [min(width << level, 8 * width) for level in range(levels)]
        self.levels = nn.ModuleList([nn.Sequential(_judging(channels, width, norm), _leaky())])
        for fine, coarse in pairwise(widths):
            normed = _normed(coarse, norm) if norm in ("batch", "instance") else []
            self.levels.append(nn.Sequential(_judging(fine, coarse, norm), *normed, _leaky()))
        last = nn.Conv2d(widths[-1], 1, 4, bias=False)
        self.verdict = spectral_norm(last) if norm == "spectral" else last

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        features = []
        for level in self.levels:
            x = level(x)
            features.append(x)
        return self.verdict(x).flatten(1), features[1:]


class PointGenerator(nn.Module):
    """A point of one domain from a point of the other: three hidden layers."""

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*_dense(size, hidden, 3), nn.Linear(hidden, size))

    def forward(self, x: Tensor, follow: bool = True) -> Tensor:
        """follow: there is no batch norm, so it changes nothing."""
        return self.layers(x)


class PointDiscriminator(nn.Module):
    """How real a point looks: raw scores (B, 1); features of all but the first of five hidden layers."""

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        layers = _dense(size, hidden, 5)
        self.levels = nn.ModuleList(nn.Sequential(*pair) for pair in zip(layers[::2], layers[1::2], strict=True))
        self.verdict = nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        features = []
        for level in self.levels:
            x = level(x)
            features.append(x)
        return self.verdict(x), features[1:]


class CrossDomain(nn.Module):
    """DiscoGAN's two generators: one for each direction between two domains.

    Settings:
        variant: discogan and recongan learn both directions, gan only the first
        levels: convolutions on either side of a generator: 4 for appearance, 5 for poses, 3 for edges
        width: channels next to the picture; each level further in has twice as many
        norm: the generators' normalisation; batch is the authors'
        upsample: transposed convolutions, or nearest neighbours and a convolution, against checkerboards
        init: first weights: those of the authors' framework in 2017, of today's, or N(0, 0.02)
        hidden: width of the layers where items are vectors

    Shapes: at the border pictures (B, C, H, W) in [-1, 1], or vectors (B, V) as they are.
    """

    def __init__(
        self,
        data: DataSpec,
        *,
        variant: Variant = "discogan",
        levels: Levels = 4,
        width: Count = 64,
        norm: Norm = "batch",
        upsample: Upsample = "transposed",
        init: Init = "official2017",
        hidden: Count = 128,
    ) -> None:
        super().__init__()
        first, second = _domains(data)
        self.points = bool(data.vector)
        self.ways = [Way(first, second), *([Way(second, first)] if variant != "gan" else [])]
        self.multiple = 64 if levels == 5 else 1 << levels

        def made() -> nn.Module:
            if self.points:
                return PointGenerator(data.vector, hidden)
            return Generator(data.image[0], levels=levels, width=width, norm=norm, upsample=upsample)

        if not self.points:
            _check_size(data.image[1:], self.multiple, levels)
        self.ab, self.ba = made(), made()
        if not self.points:
            initialise(self, init)

    def translate(self, images: Tensor, way: Way) -> Tensor:
        """Pictures of a way's source as pictures of its target."""
        network = self.ab if way.source == self.ways[0].source else self.ba
        if self.points:
            return network(images)
        return network((images + 1) / 2) * 2 - 1


def initialise(network: nn.Module, init: Init) -> None:
    """First weights, in place.

    Source: PyTorch of 2017 drew every kernel from U(-s, s), s = 1 / sqrt(inputs * 16), transposed ones too, and batch
    norm's gains from U(0, 1); `normal02` is DCGAN's.
    """
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            bound = 1 / math.sqrt(module.in_channels * module.kernel_size[0] * module.kernel_size[1])
            if init == "official2017":
                nn.init.uniform_(module.weight, -bound, bound)
            elif init == "normal02":
                nn.init.normal_(module.weight, 0, 0.02)
        elif isinstance(module, (nn.BatchNorm2d, nn.InstanceNorm2d)):
            if init == "official2017":
                nn.init.uniform_(module.weight)
            elif init == "normal02":
                nn.init.normal_(module.weight, 1, 0.02)


def _domains(data: DataSpec) -> Sequence[str]:
    if len(data.domains) != 2:
        raise ValueError(
            "DiscoGAN translates between two domains, and this data set has none; "
            "take one with domains, such as attribute-domains or folder-domains"
        )
    return data.domains


def _check_size(shape: tuple[int, int], multiple: int, levels: int) -> None:
    if any(side % multiple for side in shape):
        raise ValueError(
            f"a generator of {levels} levels takes sides that are multiples of {multiple}, not "
            f"{shape[1]}x{shape[0]}; change dataset.size or levels"
        )


def _conv(inputs: int, outputs: int) -> nn.Module:
    return nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False)


def _judging(inputs: int, outputs: int, norm: DiscriminatorNorm) -> nn.Module:
    layer = _conv(inputs, outputs)
    return spectral_norm(layer) if norm == "spectral" else layer


def _up(inputs: int, outputs: int, upsample: Upsample) -> list[nn.Module]:
    if upsample == "transposed":
        return [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)]
    return [DoublingConv2d(inputs, outputs, bias=False)]


def _normed(channels: int, norm: str) -> list[nn.Module]:
    if norm == "batch":
        return [BatchNorm(channels)]
    return [InstanceNorm2d(channels)] if norm == "instance" else []


def _dense(size: int, hidden: int, layers: int) -> list[nn.Module]:
    sizes = [size, *[hidden] * layers]
    pairs = [(nn.Linear(inputs, outputs), nn.ReLU()) for inputs, outputs in pairwise(sizes)]
    return [layer for pair in pairs for layer in pair]


def _leaky() -> nn.Module:
    return nn.LeakyReLU(_SLOPE)


def _relu() -> nn.Module:
    return nn.ReLU()


def unit(images: Tensor) -> Tensor:
    """Pictures from [-1, 1] to [0, 1]."""
    return torch.add(images, 1) / 2
