"""What can happen to a picture before it is cut: a half of it is taken, its lines are made thicker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageFilter

from imgen.data.pictures import Change
from imgen.errors import DataError

Side = Literal["whole", "left", "right"]


@dataclass(frozen=True)
class Part:
    """One side of a picture that holds a pair, cut in the middle, with dark lines made thicker on request."""

    side: Side = "whole"
    thicken: bool = False

    def __call__(self, image: Image.Image) -> Image.Image:
        """Raises: `DataError` where there is nothing to halve."""
        width, height = image.size
        if self.side != "whole":
            if width < 2:
                raise DataError("one pixel wide, which makes no two halves")
            image = image.crop((0, 0, width // 2, height) if self.side == "left" else (width // 2, 0, width, height))
        return thickened(image) if self.thicken else image


def part(side: Side, thicken: bool = False) -> Change | None:
    """The change that takes this part, or None where it would change nothing."""
    return None if side == "whole" and not thicken else Part(side, thicken)


def thickened(image: Image.Image) -> Image.Image:
    """Dark lines on white, wider by a pixel on each side, so that they outlast being made smaller.

    Source: the edge maps of Kim et al., "Learning to discover cross-domain relations", dilated by 3x3.
    """
    return image.filter(ImageFilter.MinFilter(3))
