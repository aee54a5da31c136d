"""Arrays in .npz and .npy files of others: nothing is unpickled, nothing believed; and such files written whole."""

from __future__ import annotations

import math
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np
from numpy.lib import format as npy

from imgen.errors import DataError
from imgen.files import replacing

if TYPE_CHECKING:
    from numpy.typing import NDArray

ONLY = "data"
"""The name of the one array in an .npy file."""
MOST = 64 * 2**30
"""Bytes that one array may have."""
_MEMBERS = 1000
_HEADER = 10_000  # bytes; numpy's own limit
_PIECE = 2**20  # bytes that are asked of a file at once
_NAME = re.compile(r"[^/\\:\0]{1,200}\.npy")
_KINDS = "biufcSU"  # of numpy's dtypes: plain numbers and text
_BROKEN = (
    *(OSError, EOFError, ValueError, OverflowError, struct.error, zlib.error),
    *(zipfile.BadZipFile, NotImplementedError, RuntimeError),
)
_WHAT = "give an .npz or .npy file, as numpy.savez_compressed or numpy.save writes it"


@dataclass(frozen=True)
class Outline:
    """What an array is, by its header."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    columns: bool = False
    """Whether values stand column by column, in Fortran order: such an array is read whole or not at all."""

    @property
    def readable(self) -> bool:
        """Whether it holds plain values: Python objects are listed, but never read."""
        return self.dtype.kind in _KINDS and self.dtype.subdtype is None

    @property
    def nbytes(self) -> int:
        """Bytes of all its values."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class Member:
    """An array to be written: `blocks` are its rows, in order. Of Python objects it is the bytes of their pickle."""

    name: str
    shape: tuple[int, ...]
    dtype: Any
    blocks: Iterable[NDArray[Any] | bytes]


def contents(path: str | Path) -> dict[str, Outline]:
    """The arrays of a file by name, of which the headers alone are read; that of an .npy file is called "data".

    Raises: `DataError` where the file is missing, damaged, or nothing that numpy writes.
    """
    path = Path(path)
    with _told(path), path.open("rb") as file:
        if _is_npy(file):
            return {ONLY: _outline(path, ONLY, file, path.stat().st_size)}
        found = {}
        with zipfile.ZipFile(file) as archive:
            for name, info in _members(path, archive).items():
                with archive.open(info) as member:
                    found[name] = _outline(path, name, cast(BinaryIO, member), info.file_size)
        return found


