"""Measurements of a trained model: factories of functions from an `Evaluation` to named numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import torch
    from torch import nn

    from imgen.data.spec import Dataset, DataSpec

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What a metric is given: the averaged model in evaluation mode, the run's data, and a seed to be true to."""

    model: nn.Module | Any
    dataset: Dataset
    device: torch.device
    seed: int
    learnt: DataSpec | None = None
    """The data that the model has learnt from, where they are not `dataset`."""
    shared: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)
    """What metrics of this evaluation have in common, by the key of `once`."""

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, made by the first metric that asks: codes or features that several measure.

        key: says all that it depends on but for this evaluation, so that who asks first makes no difference.
        """
        if key not in self.shared:
            self.shared[key] = make()
        found: T = self.shared[key]
        return found


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a metric found, for those that have more to tell than numbers by name.

    values: by name; NaN is a number that the protocol leaves undefined here, and a note says why.
    counts: what it was measured on, such as {"pictures": 50000}. protocol: in words, what must be equal for numbers to
    be comparable. details: matrices and the like, as plain JSON values. notes: what a reader of the numbers must know.
    """

    values: Mapping[str, float]
    counts: Mapping[str, int] = field(default_factory=dict)
    protocol: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()


Metric = Callable[[Evaluation], "Mapping[str, float] | Measured"]


def measured(told: Mapping[str, float] | Measured) -> Measured:
    """What any metric gave, in full."""
    return told if isinstance(told, Measured) else Measured(values=told)


def number(value: float | None) -> str:
    """A number for people, with as many places as matter; None and NaN stand for one that is undefined."""
    if value is None or math.isnan(value):
        return "undefined"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.4g}"
