"""Explicitness: whether the values of each factor can be told from the codes by a linear classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imgen.metrics.disentanglement.logistic import one_against_rest, probabilities

if TYPE_CHECKING:
    from numpy.typing import NDArray


def areas(scores: NDArray[np.floating], truth: NDArray[np.integer]) -> NDArray[np.float64]:
    """For each value the area under the curve of true against false positives, as its score picks out those it is.

    From ranks: equal scores count as half. NaN for a value that no thing has, or that all have.

    Shapes: scores: (n, values), truth: (n,), from 0 to values - 1 -> (values,).
    """
    n, values = scores.shape
    found = np.full(values, np.nan)
    for value in range(values):
        ordered, own = np.sort(scores[:, value]), scores[truth == value, value]
        if 0 < len(own) < n:
            below, up_to = np.searchsorted(ordered, own, "left"), np.searchsorted(ordered, own, "right")
            ranks = (below + up_to + 1.0).sum() / 2
            found[value] = (ranks - len(own) * (len(own) + 1) / 2) / (len(own) * (n - len(own)))
    return found


def explicitness(
    codes: NDArray[np.floating],
    places: NDArray[np.integer],
    tested: NDArray[np.floating] | None = None,
    truth: NDArray[np.integer] | None = None,
) -> tuple[float, float]:
    """For one factor the mean over its values of `areas`, on what was fitted to and on what is tested: 1 is best.

    A logistic regression of each value against the rest is fitted to `codes` (n, D) and `places` (n,). With nothing
    tested the second is NaN. Ordered values in the middle are on one side of no plane, so that a perfect code of many
    values stays below 1.

    Source: Ridgeway and Mozer, "Learning deep disentangled embeddings with the f-statistic loss", 2018, section 2.
    Both published programs ran a scikit-learn whose LogisticRegression() was of one value against the rest with a
    penalised intercept; later versions fit all values at once and give higher numbers, which are not these.
    """
    kinds, own = np.unique(places, return_inverse=True)
    weights = one_against_rest(codes, own, len(kinds))
    fitted = float(areas(probabilities(codes, weights), own).mean())
    if tested is None or truth is None:
        return fitted, float("nan")
    return fitted, float(areas(probabilities(tested, weights), np.searchsorted(kinds, truth)).mean())


def standardised(codes: NDArray[np.floating], by: NDArray[np.floating] | None = None) -> NDArray[np.float64]:
    """Codes less the mean and over the standard deviation, each, of the rows `by`; those that never vary are 0.

    Shapes: codes: (n, D), by: (m, D) -> (n, D).
    """
    by = codes if by is None else by
    mean, spread = by.mean(axis=0, dtype=np.float64), by.std(axis=0, dtype=np.float64)
    steady = np.ptp(by, axis=0) == 0
    return np.asarray((codes - mean) / np.where(steady, 1.0, spread), np.float64)
