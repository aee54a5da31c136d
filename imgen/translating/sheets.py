"""What shows several pictures with all that is made of them: headings over a sheet, and frames of animations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont, features

from imgen import images

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LETTERS = range(16, 8, -1)  # heights of the letters of headings [pixels]


def headed(sheet: Image.Image, names: Sequence[str], width: int, gap: int = 2) -> Image.Image:
    """The sheet with a name over each of its columns; as it is, where they are too narrow for that.

    width: of a column; gap: between two [pixels].
    """
    lines = [" ".join(name.replace("_", " ").split()) for name in names]
    if not features.check("freetype2"):
        return sheet
    for letters in _LETTERS:
        font = ImageFont.load_default(letters)
        boxes = [font.getbbox(line) for line in lines]
        if all(right - left <= width for left, _, right, _ in boxes):
            break
    else:
        return sheet
    height = letters + 6
    whole = Image.new(sheet.mode, (sheet.width, sheet.height + height), "white")
    whole.paste(sheet, (0, height))
    draw = ImageDraw.Draw(whole)
    for column, line in enumerate(lines):
        draw.text((column * (width + gap) + width / 2, height / 2), line, "black", font, anchor="mm")
    return whole


def faded(rows: Sequence[NDArray[np.uint8]], stages: int, hold: int = 6, fade: int = 8) -> Iterator[Image.Image]:
    """Frames of an animation that fades every picture into its stages, one after another, and back: pixels cross-fade.

    rows: each a picture and its stages, (stages, C, H, W); stages: how many of each are shown; hold, fade: frames at a
    stage, and between two.
    """
    grid = _grid(rows)[:, :, : stages + 1].astype(np.float32)
    for stage in range(grid.shape[2]):
        now, then = grid[:, :, stage], grid[:, :, (stage + 1) % grid.shape[2]]
        for frame in range(hold + fade):
            share = max(0, frame - hold + 1) / (fade + 1)
            yield images.sheet(np.rint(now + share * (then - now)).astype(np.uint8))


def stepped(rows: Sequence[NDArray[np.uint8]]) -> Iterator[Image.Image]:
    """Frames of an animation that shows the stages of all pictures, one after another, without the pictures themselves.

    rows: as for `faded`.
    """
    grid = _grid(rows)
    for stage in range(1, grid.shape[2]):
        yield images.sheet(grid[:, :, stage])


def _grid(rows: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """(down, across, stages, C, H, W), nearly square, with white where pictures are missing."""
    shown = np.stack(rows)
    columns = min(len(shown), round(len(shown) ** 0.5 + 0.499))
    empty = -len(shown) % columns
    shown = np.concatenate([shown, np.full((empty, *shown.shape[1:]), 255, np.uint8)]) if empty else shown
    return shown.reshape(-1, columns, *shown.shape[1:])
