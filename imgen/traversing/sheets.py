"""Sheets of pictures with the names of rows at their left and of columns over them, and titles over animations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont, features

from imgen import images

if TYPE_CHECKING:
    from numpy.typing import NDArray

GAP = 2  # between pictures [pixels]
_INK, _FAINT = "#24292f", "#57606a"
_SMALLEST, _LARGEST = 11, 22  # heights of letters [pixels]
_APART = 10  # between blocks, and around names [pixels]
_LONGEST, _SHORT = 40, 6  # characters of a name, and of what is left of one
_BEST, _MOST = 64, 4  # the side that small pictures are enlarged to, and how often at most


@dataclass(frozen=True)
class Block:
    """A grid of pictures, (rows, columns, C, H, W) uint8, with its names.

    left: of rows, with what is told of each in a second line; top: of columns; corner: of the block.
    """

    cells: NDArray[np.uint8]
    left: Sequence[tuple[str, str]]
    top: Sequence[str]
    corner: str = ""


def scale_of(height: int, width: int) -> int:
    """How often small pictures are enlarged: the least that makes both sides 64 pixels, and four times at most."""
    return min(_MOST, max(1, -(-_BEST // min(height, width))))


def enlarged(cells: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """Every pixel `scale` times as wide and high; the last two dimensions are height and width."""
    return cells.repeat(scale, axis=-2).repeat(scale, axis=-1) if scale > 1 else cells


def numbers(values: Sequence[float]) -> list[str]:
    """Values with as few places as tell them, and two at most, unless they are nearer to one another."""
    for places in range(3):
        if all(abs(round(value, places) - value) < 1e-6 for value in values):
            break
    spread = max(values) - min(values)
    if spread and spread / max(1, len(values) - 1) < 0.01:
        return [f"{value:.3g}" for value in values]
    # Adding zero makes a negative zero a plain one.
    return [f"{round(value, places) + 0:.{places}f}" for value in values]


def page(blocks: Sequence[Block], *, plain: bool = False) -> Image.Image:
    """The blocks below one another, with their names; without those if `plain`, or where PIL cannot draw letters."""
    if plain or not features.check("freetype2"):
        parts = [images.sheet(block.cells, GAP) for block in blocks]
        return _stacked(parts, _APART)
    letters = _letters(blocks[0].cells.shape[3])
    margin = max(_width(block, letters) for block in blocks)
    return _stacked([_framed(block, letters, margin) for block in blocks], _APART)


def titled(frames: Sequence[Image.Image], titles: Sequence[str]) -> list[Image.Image]:
    """Frames of an animation, each with a line over it; as they are where PIL cannot draw letters."""
    if not features.check("freetype2"):
        return list(frames)
    font = _font(_letters(frames[0].height))
    width = max([frames[0].width, *(round(font.getlength(title)) + _APART for title in titles)])
    made = []
    for frame, title in zip(frames, titles, strict=True):
        whole = Image.new(frame.mode, (width, frame.height + _head(font)), "white")
        whole.paste(frame, ((width - frame.width) // 2, _head(font)))
        ImageDraw.Draw(whole).text((width / 2, _head(font) / 2), title, _INK, font, anchor="mm")
        made.append(whole)
    return made


def short(name: str) -> str:
    """A name in one line that is not too long for a margin: its end tells pictures apart."""
    line = " ".join(name.split())
    return line if len(line) <= _LONGEST else "..." + line[3 - _LONGEST :]


def _framed(block: Block, letters: int, margin: int) -> Image.Image:
    sheet = images.sheet(block.cells, GAP)
    height, width = block.cells.shape[3:]
    font, small = _font(letters), _font(max(_SMALLEST - 1, letters - 3))
    head = _head(font) if block.corner or any(block.top) else 0
    whole = Image.new(sheet.mode, (margin + sheet.width, sheet.height + head), "white")
    whole.paste(sheet, (margin, head))
    draw = ImageDraw.Draw(whole)
    draw.text((_APART / 2, head / 2), short(block.corner), _INK, font, anchor="lm")
    _name_columns(draw, block.top, small, (margin, head, width))
    for row, (name, more) in enumerate(block.left):
        middle = head + row * (height + GAP) + height / 2
        # Where two lines find no room, the name is what is needed.
        shift = letters * 0.62 if more and height >= 2.5 * letters else 0
        draw.text((margin - _APART / 2, middle - shift), short(name), _INK, font, anchor="rm")
        if shift:
            draw.text((margin - _APART / 2, middle + shift), more, _FAINT, small, anchor="rm")
    return whole


def _name_columns(
    draw: ImageDraw.ImageDraw, names: Sequence[str], font: ImageFont.FreeTypeFont, at: tuple[int, int, int]
) -> None:
    """Over each column, or each second, third ..., where they are too narrow for every one; none is cut off."""
    left, head, width = at
    right = left + len(names) * (width + GAP) - GAP
    lines = [_fitted(short(name), font, width - 4) for name in names]
    widest = max((font.getlength(line) for line in lines), default=0)
    step = max(1, -(-round(widest + 4) // (width + GAP)))
    for column in range(0, len(names), step):
        middle, half = left + column * (width + GAP) + width / 2, font.getlength(lines[column]) / 2
        inside = min(max(middle, left + half + 1), right - half - 1)
        draw.text((inside, head / 2), lines[column], _FAINT, font, anchor="mm")


def _fitted(name: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """A name that is no number, as much of its end as a column has room for."""
    end = name
    while len(end) > _SHORT and font.getlength(f"...{end}") > width and font.getlength(name) > width:
        end = end[1:]
    return name if end == name else f"...{end}"


def _stacked(parts: Sequence[Image.Image], gap: int) -> Image.Image:
    if len(parts) == 1:
        return parts[0]
    height = sum(part.height + gap for part in parts) - gap
    whole = Image.new(parts[0].mode, (max(part.width for part in parts), height), "white")
    top = 0
    for part in parts:
        whole.paste(part, (0, top))
        top += part.height + gap
    return whole


def _width(block: Block, letters: int) -> int:
    """What the names at the left take up."""
    font, small = _font(letters), _font(max(_SMALLEST - 1, letters - 3))
    lines = [font.getlength(short(text)) for text in (block.corner, *(name for name, _ in block.left))]
    lines += [small.getlength(more) for _, more in block.left]
    return round(max(lines, default=0)) + _APART if any(lines) else 0


def _letters(height: int) -> int:
    """Letters that go with pictures of this height."""
    return min(_LARGEST, max(_SMALLEST, round(6 + height / 9)))


def _head(font: ImageFont.FreeTypeFont) -> int:
    return round(font.size) + 8


def _font(letters: float) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(letters)
    assert isinstance(font, ImageFont.FreeTypeFont), "asked for where FreeType is there"
    return font
