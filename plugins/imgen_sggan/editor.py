"""What ships of SG-GAN: its generator, and its discriminator, whose heads tell the attributes of pictures."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from imgen.binding import Count, NonNegative
from imgen.data.spec import DataSpec
from imgen.model import Way
from imgen_sggan.networks import Arch, Discriminator, Generator, Init, Norm, check_data


class Editor(nn.Module):
    """SG-GAN's generator with its discriminator: sets any attribute of any picture, and tells what a picture has.

    Settings:
        arch: old, the paper's networks, or new, those of the later code
        width: channels of the generator next to the picture
        levels: times that the generator halves a picture
        blocks: residual blocks in the middle of the generator
        narrow: attributes, by place from 0, whose heads end in two small kernels; null: those of the arch's code, which
            are smile and hair of old and none of new
        mask: mix new content into the picture by a soft mask, so that what need not change can stay
        init: first weights, N(0, 0.02) or He's; null: those of the arch's code
        d_width: channels of the discriminator next to the picture
        d_norm: the discriminator's normalisation

    Shapes: pictures (B, C, H, W) in [-1, 1].
    """

    def __init__(
        self,
        data: DataSpec,
        *,
        arch: Arch = "old",
        width: Count = 64,
        levels: Count = 2,
        blocks: NonNegative = 6,
        narrow: tuple[NonNegative, ...] | None = None,
        mask: bool = False,
        init: Init | None = None,
        d_width: Count = 64,
        d_norm: Norm = "none",
    ) -> None:
        super().__init__()
        self.multiple = 1 << levels
        self.attributes = check_data(data, self.multiple)
        self.ways = [Way(None, value, each.name) for each in self.attributes for value in each.values]
        old = arch == "old"
        first: Init = init or ("normal02" if old else "he")
        if narrow is None:
            narrow = (1, 2) if old else ()
        self.g = Generator(
            data, arch=arch, width=width, levels=levels, blocks=blocks, narrow=narrow, mask=mask, init=first
        )
        self.d = Discriminator(data, arch=arch, width=d_width, norm=d_norm, init=first)

    def translate(self, images: Tensor, way: Way) -> Tensor:
        """Pictures of anything with one attribute set."""
        return self.g.edit(images, *self._head(way))

    def translate_all(self, images: Tensor, ways: Sequence[Way]) -> list[Tensor]:
        """The same for several ways, with one pass through what their heads share."""
        features = self.g.trunk(images)
        return [self.g.edit(images, *self._head(way), features) for way in ways]

    def classify(self, images: Tensor) -> list[Tensor]:
        """For each attribute the probabilities of its values, (B, values), of pictures of the training's size."""
        return [logits.softmax(dim=1) for logits in self.d(images)[1]]

    def _head(self, way: Way) -> tuple[int, int]:
        place = [each.name for each in self.attributes].index(str(way.attribute))
        return place, self.attributes[place].values.index(way.target)
