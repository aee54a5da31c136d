"""Pictures and the edges drawn from them, as two domains; and how the edges are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge, Gt
from PIL import Image, ImageFilter

from imgen.binding import Place
from imgen.data.changes import thickened
from imgen.data.domains import Domains
from imgen.data.halves import Parting, Unpaired, View, halved
from imgen.data.parting import Channels, Frame
from imgen.data.source import open_source

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Edges are drawn at this size, so that `blur` and the width of a line mean the same for every picture [pixels].
DRAWN = 256
# What continues an edge may be this much weaker than what begins one.
_CONTINUED = 0.4
_AROUND = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right]


@dataclass(frozen=True)
class Edges:
    """The edges of a picture, dark lines on white.

    blur: of the picture before, so that texture draws nothing [pixels of 256]; threshold: the change in brightness
    that begins a line [grey levels a pixel]; thicken: whether lines are 3 pixels wide.
    Source: Canny, "A computational approach to edge detection" (1986): smoothed gradient, thinned to its crests, of
    which the weak ones stay where they continue strong ones.
    """

    blur: float = 2.0
    threshold: float = 6.0
    thicken: bool = True

    def __call__(self, image: Image.Image) -> Image.Image:
        """A picture of the same size, in colour or grey as the one given."""
        scale = min(1.0, DRAWN / min(image.size))
        small = image.resize(
            (max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.BOX
        )
        lines = drawn(small, self.blur, self.threshold)
        drawing = Image.fromarray(np.where(lines, 0, 255).astype(np.uint8))
        drawing = thickened(drawing) if self.thicken else drawing
        # As large as the picture was, so that a crop takes the same part of both.
        return drawing.resize(image.size, Image.Resampling.BILINEAR).convert(image.mode)


def edge_domains(
    *,
    root: Place,
    blur: Annotated[float, Ge(0)] = 2.0,
    threshold: Annotated[float, Gt(0)] = 6.0,
    thicken: bool = True,
    unpaired: Unpaired = "halves",
    shuffle: Annotated[int, Ge(0)] | None = None,
    n_test: Annotated[int, Ge(0)] | None = None,
    size: Annotated[int, Ge(1)] = 64,
    crop: int | str = "center",
    channels: Channels = 3,
    about: str = "",
) -> Domains:
    """Pictures against edges that are drawn from other ones; held out are pairs of both.

    Settings:
        root: folder or zip of pictures, directly or in train/ and test/ or val/
        blur: of a picture before its edges are drawn; more of it draws fewer details [pixels of 256]
        threshold: change in brightness that begins a line; more of it draws fewer lines [grey levels a pixel]
        thicken: whether lines are 3 pixels of 256 wide, so that they last when made small
        unpaired: halves for the edges of the first half of the pictures and the others themselves, or all for both
        shuffle: seed of a shuffle before the halving; null: in the order of their names
        n_test: last pictures held out as pairs where there is no test/ or val/; null: a tenth, 200 at most [pictures]
        size: height and width of a picture [pixels]
        crop: 'center', 'none' (squeeze), 'celeba', side of a centred square, or WxH+X+Y [pixels]
        channels: 3 for colour, 1 for grey
        about: what data this is and on what terms, for the model card

    Raises: `DataError` where there are no pictures, or too few.
    """
    frame = Frame(size=size, crop=crop, channels=channels)
    a = View(name="edges", change=Edges(blur, threshold, thicken))
    b = View(name="photos", change=None)
    parting = Parting(n_test=n_test, unpaired=unpaired, shuffle=shuffle)
    return halved(open_source(root), a, b, parting, frame, layout="edges", about=about)


def drawn(image: Image.Image, blur: float, threshold: float) -> NDArray[np.bool_]:
    """Which pixels of a picture are on its edges, (H, W)."""
    smooth = image.convert("L").filter(ImageFilter.GaussianBlur(blur))
    across, down, strength = _gradient(np.asarray(smooth, np.float32))
    crest = _crest(across, down, strength)
    return continued(crest & (strength >= threshold), crest & (strength >= _CONTINUED * threshold))


def _gradient(grey: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]:
    """Change to the right, change downwards, and its length, by Sobel's weights [grey levels a pixel]."""
    padded = np.pad(grey, 1, mode="edge")
    rows = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    columns = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    across = (rows[:, 2:] - rows[:, :-2]) / 8
    down = (columns[2:] - columns[:-2]) / 8
    strength: NDArray[np.floating] = np.hypot(across, down)
    return across, down, strength


def _crest(
    across: NDArray[np.floating], down: NDArray[np.floating], strength: NDArray[np.floating]
) -> NDArray[np.bool_]:
    """Where the change is largest along its own direction, of four."""
    steep = np.tan(np.pi / 8)
    flat, upright = np.abs(down) <= steep * np.abs(across), np.abs(across) <= steep * np.abs(down)
    diagonal = (across * down) > 0
    padded = np.pad(strength, 1)
    height, width = strength.shape

    def beside(by: tuple[int, int]) -> NDArray[np.bool_]:
        before = padded[1 - by[0] : 1 - by[0] + height, 1 - by[1] : 1 - by[1] + width]
        after = padded[1 + by[0] : 1 + by[0] + height, 1 + by[1] : 1 + by[1] + width]
        # Of two equal neighbours one is the crest.
        larger: NDArray[np.bool_] = (strength > before) & (strength >= after)
        return larger

    return np.select([flat, upright, diagonal], [beside((0, 1)), beside((1, 0)), beside((1, 1))], beside((1, -1)))


def continued(strong: NDArray[np.bool_], weak: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The strong pixels, and the weak ones that a line of weak ones leads to from there."""
    height, width = weak.shape
    left = np.pad(weak, 1).ravel()
    steps = np.array([down * (width + 2) + right for down, right in _AROUND])
    kept = np.zeros_like(left)
    front = np.flatnonzero(np.pad(strong, 1))
    while len(front):
        kept[front], left[front] = True, False
        around = np.unique(front[:, None] + steps)
        front = around[left[around]]
    return kept.reshape(height + 2, width + 2)[1:-1, 1:-1]
