"""The header of a safetensors file, read with suspicion: before any library, and before memory is spent."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from imgen import strict_json
from imgen.plain import plain

MOST_HEADER = 8 * 2**20  # bytes; a header of ours is a few thousand
MOST_TENSORS = 50_000
_MOST_AXES = 16
_LONGEST_NAME = 500
_LONGEST_AXIS = 2**40
BYTES = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2"), 1),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 2),
    **dict.fromkeys(("I32", "U32", "F32"), 4),
    **dict.fromkeys(("I64", "U64", "F64", "C64"), 8),
}
"""Size of one number of each kind that the format knows."""


@dataclass(frozen=True)
class Told:
    """What a file says of one tensor: its kind of number, its shape, and where it lies in the data [bytes]."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Header:
    """A header that fits its file. size: of the file [bytes]."""

    tensors: Mapping[str, Told]
    metadata: Mapping[str, str]
    size: int


class Unsound(ValueError):
    """A file that is not what it claims to be, with the reason in one plain line."""


def read(path: Path) -> Header:
    """The header of a file, all of it checked against the file's size.

    Raises: `Unsound` where anything is amiss, `OSError` where the file cannot be read.
    """
    # Without waiting: a pipe under the name of a file would never give an answer.
    with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise Unsound("not a plain file")
        return _header(file, about.st_size)


def _header(file: BinaryIO, size: int) -> Header:
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > size - 8:
        raise Unsound(f"it claims a header of {length:,} bytes, which is more than the file has")
    if length > MOST_HEADER:
        raise Unsound(f"it claims a header of {length:,} bytes; {MOST_HEADER:,} are allowed")
    content = file.read(length)
    if not content.startswith(b"{"):
        raise Unsound("its header is not JSON")
    try:
        told = strict_json.parse_object(content, deepest=4)
    except ValueError as error:
        raise Unsound(f"its header is {_as_predicate(error)}") from None
    metadata = told.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise Unsound("its header's metadata are not texts by name")
    if len(told) > MOST_TENSORS:
        raise Unsound(f"its header names {len(told):,} tensors; {MOST_TENSORS:,} are allowed")
    tensors = {name: _told(name, each) for name, each in told.items()}
    _check_places(tensors, size - 8 - length)
    return Header(tensors, metadata, size)


def _as_predicate(error: ValueError) -> str:
    text = str(error)
    return text if text.startswith("not ") else f"not sound: {text}"


def _told(name: str, told: Any) -> Told:
    shown = f"its tensor '{plain(name, 80)}'"
    if len(name) > _LONGEST_NAME:
        raise Unsound(f"{shown} has a name of {len(name):,} characters")
    if not isinstance(told, dict) or told.keys() != {"dtype", "shape", "data_offsets"}:
        raise Unsound(f"{shown} is not told by dtype, shape and data_offsets")
    dtype, shape, offsets = told["dtype"], told["shape"], told["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BYTES:
        raise Unsound(f"{shown} has numbers of the unknown kind {plain(repr(dtype), 40)}")
    if not _counts(shape) or len(shape) > _MOST_AXES or any(axis > _LONGEST_AXIS for axis in shape):
        raise Unsound(f"{shown} has no shape that a tensor can have")
    if not _counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise Unsound(f"{shown} has data_offsets that are no begin and end")
    begin, end = offsets
    needed = math.prod(shape) * BYTES[dtype]
    if needed != end - begin:
        raise Unsound(f"{shown} needs {needed:,} bytes by its shape, but has {end - begin:,}")
    return Told(dtype, tuple(shape), begin, end)


def _counts(value: Any) -> bool:
    """Whether this is a list of whole numbers from 0; true is none."""
    return isinstance(value, list) and all(type(each) is int and each >= 0 for each in value)


def _check_places(tensors: Mapping[str, Told], size: int) -> None:
    """See to it that tensors fill the data from its first byte to its last, each byte being one tensor's."""
    at = 0
    for name, told in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        if told.begin != at:
            what = "overlaps another" if told.begin < at else "leaves a gap before it"
            raise Unsound(f"its tensor '{plain(name, 80)}' {what} (data_offsets)")
        at = told.end
    if at != size:
        raise Unsound(f"its tensors take {at:,} bytes, but it holds {size:,}")
