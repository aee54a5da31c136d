"""StarGAN's networks: a generator that is told what its picture is to show, and a discriminator that tells it.

Source: Choi et al., StarGAN: Unified Generative Adversarial Networks for Multi-Domain Image-to-Image Translation, 2018,
tables 4 and 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgen.binding import Count, NonNegative
from imgen.data.labels import is_binary
from imgen.data.spec import Attribute, DataSpec
from imgen.model import Way
from imgen.nn.instance_norm import InstanceNorm2d
from imgen_sggan.networks import check_data

_DOWN = 2  # times that the generator halves a picture
_SLOPE = 0.01


def channels_of(attribute: Attribute) -> int:
    """Channels that tell an attribute: one for having something or lacking it, else one for each value."""
    return 1 if is_binary(attribute) else len(attribute.values)


def encoded(labels: Tensor, attributes: Sequence[Attribute]) -> Tensor:
    """Labels as a generator is told them: (B, A) places of values, all known, to floats (B, channels)."""
    columns = []
    for place, attribute in enumerate(attributes):
        column = labels[:, place : place + 1]
        if not is_binary(attribute):
            column = column == torch.arange(len(attribute.values), device=labels.device)
        columns.append(column.to(torch.get_default_dtype()))
    return torch.cat(columns, dim=1)


class Generator(nn.Module):
    """A picture that shows what it is told to, from another.

    Shapes: pictures (B, C, H, W), sides multiples of 4, and labels (B, A), all known, to as many pictures.
    """

    def __init__(self, data: DataSpec, *, width: int, blocks: int) -> None:
        super().__init__()
        self.attributes = data.attributes
        told = sum(channels_of(attribute) for attribute in data.attributes)
        widths = [width << level for level in range(_DOWN + 1)]
        layers = _normed(nn.Conv2d(data.image[0] + told, width, 7, padding=3, bias=False))
        for fine, coarse in pairwise(widths):
            layers += _normed(nn.Conv2d(fine, coarse, 4, 2, 1, bias=False))
        layers += [Block(widths[-1]) for _ in range(blocks)]
        for coarse, fine in pairwise(widths[::-1]):
            layers += _normed(nn.ConvTranspose2d(coarse, fine, 4, 2, 1, bias=False))
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, data.image[0], 7, padding=3, bias=False), nn.Tanh())

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        told = encoded(labels, self.attributes).to(images.dtype)[:, :, None, None]
        return self.layers(torch.cat([images, told.expand(-1, -1, *images.shape[2:])], dim=1))


class Block(nn.Module):
    """x + f(x), with two convolutions, of which the first is activated."""

    def __init__(self, width: int) -> None:
        super().__init__()
        first, last = (nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))
        self.layers = nn.Sequential(*_normed(first), last, InstanceNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class Discriminator(nn.Module):
    """How real the patches of a picture look, and what its attributes are.

    Shapes: (B, C, H, W) of the training's size to raw scores (B, places), and a list of logits (B, values), one for
    each attribute. A binary attribute has one logit, that of having it; the other is 0.
    """

    def __init__(self, data: DataSpec, *, width: int, levels: int | None) -> None:
        """levels: convolutions of stride 2; None: as many as lead to a map of 2x2."""
        super().__init__()
        channels, height, wide = data.image
        levels = levels or max(1, min(height, wide).bit_length() - 2)
        if min(height, wide) >> levels < 1:
            raise ValueError(
                f"{levels} levels leave nothing of pictures of {wide}x{height}; take fewer levels, or null"
            )
        self.channels = [channels_of(attribute) for attribute in data.attributes]
        widths = [channels, *(width << level for level in range(levels))]
        layers: list[nn.Module] = []
        for fine, coarse in pairwise(widths):
            layers += [nn.Conv2d(fine, coarse, 4, 2, 1), nn.LeakyReLU(_SLOPE)]
        self.trunk = nn.Sequential(*layers)
        self.critic = nn.Conv2d(widths[-1], 1, 3, padding=1, bias=False)
        left = (height >> levels, wide >> levels)
        self.teller = nn.Conv2d(widths[-1], sum(self.channels), left, bias=False)

    def scores(self, images: Tensor) -> Tensor:
        """The scores alone."""
        return self.critic(self.trunk(images)).flatten(1)

    def forward(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        features = self.trunk(images)
        logits = self.teller(features).flatten(1).split(self.channels, dim=1)
        # The softmax over 0 and a logit is its sigmoid.
        paired = [F.pad(each, (1, 0)) if each.shape[1] == 1 else each for each in logits]
        return self.critic(features).flatten(1), paired


class StarGan(nn.Module):
    """StarGAN's generator with its discriminator: an edit tells the generator all that the picture is to show.

    What an edit does not change has to be told as well, so the discriminator's heads tell what the input shows.

    Settings:
        width: channels of the generator next to the picture
        blocks: residual blocks in the middle of the generator
        d_width: channels of the discriminator next to the picture; each level further in has twice as many
        levels: convolutions of the discriminator's trunk; null: as many as lead to a map of 2x2

    Shapes: pictures (B, C, H, W) in [-1, 1].
    """

    multiple = 1 << _DOWN

    def __init__(
        self,
        data: DataSpec,
        *,
        width: Count = 64,
        blocks: NonNegative = 6,
        d_width: Count = 64,
        levels: Count | None = None,
    ) -> None:
        super().__init__()
        self.attributes = check_data(data, 1)
        if any(side % self.multiple for side in data.image[1:]):
            raise ValueError(
                f"the generator takes sides that are multiples of {self.multiple}, not "
                f"{data.image[2]}x{data.image[1]}; change dataset.size"
            )
        self.ways = [Way(None, value, each.name) for each in self.attributes for value in each.values]
        self.size = data.image[1:]
        self.g = Generator(data, width=width, blocks=blocks)
        self.d = Discriminator(data, width=d_width, levels=levels)

    def translate(self, images: Tensor, way: Way) -> Tensor:
        """Pictures of anything with one attribute set, and told to keep the others as they seem to be."""
        return self.translate_all(images, [way])[0]

    def translate_all(self, images: Tensor, ways: Sequence[Way]) -> list[Tensor]:
        """The same for several ways, with one look at what the pictures show."""
        shown = self.told(images)
        return [self.g(images, self._aimed(shown, way)) for way in ways]

    def told(self, images: Tensor) -> Tensor:
        """The likeliest value of each attribute, (B, A), of pictures of any size."""
        if images.shape[2:] != self.size:
            images = F.interpolate(images, self.size, mode="bilinear", antialias=True)
        return torch.stack([logits.argmax(dim=1) for logits in self.d(images)[1]], dim=1)

    def classify(self, images: Tensor) -> list[Tensor]:
        """For each attribute the probabilities of its values, (B, values), of pictures of the training's size."""
        return [logits.softmax(dim=1) for logits in self.d(images)[1]]

    def _aimed(self, shown: Tensor, way: Way) -> Tensor:
        """Labels with the value that a way sets."""
        place = [each.name for each in self.attributes].index(str(way.attribute))
        value = torch.full_like(shown[:, :1], self.attributes[place].values.index(way.target))
        return torch.cat([shown[:, :place], value, shown[:, place + 1 :]], dim=1)


def _normed(layer: nn.Conv2d | nn.ConvTranspose2d) -> list[nn.Module]:
    return [layer, InstanceNorm2d(layer.out_channels), nn.ReLU()]
