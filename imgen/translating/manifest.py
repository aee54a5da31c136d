"""What was written, and what a classifier tells of it: a table for spreadsheets, and the same for programs."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgen.data.spec import Attribute
from imgen.files import replacing
from imgen.translating.outputs import Job
from imgen.translating.ways import Route

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SIDES = ("in", "out")


@dataclass(frozen=True)
class Entry:
    """A file that was written. file: below the folder; picture: what it was made of; styles: what was made of that.

    scores: the probabilities of all values of all attributes, of the picture and of the file, (2, values).
    """

    file: str
    picture: str
    styles: tuple[str, ...]
    scores: NDArray[np.float32] | None


def entries(
    jobs: Sequence[Job],
    route: Route,
    folder: Path,
    written: Sequence[Path],
    scores: Mapping[Path, NDArray[np.float32]],
) -> list[Entry]:
    """What was written, in the order of the jobs."""
    there = set(written)
    return [
        Entry(path.relative_to(folder).as_posix(), job.item.told, route.styles(stage), scores.get(path))
        for job in jobs
        for stage, path in job.targets.items()
        if path in there
    ]


def write_csv(path: Path, told: Sequence[Entry], attributes: Sequence[Attribute]) -> None:
    """A row a file, with columns `in:VALUE` and `out:VALUE`; whole or not at all."""
    values = [value for attribute in attributes for value in attribute.values]
    with _text(path) as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["file", "picture", "heads", *(f"{side}:{value}" for side in _SIDES for value in values)])
        for entry in told:
            numbers = [] if entry.scores is None else [_plain(number) for number in entry.scores.flat]
            written = ["" if number is None else f"{number:.4f}" for number in numbers]
            rows.writerow([entry.file, entry.picture, " > ".join(entry.styles), *written])


def write_json(path: Path, told: Sequence[Entry], attributes: Sequence[Attribute], model: str, name: str) -> None:
    """The same with scores by attribute, and the model; an object a line; whole or not at all.

    model: its weights file; name: what it is registered as.
    """
    with _text(path) as file:
        file.write(f'{{"model": {json.dumps(model)}, "name": {json.dumps(name)}, "files": [')
        for place, entry in enumerate(told):
            file.write((",\n" if place else "\n") + json.dumps(_object(entry, attributes)))
        file.write("\n]}\n")


def _object(entry: Entry, attributes: Sequence[Attribute]) -> dict[str, Any]:
    told: dict[str, Any] = {"file": entry.file, "picture": entry.picture, "heads": entry.styles}
    for side, scores in zip(_SIDES, () if entry.scores is None else entry.scores, strict=False):
        numbers = iter(scores)
        told[side] = {each.name: {value: _plain(next(numbers)) for value in each.values} for each in attributes}
    return told


def _plain(number: np.float32) -> float | None:
    """To four decimals; nothing for what is no number, which JSON does not know."""
    return round(float(number), 4) if math.isfinite(number) else None


@contextmanager
def _text(path: Path) -> Iterator[TextIOWrapper]:
    with replacing(path) as file:
        # Names of files need not be text.
        text = TextIOWrapper(file, "utf8", errors="surrogateescape", newline="")
        yield text
        text.flush()
        text.detach()
