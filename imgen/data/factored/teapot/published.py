"""The files of the 3D teapots, ours or anybody's in the same layout: opened, checked, and mapped where they can be."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from imgen.data import arrays
from imgen.data.factored.teapot.scene import GROUP, SIZE
from imgen.data.pictures import Progress, chunks, in_order, tell
from imgen.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

_IMAGE = (SIZE, SIZE, 3)
_ROWS = 500  # pictures that are decoded at once
_LOCAL = struct.Struct("<4s22xHH")  # a zip's header before each of its files, up to the lengths of name and extras


class Pictures:
    """A column of pictures, or of groups of them, that lie in memory or in a mapped file with their colours last."""

    def __init__(self, array: NDArray[np.uint8]) -> None:
        """array: (..., H, W, 3)."""
        self._array = array
        *rest, height, width, channels = array.shape
        self.shape: tuple[int, ...] = (*rest, channels, height, width)

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def dtype(self) -> torch.dtype:
        return torch.uint8

    def fetch(self, rows: NDArray[np.int64]) -> Tensor:
        """The given rows, (len(rows), ..., C, H, W)."""
        return torch.from_numpy(np.ascontiguousarray(np.moveaxis(self._array[rows], -1, -3)))

    def decode_all(self, workers: int | None = None, told: Progress | None = None) -> Tensor:
        """Every row as one tensor; `told` is called with rows done and in all."""
        every = torch.empty(self.shape, dtype=torch.uint8)
        parts = chunks(len(self))
        for rows, part in zip(parts, in_order(self.fetch, parts, workers), strict=True):
            every[int(rows[0]) : int(rows[-1]) + 1] = part
            tell(told, int(rows[-1]) + 1, len(self))
        return every


def training(path: Path) -> tuple[Pictures, NDArray[np.float64]]:
    """Pictures to train on, (N, C, H, W), and their latents, (N, K): mapped, or decoded where they are no plain bytes.

    Raises: `DataError` where the file is missing, damaged, or not of teapots.
    """
    found = _expect(path, "imgs", "latents")
    shape, latents = found["imgs"].shape, found["latents"]
    if len(shape) != 4 or shape[1:] != _IMAGE or not shape[0]:
        raise DataError(f"{path}: 'imgs' is {shape}; teapots are (N, {SIZE}, {SIZE}, 3)")
    if len(latents.shape) != 2 or latents.shape[0] != shape[0] or latents.dtype.kind != "f":
        raise DataError(f"{path}: 'latents' is {latents.shape} of {latents.dtype}, not ({shape[0]}, K) of float64")
    return Pictures(_pixels(path, found["imgs"])), arrays.read(path, "latents").astype(np.float64)


def groups(path: Path) -> tuple[Pictures, NDArray[np.int64]]:
    """Pictures of groups, (M, L, C, H, W), and which factor stays in each, (M,).

    Raises: `DataError` where the file is missing, damaged, or not of teapots.
    """
    found = _expect(path, "imgs", "labels")
    shape, labels = found["imgs"].shape, found["labels"]
    if len(shape) != 5 or shape[2:] != _IMAGE or not all(shape):
        raise DataError(f"{path}: 'imgs' is {shape}; groups of teapots are (M, {GROUP}, {SIZE}, {SIZE}, 3)")
    if labels.shape != shape[:1] or labels.dtype.kind not in "iu":
        raise DataError(f"{path}: 'labels' is {labels.shape} of {labels.dtype}, not ({shape[0]},) of int32")
    return Pictures(_pixels(path, found["imgs"])), arrays.read(path, "labels").astype(np.int64)


def _expect(path: Path, *names: str) -> dict[str, arrays.Outline]:
    found = arrays.contents(path)
    for name in names:
        if name not in found:
            known = ", ".join(sorted(found)[:12]) or "nothing"
            raise DataError(f"{path}: has no array '{name}', but {known}; a file of teapots has {' and '.join(names)}")
    return found


def _pixels(path: Path, outline: arrays.Outline) -> NDArray[np.uint8]:
    """As uint8: the mapped file where it holds just that, or all of it decoded block by block."""
    if outline.dtype == np.uint8:
        mapped = _mapped(path, "imgs", outline)
        if mapped is not None:
            return mapped
    elif outline.dtype.kind != "f":
        raise DataError(f"{path}: 'imgs' is of {outline.dtype}; pictures are uint8, or floats from 0 to 1")
    try:
        pixels = np.empty(outline.shape, np.uint8)
    except MemoryError:
        raise DataError(f"{path}: 'imgs' needs {np.prod(outline.shape):,} bytes of memory; there are fewer") from None
    done = 0
    for block in arrays.blocks(path, "imgs", max(1, _ROWS // int(np.prod(outline.shape[1:-3])))):
        pixels[done : done + len(block)] = block if block.dtype == np.uint8 else _quantised(path, block)
        done += len(block)
        tell(None, done, outline.shape[0])
    return pixels


def _quantised(path: Path, block: NDArray[Any]) -> NDArray[np.uint8]:
    if not ((block >= 0) & (block <= 1)).all():
        raise DataError(f"{path}: 'imgs' has floats outside of 0 to 1; pictures are uint8, or floats from 0 to 1")
    return np.rint(block * 255).astype(np.uint8)


def _mapped(path: Path, name: str, outline: arrays.Outline) -> NDArray[np.uint8] | None:
    """An array that lies in an archive as it is, or None where it is compressed."""
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            info = archive.getinfo(f"{name}.npy")
            if info.compress_type != zipfile.ZIP_STORED:
                return None
            file.seek(info.header_offset)
            magic, name_length, extra_length = _LOCAL.unpack(file.read(_LOCAL.size))
        start = info.header_offset + _LOCAL.size + name_length + extra_length + info.file_size - outline.nbytes
        if magic != b"PK\3\4" or start + outline.nbytes > path.stat().st_size:
            raise DataError(f"{path}: damaged: '{name}' is not where the archive says; fetch or make it again")
        return np.memmap(path, np.uint8, "r", start, outline.shape)
    except (OSError, ValueError, KeyError, struct.error, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read: {' '.join(str(error).split())[:200]}") from error
