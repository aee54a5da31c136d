"""Pictures in an .npy or .npz file, as a column: an .npy file is mapped into memory, not read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imgen.data.arrays import Outline, blocks, contents
from imgen.data.pack import mapped
from imgen.data.pictures import Progress, tell
from imgen.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

WANTED = "wanted are pictures of shape (N, H, W, 3), (N, H, W, 1) or (N, H, W)"
_NAMES = ("imgs", "images")
_AT_ONCE = 2**24  # bytes


def is_array(path: str | Path) -> bool:
    """Whether this is a file that is called as numpy calls its files."""
    path = Path(path).expanduser()
    return path.suffix.lower() in (".npy", ".npz") and path.is_file()


class ArrayPictures:
    """A column of the pictures in an .npy or .npz file, (N, channels, H, W) uint8.

    Of several arrays in an .npz file it is `imgs`, or else `images`, or else the only one that can be pictures.
    Numbers are from 0 to 255; floats, which go from 0 to 1, are rounded to those; and where there are no numbers
    but 0 and 1, 1 is white.

    Raises: `DataError` where the file is damaged, or holds no such pictures.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser()
        self.name, outline = chosen(self.path)
        self.shape = shape_of(outline)
        is_mapped = self._is_mappable(outline)
        self._pixels = self._mapped(outline) if is_mapped else self._read(outline)
        # Looked at until there is a number above 1, which is hardly ever far.
        self._is_binary = all(part.max() <= 1 for part in _parts(self._pixels))
        if self._is_binary and not is_mapped:
            self._pixels *= np.uint8(255)
            self._is_binary = False

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def dtype(self) -> Any:
        import torch

        return torch.uint8

    def fetch(self, rows: NDArray[np.int64]) -> Tensor:
        """The given rows, (len(rows), C, H, W)."""
        import torch

        pixels = self._pixels[rows]
        return torch.from_numpy(self._white(pixels)).permute(0, 3, 1, 2).contiguous()

    def decode_all(self, workers: int | None = None, told: Progress | None = None) -> Tensor:
        """Every row as one tensor: of numbers up to 255, the mapped file itself. Nothing is decoded."""
        import torch

        return torch.from_numpy(self._white(self._pixels)).permute(0, 3, 1, 2)

    def check(self, shape: tuple[int, int, int]) -> None:
        """Raises: `DataError` where the pictures are not of this shape (C, H, W)."""
        channels, height, width = self.shape[1:]
        if height != width:
            raise DataError(f"{self.path}: its pictures are {width}x{height}; only square ones can be used")
        if (channels, height, width) != shape:
            raise DataError(
                f"{self.path}: its pictures have {channels} channels at {width}x{height}, not {shape[0]} at "
                f"{shape[2]}x{shape[1]}; set size to {height} and channels to {channels}"
            )

    def _white(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return pixels * np.uint8(255) if self._is_binary else pixels

    def _is_mappable(self, outline: Outline) -> bool:
        with self.path.open("rb") as file:
            return outline.dtype == np.uint8 and file.read(2) != b"PK"

    def _mapped(self, outline: Outline) -> NDArray[np.uint8]:
        with self.path.open("rb") as file:
            whole = np.frombuffer(mapped(file), np.uint8)
        return whole[len(whole) - outline.nbytes :].reshape(self._layout())

    def _read(self, outline: Outline) -> NDArray[np.uint8]:
        try:
            pixels = np.empty(self._layout(), np.uint8)
        except MemoryError:
            raise DataError(f"{self.path}: its pictures do not fit into memory; write an .npy file of uint8") from None
        done = 0
        for block in read_through(self.path, self.name, outline):
            pixels[done : done + len(block)] = self._bytes(block).reshape(-1, *pixels.shape[1:])
            done += len(block)
        return pixels

    def _bytes(self, block: NDArray[Any]) -> NDArray[Any]:
        if block.dtype.kind != "f":
            return block
        # No comparison holds for what is no number.
        if not (block.min() >= 0 and block.max() <= 1):
            raise DataError(
                f"{self.path}: '{self.name}' has floats from {block.min():g} to {block.max():g}; they must be in "
                "[0, 1], or uint8 up to 255"
            )
        return np.rint(block * 255)

    def _layout(self) -> tuple[int, ...]:
        count, channels, height, width = self.shape
        return count, height, width, channels


def shape_of(outline: Outline) -> tuple[int, int, int, int]:
    """(N, channels, H, W) of an array that `chosen` gave."""
    count, height, width, *channels = outline.shape
    return count, channels[0] if channels else 1, height, width


def read_through(path: Path, name: str, outline: Outline) -> Iterator[NDArray[Any]]:
    """Its rows in parts, while progress is told. Raises: `DataError` where the file is damaged."""
    done = 0
    for block in blocks(path, name, max(1, _AT_ONCE * outline.shape[0] // outline.nbytes)):
        yield block
        done += len(block)
        tell(None, done, outline.shape[0])


def _parts(pixels: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    rows = max(1, _AT_ONCE * len(pixels) // pixels.nbytes)
    return (pixels[first : first + rows] for first in range(0, len(pixels), rows))


def chosen(path: Path) -> tuple[str, Outline]:
    """The array that holds the pictures, by its name. Raises: `DataError` where none does, or several may."""
    found = contents(path)
    name = next((name for name in _NAMES if name in found), None)
    if name is None:
        likely = [name for name, outline in found.items() if len(outline.shape) in (3, 4)]
        if len(likely) != 1:
            there = ", ".join(f"{name} {outline.shape}" for name, outline in list(found.items())[:12])
            which = "several arrays may be them: call one 'imgs'" if likely else WANTED
            raise DataError(f"{path}: holds {there or 'no arrays'}; {which}")
        (name,) = likely
    outline = found[name]
    shape, kind = outline.shape, outline.dtype
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3)) or not all(shape):
        first = len(shape) == 4 and shape[1] in (1, 3) and shape[3] not in (1, 3)
        hint = "; channels come last: write numpy.moveaxis(array, 1, 3)" if first else ""
        raise DataError(f"{path}: '{name}' is {shape}; {WANTED}{hint}")
    if kind not in (np.uint8, np.bool_) and kind.kind != "f":
        raise DataError(f"{path}: '{name}' is {str(kind)[:40]}; pictures are uint8 up to 255, or floats in [0, 1]")
    return name, outline
