"""Heat maps: where cells are, and how dark."""

from __future__ import annotations

import math

import numpy as np
import pytest

from imgen.heat_map import colour_of, heat_map


def pixels(image):
    return np.asarray(image).astype(int)


def cells(image, count, side):
    """The colour in the upper left of each cell, off its number; the map ends 24 pixels from the picture's edges."""
    shown = pixels(image)
    down = [shown.shape[0] - 24 - side * (count - place) + side // 6 for place in range(count)]
    across = [shown.shape[1] - 24 - side * (count - place) + side // 6 for place in range(count)]
    return np.array([[shown[y, x] for x in across] for y in down])


def drawn(values, **more):
    return heat_map(values, [f"row {n}" for n in range(len(values))], **{"title": "m", **more})


def test_colours_grow_darker():
    light = [sum(colour_of(share)) for share in np.linspace(0, 1, 50)]
    assert light == sorted(light, reverse=True) and len(set(light)) > 40
    assert colour_of(-1) == colour_of(0) and colour_of(2) == colour_of(1)


@pytest.mark.parametrize(("count", "side"), [(2, 56), (6, 56), (16, 56), (20, 45), (50, 27)])
def test_cells_have_the_colours_of_their_numbers(count, side):
    values = np.random.default_rng(0).random((count, count))
    image = drawn(values.tolist(), span=(0, 1))
    assert image.mode == "RGB"
    wanted = np.array([[colour_of(value) for value in row] for row in values])
    assert np.abs(cells(image, count, side) - wanted).max() <= 3


def test_ends_are_those_of_the_numbers_where_none_are_given():
    found = cells(drawn([[5, 10], [7.5, math.nan]]), 2, 56)
    assert found[0, 0] == pytest.approx(colour_of(0), abs=3)
    assert found[0, 1] == pytest.approx(colour_of(1), abs=3)
    assert found[1, 0] == pytest.approx(colour_of(0.5), abs=3)
    grey = found[1, 1]
    assert grey.max() - grey.min() < 15, "what is no number has no colour"


def test_numbers_and_labels_are_written():
    blank = drawn([[math.nan, math.nan]] * 2, span=(0, 1))
    told = drawn([[0.5, 0.5]] * 2, span=(0, 1))
    middle = pixels(told)[-24 - 28, -24 - 28 - 8 : -24 - 28 + 8]
    assert np.abs(middle - np.array(colour_of(0.5))).max() > 60, "the number's ink"
    assert np.abs(pixels(blank)[-24 - 40 : -24 - 12, -24 - 40 : -24 - 12] - pixels(blank)[-24 - 28, -24 - 28]).max() < 3
    other = heat_map([[0.5, 0.5]] * 2, ["row 0", "row 1"], ["row 0", "row 2"], title="m", span=(0, 1))
    changed = np.argwhere((pixels(other) != pixels(told)).any(axis=2))
    assert len(changed) and changed[:, 0].max() < told.height - 24 - 2 * 56, "only a label of a column"


def test_names_of_axes_are_written():
    with_names = drawn([[0.1]], row_title="down", column_title="across")
    plain = drawn([[0.1]])
    assert with_names.height - plain.height == 30
    assert with_names.width >= plain.width


def test_a_long_label_loses_its_middle():
    long = heat_map([[0.0]], ["runs/" + "x" * 100 + "-0001"], title="m")
    short = heat_map([[0.0]], ["runs/-0001"], title="m")
    assert long.width < short.width + 250


@pytest.mark.parametrize(
    ("values", "rows"), [([], []), ([[1, 2]], ["a"]), ([[1], [2]], ["a"]), ([[1, 2], [3]], ["a", "b"])]
)
def test_labels_must_fit(values, rows):
    with pytest.raises(ValueError, match="a label for every row and column"):
        heat_map(values, rows, title="m")
