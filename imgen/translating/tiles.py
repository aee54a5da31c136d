"""A picture of any size in overlapping tiles, blended so that no seam shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Run = Callable[["NDArray[np.uint8]"], "NDArray[np.uint8]"]


def tiled(pixels: NDArray[np.uint8], tile: tuple[int, int], batch: int, run: Run, times: int = 1) -> NDArray[np.uint8]:
    """(C, H, W) through `run`, which takes (batch or fewer, C, *tile) to the same, or to `times` as many channels.

    Tiles overlap by half, and each counts most in its middle. Memory beside the two pictures is that of a batch and of
    one row of tiles, whatever the height. Gives (times x C, H, W).
    """
    channels, height, width = pixels.shape
    whole = reflected(pixels, max(height, tile[0]), max(width, tile[1]))
    channels *= times
    made = np.empty((channels, *whole.shape[1:]), np.uint8)
    weight = np.outer(_window(tile[0]), _window(tile[1]))
    total = np.zeros((channels, tile[0], whole.shape[2]), np.float32)
    weights = np.zeros(total.shape[1:], np.float32)
    top = 0

    def finish(rows: int) -> None:
        """Write the upper rows, to which nothing more is added, and move on."""
        made[:, top : top + rows] = np.rint(total[:, :rows] / weights[:rows])
        for sums in (total, weights):
            kept = sums[..., rows:, :].copy()
            sums[...] = 0
            sums[..., : kept.shape[-2], :] = kept

    for places in _batches(whole.shape[1:], tile, batch):
        pieces = np.stack([whole[:, y : y + tile[0], x : x + tile[1]] for y, x in places])
        for (y, x), piece in zip(places, run(pieces), strict=True):
            if y > top:
                finish(y - top)
                top = y
            total[:, :, x : x + tile[1]] += weight * piece
            weights[:, x : x + tile[1]] += weight
    finish(tile[0])
    return cut(made, height, width)


def reflected(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """(C, H, W) made larger on all sides by its own reflection."""
    if pixels.shape[1:] == (height, width):
        return pixels
    down, across = height - pixels.shape[1], width - pixels.shape[2]
    more = [(0, 0), (down // 2, down - down // 2), (across // 2, across - across // 2)]
    return np.pad(pixels, more, mode="reflect")


def cut(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """The middle of (C, H, W), without what `reflected` added."""
    top, left = (pixels.shape[1] - height) // 2, (pixels.shape[2] - width) // 2
    return pixels[:, top : top + height, left : left + width]


def _batches(size: tuple[int, ...], tile: tuple[int, int], batch: int) -> Iterator[list[tuple[int, int]]]:
    places = [(y, x) for y in _starts(size[0], tile[0]) for x in _starts(size[1], tile[1])]
    for first in range(0, len(places), batch):
        yield places[first : first + batch]


def _starts(length: int, tile: int) -> list[int]:
    return [*range(0, length - tile, max(1, tile // 2)), length - tile]


def _window(length: int) -> NDArray[np.float32]:
    """A hill that is nowhere zero."""
    return (np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2).astype(np.float32)
