"""Whether translated points reach every mode, whether source modes keep apart, and whether the way back leads home."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from imgen.binding import Count
from imgen.errors import DataError
from imgen.metrics.translation import rows_of, translate, translated, way_between
from imgen_discogan.toy.modes import Modes, distances, nearest

if TYPE_CHECKING:
    from imgen.metrics import Evaluation

NEAR = 3.0
"""A point within so many sigma of a mode belongs to it."""
COVERED = 0.01
"""The part of all points that a mode must receive to be covered."""
SHARED = 0.05
"""The part of a source mode's points that must lie nearest to a target mode to count as sent there."""


def coverage(points: Tensor, targets: Tensor, sigma: float) -> int:
    """How many target modes receive 1 % of the points or more within 3 sigma.

    Shapes: points: (N, 2), targets: (M, 2).
    """
    near, mode = distances(points, targets).min(dim=1)
    received = torch.bincount(mode[near <= NEAR * sigma], minlength=len(targets))
    return int((received >= COVERED * len(points)).sum())


def quality(points: Tensor, targets: Tensor, sigma: float) -> float:
    """The part of the points within 3 sigma of some target mode. Shapes: points: (N, 2), targets: (M, 2)."""
    return float((distances(points, targets).min(dim=1).values <= NEAR * sigma).double().mean())


def collisions(points: Tensor, source: Tensor, targets: Tensor) -> int:
    """How many pairs of source modes share a target mode: each sends 5 % or more of its own points nearest to it.

    Shapes: points: (N, 2), source: (N,), the mode that each point came from, targets: (M, 2).
    """
    to = nearest(points, targets)
    reached = []
    for mode in source.unique():
        own = torch.bincount(to[source == mode], minlength=len(targets))
        reached.append(own >= SHARED * own.sum())
    return sum(bool((one & other).any()) for one, other in combinations(reached, 2))


def toy_modes(*, samples: Count = 2_000) -> Callable[[Evaluation], dict[str, float]]:
    """Where held-out points of five modes go when they are translated to ten.

    `samples` held-out points of "a", taken evenly, are translated to "b". `coverage`: of the ten modes, how many
    receive 1 % of the points or more within 3 sigma. `collisions`: of the ten pairs of source modes, how many share a
    target mode, each sending 5 % of its own points or more nearest to it. `quality`: the part of the points within
    3 sigma of some mode. `cycle_error`, where the model has the way back: the mean squared error per coordinate
    between the points and what comes back.

    Settings:
        samples: points that are translated, at most as many as are held out [points]

    Raises: `DataError` where the data set is another one, or the model has no way from "a" to "b".
    """

    def measure(evaluation: Evaluation) -> dict[str, float]:
        dataset = evaluation.dataset
        if not isinstance(dataset, Modes):
            raise DataError("toy-modes: needs the data set 'toy-modes', whose modes are known")
        way, back = way_between(evaluation, "a", "b"), way_between(evaluation, "b", "a")
        if way is None:
            source, target = dataset.spec.domains
            raise DataError(f"toy-modes: needs a model that translates '{source}' to '{target}'; this one cannot")
        points, moved = translated(evaluation, way, samples)
        source_mode = dataset.test_mode["a"][torch.from_numpy(rows_of(len(dataset.test_mode["a"]), samples))]
        targets = dataset.modes["b"]
        told = {
            "coverage": float(coverage(moved, targets, dataset.sigma)),
            "collisions": float(collisions(moved, source_mode, targets)),
            "quality": quality(moved, targets, dataset.sigma),
        }
        if back is not None:
            told["cycle_error"] = float((translate(evaluation, moved, back) - points).double().square().mean())
        return told

    return measure
