"""Models in the order in which they are to be taken."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imgen.selecting import udr
from imgen.selecting.centrality import Plan, both_ways, centrality, cross_scores
from imgen.selecting.reading import Work, fixable

METHODS: Mapping[str, udr.Kind | None] = {"model-centrality": None, "udr-lasso": "lasso", "udr-spearman": "spearman"}
"""By name; of UDR how codes are related."""


@dataclass(frozen=True)
class Ranking:
    """What a method says of N models, in the order in which they were given.

    scores: the larger the better. pairs: (N, N), row by column as `axes` say; alike: what the scores are means or
    medians of, (N, N). settings: all that the numbers depend on; notes: what their reader must know.
    each: what else was found of every model, by name.
    """

    method: str
    names: Sequence[str]
    scores: NDArray[np.float64]
    pairs: NDArray[np.float64]
    alike: NDArray[np.float64]
    axes: tuple[str, str]
    settings: Mapping[str, Any]
    notes: Sequence[str] = ()
    each: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @property
    def order(self) -> list[int]:
        """Places of the models, best first; of equals the one that was given first."""
        return sorted(range(len(self.names)), key=lambda place: (-self.scores[place], place))

    def to_json(self) -> dict[str, Any]:
        """As plain values, in the order in which models were given."""
        return {
            "method": self.method,
            "settings": dict(self.settings),
            "names": list(self.names),
            "scores": _plain(self.scores),
            "rows": self.axes[0],
            "columns": self.axes[1],
            "pairs": _plain(self.pairs),
            "alike": _plain(self.alike),
            "notes": list(self.notes),
        }


def by_centrality(
    names: Sequence[str], models: Sequence[Any], shape: Sequence[int], plan: Plan, device: torch.device
) -> Ranking:
    """By ModelCentrality. shape: (C, H, W) of a picture."""
    found = cross_scores(models, shape, plan, device)
    alike = both_ways(found)
    counts = sorted({len(fixable(model)) for model in models})
    notes = []
    if len(counts) > 1:
        notes.append(
            f"models have {' or '.join(map(str, counts))} codes: with fewer of them a vote is more often right by "
            "chance, so scores of the ones and the others do not quite compare"
        )
    if len(names) == 2:
        notes.append("two models always score alike; three or more tell which to take")
    settings = {
        "groups per code": plan.groups,
        "group size": plan.size,
        "free": plan.free,
        "seed": plan.seed,
        "batch": plan.batch,
    }
    axes = "codes read by", "pictures made by"
    own = {"own": [float(value) for value in found.diagonal()]}
    return Ranking("model-centrality", list(names), centrality(alike), found, alike, axes, settings, tuple(notes), own)


def by_udr(
    names: Sequence[str],
    models: Sequence[Any],
    parts: Iterable[Tensor],
    shape: Sequence[int],
    method: str,
    work: Work,
    told: Sequence[str] = (),
) -> Ranking:
    """By UDR. parts: pictures that all models read, as floats on the device; told: notes about them."""
    kind = METHODS[method]
    assert kind is not None, f"{method} is no kind of UDR"
    found = udr.compare(models, parts, shape, kind, work)
    settings = {"pictures": found.pictures, "seed": work.seed, "batch": work.batch}
    alive = [int(keep.sum()) for keep in found.informative]
    notes = [*told]
    if not all(alive):
        notes.append("a model none of whose codes tells anything scores 0")
    axes = "explaining codes of", "explained codes of"
    return Ranking(
        *(method, list(names), udr.scores(found.pairs), found.pairs, found.pairs, axes, settings, tuple(notes)),
        {"informative codes": alive},
    )


def _plain(values: NDArray[np.float64]) -> Any:
    told = values.tolist()
    if values.ndim == 1:
        return [value if math.isfinite(value) else None for value in told]
    return [[value if math.isfinite(value) else None for value in row] for row in told]
