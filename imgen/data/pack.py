"""A data set as one safetensors file of decoded pictures, which training maps into memory instead of decoding."""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from safetensors import SafetensorError, safe_open

from imgen.data.pictures import Progress, chunks, in_order, tell
from imgen.data.spec import Dataset
from imgen.errors import DataError
from imgen.files import replacing

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

_FORMAT, _VERSION = "imgen-pack", "1"
_BLOCK = 16 * 2**20


def pack(dataset: Dataset, out: str | Path, *, overwrite: bool = False, workers: int | None = None) -> Path:
    """Writes the pictures of `dataset`, and its `identity` and `identity_names` where it has them, to `out`.

    Raises: `DataError` where `out` exists and is not to be overwritten, or has no folder to be in.
    """
    out = Path(out).expanduser()
    if out.is_dir() or (out.exists() and not overwrite):
        raise DataError(f"{out}: exists already; name another file, or allow overwriting")
    if not out.parent.is_dir():
        raise DataError(f"{out}: there is no folder {out.parent}")
    images = dataset.columns["images"]
    identity = getattr(dataset, "identity", None)
    small: dict[str, NDArray[Any]] = {}
    if identity is not None:
        names = (str(name).replace("\n", " ") for name in dataset.identity_names)  # type: ignore[attr-defined]
        small["identity"] = np.ascontiguousarray(identity, "<i8")
        small["identity_names"] = np.frombuffer("\n".join(names).encode("utf-8", "replace"), np.uint8)
    metadata = {"format": _FORMAT, "version": _VERSION, "about": dataset.spec.about, "sha256": "0" * 64}
    metadata |= {key: str(value) for key, value in getattr(dataset, "origin", {}).items() if key not in metadata}
    digest = hashlib.sha256()
    with replacing(out) as file:
        file.write(_header(tuple(images.shape), small, metadata))
        for part in (small.get("identity"), *_pixels(images, workers), small.get("identity_names")):
            if part is not None:
                digest.update(part.data)
                file.write(part.data)
        # The digest has its place in the header, but is known at the end only.
        file.seek(0)
        file.write(_header(tuple(images.shape), small, metadata | {"sha256": digest.hexdigest()}))
    return out


