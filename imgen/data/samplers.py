"""Which rows of a partly labelled set make a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np

from imgen.data.labels import UNKNOWN, Shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

Sampler = Callable[[int, np.random.Generator], "NDArray[np.int64]"]
"""(items, rng) -> rows, (items,): a function of `rng` alone."""
Kind = Literal["uniform", "balanced"]


def sampler(
    shown: Shown,
    *,
    kind: Kind = "uniform",
    fraction: float = 0.25,
    oversample: int = 0,
    rows: NDArray[np.int64] | None = None,
) -> Sampler:
    """The sampler of a kind.

    fraction: of a batch that is labelled, for `balanced`; oversample: times that rows chosen to be labelled stand in
    the list once more, for `uniform`; rows: the list before that, for `uniform`; None: every row once.
    """
    if kind == "balanced":
        return balanced(shown.labels, fraction)
    return uniform(listed(shown, oversample, rows))


def listed(shown: Shown, oversample: int = 0, rows: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """The list that a uniform sampler draws from, as `sampler` says."""
    every = np.arange(len(shown.labels)) if rows is None else rows
    return np.concatenate([every, np.tile(np.flatnonzero(shown.chosen), oversample)])


def uniform(rows: NDArray[np.int64]) -> Sampler:
    """Any of these rows with equal chances; a row may stand in the list several times."""
    return lambda n, rng: rows[rng.choice(len(rows), n, replace=n > len(rows))]


def balanced(labels: NDArray[np.int64], fraction: float) -> Sampler:
    """A part of every batch from the labelled rows, value after value in turn, the rest from those without any label.

    Values take turns from a random one on, so that each is as frequent as the others. Where no row is without a label,
    the rest is drawn from all. Where the part is no whole number of rows, some batches have one more. labels: (N, A).
    """
    groups = [
        np.flatnonzero(labels[:, column] == value)
        for column in range(labels.shape[1])
        for value in range(labels[:, column].max(initial=UNKNOWN) + 1)
    ]
    groups = [rows for rows in groups if len(rows)]
    mixed = np.flatnonzero((labels == UNKNOWN).all(axis=1))
    rest = mixed if len(mixed) else np.arange(len(labels))

    def draw(n: int, rng: np.random.Generator) -> NDArray[np.int64]:
        # A quarter of two is half a row: one in every other batch, and not none in all.
        count = min(n, int(fraction * n + rng.random())) if groups else 0
        start = int(rng.integers(len(groups))) if groups else 0
        known = [rng.choice(groups[(start + place) % len(groups)]) for place in range(count)]
        rows = np.concatenate(
            [np.array(known, np.int64), rest[rng.choice(len(rest), n - count, replace=n > len(rest))]]
        )
        # Processes share a batch: each gets some of both.
        return rng.permutation(rows)

    return draw
