"""The score of FactorVAE: the code that varies least in a group votes for the factor that the group shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def winners(codes: NDArray[np.floating], scale: NDArray[np.floating], exact: bool = True) -> NDArray[np.int64]:
    """The code of each group whose standard deviation within it, over `scale`, is smallest.

    The first of several; one that is no number, as of a code whose scale is 0, comes before all others.
    exact: reckoned in 64 bits. Otherwise as precisely as `codes` and `scale` are: of several codes that do not vary
    within a group, rounding then decides which is the smallest.

    Shapes: codes: (M, L, D), scale: (D,) -> (M,).
    Source: Kim and Mnih, "Disentangling by factorising", 2018, section 3.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = (codes / scale).std(axis=1, dtype=np.float64 if exact else None)
    return np.asarray(spread.argmin(axis=1), np.int64)


def ballot(winning: NDArray[np.int64], labels: NDArray[np.int64], codes: int, factors: int) -> NDArray[np.int64]:
    """How often each code won a group of each factor. Shapes: winning, labels: (M,) -> (codes, factors)."""
    votes = np.zeros((codes, factors), np.int64)
    np.add.at(votes, (winning, labels), 1)
    return votes


def majority(votes: NDArray[np.integer]) -> float:
    """The share of votes that the majority of their code agrees with, from 0 to 1. Shapes: votes: (D, K)."""
    return float(votes.max(axis=1).sum() / votes.sum())


def revised_majority(votes: NDArray[np.integer]) -> float:
    """`majority`, of the K codes alone whose largest factor has most votes: sharing a factor out is no gain."""
    best = np.sort(votes.max(axis=1))[::-1]
    return float(best[: votes.shape[1]].sum() / votes.sum())


def spread(codes: NDArray[np.floating]) -> NDArray[np.float64]:
    """The standard deviation of each code in a sample, an estimate of that of all (n - 1). Shapes: (n, D) -> (D,)."""
    return np.asarray(codes.std(axis=0, ddof=1, dtype=np.float64), np.float64)


def active(spread: NDArray[np.floating], least: float) -> NDArray[np.int64]:
    """Codes that take part in a vote: those that vary at all, by `least` or more. Shapes: (D,) -> (active,)."""
    return np.flatnonzero((spread >= least) & (spread > 0))


def agreement(trained: NDArray[np.integer], tested: NDArray[np.integer]) -> float:
    """The share of `tested` votes that fall to the factor that most `trained` votes of their code fell to.

    Shapes: (D, K) each.
    """
    told = trained.argmax(axis=1)
    return float(tested[np.arange(len(tested)), told].sum() / tested.sum())
