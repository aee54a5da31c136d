"""Charts: ticks by hand, and where lines are to be seen."""

from __future__ import annotations

import numpy as np
import pytest

from imgen.charts import Axis, linear_ticks, lines, log_ticks


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, (0, 0.2, 0.4, 0.6, 0.8, 1)),
        (12.1, 19, (12, 14, 16, 18, 20)),
        (0.0003, 0.0117, (0, 0.0025, 0.005, 0.0075, 0.01, 0.0125)),
        (-3, 4, (-4, -2, 0, 2, 4)),
        (3, 3, (1, 2, 3, 4, 5)),
        (0, 0, (-1, -0.5, 0, 0.5, 1)),
    ],
)
def test_ticks_are_round_and_about_all(low, high, ticks):
    assert linear_ticks(low, high) == pytest.approx(ticks)


def test_ticks_of_a_logarithmic_axis():
    assert log_ticks([5000, 10, 100, 10]) == (10, 100, 5000)
    assert log_ticks(range(1, 41)) == pytest.approx((1, 2, 5, 10, 20))
    assert log_ticks(2.0**power for power in range(4, 20)) == pytest.approx((100, 1000, 10_000, 100_000))


def test_an_axis():
    assert Axis(0, 10, 100, 200, ())(2.5) == 125
    assert Axis(1, 100, 100, 200, (), log=True)(10) == 150


def shown(image, colour):
    """Rows and columns of the pixels that are about this colour, left of and below the legend."""
    pixels = np.asarray(image).astype(int)
    wanted = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)])
    rows, columns = np.nonzero(np.abs(pixels - wanted).sum(axis=2) < 60)
    below = rows > 80
    return rows[below], columns[below]


def chart(points, **more):
    return lines({"x": points}, **{"title": "Title", "x_label": "step", "y_label": "share", **more})


BLUE = "#3264c8"


def test_a_line_goes_where_its_points_are():
    image = chart([(0, 0.0), (10, 1.0)], y_range=(0, 1))
    assert image.size == (640, 420)
    assert image.mode == "RGB"
    rows, columns = shown(image, BLUE)
    # From the lower left to the upper right, across nearly all of the picture.
    assert columns[rows.argmax()] < 130
    assert columns[rows.argmin()] > 570
    assert np.corrcoef(rows, columns)[0, 1] < -0.99


def test_points_may_come_in_any_order():
    assert chart([(0, 0), (5, 2), (10, 1)]).tobytes() == chart([(10, 1), (0, 0), (5, 2)]).tobytes()


def test_a_logarithmic_axis_is_one():
    """The point of 10 stands amid those of 1 and 100."""

    def middle(log_x):
        rows, columns = shown(chart([(1, 0), (10, 1), (100, 0)], y_range=(0, 1), log_x=log_x), BLUE)
        return columns[rows <= rows.min() + 2].mean()

    ends = shown(chart([(1, 0), (100, 0)], y_range=(-1, 1)), BLUE)[1]
    assert middle(True) == pytest.approx((ends.min() + ends.max()) / 2, abs=3)
    assert middle(False) < ends.min() + 0.15 * (ends.max() - ends.min())


def test_whiskers_reach_their_ends():
    bare = shown(chart([(0, 0.5), (1, 0.5)], y_range=(0, 1)), BLUE)[0]
    with_ = shown(chart([(0, 0.5, 0.25, 0.9), (1, 0.5)], y_range=(0, 1)), BLUE)[0]
    frame = shown(chart([(0, 0.0), (1, 1.0)], y_range=(0, 1)), BLUE)[0]
    height = frame.max() - frame.min()
    centre = bare.mean()
    assert with_.max() - centre == pytest.approx(0.25 * height, abs=5)
    assert centre - with_.min() == pytest.approx(0.4 * height, abs=8)


def test_what_lies_outside_a_range_stays_in_the_frame():
    far = shown(chart([(0, -5), (1, 7, -9, 9)], y_range=(0, 1)), BLUE)[0]
    near = shown(chart([(0, 0), (1, 1)], y_range=(0, 1)), BLUE)[0]
    assert abs(far.min() - near.min()) <= 2
    assert abs(far.max() - near.max()) <= 2


def test_every_series_has_its_colour_and_stands_in_the_legend():
    two = {"one": [(0, 0), (1, 1)], "two": [(0, 1), (1, 0)]}
    image = lines(two, title="", x_label="", y_label="", size=(400, 300))
    assert image.size == (400, 300)
    pixels = np.asarray(image).astype(int)[:75]
    for colour in ((0x32, 0x64, 0xC8), (0xD2, 0x56, 0x2E)):
        assert (np.abs(pixels - colour).sum(axis=2) < 60).any()


@pytest.mark.parametrize(
    ("points", "more", "told"),
    [
        ([], {}, "needs a point"),
        ([(0, 1, 2)], {}, r"\(x, y, low, high\)"),
        ([(0, float("nan"))], {}, "finite"),
        ([(0, 1)], {"log_x": True}, "above 0"),
        ([(0, 1)], {"y_range": (1, 1)}, "y_range is"),
    ],
)
def test_what_cannot_be_shown_is_refused(points, more, told):
    with pytest.raises(ValueError, match=told):
        chart(points, **more)
