"""A matrix as a map of colours with its numbers, drawn with PIL alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from imgen.lettering import font_of, upright

_INK, _FAINT, _NOTHING = "#24292f", "#57606a", "#d8dce1"
_COLOURS = ((247, 250, 255), (198, 219, 239), (107, 174, 214), (33, 113, 181), (8, 48, 107))
"""From low to high, evenly: ever darker, so that a print without colours can be read, too."""
_DARK = 0.55  # of the range, from which on numbers are white
_SCALE = 2  # drawn larger and reduced, for soft edges
_MOST_LETTERS = 28  # of a label
_ROOMY, _TIGHT = 56, 27  # pixels of a cell


def heat_map(
    values: Sequence[Sequence[float]],
    rows: Sequence[str],
    columns: Sequence[str] | None = None,
    *,
    title: str,
    row_title: str = "",
    column_title: str = "",
    span: tuple[float, float] | None = None,
) -> Image.Image:
    """A map of a matrix, RGB: a cell for each number, darker the higher it is, with the number in it.

    rows, columns: labels, of which long ones lose their middle; without columns they are those of the rows.
    span: numbers of the lightest and the darkest colour; None: the least and the largest. Cells that are no number are
    grey and empty. Cells shrink as there are more of them, to 27 pixels.

    Raises: `ValueError` where the matrix is empty or labels do not fit it.
    """
    columns = rows if columns is None else columns
    if not len(values) or len(rows) != len(values) or any(len(row) != len(columns) for row in values):
        raise ValueError(f"a map needs a label for every row and column, not {len(rows)} and {len(columns)}")
    cell = max(_TIGHT, min(_ROOMY, 900 // max(len(rows), len(columns)))) * _SCALE
    small, large = font_of(13 * _SCALE), font_of(17 * _SCALE)
    digits = font_of(min(13, cell / _SCALE * 0.36) * _SCALE)
    beside, above = [_short(name) for name in rows], [_short(name) for name in columns]
    gap = 8 * _SCALE
    left = 20 * _SCALE + (22 * _SCALE if row_title else 0) + round(max(map(small.getlength, beside))) + gap
    top = 52 * _SCALE + (30 * _SCALE if column_title else 0) + round(max(map(small.getlength, above))) + gap
    width = max(left + cell * len(columns) + 24 * _SCALE, round(large.getlength(title)) + 40 * _SCALE)
    height = top + cell * len(rows) + 24 * _SCALE
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    draw.text((20 * _SCALE, 14 * _SCALE), title, _INK, large)
    if column_title:
        draw.text((left + cell * len(columns) / 2, 62 * _SCALE), column_title, _FAINT, small, anchor="mm")
    if row_title:
        upright(image, row_title, (28 * _SCALE, top + cell * len(rows) / 2), small, _FAINT)
    for place, name in enumerate(beside):
        draw.text((left - gap, top + cell * (place + 0.5)), name, _INK, small, anchor="rm")
    for place, name in enumerate(above):
        length = small.getlength(name)
        upright(image, name, (left + cell * (place + 0.5), top - gap - length / 2), small, _INK)
    low, high = span or _ends(values)
    for down, row in enumerate(values):
        for across, value in enumerate(row):
            box = left + across * cell, top + down * cell, left + (across + 1) * cell, top + (down + 1) * cell
            _cell(draw, box, value, (low, high), digits)
    return image.resize((width // _SCALE, height // _SCALE), Image.Resampling.LANCZOS)


def colour_of(share: float) -> tuple[int, int, int]:
    """From 0, light, to 1, dark."""
    at = min(max(share, 0.0), 1.0) * (len(_COLOURS) - 1)
    first = min(int(at), len(_COLOURS) - 2)
    red, green, blue = (
        round(a + (b - a) * (at - first)) for a, b in zip(_COLOURS[first], _COLOURS[first + 1], strict=True)
    )
    return red, green, blue


def _cell(
    draw: ImageDraw.ImageDraw,
    box: tuple[float, float, float, float],
    value: float,
    span: tuple[float, float],
    font: ImageFont.FreeTypeFont,
) -> None:
    if not math.isfinite(value):
        draw.rectangle(box, _NOTHING, "white", _SCALE)
        return
    share = (value - span[0]) / (span[1] - span[0]) if span[1] > span[0] else 0.5
    draw.rectangle(box, colour_of(share), "white", _SCALE)
    ink = "white" if share > _DARK else _INK
    draw.text(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), _number(value), ink, font, anchor="mm")


def _number(value: float) -> str:
    """Two places, and no zero before them: as much as a small cell holds."""
    told = f"{value:.2f}" if abs(value) < 100 else f"{value:.3g}"
    return told.replace("0.", ".", 1) if abs(value) < 0.995 else told


def _ends(values: Sequence[Sequence[float]]) -> tuple[float, float]:
    finite = [value for row in values for value in row if math.isfinite(value)]
    return (min(finite), max(finite)) if finite else (0.0, 1.0)


def _short(name: str) -> str:
    """A label that is not too long; its end tells runs apart."""
    if len(name) <= _MOST_LETTERS:
        return name
    kept = _MOST_LETTERS - 1
    return f"{name[: kept // 3]}…{name[-(kept - kept // 3) :]}"
