"""dSprites: 737,280 pictures of a sprite that differ in shape, scale, orientation and position."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from imgen.binding import Place
from imgen.data.factored import original_layout
from imgen.data.factored.grid import Axis, Drawn, Grid, Gridded, evenly, gridded
from imgen.data.factored.original_layout import Layout
from imgen.data.factored.sprites import CANVAS, sprites

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
"""What the file is called everywhere."""
GRID = Grid(
    (
        Axis("shape", (0.0, 1.0, 2.0), ordered=False),
        Axis("scale", evenly(6, 0.5, 1.0)),
        # The last value is the first again: so it was published.
        Axis("orientation", evenly(40, 0.0, 2 * math.pi)),
        Axis("position x", evenly(32, 0.0, 1.0)),
        Axis("position y", evenly(32, 0.0, 1.0)),
    )
)
"""What varies, in the order of the rows."""
# The file counts shapes from 1, and has a colour that is always white.
_LATENTS = Grid((Axis("color", (1.0,)), Axis("shape", (1.0, 2.0, 3.0), ordered=False), *GRID.axes[1:]))
_KEYS = ("color", "shape", "scale", "orientation", "posX", "posY")
LAYOUT = Layout(
    title="dSprites",
    size=CANVAS,
    latents=_LATENTS,
    classes=True,
    compress=True,
    told={
        "title": "dSprites, drawn by imgen",
        "description": "Sprites on black, one picture of every combination of 6 latents: color[1] (white), shape[3] "
        "(square, ellipse, heart), scale[6], orientation[40] (radians), posX[32], posY[32]. Drawn by measures of the "
        "published pictures; a few edge pixels of some differ from them.",
        "author": "imgen, after dSprites by Loic Matthey, Irina Higgins, Demis Hassabis and Alexander Lerchner",
        "date": "after the data set of April 2017",
        "version": 1,
        "latents_names": _KEYS,
        "latents_sizes": np.array(_LATENTS.sizes),
        "latents_possible_values": {key: np.array(axis.values) for key, axis in zip(_KEYS, _LATENTS.axes, strict=True)},
    },
)
"""The published file."""
_TERMS = "dSprites (Matthey, Higgins, Hassabis and Lerchner, 2017; Apache License 2.0)"


def dsprites(*, root: Place | None = None) -> Gridded:
    """dSprites: a white square, ellipse or heart in 6 scales, 40 orientations and 32 x 32 positions, at 64x64.

    Its factors are those five: the colour never varies. The published file is read where it is given; without it, imgen
    draws the pictures when they are needed, which differ from the published ones in about 1 of 6,000 white pixels.

    Settings:
        root: the file dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz; left out, imgen draws the pictures itself

    Raises: `DataError` where the file is not dSprites, or damaged.
    """
    if root is None:
        column, whose = Drawn(draw, (GRID.rows, 1, CANVAS, CANVAS)), f"drawn by imgen after {_TERMS}"
    else:
        column, whose = original_layout.read(root, LAYOUT), f"{_TERMS}, from {Path(root).name}"
    about = f"{whose}: {GRID.rows:,} pictures at 64x64; nobody's face"
    return gridded(GRID, column, about=about, origin={"layout": "dsprites", "drawn": str(root is None)})


def draw(rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The pictures of rows of dSprites, as imgen draws them: (n, 64, 64), 0 or 255."""
    shape, scale, angle, x, y = GRID.values(rows).T
    return sprites(shape.astype(np.int64), scale, angle, x, y)


def write(path: str | Path, *, compress: bool = True) -> int:
    """Writes all of dSprites as imgen draws it, in the layout of the published file; gives the number of pictures."""
    original_layout.write(path, replace(LAYOUT, compress=compress), draw)
    return GRID.rows
