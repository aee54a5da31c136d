"""Pictures that a model makes, and the real ones beside them: what measurements of quality and diversity compare."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from imgen.data.spec import Column, fetch
from imgen.errors import DataError
from imgen.images import from_float, to_float
from imgen.metrics.editing import edit_sets, heads_of, key_of, known_values
from imgen.metrics.generated import looking
from imgen.metrics.translation import directions, rows_of, translate
from imgen.model import Generator, Translator, Way

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imgen.metrics import Evaluation

PART = 256
"""Pictures that are made or read at once; those of one part do not depend on how many parts there are."""
_PASS = 64  # latents in a forward pass, always as many: kernels round differently for different batches
_MOST_KEPT = 2 * 2**30  # bytes of made pictures that an evaluation keeps; more are made again for who asks again


@dataclass(frozen=True)
class Pictures:
    """Pictures that are made or read a part at a time, so that many large ones need not fit into memory.

    key: says which they are, among those of one evaluation. part: the pictures from `start` up to `stop`, uint8
    (stop - start, C, H, W) on the CPU; `start` is a multiple of `PART`.
    """

    count: int
    key: Hashable
    part: Callable[[int, int], Tensor]

    def parts(self) -> Iterator[Tensor]:
        """All of them, in order, at most `PART` at once."""
        for start in range(0, self.count, PART):
            yield self.part(start, min(start + PART, self.count))


@dataclass(frozen=True)
class Comparison:
    """What a model makes, and what it should look like.

    name: of the way, such as "ab", or "" where the model makes pictures from latents.
    """

    name: str
    made: Pictures
    real: Pictures


def comparisons(evaluation: Evaluation, n: int, metric: str) -> list[Comparison]:
    """What a model makes beside real pictures, at most n on either side.

    A model that makes pictures from latents: n of them, and pictures to train on, taken evenly. A model that translates
    between two domains: for each way, held-out pictures of the source translated, and held-out pictures of the target.
    A model that sets attributes: for each value, held-out pictures that are known to show another, edited, and held-out
    pictures that are known to show it.

    Raises: `DataError`, beginning with the metric's name, where the model or the data are none of these.
    """
    spec = evaluation.dataset.spec
    if spec.vector:
        raise DataError(f"{metric}: needs pictures; the items of this data set are vectors")
    if isinstance(evaluation.model, Generator):
        return [Comparison("", generated(evaluation, n, metric), real_pictures(evaluation, n, metric))]
    if not isinstance(evaluation.model, Translator):
        raise DataError(f"{metric}: needs a model that makes pictures, from latents or from others; this one does not")
    if spec.domains:
        return _between_domains(evaluation, n, metric)
    return _edits(evaluation, n, metric)


def generated(evaluation: Evaluation, n: int, metric: str) -> Pictures:
    """n pictures of a model that makes them from latents: picture i follows from i and the evaluation's seed alone.

    All codes are drawn from their priors, anew for each picture. Metrics of one evaluation share what was made.

    Raises: `DataError`, beginning with the metric's name, where what the model makes is no picture of the data's size.
    """
    model: Any = evaluation.model
    kept = n * int(np.prod(evaluation.dataset.spec.image)) <= _MOST_KEPT

    def make(block: int) -> Tensor:
        words = np.random.SeedSequence([evaluation.seed, zlib.crc32(b"generated pictures"), block]).generate_state(2)
        generator = torch.Generator().manual_seed(int(words[0]) << 31 | int(words[1]) >> 1)
        latents = torch.cat([model.draw(code, PART, generator).float() for code in model.codes], dim=1)
        with looking(model), torch.no_grad():
            made = [model(some.to(evaluation.device)) for some in latents.split(_PASS)]
        return torch.cat([_checked(evaluation, some, metric) for some in made])

    def part(start: int, stop: int) -> Tensor:
        block = start // PART
        made = evaluation.once(("generated pictures", block), lambda: make(block)) if kept else make(block)
        return made[: stop - start]

    return Pictures(n, ("generated", n), part)


def real_pictures(evaluation: Evaluation, n: int, metric: str) -> Pictures:
    """At most n of the pictures to train on, taken evenly.

    Raises: `DataError`, beginning with the metric's name, where the data set has no pictures under "images".
    """
    column = evaluation.dataset.columns.get("images")
    if column is None:
        raise DataError(f"{metric}: needs a data set with a column of pictures, 'images'")
    return _read(column, rows_of(int(column.shape[0]), n), ("real", n))


def _checked(evaluation: Evaluation, images: Tensor, metric: str) -> Tensor:
    wanted, shape = tuple(evaluation.dataset.spec.image), tuple(images.shape[1:])
    if shape != wanted:
        raise DataError(f"{metric}: the model makes pictures of {shape}, the data set has {wanted}; they must be equal")
    if not images.isfinite().all():
        raise DataError(f"{metric}: the model makes pictures whose pixels are no numbers (NaN or infinity)")
    return from_float(images).cpu()


def _read(column: Tensor | Column, rows: NDArray[np.int64], key: Hashable) -> Pictures:
    return Pictures(len(rows), key, lambda start, stop: fetch(column, rows[start:stop]))


def _translated(
    evaluation: Evaluation, column: Tensor | Column, rows: NDArray[np.int64], way: Way, metric: str
) -> Pictures:
    """What becomes of pictures of a column."""

    def part(start: int, stop: int) -> Tensor:
        made = translate(evaluation, to_float(fetch(column, rows[start:stop])), way)
        return _checked(evaluation, made, metric)

    return Pictures(len(rows), ("translated", way, len(rows)), part)


def _between_domains(evaluation: Evaluation, n: int, metric: str) -> list[Comparison]:
    ways = directions(evaluation, metric)
    test: Any = getattr(evaluation.dataset, "test", {})
    found = []
    for key, way in ways.items():
        for side in key:
            if side not in test or not test[side].shape[0]:
                name = evaluation.dataset.spec.domains["ab".index(side)]
                raise DataError(f"{metric}: the data set holds nothing of '{name}' out; hold pictures of both out")
        source, target = (rows_of(int(test[side].shape[0]), n) for side in key)
        made = _translated(evaluation, test[key[0]], source, way, metric)
        found.append(Comparison(key, made, _read(test[key[1]], target, ("held out", key[1], n))))
    return found


def _edits(evaluation: Evaluation, n: int, metric: str) -> list[Comparison]:
    heads, known = heads_of(evaluation, metric), known_values(evaluation)
    column: Any = evaluation.dataset.test["images"]  # type: ignore[attr-defined]
    attributes = evaluation.dataset.spec.attributes
    found = []
    for place, value, rows in edit_sets(heads, known, n):
        showing = np.flatnonzero(known[:, place] == value)
        if not len(showing):
            continue
        real = _read(column, showing[rows_of(len(showing), n)], ("held out", place, value, n))
        made = _translated(evaluation, column, rows, heads[place, value], metric)
        found.append(Comparison(key_of(attributes[place].values[value]), made, real))
    if not found:
        raise DataError(f"{metric}: needs held-out pictures that show a value, and others that show another")
    return found
