"""What the partly labelled data sets share: from pictures and all that is known of them to what may be seen of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator

from imgen.binding import Fraction
from imgen.data.labelled import Labelled
from imgen.data.labels import UNKNOWN, Known, Shown, Split, show
from imgen.data.parting import Facts, Frame, spread, surveyed, tail
from imgen.data.pictures import Report
from imgen.data.rebalance import rebalanced
from imgen.data.samplers import Kind, Sampler, sampler
from imgen.data.spec import Attribute, DataSpec
from imgen.data.split_file import read_split
from imgen.errors import DataError
from imgen.names import find

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_several)]
"""Names as a recipe gives them: a list, or one alone."""
Balance = Fraction | Literal["only_pos", "only_neg"]
Hold = Callable[["NDArray[np.int64]"], "NDArray[np.bool_]"]
"""Rows of the pictures that can be read -> which of them are held out."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which labels may be seen, and what makes a batch: the settings of the same names.

    Raises: `DataError` where two of them exclude each other.
    """

    labels_per_value: int | None
    split: Split
    split_seed: int
    split_file: str | None
    sampler: Kind
    labelled_fraction: float
    oversample: int
    balance: tuple[str, ...]
    balance_ratio: Balance

    def __post_init__(self) -> None:
        if self.split_file is not None and self.labels_per_value is not None:
            raise DataError("split_file says which labels are seen; leave labels_per_value out")
        if self.sampler != "uniform":
            for name in ("oversample", "balance"):
                if getattr(self, name):
                    raise DataError(f"{name} is for the sampler 'uniform'; leave it out for '{self.sampler}'")


def labelled(known: Known, hold: Hold | None, asked: Asked, frame: Frame, facts: Facts) -> Labelled:
    """The data set of pictures of which some are labelled.

    known: all pictures that may be used, in their order. hold: which of them are held out; None: the split file tells,
    as it does wherever one is given.
    Raises: `DataError` where no picture is left to train on, or no label of a value.
    """
    import torch

    told = None if asked.split_file is None else read_split(asked.split_file, known)
    notes = list(facts.notes)
    if told is not None:
        if without := len(known.names) - len(told.known.names):
            notes.append(f"{without:,} pictures that are not in the split file left out")
        known = told.known
    pictures = frame.column(known.source, known.names)
    rows, unreadable = surveyed(pictures, np.arange(len(known.names)))
    if told is not None:
        held = told.test[rows]
    else:
        assert hold is not None, "without a split file somebody has to say what is held out"
        held = hold(rows)
    if held.all():
        raise DataError(f"{known.where}: no picture to train on is left")
    train, test = known.truth[rows[~held]], known.truth[rows[held]]
    shown = _shown(known, train, asked) if told is None else told.shown(rows[~held])
    _check_values(known, shown)
    parts = {"": pictures.select(np.flatnonzero(~held)), "test": pictures.select(np.flatnonzero(held))}
    return Labelled(
        spec=DataSpec(image=(frame.channels, frame.size, frame.size), attributes=known.attributes, about=facts.about),
        columns={"images": parts[""], "attributes": torch.from_numpy(shown.labels)},
        truth=torch.from_numpy(train),
        sampler=_sampler(known.attributes, shown, asked),
        test={"images": parts["test"], "attributes": torch.from_numpy(test)} if held.any() else {},
        test_names={"images": list(parts["test"].names)} if held.any() else {},
        chosen=shown.chosen,
        report=Report(
            images=len(rows),
            unreadable=dict(facts.unreadable) | unreadable,
            notes=(
                f"{len(train):,} to train on, {len(test):,} held out",
                *_lines(known.attributes, train, shown.labels),
                *notes,
            ),
        ),
        origin={**facts.origin, "crop": str(frame.crop)},
    )


def hold_out(where: str, count: int, n_test: int, which: Literal["first", "last", "spread"]) -> NDArray[np.bool_]:
    """Which of so many pictures are held out: the first, the last, or some evenly spread.

    Raises: `DataError` where that leaves none to train on.
    """
    if n_test >= count:
        raise DataError(
            f"{where}: n_test is {n_test:,}, but there are {count:,} pictures; at most {count - 1:,} can be held out"
        )
    last = spread(where, "all", count, n_test) if which == "spread" else tail(where, "all", count, n_test)
    return last[::-1].copy() if which == "first" else last


def counts(attributes: Sequence[Attribute], labels: NDArray[np.int64]) -> dict[str, dict[str, int]]:
    """How many rows have each value of each attribute, and of how many that is not known, as 'unknown'."""
    return {
        attribute.name: {
            **{name: int((labels[:, place] == value).sum()) for value, name in enumerate(attribute.values)},
            "unknown": int((labels[:, place] == UNKNOWN).sum()),
        }
        for place, attribute in enumerate(attributes)
    }


def _shown(known: Known, truth: NDArray[np.int64], asked: Asked) -> Shown:
    return show(
        truth,
        known.attributes,
        known.where,
        per_value=asked.labels_per_value,
        split=asked.split,
        seed=asked.split_seed,
    )


def _check_values(known: Known, shown: Shown) -> None:
    for place, attribute in enumerate(known.attributes):
        for value, name in enumerate(attribute.values):
            if not (shown.labels[:, place] == value).any():
                raise DataError(
                    f"{known.where}: none of {len(shown.labels):,} pictures to train on is labelled {name}; "
                    "leave it out, or let more labels be seen"
                )


def _sampler(attributes: Sequence[Attribute], shown: Shown, asked: Asked) -> Sampler:
    rows = None
    if asked.balance:
        names = [attribute.name for attribute in attributes]
        try:
            columns = [names.index(find(name, names, "attribute")) for name in asked.balance]
        except DataError as error:
            raise DataError(f"balance: {error}") from error
        rows = rebalanced(shown.labels, list(dict.fromkeys(columns)), asked.balance_ratio)
        if not len(rows):
            raise DataError(f"balance_ratio {asked.balance_ratio} of {', '.join(asked.balance)} leaves no picture")
    return sampler(shown, kind=asked.sampler, fraction=asked.labelled_fraction, oversample=asked.oversample, rows=rows)


def _lines(attributes: Sequence[Attribute], truth: NDArray[np.int64], labels: NDArray[np.int64]) -> list[str]:
    """For people: how many labels of each value are seen, of how many that are known."""
    seen, known = counts(attributes, labels), counts(attributes, truth)
    lines = []
    for attribute in attributes:
        of = [
            f"{value} {seen[attribute.name][value]:,} of {known[attribute.name][value]:,}" for value in attribute.values
        ]
        lines.append(f"{attribute.name}: labels of {', '.join(of)}; unknown {known[attribute.name]['unknown']:,}")
    return lines
