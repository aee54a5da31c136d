"""Which labels a model may see: all, so many of each value, or those of the first pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from imgen.data.source import Source
from imgen.data.spec import Attribute
from imgen.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNKNOWN = -1
"""In place of a value where none is known."""

Split = Literal["exact", "first"]


@dataclass(frozen=True, kw_only=True)
class Known:
    """Pictures and all that is known of them.

    where: what tells of them, for messages. names: of the pictures, in `source`. truth: (N, A), the place of a value
    among those of its attribute, or UNKNOWN.
    """

    where: str
    source: Source
    names: list[str]
    attributes: tuple[Attribute, ...]
    truth: NDArray[np.int64]

    def select(self, rows: NDArray[np.int64]) -> Known:
        """These rows, in this order."""
        return replace(self, names=[self.names[row] for row in rows], truth=self.truth[rows])


@dataclass(frozen=True)
class Shown:
    """What is left of a table of labels.

    labels: (N, A), the place of a value or UNKNOWN. chosen: (N,) which rows were chosen to be labelled, known or not.
    """

    labels: NDArray[np.int64]
    chosen: NDArray[np.bool_]


def binary(name: str, column: str) -> Attribute:
    """The attribute of having what a column tells of, or lacking it."""
    return Attribute(name, (f"not {column}", column))


def is_binary(attribute: Attribute) -> bool:
    """Whether it has a value for having something and one for lacking it, and no more."""
    return len(attribute.values) == 2 and attribute.values[0] == f"not {attribute.values[1]}"


def show(
    truth: NDArray[np.int64],
    attributes: Sequence[Attribute],
    where: str,
    *,
    per_value: int | None = None,
    split: Split = "exact",
    seed: int = 0,
) -> Shown:
    """The labels that are left where only so many of each value are seen.

    truth: (N, A), the place of a value, or UNKNOWN where nothing is known. per_value: labels of each value; None: all.
    where: what the labels are of, for messages.
    Raises: `DataError` where a value has fewer labels than asked.
    """
    if per_value is None:
        return Shown(truth, of_any(truth != UNKNOWN))
    rows = (
        exactly(truth, attributes, where, per_value, seed) if split == "exact" else first(truth, attributes, per_value)
    )
    return Shown(np.where(rows, truth, UNKNOWN), of_any(rows))


def of_any(cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which rows of a table, (N, A), have a true cell."""
    rows: NDArray[np.bool_] = np.logical_or.reduce(cells, axis=1)
    return rows


def exactly(
    truth: NDArray[np.int64], attributes: Sequence[Attribute], where: str, per_value: int, seed: int
) -> NDArray[np.bool_]:
    """Which labels stay, (N, A): exactly so many of each value, drawn by the seed, for each attribute by itself."""
    stays = np.zeros(truth.shape, bool)
    for column, attribute in enumerate(attributes):
        for value, name in enumerate(attribute.values):
            rows = np.flatnonzero(truth[:, column] == value)
            if len(rows) < per_value:
                raise DataError(
                    f"{where}: labels_per_value is {per_value:,}, but of the pictures to train on {len(rows):,} are "
                    f"labelled {name}; ask for as many or fewer"
                )
            # Apart for every value, so that one attribute more leaves the choice of the others as it is.
            order = np.random.default_rng([seed, *attribute.name.encode(), value]).permutation(len(rows))
            stays[rows[order[:per_value]], column] = True
    return stays


def first(truth: NDArray[np.int64], attributes: Sequence[Attribute], per_value: int) -> NDArray[np.bool_]:
    """Which labels stay, (N, A): those of the first pictures, as if all values were equally frequent.

    Of an attribute whose values leave pictures out, three times as many rows are seen. What has a thing or lacks it
    leaves nobody out: what is unknown there has only not been told.
    Source: the code of Zhang et al., 2018: 10,000 and 30,000 rows for 5,000 a value, 1,000 and 3,000 for 500.
    """
    stays = np.zeros(truth.shape, bool)
    for column, attribute in enumerate(attributes):
        leaves_out = not is_binary(attribute) and bool((truth[:, column] == UNKNOWN).any())
        rows = per_value * len(attribute.values) * (3 if leaves_out else 1)
        stays[:rows, column] = True
    return stays
