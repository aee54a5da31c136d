"""Which pictures are to train on, which are held out, and which labels may be seen: a table that people can read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imgen import files
from imgen.data.attributes import locate
from imgen.data.labelled import Labelled
from imgen.data.labels import UNKNOWN, Known, Shown
from imgen.data.spec import Attribute
from imgen.errors import DataError, near_miss
from imgen.names import find

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEADER = ("picture", "part")
PARTS = ("train", "test")
CHOSEN = "?"
"""In place of a value: the picture was chosen to be labelled, and has none of them."""


@dataclass(frozen=True)
class Told:
    """What a split file tells of the pictures in it.

    known: these pictures, in their old order, and all that is known of them; test: (N,) held out; labels: (N, A) that
    may be seen; chosen: (N,) chosen to be labelled.
    """

    known: Known
    test: NDArray[np.bool_]
    labels: NDArray[np.int64]
    chosen: NDArray[np.bool_]

    def shown(self, rows: NDArray[np.int64]) -> Shown:
        """What may be seen of some of them."""
        return Shown(self.labels[rows], self.chosen[rows])


def write_split(path: str | Path, data: Any) -> None:
    """Writes which pictures of a data set are to train on and held out, and the labels of both that may be seen.

    Raises: `DataError` where it is no partly labelled data set of files.
    """
    train: list[str] | None = getattr(data.columns.get("images"), "names", None)
    if not isinstance(data, Labelled) or train is None or data.chosen is None:
        raise DataError("only a data set of labelled files has a split to write, such as 'attributes'")
    attributes = data.spec.attributes
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*HEADER, *(attribute.name for attribute in attributes)])
    labels: Any = data.columns["attributes"]
    for name, told, chosen in zip(train, labels.tolist(), data.chosen.tolist(), strict=True):
        table.writerow([name, "train", *_cells(attributes, told, chosen)])
    if data.test:
        labels = data.test["attributes"]
        for name, told in zip(data.test_names["images"], labels.tolist(), strict=True):
            table.writerow([name, "test", *_cells(attributes, told, False)])
    files.write(path, text.getvalue().encode("utf-8", "surrogateescape"))


def _cells(attributes: Sequence[Attribute], told: Sequence[int], chosen: bool) -> list[str]:
    if chosen and all(value == UNKNOWN for value in told):
        return [CHOSEN] * len(attributes)
    return [
        "" if value == UNKNOWN else attribute.values[value] for attribute, value in zip(attributes, told, strict=True)
    ]


def read_split(path: str | Path, known: Known) -> Told:
    """What a split file tells of these pictures. What it says of a picture counts more than what was known of it.

    known: all pictures that there are.
    Raises: `DataError` with the line that is wrong.
    """
    path = Path(path).expanduser()
    lines = _lines(path)
    _, header = next(lines, (1, []))
    columns = _columns(path, header, known.attributes)
    names: list[str] = []
    numbers: list[int] = []
    told: list[list[int]] = []
    test: list[bool] = []
    chosen: list[bool] = []
    for number, cells in lines:
        if len(cells) != len(header):
            raise DataError(f"{path}:{number}: has {len(cells)} cells; the first line has {len(header)}")
        if cells[1] not in PARTS:
            raise DataError(f"{path}:{number}: part is '{cells[1][:40]}'; it must be train or test")
        wanted = [cells[column] for column in columns]
        told.append([_value(each, cell, path, number) for each, cell in zip(known.attributes, wanted, strict=True)])
        names.append(cells[0])
        numbers.append(number)
        test.append(cells[1] == "test")
        chosen.append(any(wanted))
    rows = _rows(path, names, numbers, known)
    labels = np.array(told, np.int64)
    # In the old order, whatever that of the file.
    order = np.argsort(rows)
    labels, held, seen = labels[order], np.array(test)[order], np.array(chosen)[order]
    if held.all():
        raise DataError(f"{path}: all of {len(held):,} pictures are held out; none is to train on")
    chosen_of = known.select(rows[order])
    truth = np.where(labels == UNKNOWN, chosen_of.truth, labels)
    return Told(replace(chosen_of, where=str(path), truth=truth), held, labels, seen)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of every line that is not empty."""
    try:
        text = path.read_bytes().removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}; `imgen data split` writes such a file") from error
    table = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in table:
            if cells:
                # A file's name may begin with a space.
                yield table.line_num, [cells[0], *(cell.strip() for cell in cells[1:])]
    except csv.Error as error:
        raise DataError(f"{path}:{table.line_num}: {error}") from error


def _columns(path: Path, header: Sequence[str], attributes: Sequence[Attribute]) -> list[int]:
    """Where the attributes stand."""
    if tuple(header[:2]) != HEADER:
        told = ",".join(header)[:60]
        raise DataError(f"{path}:1: {told!r} is not the first line of a split; it must be picture,part,ATTRIBUTE,...")
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise DataError(f"{path}:1: names {twice} twice")
    for attribute in attributes:
        if attribute.name not in header[2:]:
            raise DataError(f"{path}:1: has no column '{attribute.name}'{near_miss(attribute.name, header[2:])}")
    return [header.index(attribute.name, 2) for attribute in attributes]


def _value(attribute: Attribute, cell: str, path: Path, number: int) -> int:
    if cell in attribute.values:
        return attribute.values.index(cell)
    if cell in ("", CHOSEN):
        return UNKNOWN
    try:
        return attribute.values.index(find(cell, attribute.values, f"value of {attribute.name}"))
    except DataError as error:
        raise DataError(f"{path}:{number}: {error}") from error


def _rows(path: Path, names: Sequence[str], numbers: Sequence[int], known: Known) -> NDArray[np.int64]:
    """Which of the known pictures each name is of."""
    if not names:
        raise DataError(f"{path}: a split without pictures")
    places = {name: place for place, name in enumerate(known.names)}
    others = iter(locate(known.source, [name for name in names if name not in places]))
    rows: dict[int, int] = {}
    for name, number in zip(names, numbers, strict=True):
        found = name if name in places else next(others)
        if found is None:
            raise DataError(f"{path}:{number}: {name[:80]} is not in {known.source.path}")
        if found not in places:
            raise DataError(f"{path}:{number}: nothing is known of {name[:80]}: {known.where} does not tell of it")
        if places[found] in rows:
            raise DataError(f"{path}:{number}: {name[:80]} has a row already, line {rows[places[found]]}")
        rows[places[found]] = number
    return np.fromiter(rows, np.int64, len(rows))
