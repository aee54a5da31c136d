"""Tables of attributes, as they come with CelebA: which attributes each picture has, lacks, or is not known to have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from imgen.data.source import Source
from imgen.errors import DataError
from imgen.names import find

if TYPE_CHECKING:
    from numpy.typing import NDArray

TABLES = ("list_attr_celeba.txt", "list_attr_celeba.csv")
PARTITIONS = ("list_eval_partition.txt", "list_eval_partition.csv")
_WORDS = {
    **dict.fromkeys((b"1", b"+1", b"1.0", b"true", b"yes"), 1),
    **dict.fromkeys((b"false", b"no"), -1),
    **dict.fromkeys((b"", b"?", b"nan"), 0),
}
_MINUS, _ZEROS = (b"-1", b"-1.0"), (b"0", b"0.0")
_LONGEST = 5


@dataclass(frozen=True, kw_only=True)
class Attributes:
    """A table of attributes.

    where: the table, for messages; told: what its first line says of the number of rows, or None.
    names: of the pictures, in the order of the table; attributes: names of the columns.
    values: (pictures, attributes), 1 for having it, -1 for lacking it, 0 where that is not known.
    """

    where: str
    names: list[str]
    attributes: tuple[str, ...]
    values: NDArray[np.int8]
    told: int | None = None

    def of(self, attribute: str) -> NDArray[np.int8]:
        """(pictures,) of one attribute."""
        return self.values[:, self.attributes.index(attribute)]


def read_attributes(source: Source, only: Sequence[str] = ()) -> Attributes:
    """The table inside a source or beside it: list_attr_celeba.txt or .csv, or another list_attr*.

    only: names of the columns that are read; none: all.
    Raises: `DataError` where there is no table, more than one, or one that is damaged.
    """
    found = _table(source, TABLES, "list_attr*")
    if found is None:
        raise DataError(
            f"{source.path}: no table of attributes inside or beside it; wanted is {TABLES[0]}, which comes with the "
            "CelebA download, or a list_attr*.csv whose first column names the picture"
        )
    return parse_attributes(*found, only)


def parse_attributes(data: bytes, where: str, only: Sequence[str] = ()) -> Attributes:
    """A table from its bytes: CelebA's own format (a count, the names, `000001.jpg 1 -1 ...`), or CSV with a header.

    In a column that has no -1, 0 is lacking; in one that has, it says that nothing is known, as an empty cell does.

    Raises: `DataError` with the line that is wrong.
    """
    lines = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r", b"").split(b"\n", 2)
    told, before = None, 1
    if lines[0].strip().isdigit() and len(lines) > 1:
        told, before, lines = int(lines[0]), 2, [lines[1], *lines[2:]]
    header, body = lines[0], b"\n".join(lines[1:])
    comma = b"," in header
    if comma:
        # Names and numbers need no quotes.
        header, body = (part.replace(b'"', b"").replace(b", ", b",") for part in (header, body))
    columns = _columns(header, comma, where, before)
    wanted = tuple(find(name, columns, "attribute") for name in only) if only else columns
    text = body if body.endswith(b"\n") else body + b"\n"
    starts, ends, rows = _cells(text, comma, 1 + len(columns), where, before)
    names = [text[start:end].decode("utf-8", "surrogateescape") for start, end in zip(starts[0], ends[0], strict=True)]
    if not names:
        raise DataError(f"{where}: a table without rows")
    _check_once(names, rows, where)
    values = np.empty((len(names), len(wanted)), np.int8)
    for place, name in enumerate(wanted):
        column = 1 + columns.index(name)
        values[:, place], wrong = _values(np.frombuffer(text, np.uint8), starts[column], ends[column])
        if len(wrong):
            cell = text[starts[column][wrong[0]] : ends[column][wrong[0]]].decode("utf-8", "replace")
            raise DataError(f"{where}:{rows[wrong[0]]}: {name} is {cell[:40]!r}; it must be 1 or -1, or 0 for unknown")
    return Attributes(where=where, names=names, attributes=wanted, values=values, told=told)


def count_attributes(source: Source) -> dict[str, int]:
    """How many pictures of a source have each attribute; nothing where no table tells of any of them.

    Raises: `DataError` where the table is damaged.
    """
    if _table(source, TABLES, "list_attr*") is None:
        return {}
    table = read_attributes(source)
    present = np.array([path is not None for path in locate(source, table.names)])
    # What lies beside may belong to something else.
    return {name: int((table.of(name)[present] == 1).sum()) for name in table.attributes} if present.any() else {}


def read_partition(source: Source) -> dict[str, int]:
    """The part of each picture, 0 train, 1 validation, 2 test, from CelebA's list_eval_partition.

    Raises: `DataError` where there is none, or with the line that is wrong.
    """
    found = _table(source, PARTITIONS, "list_eval_partition*")
    if found is None:
        raise DataError(f"{source.path}: no {PARTITIONS[0]}, which comes with the CelebA download, inside or beside it")
    data, where = found
    parts: dict[str, int] = {}
    for number, line in enumerate(data.decode("utf-8", "surrogateescape").splitlines(), 1):
        words = line.replace(",", " ").split()
        if len(words) == 2 and words[1] in ("0", "1", "2"):
            parts[words[0]] = int(words[1])
        elif words and not (number == 1 and "," in line):
            raise DataError(f"{where}:{number}: {line[:60]!r} is not a picture and its part, as in '000001.jpg 0'")
    return parts


def locate(source: Source, names: Sequence[str]) -> list[str | None]:
    """The picture of each name: the file called so in whatever folder, or the one that differs in its suffix only.

    Raises: `DataError` where a name may be one of several pictures.
    """
    by_base: dict[str, list[str]] = {}
    by_stem: dict[str, list[str]] = {}
    for path in source.names:
        base = path.rpartition("/")[2]
        by_base.setdefault(base, []).append(path)
        by_stem.setdefault(_stem(base), []).append(path)
    found: list[str | None] = []
    for name in names:
        base = name.rpartition("/")[2]
        candidates = by_base.get(base) or by_stem.get(_stem(base)) or []
        if len(candidates) > 1:
            # A table that names folders may tell them apart.
            candidates = [path for path in candidates if f"/{path}".endswith(f"/{name}")] or candidates
        if len(candidates) > 1:
            raise DataError(
                f"{source.path}: {name} may be {candidates[0]} or {candidates[1]}; give the folder of one as root"
            )
        found.append(candidates[0] if candidates else None)
    return found


def _stem(base: str) -> str:
    return base.rpartition(".")[0] or base


def _table(source: Source, exact: Sequence[str], pattern: str) -> tuple[bytes, str] | None:
    """Bytes and name of a table: from the source, or else from the folder that the source is in."""
    folder = source.path.absolute().parent
    inside = _best(source.tables, exact, pattern, str(source.path))
    if inside is not None:
        try:
            return source.read(inside), f"{source.path}: {inside}"
        except DataError as error:
            raise DataError(f"{source.path}: {inside}: {error}") from error
    try:
        beside = _best(sorted(path.name for path in folder.iterdir() if path.is_file()), exact, pattern, str(folder))
        return None if beside is None else ((folder / beside).read_bytes(), str(folder / beside))
    except OSError as error:
        raise DataError(f"{error.filename or folder}: cannot be read: {error.strerror}") from error


def _best(tables: Sequence[str], exact: Sequence[str], pattern: str, where: str) -> str | None:
    by_name: Mapping[str, str] = {PurePosixPath(name).name.lower(): name for name in reversed(tables)}
    for name in exact:
        if name in by_name:
            return by_name[name]
    others = sorted(
        path for name, path in by_name.items() if fnmatch(name, pattern) and name.endswith((".txt", ".csv"))
    )
    if len(others) > 1:
        raise DataError(f"{where}: both {others[0]} and {others[1]} may be the table; call one of them {exact[0]}")
    return others[0] if others else None


def _columns(header: bytes, comma: bool, where: str, line: int) -> tuple[str, ...]:
    words = [word.strip() for word in header.split(b",")[1:]] if comma else header.split()
    columns = tuple(word.decode("utf-8", "replace") for word in words)
    if not columns or not all(columns) or b"." in words[0]:
        raise DataError(f"{where}:{line}: {header[:60].decode('utf-8', 'replace')!r} does not name the attributes")
    if len(set(columns)) < len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        raise DataError(f"{where}:{line}: names the attribute {twice} twice")
    return columns


def _check_once(names: list[str], rows: NDArray[np.int64], where: str) -> None:
    if len(set(names)) < len(names):
        seen: set[str] = set()
        for name, row in zip(names, rows, strict=True):
            if name in seen:
                raise DataError(f"{where}:{row}: {name} has a row already")
            seen.add(name)


def _cells(
    text: bytes, comma: bool, width: int, where: str, before: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Where the cells of a table start and end, (width, rows) each, and the line of each row.

    By numpy, as a table has millions of cells. before: lines above the text.
    """
    characters = np.frombuffer(text, np.uint8)
    newline = characters == ord("\n")
    if comma:
        ends = np.flatnonzero(newline | (characters == ord(",")))
        starts = np.concatenate([[0], ends[:-1] + 1])
    else:
        edges = np.flatnonzero(np.diff(characters <= ord(" "), prepend=True))
        starts, ends = edges[::2], edges[1::2]
    counts = np.diff(np.searchsorted(starts, np.flatnonzero(newline), side="right"), prepend=0)
    first = np.cumsum(counts) - counts
    blank = counts == 0
    if comma:
        blank |= (counts == 1) & (starts == ends)[first]
    wrong = np.flatnonzero((counts != width) & ~blank)
    if len(wrong):
        line = text.split(b"\n")[wrong[0]][:60].decode("utf-8", "replace")
        raise DataError(
            f"{where}:{before + 1 + wrong[0]}: {line!r} has {counts[wrong[0]]} cells; "
            f"a name and {width - 1} attributes are wanted"
        )
    if blank.any():
        kept = np.repeat(~blank, counts)
        starts, ends = starts[kept], ends[kept]
    rows = before + 1 + np.flatnonzero(~blank)
    return np.ascontiguousarray(starts.reshape(-1, width).T), np.ascontiguousarray(ends.reshape(-1, width).T), rows


def _values(
    text: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """1, -1 or 0 for each cell of a column, and which cells say nothing of the kind."""
    lengths = ends - starts
    keys = np.zeros(len(starts), np.int64)
    for place in range(min(_LONGEST, int(lengths.max(initial=0)))):
        # In one case: the bit leaves digits and signs as they are.
        byte = text[np.minimum(starts + place, len(text) - 1)] | 0x20
        keys |= np.where(lengths > place, byte.astype(np.int64) << (8 * place), 0)
    values = np.full(len(starts), 2, np.int8)
    for word, value in _WORDS.items():
        values[keys == int.from_bytes(word, "little")] = value
    minus, zero = (np.isin(keys, [int.from_bytes(word, "little") for word in words]) for words in (_MINUS, _ZEROS))
    values[minus], values[zero] = -1, 0 if minus.any() else -1
    values[lengths > _LONGEST] = 2
    return values, np.flatnonzero(values == 2)
