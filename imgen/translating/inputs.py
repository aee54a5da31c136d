"""The pictures to translate: files, folders, zips, patterns, paths on standard input, and those held out of a run."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from imgen import images
from imgen.data.source import MAX_BYTES, Source, open_source
from imgen.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable


class Item(Protocol):
    """A picture to translate."""

    @property
    def told(self) -> str:
        """Its name in messages."""

    @property
    def name(self) -> PurePosixPath:
        """Where it lies below what was given, with its ending."""

    def load(self, channels: int, at_least: int) -> images.Picture:
        """Decode it, as `images.read` does. Raises: `DataError` with the reason, without a name."""

    def is_transparent(self) -> bool:
        """Whether it has transparency, before it is decoded; False where it cannot be read."""


@dataclass(frozen=True)
class FileItem:
    """A picture in a file. file: where that is, None within a zip."""

    told: str
    name: PurePosixPath
    file: Path | None
    read: Callable[[], bytes]

    def load(self, channels: int, at_least: int) -> images.Picture:
        return images.read(self.read(), channels=channels, at_least=at_least)

    def is_transparent(self) -> bool:
        try:
            if self.file is None:
                return images.is_transparent(self.read())
            with self.file.open("rb") as file:
                head = file.read(3)
                file.seek(0)
                # No JPEG is, and most files whose transparency matters are some.
                return head != b"\xff\xd8\xff" and stat.S_ISREG(os.fstat(file.fileno()).st_mode) and _peek(file)
        except (OSError, DataError):
            return False


@dataclass(frozen=True)
class RowItem:
    """A row of a data set's column."""

    told: str
    name: PurePosixPath
    column: Any
    row: int

    def load(self, channels: int, at_least: int) -> images.Picture:
        fetch = getattr(self.column, "fetch", None)
        pixels = fetch(np.array([self.row]))[0] if fetch else self.column[self.row]
        image = images.to_image(np.asarray(pixels))
        return images.Picture(image, None, image.size)

    def is_transparent(self) -> bool:
        return False


def gather(words: Iterable[str], lines: Iterable[str], out: Path) -> list[Item]:
    """The pictures that the words of a command line mean, each once, in the order of the words.

    lines: of standard input, for the word `-`. out: what will be written lies here: a folder below one that is given
    is not read. Raises: `DataError` where a word means nothing.
    """
    found: dict[Path, Item] = {}
    for word in words:
        for item in _listed(lines, out) if word == "-" else _meant(word, out):
            found.setdefault(Path(item.told).absolute(), item)
    return list(found.values())


def held_out(dataset: Any, entry: str, run: Path) -> list[Item]:
    """The pictures of a domain, "a" or "b", or of "images", that a run's data set holds out for tests."""
    column = getattr(dataset, "test", {}).get(entry)
    # Vectors are no pictures, and neither are groups of them one.
    if column is None or len(column.shape) != 4:
        return []
    count = int(column.shape[0])
    given = list(getattr(dataset, "test_names", {}).get(entry, ()))
    names = [PurePosixPath(name).with_suffix(".png") for name in given if PurePosixPath(name).name]
    if len(set(names)) != count or any(name.is_absolute() or ".." in name.parts for name in names):
        names = [PurePosixPath(f"{row:05d}.png") for row in range(count)]
    return [
        RowItem(f"{run}: held-out picture {name.with_suffix('')}", name, column, row) for row, name in enumerate(names)
    ]


def _meant(word: str, out: Path) -> list[FileItem]:
    path = Path(word)
    if path.is_dir():
        return _below(path, out)
    if path.exists():
        return _of_zip(path) if path.suffix.lower() == ".zip" else [_file(path)]
    if glob.has_magic(word):
        return _matches(word, out)
    if path.suffix == ".safetensors":
        raise DataError(f"{word}: no such file")
    raise DataError(f"{word}: no such picture, folder or run")


def _listed(lines: Iterable[str], out: Path) -> Iterator[FileItem]:
    """What each line means; a file that is not there is told with the others that cannot be read."""
    count = 0
    for line in lines:
        word = line.rstrip("\r\n")
        if word:
            count += 1
            yield from _meant(word, out) if Path(word).exists() else [_file(Path(word))]
    if not count:
        raise DataError("standard input: no paths; give one a line")


def _matches(pattern: str, out: Path) -> list[FileItem]:
    """Pictures that match, and those in folders that do; names keep what lies below the part without wildcards."""
    parts = Path(pattern).parts
    fixed = next(place for place, part in enumerate(parts) if glob.has_magic(part))
    base = Path(*parts[:fixed])
    found: list[FileItem] = []
    for path in map(Path, sorted(glob.glob(pattern, recursive=True))):  # noqa: PTH207 - a pattern may be absolute
        if path.is_dir():
            found += (_file(Path(item.told), base) for item in _pictures(path, out))
        elif path.suffix.lower() in images.SUFFIXES:
            found.append(_file(path, base))
    if not found:
        raise DataError(f"{pattern}: matches no picture ({_endings()})")
    return found


def _below(folder: Path, out: Path) -> list[FileItem]:
    found = _pictures(folder, out)
    if not found:
        raise DataError(f"{folder}: holds no pictures ({_endings()})")
    return found


def _pictures(folder: Path, out: Path) -> list[FileItem]:
    source, inside = open_source(folder), out.resolve()
    # What an earlier translation wrote is no input of the next one, unless it is what was given.
    skip = inside if folder.resolve() in inside.parents else None
    files = [_file(folder / name, folder) for name in source.names]
    return [item for item in files if not (skip and item.file and skip in item.file.resolve().parents)]


def _of_zip(path: Path) -> list[FileItem]:
    source: Source = open_source(path)
    if not source.names:
        raise DataError(f"{path}: holds no pictures ({_endings()})")
    return [FileItem(f"{path}/{name}", PurePosixPath(name), None, partial(source.read, name)) for name in source.names]


def _file(path: Path, base: Path | None = None) -> FileItem:
    below = path.relative_to(base) if base else Path(path.name)
    return FileItem(str(path), PurePosixPath(below.as_posix()), path, partial(_read, path))


def _read(path: Path) -> bytes:
    try:
        told = path.stat()
        # Reading a pipe with a picture's name would wait for a writer.
        if not stat.S_ISREG(told.st_mode):
            raise DataError("not a plain file")
        if told.st_size > MAX_BYTES:
            raise DataError(
                f"{told.st_size:,} bytes are more than the {MAX_BYTES // 2**20} MiB allowed for one picture"
            )
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}") from error


def _peek(file: Any) -> bool:
    return images.is_transparent(BytesIO(file.read()))


def _endings() -> str:
    return ", ".join(sorted(suffix[1:] for suffix in images.SUFFIXES))
