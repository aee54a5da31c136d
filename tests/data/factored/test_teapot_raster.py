"""The z-buffer, beside triangles that can be drawn by hand and beside one that asks every sample of every triangle."""

from __future__ import annotations

import numpy as np
import pytest

from imgen.data.factored.teapot.raster import OFFSETS, SAMPLES, rasterise

Triangle = list[tuple[float, float]]


def seen(triangles: list[Triangle], depths: list[list[float]], size: int = 4, value: list[float] | None = None):
    """What is seen of separate triangles: which of them, (size, 8, size), -1 where none is; and the values there."""
    points = np.array(triangles, float).reshape(-1, 2)
    near = 1 / np.array(depths, float).reshape(-1)
    values = np.zeros(len(points)) if value is None else np.array(value, float)
    order = np.arange(len(points)).reshape(-1, 3)
    found = rasterise(points[:, 0], points[:, 1], near, values, order, size)
    which, shown = np.full(size * SAMPLES * size, -1), np.full(size * SAMPLES * size, np.nan)
    which[found.sample], shown[found.sample] = found.triangle, found.value
    return which.reshape(size, SAMPLES, size), shown.reshape(size, SAMPLES, size)


def where(size: int) -> tuple[np.ndarray, np.ndarray]:
    """x and y of every sample, (size, 8, size)."""
    row, eighth, column = np.meshgrid(np.arange(size), np.arange(SAMPLES), np.arange(size), indexing="ij")
    return column + OFFSETS[eighth], row + (eighth + 0.5) / 8


def test_samples_lie_in_rows_and_columns_of_their_own():
    assert sorted((OFFSETS * 16).tolist()) == list(range(1, 16, 2))


def test_a_triangle_covers_the_samples_inside_of_it():
    # The left upper half of the inner four pixels: x + y < 4 where both are above 1.
    which, _ = seen([[(1, 1), (3, 1), (1, 3)]], [[1, 1, 1]])
    x, y = where(4)
    np.testing.assert_array_equal(which == 0, (x > 1) & (y > 1) & (x + y < 4))
    assert (which[1, :, 1] == 0).all(), "a pixel inside"
    assert (which[2, :, 2] == -1).all(), "a pixel outside"
    assert 0 < (which[1, :, 2] == 0).sum() < 8, "a pixel on the slope"


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_both_sides_are_seen(order):
    corners = [(0.3, 0.2), (3.7, 1.1), (1.2, 3.6)]
    one, _ = seen([corners], [[1, 1, 1]])
    other, _ = seen([[corners[place] for place in order]], [[1, 1, 1]])
    np.testing.assert_array_equal(one, other)
    assert (one == 0).sum() > 20


def test_the_nearest_is_seen_in_whichever_order_they_come():
    wall = [(-9.0, -9.0), (20.0, -9.0), (-9.0, 20.0)]
    small = [(1.0, 1.0), (3.0, 1.0), (1.0, 3.0)]
    inside = seen([small], [[1, 1, 1]])[0] == 0
    for triangles, depths, near in (([wall, small], [2.0, 1.0], 1), ([small, wall], [1.0, 2.0], 0)):
        which, _ = seen(triangles, [[depth] * 3 for depth in depths])
        np.testing.assert_array_equal(which == near, inside)
        assert (which >= 0).all()
    which, _ = seen([wall, small], [[1.0] * 3, [2.0] * 3])
    assert (which == 0).all(), "what is behind a wall is not seen"


def test_triangles_that_cut_through_each_other_part_where_they_do():
    # One is near on the left, the other on the right; seen from afar they cross at x = 2.
    left, right = [(0.0, -4.0), (4.0, 4.0), (0.0, 8.0)], [(0.0, -4.0), (4.0, 4.0), (0.0, 8.0)]
    depths = [[1 / (2 - x) for x in (0.0, 1.9, 0.0)], [1 / 1.0] * 3]
    which, _ = seen([left, right], depths)
    x, _ = where(4)
    both = seen([left], [[1, 1, 1]])[0] == 0
    # 1 / depth falls from 2 to 0.1 over four pixels, and is 1 at 40 / 19.
    np.testing.assert_array_equal(which[both] == 0, x[both] < 40 / 19)


def test_values_are_true_to_perspective():
    wall = [(0.0, 0.0), (8.0, 0.0), (0.0, 8.0)]
    depths, value = [1.0, 3.0, 2.0], [0.0, 1.0, 4.0]
    _, shown = seen([wall], [depths], value=value)
    x, y = where(4)
    share = np.stack([1 - x / 8 - y / 8, x / 8, y / 8])
    near = (share.T / depths).T
    np.testing.assert_allclose(shown, (near.T * value).T.sum(axis=0) / near.sum(axis=0), rtol=1e-12)


def test_triangles_of_one_surface_leave_no_gap_and_share_no_sample():
    rng = np.random.default_rng(0)
    across = np.arange(9.0)
    grid = np.stack(np.meshgrid(across, across), axis=-1)
    grid[1:-1, 1:-1] += rng.uniform(-0.4, 0.4, (7, 7, 2))
    place = np.arange(81).reshape(9, 9)
    a, b, c, d = (part.reshape(-1) for part in (place[:-1, :-1], place[1:, :-1], place[1:, 1:], place[:-1, 1:]))
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    points, ones = grid.reshape(-1, 2), np.ones(81)
    whole = rasterise(points[:, 0], points[:, 1], ones, ones, triangles, 8)
    assert len(whole.sample) == 8 * 8 * SAMPLES, "no gap"
    singly = [rasterise(points[:, 0], points[:, 1], ones, ones, one[None], 8).sample for one in triangles]
    assert sum(map(len, singly)) == 8 * 8 * SAMPLES, "no sample twice"


def test_any_triangles_are_seen_as_when_every_sample_is_asked():
    rng = np.random.default_rng(5)
    size, count = 8, 60
    points = rng.uniform(-3, 11, (count, 3, 2))
    depth = rng.uniform(1, 2, (count, 3))
    which, _ = seen(points.tolist(), depth.tolist(), size=size)
    x, y = where(size)
    best, expected = np.zeros(x.shape), np.full(x.shape, -1)
    for place, ((xa, ya), (xb, yb), (xc, yc)) in enumerate(points):
        area = (xb - xa) * (yc - ya) - (xc - xa) * (yb - ya)
        b = ((x - xa) * (yc - ya) - (xc - xa) * (y - ya)) / area
        c = ((xb - xa) * (y - ya) - (x - xa) * (yb - ya)) / area
        near = (1 - b - c) / depth[place, 0] + b / depth[place, 1] + c / depth[place, 2]
        nearer = (b >= 0) & (c >= 0) & (b + c <= 1) & (near > best)
        best[nearer], expected[nearer] = near[nearer], place
    np.testing.assert_array_equal(which, expected)
    assert len(np.unique(expected)) > 20


def test_what_is_seen_edge_on_or_outside_is_not_seen():
    level, upright, point = [(0, 1), (2, 1), (4, 1)], [(2, 0), (2, 3), (2, 4)], [(1, 1), (1, 1), (1, 1)]
    outside = [(5, 5), (9, 5), (5, 9)]
    which, _ = seen([level, upright, point, outside], [[1, 1, 1]] * 4)
    assert (which == -1).all()
