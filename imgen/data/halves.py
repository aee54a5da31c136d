"""Two domains from pictures that show both: each picture supplies one of them, so that nothing is paired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from imgen.data.domains import Domains
from imgen.data.parting import Domain, Facts, Frame, default_held, domains, tail
from imgen.data.pictures import Change
from imgen.data.source import Source
from imgen.data.splits import split
from imgen.errors import DataError

Unpaired = Literal["halves", "all"]


@dataclass(frozen=True, kw_only=True)
class View:
    """What a picture shows of one domain: its name, and the change that lets it be seen."""

    name: str
    change: Change | None


@dataclass(frozen=True, kw_only=True)
class Parting:
    """How pictures are shared out; as the settings of the data sets tell."""

    n_test: int | None
    unpaired: Unpaired = "halves"
    shuffle: int | None = None


def halved(source: Source, a: View, b: View, parting: Parting, frame: Frame, *, layout: str, about: str) -> Domains:
    """The first half of the pictures as `a`, the others as `b`; those held out as both, row by row.

    Raises: `DataError` where there are too few pictures.
    """
    found = split(source)
    train, test = found.train, found.test
    if not test:
        held = tail(
            str(source.path),
            "both domains",
            len(train),
            default_held(len(train)) if parting.n_test is None else parting.n_test,
        )
        cut = len(train) - int(held.sum())
        train, test = train[:cut], train[cut:]
    own = _shared_out(source, train, parting)
    columns = [frame.column(source, [*names, *test], view.change) for names, view in zip(own, (a, b), strict=True)]
    unreadable: dict[str, str] = {}
    for column in columns:
        unreadable |= column.survey()
    both = set(test) - set(unreadable)
    made = []
    for view, names, column in zip((a, b), own, columns, strict=True):
        mine = set(names)
        rows = np.flatnonzero([name in mine for name in column.names])
        if not len(rows):
            raise DataError(f"{source.path}: no picture of {view.name} can be read")
        held_out = np.flatnonzero([name in both for name in column.names])
        aside = column.select(held_out) if len(held_out) else None
        made.append(Domain(name=view.name, train=column.select(rows), test=aside))
    facts = Facts(
        about=about or f"pictures from {source.path.name}, {a.name} and {b.name}",
        origin={"layout": layout},
        unreadable=dict(source.refused) | unreadable,
        notes=found.notes(),
    )
    return domains(made[0], made[1], frame, facts, aligned=True)


def _shared_out(source: Source, train: Sequence[str], parting: Parting) -> tuple[list[str], list[str]]:
    names = list(train)
    if parting.shuffle is not None:
        names = [names[row] for row in np.random.default_rng(parting.shuffle).permutation(len(names))]
    if parting.unpaired == "all":
        return names, names
    if len(names) < 2:
        raise DataError(f"{source.path}: there is one picture to train on, which makes no two halves; use unpaired all")
    return names[: len(names) // 2], names[len(names) // 2 :]
