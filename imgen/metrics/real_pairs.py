"""Pairs of real pictures: where the threshold comes from, and what generated pairs are compared with."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from imgen.data.people import SHARES, People, Peopled
from imgen.data.spec import fetch
from imgen.errors import DataError
from imgen.images import to_float
from imgen.metrics import ms_ssim
from imgen.metrics.generated import CHUNK
from imgen.metrics.verification import Pairs, figures, squared_distance, threshold

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from imgen.metrics import Evaluation
    from imgen.metrics.embedding.embedder import Embedding


@dataclass(frozen=True, kw_only=True)
class RealPairs:
    """What real pairs say of an embedding.

    tau: the threshold found on the people of the part validation, where `validation_accuracy` of the pairs are told
    right; same, different: distances of pairs of the part test; people: of either part. terms: of MS-SSIM of the test
    pairs, by kind, where asked for.
    """

    tau: float
    validation_accuracy: float
    same: NDArray[np.float64]
    different: NDArray[np.float64]
    people: dict[str, int]
    terms: dict[str, Tensor] = field(default_factory=dict)

    def figures(self) -> dict[str, float]:
        """As `imgen.metrics.verification.figures` of the test pairs."""
        return figures(self.same, self.different, self.tau)


@dataclass(frozen=True, kw_only=True)
class _Part:
    """The people of one part, and their pairs: rows of the column, (n, 2)."""

    images: Any
    same: NDArray[np.int64]
    different: NDArray[np.int64]
    people: int


def rng_of(evaluation: Evaluation, purpose: str) -> np.random.Generator:
    """Random numbers that follow from the evaluation's seed and what they are for."""
    return np.random.default_rng([evaluation.seed, zlib.crc32(purpose.encode())])


def real_pairs(evaluation: Evaluation, embedder: Embedding, pairs: int, who: str, *, alike: bool = False) -> RealPairs:
    """The threshold from pairs of validation people, and the distances of as many pairs of test people.

    Every distinct pair of a kind is as likely as any other. alike: whether to compare the test pairs by MS-SSIM, too.

    Raises: `DataError` where the data set does not tell whom pictures show, or has too few of them in a part, or the
    embedding has learnt from those it is measured on.
    """
    dataset = evaluation.dataset
    if not isinstance(dataset, Peopled):
        raise DataError(f"{who}: needs a data set that tells whom each picture shows, such as 'identities' or 'shapes'")
    if embedder.people in ("validation", "test"):
        raise DataError(
            f"{who}: the embedding has learnt from the people '{embedder.people}', who are measured on; train it on "
            "the people 'embedding'"
        )
    known = _part(evaluation, dataset, "validation", pairs, who)
    tau, accuracy = threshold(*_distances(embedder, known))
    asked = _part(evaluation, dataset, "test", pairs, who)
    same, different = _distances(embedder, asked)
    terms = {"id": asked.same, "all": asked.different} if alike else {}
    return RealPairs(
        tau=tau,
        validation_accuracy=accuracy,
        same=same,
        different=different,
        people={"validation": known.people, "test": asked.people},
        terms={kind: ms_ssim.terms_of(_pictures(asked.images, rows)) for kind, rows in terms.items()},
    )


def notes_on(embedder: Embedding) -> list[str]:
    """What a reader must know of whom an embedding has learnt from."""
    if embedder.people in ("none", "train", "embedding"):
        return []
    return [
        "the embedding does not tell whom it has learnt from; if from the people measured on, the figures flatter it"
        if embedder.people == ""
        else "the embedding has learnt from all people of its data set; if this is the same, the figures flatter it"
    ]


def _part(evaluation: Evaluation, dataset: Peopled, part: People, pairs: int, who: str) -> _Part:
    try:
        of_part = dataset.among(part)
    except DataError as error:
        raise DataError(f"{who}: {error}") from error
    found = Pairs(of_part.identity)
    if min(found.same, found.different) < pairs:
        people, pictures = len(of_part.identity_names), len(of_part.identity)
        fewer = min(found.same, found.different)
        instead = f"set pairs to {fewer:,} or less, or give more people" if fewer else "give more people"
        raise DataError(
            f"{who}: {pairs:,} distinct pairs of either kind are needed, and the {people:,} people '{part}' with "
            f"{pictures:,} pictures have {found.same:,} of one identity and {found.different:,} of two; "
            f"{instead}: one in {round(1 / SHARES[part])} is in this part"
        )
    rng = rng_of(evaluation, part)
    same = found.draw_same(pairs, rng)
    different = found.draw_different(pairs, rng)
    people = len(of_part.identity_names)
    return _Part(images=of_part.columns["images"], same=same, different=different, people=people)


def _distances(embedder: Embedding, part: _Part) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of pairs of one identity, and of two. Each picture is embedded once."""
    rows, place = np.unique(np.concatenate([part.same, part.different]), return_inverse=True)
    chunks = (rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK))
    embedded = embedder.all(to_float(fetch(part.images, chunk)) for chunk in chunks)
    one, other = torch.from_numpy(place.reshape(-1, 2)).unbind(1)
    apart = squared_distance(embedded[one], embedded[other])
    return apart[: len(part.same)], apart[len(part.same) :]


def _pictures(images: Any, pairs: NDArray[np.int64]) -> Iterator[tuple[Tensor, Tensor]]:
    for start in range(0, len(pairs), CHUNK):
        some = pairs[start : start + CHUNK]
        yield to_float(fetch(images, some[:, 0])), to_float(fetch(images, some[:, 1]))
