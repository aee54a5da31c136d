"""Codes of things of which the factors are known: where every score of disentanglement gets them from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch

from imgen.data.factors import Factored
from imgen.data.spec import Factor, fetch
from imgen.errors import DataError
from imgen.images import to_float
from imgen.model import Encoder

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from imgen.metrics import Evaluation

_TOGETHER = 2048  # pictures that are drawn at once
_BATCH = 256  # pictures in a forward pass


class Rows(NamedTuple):
    """Codes (n, D), and of the same things the factors' values and their places among them, (n, K) each."""

    codes: NDArray[np.float32]
    values: NDArray[np.float64]
    places: NDArray[np.int64]


class Groups(NamedTuple):
    """Codes (M, L, D) of M groups of L things that share the value of one factor; which one: labels (M,)."""

    codes: NDArray[np.float32]
    labels: NDArray[np.int64]


@runtime_checkable
class Representation(Protocol):
    """Codes, D numbers for each thing, and the K factors that things differ in.

    Everything follows from `rng`. Where something is kept in files, what is asked for may not be there.
    """

    @property
    def factors(self) -> Sequence[Factor]:
        """Of variation, in order."""

    @property
    def things(self) -> int:
        """How many different ones there are: pictures of the data set, rows of a file."""

    def rows(self, n: int, rng: np.random.Generator, held_out: bool = False) -> Rows:
        """n draws of all factors. held_out: other ones, to test on what was fitted to the former.

        Raises: `DataError` where there are not so many.
        """

    def anywhere(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Codes of n different things, (n, D), whatever they show: how far each code ranges.

        Raises: `DataError` where there are not so many.
        """

    def groups(self, count: int, size: int, rng: np.random.Generator, in_turn: bool = True) -> Groups:
        """`count` groups of `size` that share one value of one factor: of each factor in turn, or of one by chance.

        Raises: `DataError` where there are not so many.
        """


@dataclass(frozen=True)
class ModelCodes:
    """What an encoder makes of a data set with known factors: its best guess, or draws where it is `sampled`."""

    model: Encoder
    dataset: Factored
    device: torch.device
    sampled: bool = False

    @property
    def factors(self) -> Sequence[Factor]:
        """Of the data set."""
        return self.dataset.spec.factors

    @property
    def things(self) -> int:
        """Pictures of the data set."""
        return int(self.dataset.columns["images"].shape[0])  # type: ignore[attr-defined]

    def rows(self, n: int, rng: np.random.Generator, held_out: bool = False) -> Rows:
        """Fresh draws with replacement, whether held out or not."""
        values = self.dataset.draw_factors(n, rng)
        return Rows(self._of(values, rng), values, self.dataset.places(values))

    def anywhere(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Pictures of the data set itself, without replacement.

        Raises: `DataError` where it has not so many.
        """
        if n > self.things:
            raise DataError(f"needs {n:,} different pictures; the data set has {self.things:,}")
        rows = rng.permutation(self.things)[:n]
        column = self.dataset.columns["images"]  # type: ignore[attr-defined]
        parts = (fetch(column, rows[start : start + _TOGETHER]) for start in range(0, n, _TOGETHER))
        return self._encoded(parts, rng)

    def groups(self, count: int, size: int, rng: np.random.Generator, in_turn: bool = True) -> Groups:
        """All factors but the shared one are drawn anew for every picture; the shared one is the first picture's."""
        factors = len(self.factors)
        labels = np.arange(count) % factors if in_turn else rng.integers(0, factors, count)
        values = self.dataset.draw_factors(count * size, rng).reshape(count, size, factors)
        each = np.arange(count)
        values[each, :, labels] = values[each, 0, labels, None]
        return Groups(self._of(values.reshape(-1, factors), rng).reshape(count, size, -1), labels.astype(np.int64))

    def _of(self, values: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float32]:
        starts = range(0, len(values), _TOGETHER)
        return self._encoded((self.dataset.show(values[at : at + _TOGETHER]) for at in starts), rng)

    def _encoded(self, images: Iterable[Tensor], rng: np.random.Generator) -> NDArray[np.float32]:
        """Parts of uint8 (n, C, H, W) to codes (sum of n, D)."""
        noise = torch.Generator(self.device).manual_seed(int(rng.integers(2**62))) if self.sampled else None
        with torch.no_grad():
            parts = [
                self.model.encode(to_float(some.to(self.device)), noise).float().cpu()
                for part in images
                for some in part.split(_BATCH)
            ]
        return torch.cat(parts).numpy()


def representation_of(evaluation: Evaluation, sampled: bool = False) -> Representation:
    """The codes that an evaluation is about.

    sampled: draw from an encoder that has a distribution of codes, instead of its best guess.
    Raises: `DataError` where the model reads no codes, or nothing is known of the data's factors.
    """
    if isinstance(evaluation.model, Representation):
        return evaluation.model
    if not isinstance(evaluation.model, Encoder):
        raise DataError("this model reads no codes from pictures; measure one that does, or a file of codes")
    if not isinstance(evaluation.dataset, Factored):
        raise DataError("nothing is known of the factors of this data; take dsprites or the like")
    return ModelCodes(evaluation.model, evaluation.dataset, evaluation.device, sampled)
