"""SG-GAN's networks: a generator with one input and an output for every value of every attribute, and its judge.

Source: the authors' code, of which two states are public: "old", that of the paper, and "new", of two years later.
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

from imgen.data.spec import Attribute, DataSpec
from imgen.nn.instance_norm import InstanceNorm2d

Arch = Literal["old", "new"]
Norm = Literal["none", "spectral"]
Init = Literal["normal02", "he"]

_TOP = 512  # widths of the old judge grow up to this, at a width of 64; its last level has twice as many


class Generator(nn.Module):
    """Edits of a picture: one for every value of every attribute, all from one pass through a shared trunk.

    A head is called by its attribute and value, both as places. What one attribute's heads give never depends on
    whether others are computed.

    Shapes: pictures (B, C, H, W) in [-1, 1], sides multiples of 2 ** levels, to edits (B, values, C, H, W).
    """

    def __init__(
        self,
        data: DataSpec,
        *,
        arch: Arch,
        width: int,
        levels: int,
        blocks: int,
        narrow: Sequence[int],
        mask: bool,
        init: Init,
    ) -> None:
        """narrow: places of the attributes whose heads end in two small kernels; mask: as in `Head`."""
        super().__init__()
        channels = data.image[0]
        self.trunk = (
            _old_trunk(channels, width, levels, blocks)
            if arch == "old"
            else _new_trunk(channels, width, levels, blocks)
        )
        top = width << levels if arch == "old" else min(width << levels, 4 * width)
        before, after = (max(top >> level, width // 4, 1) for level in (levels - 1, levels))

        def head(place: int) -> Head:
            up = _transposed(before, after) if arch == "old" else _resized(before, after)
            return Head(up, after, channels, narrow=place in narrow, mask=mask)

        self.heads = nn.ModuleList(
            nn.ModuleList(head(place) for _ in attribute.values) for place, attribute in enumerate(data.attributes)
        )
        _initialise(self, init)

    def edits(self, images: Tensor, attribute: int, features: Tensor | None = None) -> Tensor:
        """Every value of one attribute: (B, values, C, H, W).

        features: what `trunk` makes of the pictures, if that is there already.
        """
        features = self.trunk(images) if features is None else features
        heads: nn.ModuleList = self.heads[attribute]  # type: ignore[assignment]
        return torch.stack([head(features, images) for head in heads], dim=1)

    def edit(self, images: Tensor, attribute: int, value: int, features: Tensor | None = None) -> Tensor:
        """One value of one attribute: (B, C, H, W)."""
        features = self.trunk(images) if features is None else features
        return self.heads[attribute][value](features, images)  # type: ignore[index]

    def forward(self, images: Tensor) -> Tensor:
        """Every value of every attribute, in order: (B, heads, C, H, W)."""
        features = self.trunk(images)
        return torch.cat([self.edits(images, place, features) for place in range(len(self.heads))], dim=1)


class Head(nn.Module):
    """One edit: its own map at full size, joined with the picture itself, becomes a picture.

    This is the paper's refined residual: no difference is ever formed, and the last kernel sees both.
    """

    def __init__(self, up: nn.Module, width: int, channels: int, *, narrow: bool, mask: bool) -> None:
        """narrow: two 3x3 kernels at the end in place of one of 7x7.

        mask: mix the new content into the picture by a soft mask that the head makes too.
        """
        super().__init__()
        joined, made = width + channels, channels + mask
        self.up, self.channels, self.mask = up, channels, mask
        self.paint: nn.Module = nn.Conv2d(joined, made, 7, padding=3)
        if narrow:
            self.paint = nn.Sequential(
                nn.Conv2d(joined, max(1, width // 2), 3, padding=1), nn.Conv2d(max(1, width // 2), made, 3, padding=1)
            )

    def forward(self, features: Tensor, images: Tensor) -> Tensor:
        made = self.paint(torch.cat([self.up(features), images], dim=1))
        if not self.mask:
            return made.tanh()
        return torch.lerp(images, made[:, : self.channels].tanh(), made[:, self.channels :].sigmoid())


class Discriminator(nn.Module):
    """How real a picture looks, and what its attributes are: one trunk, a critic's head and a head for attributes.

    Shapes: (B, C, H, W) of the training's size to raw scores (B, places), and a list of logits (B, values), one for
    each attribute.
    """

    def __init__(self, data: DataSpec, *, arch: Arch, width: int, norm: Norm, init: Init) -> None:
        super().__init__()
        channels, height, side = data.image
        self.values = [len(attribute.values) for attribute in data.attributes]
        # The new state has one logit for two values.
        self.logits = [1 if arch == "new" and values == 2 else values for values in self.values]
        smallest = 2 if arch == "old" else 4
        levels = max(2, math.ceil(math.log2(min(height, side) / smallest)))
        if arch == "old":
            cap = _TOP * width // 64
            widths = [channels, *(min(width << level, cap) for level in range(levels - 1)), 2 * cap]
            layers = [_judging(inputs, outputs, 5, 2) for inputs, outputs in pairwise(widths)]
        else:
            widths = [width, *(min(width << level, 16 * width) for level in range(1, levels + 1))]
            layers = [_judging(channels, width, 7, 1)]
            layers += [_judging(inputs, outputs, 4, 2) for inputs, outputs in pairwise(widths)]
        self.trunk = nn.Sequential(*[layer for each in layers for layer in (each, nn.LeakyReLU(0.2))])
        left = -(-height // (1 << levels)), -(-side // (1 << levels))
        self.critic = nn.Conv2d(widths[-1], 1, 1 if arch == "old" else left)
        self.teller = nn.Conv2d(widths[-1], sum(self.logits), left)
        _initialise(self, init)
        if norm == "spectral":
            for module in list(self.modules()):
                if isinstance(module, nn.Conv2d):
                    spectral_norm(module)

    def forward(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        features = self.trunk(images)
        told = self.teller(features).flatten(1).split(self.logits, dim=1)
        # One logit says how much likelier the second value is than the first.
        missing = [values - logits for values, logits in zip(self.values, self.logits, strict=True)]
        return self.critic(features).flatten(1), [
            F.pad(*each) for each in zip(told, [(n, 0) for n in missing], strict=True)
        ]

    def scores(self, images: Tensor) -> Tensor:
        """How real pictures look, (B, places), and nothing else."""
        return self.critic(self.trunk(images)).flatten(1)


class SameConv(nn.Conv2d):
    """A convolution that pads so that n pixels become ceil(n / stride), more of it at the end where it is uneven.

    Source: TensorFlow's "SAME", with which the authors' networks were made.
    """

    def forward(self, input: Tensor) -> Tensor:
        sides = []
        for length, kernel, stride in zip(input.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            missing = max(0, (-(-length // stride) - 1) * stride + kernel - length)
            sides += [missing // 2, missing - missing // 2]
        return super().forward(F.pad(input, sides))


class OldBlock(nn.Module):
    """x + f(x), with two normalised convolutions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        first, second = (_normed(nn.Conv2d(width, width, 3, padding=1)) for _ in range(2))
        # Nothing is cut off after the second.
        self.layers = nn.Sequential(*first, *second[:-1])

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class NewBlock(nn.Module):
    """(x + f(x)) / sqrt(2), with two convolutions that are normalised and activated before."""

    def __init__(self, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [InstanceNorm2d(width), nn.LeakyReLU(0.2), nn.Conv2d(width, width, 3, padding=1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.layers(x)) / math.sqrt(2)


def _old_trunk(channels: int, width: int, levels: int, blocks: int) -> nn.Sequential:
    widths = [width << level for level in range(levels + 1)]
    layers = _normed(nn.Conv2d(channels, width, 7, padding=3))
    for fine, coarse in pairwise(widths):
        layers += _normed(nn.Conv2d(fine, coarse, 4, 2, 1))
    layers += [OldBlock(widths[-1]) for _ in range(blocks)]
    for coarse, fine in list(pairwise(widths[::-1]))[:-1]:
        layers.append(_transposed(coarse, fine))
    return nn.Sequential(*layers)


def _new_trunk(channels: int, width: int, levels: int, blocks: int) -> nn.Sequential:
    widths = [min(width << level, 4 * width) for level in range(levels + 1)]
    layers = _normed(nn.Conv2d(channels, width, 3, padding=1))
    for fine, coarse in pairwise(widths):
        layers += _normed(nn.Conv2d(fine, coarse, 4, 2, 1))
    layers += [NewBlock(widths[-1]) for _ in range(blocks)]
    out = [max(widths[-1] >> level, width // 4, 1) for level in range(levels)]
    for coarse, fine in pairwise(out):
        layers.append(_resized(coarse, fine))
    return nn.Sequential(*layers)


def _normed(layer: nn.Conv2d | nn.ConvTranspose2d) -> list[nn.Module]:
    return [layer, InstanceNorm2d(layer.out_channels), nn.ReLU()]


def _transposed(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(*_normed(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1)))


def _resized(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(*_normed(SameConv(inputs, outputs, 4)), nn.Upsample(scale_factor=2))


def _judging(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Conv2d:
    return SameConv(inputs, outputs, kernel, stride)


def _initialise(network: nn.Module, init: Init) -> None:
    """First weights, in place: N(0, 0.02), as of old, or He's truncated normal, as of new; biases are 0."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            fan_in = module.in_channels * module.kernel_size[0] * module.kernel_size[1]
            if init == "normal02":
                nn.init.normal_(module.weight, 0, 0.02)
            else:
                spread = math.sqrt(2 / fan_in)
                nn.init.trunc_normal_(module.weight, 0, spread, -2 * spread, 2 * spread)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, InstanceNorm2d) and init == "normal02":
            nn.init.normal_(module.weight, 1, 0.02)


def check_data(data: DataSpec, multiple: int) -> Sequence[Attribute]:
    """The attributes of a data set.

    Raises: `ValueError` where there are none, or one has a single value, or pictures cannot be halved so often.
    """
    if not data.attributes:
        raise ValueError(
            "edits need a data set with attributes, and this one has none; take one such as attributes, "
            "utkface-attributes or drawn-attributes"
        )
    single = [attribute for attribute in data.attributes if len(attribute.values) < 2]
    if single:
        raise ValueError(f"the attribute {single[0].name} has one value; there is nothing to change")
    if any(side % multiple for side in data.image[1:]):
        raise ValueError(
            f"the generator takes sides that are multiples of {multiple}, not {data.image[2]}x{data.image[1]}; "
            "change dataset.size or levels"
        )
    return data.attributes
