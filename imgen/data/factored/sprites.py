"""Squares, ellipses and hearts of one colour on black, as dSprites has them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SHAPES = ("square", "ellipse", "heart")
"""What the factor "shape" counts."""
CANVAS = 64
"""Pixels across, for which the measures below are."""
SQUARE = 9.5998
"""Half a side at scale 1. It is 9.6 less a little: a pixel of which the middle lies on the edge stays dark."""
ELLIPSE = (12.767, 7.2145)
"""Half the axes at scale 1; the long one lies across at angle 0."""
HEART = (0.60027, 0.66245, 1.4418)
"""Of the usual heart curve, width and height, and how far it is moved up; its tip points down at angle 0."""
_CORNERS = 128  # of the polygon that the heart is
_REACH = 13.6  # from the middle to the farthest point of any shape, at scale 1 [pixels of the canvas]
_TOGETHER = 256  # sprites: enough for numpy, and little enough for the cache


def sprites(
    shape: NDArray[np.int64],
    scale: Floats,
    angle: Floats,
    x: Floats,
    y: Floats,
    *,
    size: int = CANVAS,
    samples: int = 1,
) -> NDArray[np.uint8]:
    """Pictures of one sprite each: (n, size, size), 0 where it is not, 255 where it is.

    shape: place in `SHAPES`; angle: counter-clockwise [radians]; x, y: of the middle, 0 to 1 over the inner half of
    the picture, rightwards and down; all (n,).
    samples: points across a pixel that count. With 1, only its middle does, and all is black or white; with more,
    edges are grey, and show positions between two pixels.

    Source: what dSprites' author told of how it was drawn, and measures taken of its pictures: 12 pixels of 320
    pictures differ from the published ones.
    """
    pictures = np.zeros((len(shape), size, size), np.uint8)
    for kind in np.unique(shape):
        rows = np.flatnonzero(shape == kind)
        for some in np.split(rows, range(_TOGETHER, len(rows), _TOGETHER)):
            _draw(pictures, some, int(kind), scale[some], angle[some], x[some], y[some], samples)
    return pictures


def _draw(
    pictures: NDArray[np.uint8],
    rows: NDArray[np.int64],
    kind: int,
    scale: Floats,
    angle: Floats,
    x: Floats,
    y: Floats,
    samples: int,
) -> None:
    size = pictures.shape[1]
    unit = size / CANVAS
    # Only a box around the sprite is looked at: a few hundred pixels of some thousands.
    side = min(size, 2 * int(np.ceil(_REACH * unit * scale.max())) + 1)
    box = (np.arange(side * samples) + 0.5) / samples
    left, across = _along(x, side, size, box)
    top, down = _along(y, side, size, box)
    cos, sin = (turn(angle)[:, None] / (scale[:, None] * unit) for turn in (np.cos, np.sin))
    u = (across * cos)[:, None, :] - (down * sin)[:, :, None]
    v = (across * sin)[:, None, :] + (down * cos)[:, :, None]
    inside = (_in_square, _in_ellipse, _in_heart)[kind](u, v)
    if samples == 1:
        cover = inside.view(np.uint8) * np.uint8(255)
    else:
        mean = inside.reshape(len(rows), side, samples, side, samples).mean(axis=(2, 4), dtype=np.float32)
        cover = np.round(255 * mean).astype(np.uint8)
    for row, first, second, each in zip(rows.tolist(), top.tolist(), left.tolist(), cover, strict=True):
        pictures[row, first : first + side, second : second + side] = each


def _along(place: Floats, side: int, size: int, box: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Where boxes begin, (n,), and how far each of their points is from the middles of the sprites, (n, points)."""
    middle = size / 4 + size / 2 * place
    first = np.clip(np.floor(middle).astype(np.int64) - side // 2, 0, size - side)
    return first, first[:, None] + box - middle[:, None]


def _in_square(u: Floats, v: Floats) -> NDArray[np.bool_]:
    return np.maximum(np.abs(u, out=u), np.abs(v, out=v), out=u) < SQUARE


def _in_ellipse(u: Floats, v: Floats) -> NDArray[np.bool_]:
    u *= 1 / ELLIPSE[0]
    v *= 1 / ELLIPSE[1]
    u *= u
    v *= v
    u += v
    return u < 1


def _in_heart(u: Floats, v: Floats) -> NDArray[np.bool_]:
    # It is as wide to both sides, and what is between two corners above or below is straight.
    (x_above, above), (x_below, below) = _heart()
    u = np.abs(u, out=u)
    return (v > np.interp(u, x_above, above)) & (v < np.interp(u, x_below, below)) & (u < x_above[-1])


@cache
def _heart() -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """The right half of the heart, from its middle outwards: the line above it and the one below."""
    t = 2 * np.pi * np.arange(_CORNERS // 2 + 1) / _CORNERS
    wide, high, up = HEART
    x = wide * 16 * np.sin(t) ** 3
    y = -high * (13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)) - up
    quarter = _CORNERS // 4
    return (x[: quarter + 1], y[: quarter + 1]), (x[quarter:][::-1], y[quarter:][::-1])