def read(path: str | Path, name: str = ONLY) -> NDArray[Any]:
    """One array of a file, whole.

    Raises: `DataError` as `contents` does, and where there is no such array or it does not hold plain values.
    """
    outline = _one(Path(path), name)
    try:
        array = np.empty(outline.shape, outline.dtype.newbyteorder("="))
    except MemoryError:
        raise DataError(f"{path}: '{name}' needs {outline.nbytes:,} bytes of memory, more than there are") from None
    if not outline.shape:
        (array[()],) = blocks(path, name, 1)
        return array
    done = 0
    rows = max(1, _PIECE * 16 * max(1, outline.shape[0]) // max(1, outline.nbytes))
    for block in blocks(path, name, max(1, outline.shape[0]) if outline.columns else rows):
        array[done : done + len(block)] = block
        done += len(block)
    return array


def blocks(path: str | Path, name: str, rows: int) -> Iterator[NDArray[Any]]:
    """The array in parts of at most so many rows, in order; one without rows is one part.

    Raises: `DataError` as `read` does, and in the course of it where the file turns out to be damaged.
    """
    path = Path(path)
    with _told(path), path.open("rb") as file:
        if _is_npy(file):
            if name != ONLY:
                raise _no_such(path, name, [ONLY])
            yield from _rows(path, name, file, path.stat().st_size, rows)
            return
        with zipfile.ZipFile(file) as archive:
            members = _members(path, archive)
            if name not in members:
                raise _no_such(path, name, members)
            with archive.open(members[name]) as member:
                yield from _rows(path, name, cast(BinaryIO, member), members[name].file_size, rows)


def write_npz(path: str | Path, members: Sequence[Member], *, compress: bool = True) -> None:
    """A new .npz file, which takes its name once it is whole; the same arrays give the same bytes.

    Raises: `ValueError` where the rows of a member are not what it says of itself.
    """
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        for each in members:
            info = zipfile.ZipInfo(f"{each.name}.npy")  # dated 1980
            info.compress_type = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
            with archive.open(info, "w", force_zip64=True) as member:
                _write(cast(BinaryIO, member), each)


def write_npy(path: str | Path, shape: tuple[int, ...], dtype: Any, blocks: Iterable[NDArray[Any]]) -> None:
    """A new .npy file, which takes its name once it is whole.

    Raises: `ValueError` where the rows are not what shape and dtype say.
    """
    with replacing(path) as file:
        _write(file, Member(ONLY, shape, dtype, blocks))


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; {_WHAT}") from None
    except IsADirectoryError:
        raise DataError(f"{path}: a folder; {_WHAT}") from None
    except PermissionError:
        raise DataError(f"{path}: may not be read; ask its owner, or {_WHAT}") from None
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: damaged, or no .npz file: {_line(error)}; fetch or make it again") from error
    except _BROKEN as error:
        raise DataError(f"{path}: cannot be read: {_line(error)}; fetch or make it again") from error


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _is_npy(file: BinaryIO) -> bool:
    start = file.read(len(npy.MAGIC_PREFIX))
    file.seek(0)
    return start == npy.MAGIC_PREFIX


def _no_such(path: Path, name: str, known: Iterable[str]) -> DataError:
    there = ", ".join(sorted(known)[:12])
    return DataError(f"{path}: has no array '{name}'; {'there are ' + there if there else 'it is empty'}")


def _one(path: Path, name: str) -> Outline:
    found = contents(path)
    if name not in found:
        raise _no_such(path, name, found)
    return found[name]


def _members(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The members by the names of their arrays: all that an archive says of itself is checked before one is opened."""
    infos = archive.infolist()
    if len(infos) > _MEMBERS:
        raise DataError(f"{path}: holds {len(infos):,} files; an .npz file has at most {_MEMBERS:,} arrays")
    found: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        shown = ascii(info.filename[:60])
        if not _NAME.fullmatch(info.filename):
            raise DataError(f"{path}: holds {shown}, which is no array; {_WHAT}")
        if info.flag_bits & 1:
            raise DataError(f"{path}: {shown} is encrypted; {_WHAT}")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(f"{path}: {shown} is compressed in a way that numpy does not write; {_WHAT}")
        name = info.filename.removesuffix(".npy")
        if name in found:
            raise DataError(f"{path}: holds {shown} twice; each array must have a name of its own")
        found[name] = info
    return found


def _outline(path: Path, name: str, file: BinaryIO, size: int) -> Outline:
    """Reads the header; the file is then at the first value.

    size: bytes of header and values, as whatever holds them says.
    """
    start = file.read(10)
    if len(start) < 10 or not start.startswith(npy.MAGIC_PREFIX):
        raise DataError(f"{path}: '{name}' does not begin as an array does; {_WHAT}")
    version = (start[6], start[7])
    if version not in ((1, 0), (2, 0)):
        raise DataError(f"{path}: '{name}' is of the format {version[0]}.{version[1]}; 1.0 and 2.0 can be read")
    more = b"" if version == (1, 0) else file.read(2)
    length = int.from_bytes(start[8:] + more, "little")
    if length > _HEADER:
        raise DataError(f"{path}: '{name}' has a header of {length:,} bytes; at most {_HEADER:,} are read")
    header = start[8:] + more + file.read(length)
    parse = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of files that Python 2 wrote: they are as good
            shape, fortran, dtype = parse(BytesIO(header), max_header_size=_HEADER)
    except Exception as error:  # whatever Python's parser makes of it
        raise DataError(f"{path}: '{name}' has a header that says nothing: {_line(error)}; {_WHAT}") from error
    columns = bool(fortran) and not dtype.hasobject and len(shape) > 1
    outline = Outline(tuple(int(length) for length in shape), dtype, columns)
    if len(shape) > 32 or any(length < 0 for length in shape) or _extent(outline) > MOST:
        raise DataError(
            f"{path}: '{name}' says that it is {_of(outline)}; an array has at most 32 dimensions and {MOST:,} bytes"
        )
    told = size - len(start) - len(more) - length
    if not dtype.hasobject and told != outline.nbytes:
        raise DataError(
            f"{path}: '{name}' says that it is {_of(outline)}, {outline.nbytes:,} bytes, but there are {told:,}; "
            "fetch or make it again"
        )
    return outline


def _extent(outline: Outline) -> int:
    # A dimension of nothing must not hide another that is absurd.
    return math.prod(max(1, length) for length in outline.shape) * max(1, outline.dtype.itemsize)


def _of(outline: Outline) -> str:
    return f"{str(outline.shape)[:80]} of {str(outline.dtype)[:40]}"


def _rows(path: Path, name: str, file: BinaryIO, size: int, rows: int) -> Iterator[NDArray[Any]]:
    outline = _outline(path, name, file, size)
    if not outline.readable:
        what = "Python objects, which are never unpickled" if outline.dtype.hasobject else str(outline.dtype)[:40]
        raise DataError(f"{path}: '{name}' holds {what}; write it as an array of plain numbers or text")
    native = outline.dtype.newbyteorder("=")
    count = outline.shape[0] if outline.shape else 1
    if outline.columns:
        if rows < count:
            raise DataError(f"{path}: '{name}' is in Fortran order; write numpy.ascontiguousarray of it")
        turned = np.empty(outline.shape[::-1], outline.dtype)
        _fill(path, name, file, turned)
        yield turned.T.astype(native, copy=False)
        return
    for first in range(0, count, rows) if outline.shape else (0,):
        shape = (min(rows, count - first), *outline.shape[1:]) if outline.shape else ()
        block = np.empty(shape, outline.dtype)
        _fill(path, name, file, block)
        yield block.astype(native, copy=False)


def _fill(path: Path, name: str, file: BinaryIO, block: NDArray[Any]) -> None:
    into = block.reshape(-1).view(np.uint8).data if block.nbytes else memoryview(b"")
    done = 0
    while done < len(into):
        # The last read of a member is also what checks its sum.
        part = file.read(min(_PIECE, len(into) - done))
        if not part:
            raise DataError(f"{path}: '{name}' ends too soon; fetch or make it again")
        into[done : done + len(part)] = part
        done += len(part)


def _write(file: BinaryIO, member: Member) -> None:
    dtype = np.dtype(member.dtype)
    told = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": member.shape}
    npy.write_array_header_1_0(file, told)
    done = 0
    for block in member.blocks:
        if isinstance(block, bytes):
            file.write(block)
            continue
        if block.dtype != dtype or block.shape[1:] != member.shape[1:]:
            raise ValueError(f"'{member.name}' is {member.shape} of {dtype}, not {block.shape} of {block.dtype}")
        file.write(np.ascontiguousarray(block).data)
        done += block.size
    if not dtype.hasobject and done != math.prod(member.shape):
        raise ValueError(f"'{member.name}' is {member.shape}, but {done:,} values were given")
