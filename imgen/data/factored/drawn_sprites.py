"""Small grey sprites that imgen draws itself: factors of variation that a CPU can look for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Le

from imgen.data.factored.grid import Axis, Drawn, Grid, Gridded, evenly, gridded
from imgen.data.factored.sprites import SHAPES, sprites

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SAMPLES = 4  # across a pixel: 17 greys
_MOST = 1024  # values of one factor


def drawn_sprites(
    *,
    size: Annotated[int, Ge(8), Le(512)] = 32,
    shapes: Annotated[int, Ge(1), Le(len(SHAPES))] = 1,
    scales: Annotated[int, Ge(1), Le(_MOST)] = 6,
    orientations: Annotated[int, Ge(1), Le(_MOST)] = 1,
    positions: Annotated[int, Ge(1), Le(_MOST)] = 16,
) -> Gridded:
    """Grey sprites drawn by imgen, with known factors: scale and two positions, and more if asked.

    One picture of every combination of values; factors with one value are none. The figures and their proportions are
    those of dSprites, but edges are grey, so that a step of less than a pixel can be seen. By default squares that do
    not turn: they show their scale alike to all sides.

    Settings:
        size: width and height of a picture [pixels]
        shapes: 1 for squares, 2 for ellipses too, 3 for hearts as well [shapes]
        scales: evenly from half the full size to the full size [values]
        orientations: evenly round the whole turn; of squares alone, round the quarter after which they repeat [values]
        positions: of the middle, across and again down, evenly over the inner half of the picture [values]

    Raises: `DataError` where all of these are 1.
    """
    turn = 2 * math.pi if shapes > 1 else math.pi / 2
    grid = Grid(
        (
            Axis("shape", tuple(float(kind) for kind in range(shapes)), ordered=False),
            Axis("scale", evenly(scales, 0.5, 1.0)),
            Axis("orientation", tuple(turn * step / orientations for step in range(orientations))),
            Axis("position x", evenly(positions, 0.0, 1.0)),
            Axis("position y", evenly(positions, 0.0, 1.0)),
        )
    )

    def draw(rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        shape, scale, angle, x, y = grid.values(rows).T
        return sprites(shape.astype("i8"), scale, angle, x, y, size=size, samples=_SAMPLES)

    varied = ", ".join(factor.name for factor in grid.factors)
    return gridded(
        grid,
        Drawn(draw, (grid.rows, 1, size, size)),
        about=f"drawn by imgen: {grid.rows:,} sprites at {size}x{size} that differ in {varied}; free of any rights, "
        "and nobody's face",
        origin={"layout": "drawn-sprites", "factors": varied},
    )
