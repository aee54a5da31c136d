"""Values that are rare among others, made more frequent: one attribute inside the values of another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from imgen.data.labels import UNKNOWN

if TYPE_CHECKING:
    from numpy.typing import NDArray

Ratio = float | Literal["only_pos", "only_neg"]
"""How many rows a value has at least, as a part of those of the commonest; or the one side that is kept."""


def rebalanced(labels: NDArray[np.int64], columns: Sequence[int], ratio: Ratio, seed: int = 0) -> NDArray[np.int64]:
    """Rows, some of them several times, among which no value of these columns is much rarer than the others.

    Rows are parted by the values of the first column. A part that is smaller than `ratio` times the largest grows to
    that by repeating its rows; then each part is treated alike for the columns that are left. Rows of which nothing is
    known are a part of their own, which neither grows nor counts. labels: (N, A), the place of a value or UNKNOWN;
    columns: of `labels`, in the order in which they are balanced.
    Source: the later code of Zhang et al., 2020, where all is known and every attribute has two values.
    """
    return _balanced(labels, np.arange(len(labels)), list(columns), ratio, np.random.default_rng(seed))


def _balanced(
    labels: NDArray[np.int64],
    rows: NDArray[np.int64],
    columns: Sequence[int],
    ratio: Ratio,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    if not columns or not len(rows):
        return rows
    told = labels[rows, columns[0]]
    # In order of the values, and what is unknown at the end.
    places = [value for value in np.unique(told).tolist() if value != UNKNOWN]
    if isinstance(ratio, str):
        parts = [rows[told > 0 if ratio == "only_pos" else told == 0]]
    else:
        parts = [rows[told == value] for value in places]
        largest = max(map(len, parts), default=0)
        parts = [_grown(part, largest, ratio, rng) for part in parts]
        parts.append(rows[told == UNKNOWN])
    return np.concatenate([_balanced(labels, part, columns[1:], ratio, rng) for part in parts])


def _grown(part: NDArray[np.int64], largest: int, ratio: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """A part as it is, or repeated to as many rows as the largest has, of which some are drawn."""
    # 0.55 of 20 is 11, whatever the last bit of the product says.
    least = math.ceil(round(ratio * largest, 6))
    return part if len(part) >= least else rng.permutation(np.resize(part, largest))[:least]
