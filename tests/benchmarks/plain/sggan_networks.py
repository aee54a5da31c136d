"""SG-GAN's networks of both states of the authors' code, written out; layers stand in the order of imgen's."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def normed(layer: nn.Module, width: int) -> list[nn.Module]:
    return [layer, nn.InstanceNorm2d(width, affine=True), nn.ReLU()]


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME."""

    def forward(self, x: Tensor) -> Tensor:
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        rows, columns = (max(0, (-(-side // stride) - 1) * stride + kernel - side) for side in x.shape[2:])
        padding = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
        return super().forward(F.pad(x, padding))


class OldBlock(nn.Module):
    """x + f(x)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        first, second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.layers = nn.Sequential(*normed(first, width), second, nn.InstanceNorm2d(width, affine=True))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class NewBlock(nn.Module):
    """The same with what comes before each convolution, and divided by the root of two."""

    def __init__(self, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [nn.InstanceNorm2d(width, affine=True), nn.LeakyReLU(0.2), nn.Conv2d(width, width, 3, padding=1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.layers(x)) / math.sqrt(2)


class Head(nn.Module):
    """One edit, made of what all share and of the picture itself."""

    def __init__(self, up: nn.Module, width: int, channels: int, narrow: bool, mask: bool) -> None:
        super().__init__()
        self.up, self.channels, self.mask = up, channels, mask
        made = channels + mask
        self.paint: nn.Module = nn.Conv2d(width + channels, made, 7, padding=3)
        if narrow:
            between = max(1, width // 2)
            self.paint = nn.Sequential(
                nn.Conv2d(width + channels, between, 3, padding=1), nn.Conv2d(between, made, 3, padding=1)
            )

    def forward(self, features: Tensor, images: Tensor) -> Tensor:
        made = self.paint(torch.cat([self.up(features), images], dim=1))
        if not self.mask:
            return torch.tanh(made)
        share = torch.sigmoid(made[:, self.channels :])
        return images * (1 - share) + torch.tanh(made[:, : self.channels]) * share


class Generator(nn.Module):
    """Pictures to edits, (B, values, C, H, W) for each attribute."""

    def __init__(
        self, old: bool, channels: int, values: list[int], width: int, blocks: int, narrow: list[int], mask: bool
    ) -> None:
        super().__init__()
        kernel = 7 if old else 3
        layers = normed(nn.Conv2d(channels, width, kernel, padding=kernel // 2), width)
        layers += normed(nn.Conv2d(width, 2 * width, 4, 2, 1), 2 * width)
        layers += normed(nn.Conv2d(2 * width, 4 * width, 4, 2, 1), 4 * width)
        layers += [(OldBlock if old else NewBlock)(4 * width) for _ in range(blocks)]
        self.old, middle, last = old, 2 * width, width
        layers.append(self.up(4 * width, middle))
        self.trunk = nn.Sequential(*layers)
        self.heads = nn.ModuleList(
            nn.ModuleList(Head(self.up(middle, last), last, channels, place in narrow, mask) for _ in range(count))
            for place, count in enumerate(values)
        )

    def up(self, c_in: int, c_out: int) -> nn.Module:
        if self.old:
            return nn.Sequential(*normed(nn.ConvTranspose2d(c_in, c_out, 4, 2, 1), c_out))
        return nn.Sequential(*normed(SameConv(c_in, c_out, 4), c_out), nn.Upsample(scale_factor=2))

    def edits(self, features: Tensor, images: Tensor, attribute: int) -> Tensor:
        """Those of one attribute, of pictures that have been through the trunk."""
        return torch.stack([head(features, images) for head in self.heads[attribute]], dim=1)

    def forward(self, images: Tensor) -> list[Tensor]:
        features = self.trunk(images)
        return [self.edits(features, images, place) for place in range(len(self.heads))]


class Discriminator(nn.Module):
    """Scores, and logits of each attribute."""

    def __init__(self, old: bool, image: tuple[int, int, int], values: list[int], width: int) -> None:
        super().__init__()
        channels, side, _ = image
        self.values, self.logits = values, [1 if not old and count == 2 else count for count in values]
        levels = max(2, math.ceil(math.log2(side / (2 if old else 4))))
        if old:
            widths = [channels, *(min(width << level, 8 * width) for level in range(levels - 1)), 16 * width]
            layers: list[nn.Module] = []
        else:
            widths = [width, *(min(width << level, 16 * width) for level in range(1, levels + 1))]
            layers = [SameConv(channels, width, 7), nn.LeakyReLU(0.2)]
        for narrow, wide in pairwise(widths):
            layers += [SameConv(narrow, wide, 5 if old else 4, 2), nn.LeakyReLU(0.2)]
        self.trunk = nn.Sequential(*layers)
        left = -(-side // (1 << levels))
        self.critic = nn.Conv2d(widths[-1], 1, 1 if old else left)
        self.teller = nn.Conv2d(widths[-1], sum(self.logits), left)

    def forward(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        features = self.trunk(images)
        told = self.teller(features).flatten(1).split(self.logits, dim=1)
        # One logit for two values is that of the second.
        pairs = [F.pad(each, (count - each.shape[1], 0)) for each, count in zip(told, self.values, strict=True)]
        return self.critic(features).flatten(1), pairs
