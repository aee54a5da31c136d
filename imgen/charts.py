"""Line charts, drawn with PIL alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from imgen.lettering import font_of, upright

Point = tuple[float, float]
Whisker = tuple[float, float, float, float]
"""x, y, and the ends of the whisker: low and high."""

COLOURS = ("#3264c8", "#d2562e", "#2e8b57", "#8a4fbe", "#b8860b", "#1f9eb5", "#c43c7a", "#5b6472")
"""Of the series in turn; markers tell them apart, too, for those who see no red or green."""
_INK, _FAINT, _PALE = "#24292f", "#57606a", "#e3e6ea"
_MARKERS = ("disc", "square", "triangle", "diamond")
_CORNERS = {
    "square": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    "triangle": ((0, -1.2), (1.1, 0.8), (-1.1, 0.8)),
    "diamond": ((0, -1.25), (1.1, 0), (0, 1.25), (-1.1, 0)),
}
_SCALE = 3  # drawn larger and reduced: PIL's lines have no soft edges of their own
_MOST_TICKS = 8


@dataclass(frozen=True)
class Axis:
    """From numbers to pixels: ends in numbers, ends in pixels, and where its ticks are."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]
    log: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of a number."""
        value, low, high = (math.log10(each) if self.log else each for each in (value, self.low, self.high))
        return self.start + (value - low) / (high - low) * (self.end - self.start)


def lines(
    series: Mapping[str, Sequence[Point | Whisker]],
    *,
    title: str,
    x_label: str,
    y_label: str,
    log_x: bool = False,
    y_range: tuple[float, float] | None = None,
    size: tuple[int, int] = (640, 420),
) -> Image.Image:
    """A chart of one line for each series, in order, with a legend: RGB, of `size` (width, height) [pixels].

    series: by name its points (x, y), or (x, y, low, high) with a whisker, as of several seeds; drawn in order of x.
    y_range: ends of the y axis; None: round numbers about all points and whiskers.

    Raises: `ValueError` where there is no point, a number is not finite, or x is not positive on a logarithmic axis.
    """
    points = [tuple(map(float, point)) for each in series.values() for point in each]
    _check(points, log_x, y_range)
    width, height = (side * _SCALE for side in size)
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    small, large = font_of(13 * _SCALE), font_of(17 * _SCALE)

    heights = [number for point in points for number in point[1:]]
    low, high = y_range or (min(heights), max(heights))
    y_ticks = linear_ticks(low, high)
    if y_range is None:
        low, high = y_ticks[0], y_ticks[-1]
    names = _labels(y_ticks)
    legend, rows = _legend(list(series), small, width - 40 * _SCALE)
    left = 48 * _SCALE + max(small.getlength(name) for name in names)
    top, right, bottom = (56 + 22 * rows) * _SCALE, width - 24 * _SCALE, height - 58 * _SCALE
    y = Axis(low, high, bottom, top, y_ticks)
    x = _x_axis([point[0] for point in points], left + 14 * _SCALE, right - 14 * _SCALE, log_x)

    draw.text((20 * _SCALE, 14 * _SCALE), title, _INK, large)
    for place, (name, at) in enumerate(zip(series, legend, strict=True)):
        middle = 54 * _SCALE + at[1] * 22 * _SCALE
        start = 20 * _SCALE + at[0]
        draw.line([(start, middle), (start + 24 * _SCALE, middle)], _colour(place), 2 * _SCALE)
        _mark(draw, place, start + 12 * _SCALE, middle)
        draw.text((start + 31 * _SCALE, middle), name, _INK, small, anchor="lm")
    _axes(draw, x, y, (left, top, right, bottom), small)
    draw.text(((left + right) / 2, height - 18 * _SCALE), x_label, _FAINT, small, anchor="mm")
    upright(image, y_label, (18 * _SCALE, (top + bottom) / 2), small, _FAINT)
    for place, each in enumerate(series.values()):
        _line(draw, place, sorted(tuple(map(float, point)) for point in each), x, y)
    return image.resize(size, Image.Resampling.LANCZOS)


def linear_ticks(low: float, high: float, about: int = 6) -> tuple[float, ...]:
    """Some round numbers, evenly apart, from `low` or just below it to `high` or just above: ends included."""
    if high <= low:
        room = abs(low) / 2 or 1.0
        low, high = low - room, high + room
    rough = (high - low) / (about - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(each * power for each in (1, 2, 2.5, 5, 10) if each * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(round(place * step, 12) for place in range(first, last + 1))


def log_ticks(values: Iterable[float]) -> tuple[float, ...]:
    """The values themselves, where they are few; or else the powers of ten among them, and their doubles and fives."""
    each = sorted(set(values))
    if len(each) <= _MOST_TICKS:
        return tuple(each)
    first, last = math.floor(math.log10(each[0])), math.ceil(math.log10(each[-1]))
    parts = (1, 2, 5) if last - first <= 2 else (1,)
    ticks = [part * 10.0**power for power in range(first, last + 1) for part in parts]
    return tuple(tick for tick in ticks if each[0] * 0.999 <= tick <= each[-1] * 1.001)


def _check(points: Sequence[tuple[float, ...]], log_x: bool, y_range: tuple[float, float] | None) -> None:
    if not points:
        raise ValueError("a chart needs a point to show")
    if any(len(point) not in (2, 4) for point in points):
        raise ValueError("a point is (x, y), or (x, y, low, high)")
    if not all(math.isfinite(number) for point in points for number in point):
        raise ValueError("a chart shows finite numbers only")
    if log_x and min(point[0] for point in points) <= 0:
        raise ValueError("a logarithmic axis needs numbers above 0")
    if y_range is not None and y_range[0] >= y_range[1]:
        raise ValueError(f"y_range is (low, high), not {y_range}")


def _x_axis(values: Sequence[float], start: float, end: float, log: bool) -> Axis:
    low, high = min(values), max(values)
    if log:
        if low == high:
            low, high = low / 2, high * 2
        return Axis(low, high, start, end, log_ticks(values), log=True)
    if low == high:
        low, high = low - 1, high + 1
    ticks = tuple(tick for tick in linear_ticks(low, high, 7) if low <= tick <= high)
    return Axis(low, high, start, end, ticks)


def _axes(draw: ImageDraw.ImageDraw, x: Axis, y: Axis, box: tuple[float, ...], font: ImageFont.FreeTypeFont) -> None:
    left, top, right, bottom = box
    for tick, name in zip(y.ticks, _labels(y.ticks), strict=True):
        at = y(tick)
        # A range of the caller's may end between two ticks.
        if top - 1 <= at <= bottom + 1:
            draw.line([(left, at), (right, at)], _PALE, _SCALE)
            draw.text((left - 8 * _SCALE, at), name, _FAINT, font, anchor="rm")
    free = -math.inf
    names = [_number(tick) for tick in x.ticks] if x.log else _labels(x.ticks)
    for tick, name in zip(x.ticks, names, strict=True):
        at, half = x(tick), font.getlength(name) / 2
        draw.line([(at, bottom), (at, bottom + 5 * _SCALE)], _FAINT, _SCALE)
        if at - half > free:
            draw.text((at, bottom + 10 * _SCALE), name, _FAINT, font, anchor="ma")
            free = at + half + 6 * _SCALE
    draw.line([(left, bottom), (right, bottom)], _FAINT, _SCALE)


def _line(draw: ImageDraw.ImageDraw, place: int, points: Iterable[tuple[float, ...]], x: Axis, y: Axis) -> None:
    points = list(points)
    colour = _colour(place)
    path = [(x(point[0]), y(_within(point[1], y))) for point in points]
    for (across, _), point in zip(path, points, strict=True):
        if len(point) == 4:
            ends = [y(_within(end, y)) for end in point[2:]]
            draw.line([(across, ends[0]), (across, ends[1])], colour, round(1.4 * _SCALE))
            for end in ends:
                draw.line([(across - 4 * _SCALE, end), (across + 4 * _SCALE, end)], colour, round(1.4 * _SCALE))
    draw.line(path, colour, 2 * _SCALE, joint="curve")
    for across, down in path:
        _mark(draw, place, across, down)


def _mark(draw: ImageDraw.ImageDraw, place: int, across: float, down: float) -> None:
    kind, colour, r = _MARKERS[place % len(_MARKERS)], _colour(place), 4.2 * _SCALE
    if kind == "disc":
        draw.ellipse((across - r, down - r, across + r, down + r), colour, "white", _SCALE)
    else:
        corners = [(across + r * right, down + r * lower) for right, lower in _CORNERS[kind]]
        draw.polygon(corners, colour, "white", _SCALE)


def _legend(names: Sequence[str], font: ImageFont.FreeTypeFont, width: float) -> tuple[list[tuple[float, int]], int]:
    """Where each name starts, with its row, and the number of rows."""
    places, across, row = [], 0.0, 0
    for name in names:
        room = 31 * _SCALE + font.getlength(name) + 20 * _SCALE
        if across and across + room > width:
            across, row = 0.0, row + 1
        places.append((across, row))
        across += room
    return places, row + 1


def _colour(place: int) -> str:
    return COLOURS[place % len(COLOURS)]


def _within(value: float, axis: Axis) -> float:
    return min(max(value, axis.low), axis.high)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:.6g}"


def _labels(ticks: Sequence[float]) -> list[str]:
    """Numbers with as many places as tell them apart."""
    for places in range(8):
        if all(math.isclose(round(tick, places), tick, abs_tol=1e-9) for tick in ticks):
            return [f"{tick:,.{places}f}" for tick in ticks]
    return [f"{tick:.3g}" for tick in ticks]
