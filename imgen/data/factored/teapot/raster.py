"""A z-buffer in numpy: which triangle each sample of a picture sees.

One picture at a time: arrays of several would outgrow the cache. Every number comes from sums, products and quotients
of single values, so that a picture is the same to the last bit wherever it is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Places = NDArray[np.int64]

SAMPLES = 8
"""Samples of a pixel, each in a row and a column of its own of a grid of 16 by 16."""
OFFSETS = np.array([15, 5, 9, 1, 13, 7, 3, 11]) / 16
"""From a pixel's left edge to the sample in each eighth of it, from above [pixels]. Source: Direct3D 11, 8 samples."""


class Seen(NamedTuple):
    """What samples see, in the order of samples, those left out that see nothing.

    Shapes: all (hits,). sample: numbered through eighths of pixel rows, and through pixels in each; triangle: which is
    seen; value: of what was given at its corners.
    """

    sample: Places
    triangle: Places
    value: Floats


class _Corners(NamedTuple):
    """Corners of triangles from above; y in eighths of a pixel, so that samples lie on whole numbers of it.

    rows: the first rows below each corner; place: which triangles these are.
    """

    at: tuple[Places, ...]
    x: tuple[Floats, ...]
    y: tuple[Floats, ...]
    rows: tuple[Floats, ...]
    place: Places


class _Plane(NamedTuple):
    """A quantity of each triangle that is linear in the picture: at (0, 0), and for each step right and down."""

    start: Floats
    right: Floats
    down: Floats

    def at(self, triangle: Places, x: Floats, y: Places) -> Floats:
        value, right, down = (part.take(triangle) for part in self)
        right *= x
        down *= y
        value += right
        value += down
        return value


class _Hits(NamedTuple):
    """Samples inside of triangles; x: of the sample [pixels]."""

    triangle: Places
    row: Places
    column: Places
    x: Floats


def rasterise(x: Floats, y: Floats, near: Floats, value: Floats, triangles: Places, size: int) -> Seen:
    """What the samples of a square picture see of triangles, from either side, and of a value that corners have.

    Triangles that share an edge share no sample and leave none out between them. Nothing may be behind the camera.

    Shapes: x and y [pixels], `near`, which is 1 over the depth, and value are (vertices,); triangles (T, 3).
    """
    corners = _from_above(x, y * SAMPLES - 0.5, triangles, size * SAMPLES)
    steep = _steepness(corners)
    # It is 1 / depth that is linear in the picture, and what is divided by the depth.
    nearness = _plane(corners, steep, near)
    hits = _hits(corners, size)
    # The bits of positive floats are in order as whole numbers; where two are alike, the later triangle is seen.
    bits = nearness.at(hits.triangle, hits.x, hits.row).astype(np.float32).view(np.int32).astype(np.int64)
    buffer = np.zeros(size * SAMPLES * size, np.int64)
    np.maximum.at(buffer, hits.row * size + hits.column, bits << 32 | hits.triangle)
    sample = np.flatnonzero(buffer)
    triangle = buffer.take(sample) & 0xFFFFFFFF
    row, column = sample // size, sample % size
    at = OFFSETS.take(row % SAMPLES) + column
    shown = _plane(corners, steep, value * near).at(triangle, at, row) / nearness.at(triangle, at, row)
    return Seen(sample, corners.place.take(triangle), shown)


def _from_above(x: Floats, y: Floats, triangles: Places, rows: int) -> _Corners:
    """Of those triangles that have a row of samples."""
    at = list(triangles.T)
    ys = [y.take(each) for each in at]
    for one, other in ((0, 1), (1, 2), (0, 1)):
        below = ys[one] > ys[other]
        at[one], at[other] = np.where(below, at[other], at[one]), np.where(below, at[one], at[other])
        ys[one], ys[other] = np.minimum(ys[one], ys[other]), np.maximum(ys[one], ys[other])
    lines = [np.minimum(np.maximum(np.ceil(each), 0), rows) for each in ys]
    place = np.flatnonzero(lines[2] > lines[0])
    at, ys, lines = ([each.take(place) for each in three] for three in (at, ys, lines))
    return _Corners(tuple(at), tuple(x.take(each) for each in at), tuple(ys), tuple(lines), place)


def _steepness(corners: _Corners) -> tuple[Floats, Floats, Floats, Floats]:
    """What turns differences between corners into steps right and down."""
    (xa, xb, xc), (ya, yb, yc) = corners.x, corners.y
    bx, by, cx, cy = xb - xa, yb - ya, xc - xa, yc - ya
    area = bx * cy - cx * by
    # A triangle that is seen edge on has no sample, or but one by rounding: any plane will do.
    area[area == 0] = 1
    return bx / area, by / area, cx / area, cy / area


def _plane(corners: _Corners, steep: tuple[Floats, Floats, Floats, Floats], value: Floats) -> _Plane:
    va, vb, vc = (value.take(each) for each in corners.at)
    b, c = vb - va, vc - va
    bx, by, cx, cy = steep
    right, down = b * cy - c * by, c * bx - b * cx
    return _Plane(va - right * corners.x[0] - down * corners.y[0], right, down)


def _hits(corners: _Corners, size: int) -> _Hits:
    """All samples inside of all triangles; one on an edge belongs to what is right of it."""
    first, middle, last = corners.rows
    count = np.concatenate([middle - first, last - middle]).astype(np.int64)
    # Each triangle has an upper and a lower half: a row of either lies between two edges.
    half = np.flatnonzero(count)
    count = count.take(half)
    line = np.repeat(np.arange(len(half)), count)
    row = (np.concatenate([first, middle]).take(half) - (np.cumsum(count) - count)).take(line)
    row += np.arange(len(row))
    shift = OFFSETS.take(row.astype(np.int64) % SAMPLES)
    one, other = (_crossings(*edge, half, line, row, shift) for edge in _edges(corners))
    left, right = np.maximum(np.minimum(one, other), 0), np.minimum(np.maximum(one, other), size)
    right -= left
    some = np.flatnonzero(right > 0)
    wide = right.take(some).astype(np.int64)
    again = np.repeat(some, wide)
    column = np.arange(len(again)) - np.repeat(np.cumsum(wide) - wide, wide) + left.take(again).astype(np.int64)
    triangle = (half % len(first)).take(line.take(again))
    return _Hits(triangle, row.take(again).astype(np.int64), column, shift.take(again) + column)


def _edges(corners: _Corners) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """The edges on both sides of all upper and then all lower halves: x in row 0, and its change from row to row.

    An edge is where its own two ends say, from above: two triangles that share it agree to the last bit.
    """
    (xa, xb, xc), (ya, yb, yc) = corners.x, corners.y
    with np.errstate(divide="ignore", invalid="ignore"):  # level edges, which no row crosses
        long, upper, lower = (xc - xa) / (yc - ya), (xb - xa) / (yb - ya), (xc - xb) / (yc - yb)
        beside = xa - long * ya
        bent = np.concatenate([xa - upper * ya, xb - lower * yb])
    return (np.tile(beside, 2), np.tile(long, 2)), (bent, np.concatenate([upper, lower]))


def _crossings(start: Floats, slope: Floats, half: Places, line: Places, row: Floats, shift: Floats) -> Floats:
    """The first column of samples that is not left of an edge, in each row."""
    x = slope.take(half).take(line)
    x *= row
    x += start.take(half).take(line)
    x -= shift
    return np.ceil(x, out=x)
