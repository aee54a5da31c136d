"""Pictures of which some are labelled: what every such data set is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from imgen.data.pictures import Report
from imgen.data.samplers import Sampler
from imgen.data.spec import Column, DataSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Pictures and what is known of their attributes, with some held out for tests.

    spec: its `attributes` say what is labelled. columns: to train on: "images", and "attributes", int64 (N, A), the
    place of a value among those of its attribute, or -1 where it is not known or not to be seen. test: held out, under
    the same names, with all that is known of them. truth: all that is known of the pictures to train on, (N, A): for
    classifiers that measure, never for a model that learns from few labels.
    sampler: rows of a batch. chosen: (N,) which rows were chosen to be labelled, known or not, where that was asked.
    test_names: of the held-out pictures, under "images", where they have names.
    report: what became of the pictures; origin: how they were read.
    """

    spec: DataSpec
    columns: Mapping[str, Tensor | Column]
    truth: Tensor
    sampler: Sampler
    test: Mapping[str, Tensor | Column] = field(default_factory=dict)
    test_names: Mapping[str, list[str]] = field(default_factory=dict)
    chosen: NDArray[np.bool_] | None = None
    report: Report | None = None
    origin: Mapping[str, str] = field(default_factory=dict)

    def draw(self, n: int, rng: np.random.Generator) -> Mapping[str, NDArray[np.int64]]:
        """Rows of n pictures, with what is known of them."""
        return dict.fromkeys(self.columns, self.sampler(n, rng))
