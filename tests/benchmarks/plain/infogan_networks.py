"""InfoGAN-CR's networks written out, their layers in the order of imgen's, whose weights they take.

The spectral norm is the method's: estimated anew in every forward pass, and moved on once a step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SpectralLinear(nn.Linear):
    """A dense layer divided by its largest singular value, as one power iteration estimates it."""

    def __init__(self, d_in: int, d_out: int) -> None:
        super().__init__(d_in, d_out)
        self.register_buffer("u", torch.randn(d_out))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight / power_iteration(self.weight, self.u)[0], self.bias)


class SpectralConv2d(nn.Conv2d):
    """A convolution divided likewise."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int, padding: int) -> None:
        super().__init__(c_in, c_out, kernel, stride, padding)
        self.register_buffer("u", torch.randn(c_out))

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight / power_iteration(self.weight, self.u)[0]
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)


def power_iteration(weight: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """The largest singular value, and the vector that goes with it."""
    matrix = weight.flatten(1)
    v = F.normalize(matrix.t() @ u, dim=0, eps=1e-12)
    wv = matrix @ v
    u = F.normalize(wv, dim=0, eps=1e-12)
    return u @ wv, u


@torch.no_grad()
def move_vectors(*networks: nn.Module) -> None:
    """Once a step."""
    for network in networks:
        for layer in network.modules():
            if isinstance(layer, SpectralLinear | SpectralConv2d):
                layer.u.copy_(power_iteration(layer.weight, layer.u)[1])


def widths_of(arch: str, side: int, dim: int) -> list[int]:
    """Channels from the picture inwards."""
    stages = int(math.log2(side)) - 2
    if arch == "faces":
        return [dim << stage for stage in range(stages)]
    return [dim] * (stages - 2) + [2 * dim] * 2


class Generator(nn.Module):
    """Latents to pictures in [-1, 1]."""

    def __init__(self, arch: str, image: tuple[int, int, int], d_latent: int, dim: int, hidden: int) -> None:
        super().__init__()
        channels, side, _ = image
        widths = widths_of(arch, side, dim)[::-1]
        self.faces = arch == "faces"
        layers: list[nn.Module] = []
        for d_in, d_out in ((d_latent, hidden), (hidden, 16 * widths[0])):
            layers += [nn.Linear(d_in, d_out), *self.finish(nn.BatchNorm1d(d_out), nn.ReLU())]
        layers.append(nn.Unflatten(1, (widths[0], 4, 4)))
        for wide, narrow in pairwise(widths):
            active = nn.ReLU() if self.faces else nn.LeakyReLU(0.2)
            layers += [self.deconv(wide, narrow), *self.finish(nn.BatchNorm2d(narrow), active)]
        layers += [self.deconv(widths[-1], channels), nn.Tanh() if self.faces else nn.Sigmoid()]
        self.layers = nn.Sequential(*layers)

    def finish(self, norm: nn.Module, active: nn.Module) -> list[nn.Module]:
        return [norm, active] if self.faces else [active, norm]

    def deconv(self, c_in: int, c_out: int) -> nn.Module:
        # A kernel of five doubles the sides exactly only where a row and a column are given up.
        if self.faces:
            return nn.Sequential(nn.ConvTranspose2d(c_in, c_out, 5, 2, 1), nn.ZeroPad2d((0, -1, 0, -1)))
        return nn.ConvTranspose2d(c_in, c_out, 4, 2, 1)

    def forward(self, z: Tensor) -> Tensor:
        made = self.layers(z)
        return made if self.faces else made * 2 - 1


def tower(arch: str, c_in: int, side: int, dim: int, kind: Callable[..., nn.Module]) -> tuple[list[nn.Module], int]:
    """Convolutions with stride 2, and how many features they give."""
    widths = widths_of(arch, side, dim)
    if arch == "faces":
        widths.append(2 * widths[-1])
    layers: list[nn.Module] = []
    for narrow, wide in zip([c_in, *widths], widths, strict=False):
        if arch == "faces":
            layers += [nn.ZeroPad2d((1, 2, 1, 2)), kind(narrow, wide, 5, 2, 0), nn.LeakyReLU(0.2)]
        else:
            layers += [kind(narrow, wide, 4, 2, 1), nn.LeakyReLU(0.2)]
    return [*layers, nn.Flatten()], widths[-1] * (4 if arch == "faces" else 16)


class Discriminator(nn.Module):
    """Features of pictures, a head that guesses their codes, and one that tells whether they are real."""

    def __init__(self, arch: str, image: tuple[int, int, int], num_codes: int, dim: int, hidden: int) -> None:
        super().__init__()
        self.faces = arch == "faces"
        layers, features = tower(arch, image[0], image[1], dim, SpectralConv2d)
        self.guess: nn.Module = SpectralLinear(features, num_codes)
        if not self.faces:
            layers += [SpectralLinear(features, hidden), nn.LeakyReLU(0.2)]
            features = hidden
            self.guess = nn.Sequential(
                SpectralLinear(hidden, hidden), nn.LeakyReLU(0.2), SpectralLinear(hidden, num_codes)
            )
        self.trunk = nn.Sequential(*layers)
        self.score = SpectralLinear(features, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.trunk(images if self.faces else (images + 1) / 2)


class PairDiscriminator(nn.Module):
    """Logits of which code two pictures share."""

    def __init__(self, arch: str, image: tuple[int, int, int], num_codes: int, dim: int, hidden: int) -> None:
        super().__init__()
        self.faces = arch == "faces"
        build = {"sprites": self.sprites, "teapots": self.teapots, "faces": self.of_faces}[arch]
        layers, features = build(2 * image[0], image[1], dim, hidden)
        self.layers = nn.Sequential(*layers, nn.Linear(features, num_codes))

    @staticmethod
    def sprites(c_in: int, side: int, dim: int, hidden: int) -> tuple[list[nn.Module], int]:
        layers, features = tower("sprites", c_in, side, dim, SpectralConv2d)
        return [*layers, SpectralLinear(features, hidden), nn.LeakyReLU(0.2)], hidden

    @staticmethod
    def teapots(c_in: int, side: int, dim: int, hidden: int) -> tuple[list[nn.Module], int]:
        widths = widths_of("teapots", side, dim)
        layers: list[nn.Module] = [nn.Conv2d(c_in, widths[0], 4, 2, 1), nn.LeakyReLU(0.2)]
        for narrow, wide in pairwise(widths):
            layers += [nn.Conv2d(narrow, wide, 4, 2, 1), nn.LeakyReLU(0.2)]
            layers += [nn.BatchNorm2d(wide, track_running_stats=False)]
        layers += [nn.Flatten(), nn.Linear(16 * widths[-1], hidden), nn.LeakyReLU(0.2)]
        return [*layers, nn.BatchNorm1d(hidden, track_running_stats=False)], hidden

    @staticmethod
    def of_faces(c_in: int, side: int, dim: int, hidden: int) -> tuple[list[nn.Module], int]:
        widths = widths_of("faces", side, dim)
        widths.append(2 * widths[-1])
        layers: list[nn.Module] = []
        for place, (narrow, wide) in enumerate(zip([c_in, *widths], widths, strict=False)):
            layers += [nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(narrow, wide, 5, 2)]
            layers += [nn.BatchNorm2d(wide, track_running_stats=False)] if place else []
            layers += [nn.LeakyReLU(0.2)]
        return [*layers, nn.Flatten()], 4 * widths[-1]

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        pair = torch.cat([first, second], dim=1)
        return self.layers(pair if self.faces else (pair + 1) / 2)
