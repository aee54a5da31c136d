"""Do two pictures show one identity? Pairs to ask it of, distances that answer it, and how often they are right."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from imgen.metrics.identity import auc

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

STEP, FARTHEST = 0.01, 4.0
"""Thresholds that are tried: every hundredth from 0 to 4, the farthest that two points of a unit sphere can be."""
FALSE_ACCEPTS = {"0.1": 0.1, "0.01": 0.01, "0.001": 0.001}
"""Rates of false accepts at which the rate of true ones is told, as they are written."""
FEWEST_ACCEPTED = 5
"""Pairs of two identities that a rate of false accepts must let through for a number to be told."""


class Pairs:
    """All pairs of two different pictures of one identity, and all of two identities: counted, and drawn evenly."""

    def __init__(self, identity: NDArray[np.int64]) -> None:
        """identity: (N,) whom each picture shows."""
        self._order = np.argsort(identity, kind="stable")
        ordered = identity[self._order]
        # Of the pictures in order of identity, each has those behind it up to here as partners of its own identity,
        # and all from here on as partners of another.
        self._end = np.searchsorted(ordered, ordered, side="right")
        place = np.arange(len(ordered))
        self._after_same = np.cumsum(self._end - place - 1)
        self._after_different = np.cumsum(len(ordered) - self._end)
        self.same = int(self._after_same[-1]) if len(ordered) else 0
        self.different = int(self._after_different[-1]) if len(ordered) else 0

    def draw_same(self, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Rows of n distinct pairs of one identity, (n, 2), every such pair as likely as any other; n up to `same`."""
        return self._draw(self._after_same, np.arange(len(self._order)) + 1, self.same, n, rng)

    def draw_different(self, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Rows of n distinct pairs of two identities, (n, 2), as in `draw_same`; n up to `different`."""
        return self._draw(self._after_different, self._end, self.different, n, rng)

    def _draw(
        self, after: NDArray[np.int64], first: NDArray[np.int64], total: int, n: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Numbers of pairs, each found as a picture and one of its partners. after: pairs up to and with a picture."""
        number = rng.choice(total, n, replace=False)
        one = np.searchsorted(after, number, side="right")
        before = np.where(one > 0, after[one - 1], 0)
        other = first[one] + number - before
        return np.stack([self._order[one], self._order[other]], axis=1)


def squared_distance(a: Tensor, b: Tensor) -> NDArray[np.float64]:
    """The squared distance of each pair of rows, 0 to 4 where they are of length 1. Shapes: (N, D) twice -> (N,)."""
    apart: NDArray[np.float64] = (a.double() - b.double()).square().sum(dim=1).cpu().numpy()
    return apart


def threshold(same: NDArray[np.floating], different: NDArray[np.floating]) -> tuple[float, float]:
    """The threshold at which the most pairs are told right, and the share of these, both kinds weighing alike.

    Tried are 0 to 4 in steps of 0.01; of several that are equally good, the lowest. A pair is of one identity where
    its distance is not above the threshold.

    Raises: `ValueError` where either kind is empty or holds NaN.
    """
    if not len(same) or not len(different) or np.isnan(same).any() or np.isnan(different).any():
        raise ValueError("a threshold needs distances of both kinds, none of them NaN")
    tried = np.arange(round(FARTHEST / STEP) + 1) * STEP
    right = (_accepted(same, tried) + 1 - _accepted(different, tried)) / 2
    best = int(np.argmax(right))
    return float(tried[best]), float(right[best])


def figures(same: NDArray[np.floating], different: NDArray[np.floating], tau: float) -> dict[str, float]:
    """How well distances tell pairs of one identity from pairs of two.

    auc: as in `imgen.metrics.identity.auc`. At the threshold tau: accuracy, both kinds weighing alike; far, the share
    of pairs of two identities that pass for one; tpr, the share of pairs of one that do. tar_at_far_<rate>: tpr at the
    highest threshold that lets no more than this share of pairs of two identities pass; NaN where that share is of
    fewer than 5 pairs.
    """
    far, tpr = (float((each <= tau).mean()) for each in (different, same))
    told = {"auc": auc(same, different), "accuracy": (tpr + 1 - far) / 2, "far": far, "tpr": tpr}
    return told | {f"tar_at_far_{name}": accepts_at(same, different, rate) for name, rate in FALSE_ACCEPTS.items()}


def accepts_at(same: NDArray[np.floating], different: NDArray[np.floating], rate: float) -> float:
    """The share of pairs of one identity that are nearer than all but `rate` of the pairs of two; NaN for too few."""
    if len(different) < fewest(rate):
        return math.nan
    # The addend is for 0.001 * 5000, which might fall short of 5.
    barred = np.sort(different)[int(rate * len(different) + 1e-9)]
    return float((same < barred).mean())


def fewest(rate: float) -> int:
    """How many pairs of two identities a rate of false accepts needs."""
    return round(FEWEST_ACCEPTED / rate)


def missing(told: Mapping[str, float], pairs: int) -> list[str]:
    """A note for every rate of false accepts that so many pairs are too few for."""
    return [
        f"tar_at_far_{name} needs {fewest(rate):,} pairs of two identities or more, not {pairs:,}"
        for name, rate in FALSE_ACCEPTS.items()
        if math.isnan(told[f"tar_at_far_{name}"])
    ]


def _accepted(distances: NDArray[np.floating], tried: NDArray[np.floating]) -> NDArray[np.float64]:
    """The share of distances that are not above each threshold."""
    return np.searchsorted(np.sort(distances), tried, side="right") / len(distances)
