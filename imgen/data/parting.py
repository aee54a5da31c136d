"""What the two-domain data sets share: pictures parted into two domains, with some of each held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from imgen.data.domains import Domains
from imgen.data.pictures import Change, Pictures, Report
from imgen.data.source import Source
from imgen.data.spec import DataSpec
from imgen.errors import DataError
from imgen.images import check_crop

if TYPE_CHECKING:
    from numpy.typing import NDArray

Channels = Literal[1, 3]
Overlap = Literal["drop", "keep"]
MOST_HELD = 200


@dataclass(frozen=True, kw_only=True)
class Frame:
    """How a picture becomes a row: height and width, what is cut out, and colour or grey.

    Raises: `DataError` where the crop is none.
    """

    size: int
    crop: int | str
    channels: Channels

    def __post_init__(self) -> None:
        check_crop(self.crop)

    def column(self, source: Source, names: Sequence[str], change: Change | None = None) -> Pictures:
        """These pictures, not yet surveyed."""
        return Pictures(source, names, size=self.size, crop=self.crop, channels=self.channels, change=change)


@dataclass(frozen=True, kw_only=True)
class Domain:
    """One domain: its name, the pictures to train on, and those held out, if any."""

    name: str
    train: Pictures
    test: Pictures | None = None

    def line(self, place: str) -> str:
        """For people."""
        held = len(self.test) if self.test is not None else 0
        return f"{place}: {self.name}, {len(self.train):,} to train on, {held:,} held out"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is told of a data set: about, for the model card; origin, how it was read; and what was left out."""

    about: str
    origin: Mapping[str, str]
    unreadable: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


def domains(a: Domain, b: Domain, frame: Frame, facts: Facts, *, aligned: bool = False) -> Domains:
    """The data set of two domains."""
    both = {"a": a, "b": b}
    test = {place: domain.test for place, domain in both.items() if domain.test is not None}
    parts = [part for domain in both.values() for part in (domain.train, domain.test) if part is not None]
    used = {(str(part.source.path), name) for part in parts for name in part.names}
    return Domains(
        spec=DataSpec(image=(frame.channels, frame.size, frame.size), domains=(a.name, b.name), about=facts.about),
        columns={place: domain.train for place, domain in both.items()},
        test=test,
        aligned=aligned and len(test) == 2,
        test_names={place: list(part.names) for place, part in test.items()},
        report=Report(
            images=len(used),
            unreadable=dict(facts.unreadable),
            notes=(*(domain.line(place) for place, domain in both.items()), *facts.notes),
        ),
        origin={**facts.origin, "crop": str(frame.crop)},
    )


def drop_overlap(
    where: str, a: NDArray[np.bool_], b: NDArray[np.bool_], names: tuple[str, str], overlap: Overlap
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], list[str]]:
    """Which rows are in each domain once those in both are dropped, if they are to be, and what to say of it.

    Raises: `DataError` where that leaves nothing of a domain.
    """
    both = a & b
    if not both.any():
        return a, b, []
    told = f"{int(both.sum()):,} pictures are both {names[0]} and {names[1]}"
    if overlap == "keep":
        return a, b, [f"{told}: in both domains"]
    for name, rows in zip(names, (a, b), strict=True):
        if not (rows & ~both).any():
            raise DataError(f"{where}: {told}, which leaves none that is only {name}; overlap 'keep' uses them in both")
    return a & ~both, b & ~both, [f"{told}: left out"]


def surveyed(pictures: Pictures, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], dict[str, str]]:
    """Drops the unreadable pictures: the rows of those that are left, and the reason of each other by name.

    rows: of the pictures, in whatever list they were chosen from.
    """
    names = list(pictures.names)
    unreadable = pictures.survey()
    return np.array(
        [row for row, name in zip(rows, names, strict=True) if name not in unreadable], np.int64
    ), unreadable


def default_held(count: int) -> int:
    """Pictures held out of so many where nobody says: a tenth, but not more than are looked at."""
    return min(MOST_HELD, count // 10)


def tail(where: str, name: str, count: int, held: int) -> NDArray[np.bool_]:
    """Which of `count` pictures are held out: the last `held`.

    Raises: `DataError` where that leaves none to train on.
    """
    _check_held(where, name, count, held)
    return np.arange(count) >= count - held


def spread(where: str, name: str, count: int, held: int) -> NDArray[np.bool_]:
    """Which of `count` pictures are held out: `held`, evenly spread. Raises: as `tail` does."""
    _check_held(where, name, count, held)
    chosen = np.zeros(count, bool)
    chosen[(2 * np.arange(held) + 1) * count // (2 * max(1, held))] = True
    return chosen


def parted(name: str, pictures: Pictures, rows: NDArray[np.int64], held: NDArray[np.bool_]) -> Domain:
    """The domain of these rows of a column, `held` of them held out."""
    test = pictures.select(rows[held]) if held.any() else None
    return Domain(name=name, train=pictures.select(rows[~held]), test=test)


def _check_held(where: str, name: str, count: int, held: int) -> None:
    if not count:
        raise DataError(f"{where}: no picture of {name} can be read")
    if held >= count:
        raise DataError(
            f"{where}: n_test is {held}, but of {name} there are {count} pictures; at most {count - 1} can be held out"
        )