def _pixels(images: Any, workers: int | None, told: Progress | None = None) -> Iterator[NDArray[np.uint8]]:
    def take(rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        part = images.fetch(rows) if hasattr(images, "fetch") else images[rows[0] : rows[-1] + 1]
        return np.ascontiguousarray(part.numpy())

    parts = chunks(len(images) if not hasattr(images, "fetch") else images.shape[0])
    for rows, pixels in zip(parts, in_order(take, parts, workers), strict=True):
        yield pixels
        tell(told, int(rows[-1]) + 1, int(parts[-1][-1]) + 1)


def _header(shape: tuple[int, ...], small: dict[str, NDArray[Any]], metadata: dict[str, str]) -> bytes:
    sizes = {"identity": small.get("identity"), "images": None, "identity_names": small.get("identity_names")}
    header: dict[str, Any] = {"__metadata__": metadata}
    start = 0
    for name, array in sizes.items():
        if name != "images" and array is None:
            continue
        dims = shape if array is None else array.shape
        end = start + (int(np.prod(shape, dtype=np.int64)) if array is None else array.nbytes)
        kind = "I64" if name == "identity" else "U8"
        header[name] = {"dtype": kind, "shape": list(dims), "data_offsets": [start, end]}
        start = end
    text = json.dumps(header, ensure_ascii=True, separators=(",", ":")).encode()
    # Spaces to a multiple of 8, so that the int64 column is aligned.
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def is_packed(path: str | Path) -> bool:
    """Whether this is a file that can only be a packed set, if anything: no folder and no zip."""
    path = Path(path).expanduser()
    return path.is_file() and not zipfile.is_zipfile(path)


class Packed:
    """A packed set, opened without reading a pixel.

    Raises: `DataError` where the file is not what `pack` writes, or its header does not hold.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser()
        try:
            # The library checks the header: its length, its offsets against shapes and against the file's size.
            with safe_open(self.path, framework="np") as file:
                self.metadata: dict[str, str] = file.metadata() or {}
                if self.metadata.get("format") != _FORMAT or "images" not in file.keys():  # noqa: SIM118
                    raise DataError(f"{self.path}: not what `imgen data pack` writes")
                if self.metadata.get("version") != _VERSION:
                    raise DataError(f"{self.path}: packed by another version of imgen; pack the pictures again")
                self.shape = self._shape(file)
                self.identity, self.identity_names = self._identities(file)
        except (SafetensorError, OSError, ValueError) as error:
            raise DataError(f"{self.path}: not a packed set, or a damaged one: {error}") from error

    def _shape(self, file: Any) -> tuple[int, int, int, int]:
        images = file.get_slice("images")
        shape = tuple(images.get_shape())
        if images.get_dtype() != "U8" or len(shape) != 4 or shape[1] not in (1, 3) or not all(shape):
            raise DataError(f"{self.path}: its images are {images.get_dtype()} {shape}, not uint8 (N, 1 or 3, H, W)")
        return shape[0], shape[1], shape[2], shape[3]

    def _identities(self, file: Any) -> tuple[NDArray[np.int64] | None, list[str]]:
        if "identity" not in file.keys():  # noqa: SIM118
            return None, []
        identity = file.get_tensor("identity")
        names = bytes(file.get_tensor("identity_names")).decode("utf-8").split("\n")
        if identity.dtype != np.int64 or identity.shape != self.shape[:1]:
            raise DataError(f"{self.path}: {identity.dtype} {identity.shape} identities for {self.shape[0]} images")
        if identity.min() < 0 or identity.max() >= len(names):
            raise DataError(f"{self.path}: identities {identity.min()} to {identity.max()}, but {len(names)} names")
        return identity, names

    @property
    def origin(self) -> dict[str, str]:
        """How the pictures were read before they were packed."""
        return {key: self.metadata[key] for key in ("layout", "crop") if key in self.metadata}

    def column(self, shape: tuple[int, int, int]) -> PackedPictures:
        """All pictures. Raises: `DataError` where they are not of this shape (C, H, W)."""
        channels, height, width = self.shape[1:]
        if (channels, height, width) != shape:
            raise DataError(
                f"{self.path}: packed with {channels} channels at {width}x{height}, not {shape[0]} at "
                f"{shape[2]}x{shape[1]}; set size to {height} and channels to {channels}, or pack the pictures again"
            )
        return PackedPictures(self)

    def images(self) -> Tensor:
        """All pictures, mapped: read from the disk where they are looked at. Writing to them never reaches the file."""
        import torch

        with self.path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            start = 8 + length + json.loads(file.read(length))["images"]["data_offsets"][0]
            pixels = np.frombuffer(mapped(file), np.uint8, math.prod(self.shape), start)
        return torch.from_numpy(pixels.reshape(self.shape))

    def verify(self) -> None:
        """Reads everything. Raises: `DataError` where a byte differs from what was packed."""
        with self.path.open("rb") as file:
            file.seek(8 + int.from_bytes(file.read(8), "little"))
            if _digest(file) != self.metadata.get("sha256"):
                raise DataError(f"{self.path}: damaged: its pictures are not those that were packed; pack them again")


class PackedPictures:
    """A column of a packed set, or of some of its rows."""

    def __init__(self, packed: Packed, rows: NDArray[np.int64] | None = None) -> None:
        self._images, self._rows = packed.images(), rows
        count = packed.shape[0] if rows is None else len(rows)
        self.shape: tuple[int, ...] = (count, *packed.shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def dtype(self) -> Any:
        return self._images.dtype

    def fetch(self, rows: NDArray[np.int64]) -> Tensor:
        """The given rows, (len(rows), C, H, W)."""
        return self._images[rows if self._rows is None else self._rows[rows]]

    def decode_all(self, workers: int | None = None, told: Progress | None = None) -> Tensor:
        """Every row as one tensor: the mapped file itself where all rows are used. Nothing is decoded."""
        return self._images if self._rows is None else self._images[self._rows]


def mapped(file: BinaryIO) -> mmap.mmap:
    """The file as writable memory of our own.

    Not by the library: its private mapping is accounted for in full, so that a file larger than memory is refused.
    Not read-only: torch has no such tensors, and writing to one would end the process.
    """
    if not hasattr(mmap, "MAP_PRIVATE"):
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    flags = mmap.MAP_PRIVATE | getattr(mmap, "MAP_NORESERVE", 0x4000 if sys.platform == "linux" else 0)
    return mmap.mmap(file.fileno(), 0, flags=flags, prot=mmap.PROT_READ | mmap.PROT_WRITE)


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := file.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()
