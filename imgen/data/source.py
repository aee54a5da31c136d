"""A folder or a zip of pictures, read the same way; nothing of a zip is ever written to the disk."""

from __future__ import annotations

import os
import stat
import threading
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Protocol

from imgen.errors import DataError
from imgen.images import SUFFIXES

MAX_BYTES = 256 * 2**20
# Without O_NONBLOCK a pipe with a picture's name would make us wait for a writer.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_SMALL, _MAX_RATIO = 16 * 2**20, 200


class Source(Protocol):
    """Named files. `names` are pictures by their suffix, `tables` text files, `refused` names with the reason."""

    path: Path
    names: list[str]
    tables: list[str]
    refused: dict[str, str]

    def read(self, name: str) -> bytes:
        """All bytes of a file; from several threads at once. Raises: `DataError` with the reason in one line."""

    def stamp(self, name: str) -> tuple[int, int]:
        """Size in bytes, and a number that changes when the file does."""


def open_source(path: str | Path, understood: str = "pictures") -> Source:
    """The pictures below a folder or in a zip, in the order of their names.

    understood: what the caller could use, for the message.
    Raises: `DataError` where there is nothing, or something else.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        return FolderSource(path)
    if not path.exists():
        raise DataError(
            f"{path}: no such folder or file; give a folder or a zip of {understood}, "
            "or use the dataset 'shapes', which needs no files"
        )
    if not path.is_file() or not zipfile.is_zipfile(path):
        raise DataError(f"{path}: neither a folder nor a zip; give a folder or a zip of {understood}")
    return ZipSource(path)


class FolderSource:
    """Files below a folder. Links are followed, and a folder is entered once only, so that loops end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        found = sorted(_walk(path))
        self.names, self.tables = _pictures(found), _tables(found)
        self.refused: dict[str, str] = {}

    def read(self, name: str) -> bytes:
        try:
            with os.fdopen(os.open(self.path / name, _FLAGS), "rb") as file:
                told = os.fstat(file.fileno())
                if not stat.S_ISREG(told.st_mode):
                    raise DataError("not a plain file")
                _check_size(told.st_size)
                return file.read(MAX_BYTES)
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror or error}") from error

    def stamp(self, name: str) -> tuple[int, int]:
        try:
            told = (self.path / name).stat()
        except OSError:
            return -1, -1
        return told.st_size, told.st_mtime_ns


class ZipSource:
    """Files in a zip, stored or deflated."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
            raise DataError(f"{path}: the zip cannot be read: {error}") from error
        self._members = {info.filename: info for info in self._zip.infolist() if not info.is_dir()}
        self.refused = {name: "a name that leads out of the zip" for name in self._members if _leads_out(name)}
        found = sorted(name for name in self._members if name not in self.refused and not _hidden(name))
        self.names, self.tables = _pictures(found), _tables(found)
        # One handle for all threads: a second one would read the whole directory of the zip again.
        self._lock = threading.Lock()

    def read(self, name: str) -> bytes:
        info = self._members[name]
        _check_size(info.file_size)
        if info.file_size > max(_SMALL, _MAX_RATIO * info.compress_size):
            raise DataError(f"{info.file_size:,} bytes packed into {info.compress_size:,}, as no picture is")
        if info.flag_bits & 1:
            raise DataError("encrypted")
        # bzip2 and LZMA members unpack in steps that have no bound.
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError("packed by a method other than deflate; make the zip again with deflate")
        try:
            with self._lock:
                return self._zip.read(info)
        except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(f"damaged in the zip: {error}") from error

    def stamp(self, name: str) -> tuple[int, int]:
        return self._members[name].file_size, self._members[name].CRC


def _walk(root: Path) -> list[str]:
    names: list[str] = []
    entered: set[tuple[int, int]] = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        told = Path(folder).stat()
        if (told.st_dev, told.st_ino) in entered:
            folders.clear()
            continue
        entered.add((told.st_dev, told.st_ino))
        folders[:] = sorted(name for name in folders if not _hidden(name))
        below = PurePosixPath(Path(folder).relative_to(root).as_posix())
        names.extend(str(below / name) for name in files if not _hidden(name))
    return names


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise DataError(f"{size:,} bytes are more than the {MAX_BYTES // 2**20} MiB allowed for one picture")


def _pictures(names: list[str]) -> list[str]:
    return [name for name in names if PurePosixPath(name).suffix.lower() in SUFFIXES]


def _tables(names: list[str]) -> list[str]:
    return [name for name in names if PurePosixPath(name).suffix.lower() in (".txt", ".tsv", ".csv")]


def _hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _leads_out(name: str) -> bool:
    return name.startswith("/") or "\\" in name or ":" in name.split("/")[0] or ".." in name.split("/")
