"""CdSprites: 1,080 pictures of a disc that go round a circle, nearer to its middle or farther from it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from imgen.binding import Place
from imgen.data.factored import original_layout
from imgen.data.factored.grid import Axis, Drawn, Grid, Gridded, gridded
from imgen.data.factored.original_layout import Layout

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME = "cdsprites_ndarray_64x64.npz"
"""What the file is called."""
SIZE = 64
GRID = Grid(
    (
        Axis("angle", tuple((2 * np.pi * np.arange(40) / 40).tolist())),
        Axis("radius", tuple(float(radius) for radius in range(27))),
    )
)
"""What varies, in the order of the rows."""
LAYOUT = Layout(
    title="CdSprites",
    size=SIZE,
    latents=GRID,
    classes=False,
    compress=False,
    told={
        "title": "CdSprites, drawn by imgen",
        "description": "A disc on black, one picture of every combination of angle[40] (radians, clockwise from the "
        "right) and radius[27] (pixels from the middle). The same pictures as those of the authors of the data set.",
        "author": "imgen, after CdSprites",
        "date": "after the data set of February 2019",
        "latents_names": ("angle", "radius"),
        "latents_sizes": np.array(GRID.sizes),
        "latents_possible_values": {axis.name: np.array(axis.values) for axis in GRID.axes},
    },
)
"""The file."""
# Lit pixels of each row of a disc, from above. Drawing libraries disagree: these are of the one that was used then.
_WIDTHS = (5, 9, 9, 11, 11, 11, 11, 11, 9, 9, 5)
# Straight up, a middle a hair left of a pixel's made boxes of 12 pixels across there, and discs of other widths.
_UP, _FROM = 30, 10
_WIDTHS_UP = (5, 9, 11, 11, 11, 11, 11, 11, 11, 9, 5)
_LEFT_UP = 26


def cdsprites(*, root: Place | None = None) -> Gridded:
    """CdSprites: a white disc at 40 angles and 27 distances from the middle, at 64x64: two factors that are no x and y.

    imgen draws the very pictures of its authors; their file is read where it is given.

    Settings:
        root: the file cdsprites_ndarray_64x64.npz; left out, imgen draws the pictures itself

    Raises: `DataError` where the file is not CdSprites, or damaged.
    """
    if root is None:
        column, whose = Drawn(draw, (GRID.rows, 1, SIZE, SIZE)), "CdSprites (2019), drawn by imgen; free of any rights"
    else:
        column, whose = original_layout.read(root, LAYOUT), f"CdSprites (2019), from {Path(root).name}"
    about = f"{whose}: {GRID.rows:,} pictures at 64x64; nobody's face"
    return gridded(GRID, column, about=about, origin={"layout": "cdsprites", "drawn": str(root is None)})


def draw(rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The pictures of rows of CdSprites: (n, 64, 64), 0 or 255.

    Source: InfoGAN-CR (arXiv 1906.06034) drew ellipses in boxes whose corners are cut to whole pixels, at
    32 + radius * (cos, sin) of the angle, down being positive.
    """
    pictures = np.zeros((len(rows), SIZE, SIZE), np.uint8)
    for picture, row in zip(pictures, np.asarray(rows).tolist(), strict=True):
        place, radius = divmod(row, GRID.sizes[1])
        angle = GRID.axes[0].values[place]
        # Rounded first: what a cosine leaves of nothing must not decide about a pixel.
        left, top = (int(round(SIZE / 2 + radius * part(angle) - 5, 6)) for part in (math.cos, math.sin))
        widths = _WIDTHS
        if place == _UP and radius >= _FROM:
            left, widths = _LEFT_UP, _WIDTHS_UP
        for down, width in enumerate(widths):
            start = left + (len(widths) - width) // 2
            picture[top + down, start : start + width] = 255
    return pictures


def write(path: str | Path) -> int:
    """Writes all of CdSprites in the layout of its authors' file; gives the number of pictures."""
    original_layout.write(path, LAYOUT, draw)
    return GRID.rows
