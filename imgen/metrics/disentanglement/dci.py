"""Disentanglement and completeness of a table of how much each code matters for each factor."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TINY = 1e-12  # in the logarithms of the authors' form
_ADDED = 1e-11  # to every weight in the guarded form


class Share(NamedTuple):
    """A score, and the same of each code or of each factor."""

    score: float
    each: NDArray[np.float64]


def disentanglement(table: NDArray[np.floating], guarded: bool = False) -> Share:
    """Whether each code matters for one factor alone: the mean over codes, weighted by how much they matter.

    Of a code, 1 less the entropy of its weights over factors, over that of equal weights. A code that matters for
    nothing has none: NaN, and so is the score. guarded: the form in which every weight is 1e-11 higher, so that such
    a code counts for nothing, and a table of zeros scores 0.

    Shapes: table: (D, K) of weights of at least 0.
    Source: Eastwood and Williams, "A framework for the quantitative evaluation of disentangled representations",
    2018, section 2; guarded: Locatello and others, 2019.
    """
    each = _purity(table, guarded)
    return Share(_weighted(each, table.sum(axis=1, dtype=np.float64), guarded), each)


def completeness(table: NDArray[np.floating], guarded: bool = False) -> Share:
    """Whether one code alone matters for each factor: as `disentanglement` the other way round.

    The score is the plain mean over factors; guarded: the mean weighted by how much all codes matter for a factor.
    """
    each = _purity(table.T, guarded)
    if not guarded:
        return Share(float(each.mean()), each)
    return Share(_weighted(each, table.sum(axis=0, dtype=np.float64), guarded), each)


def _purity(table: NDArray[np.floating], guarded: bool) -> NDArray[np.float64]:
    """1 less the entropy of each row, in units of the most there can be."""
    weights, most = np.asarray(table, np.float64), table.shape[1]
    if guarded:
        weights = weights + _ADDED
        p = weights / weights.sum(axis=1, keepdims=True)
        return np.asarray(1 + (p * np.log(p)).sum(axis=1) / np.log(most))
    with np.errstate(invalid="ignore"):
        p = weights / weights.sum(axis=1, keepdims=True)
    return np.asarray(1 + (p * np.log(p + _TINY)).sum(axis=1) / np.log(most + _TINY))


def _weighted(each: NDArray[np.float64], weights: NDArray[np.float64], guarded: bool) -> float:
    if guarded and weights.sum() == 0:
        weights = np.ones_like(weights)
    with np.errstate(invalid="ignore"):
        return float((each * (weights / weights.sum())).sum())
