"""Whether a network that recognises people takes two pictures of one identity code for one person, and two of two not.

Source: the protocol of the paper in which one identity code was first shared by the pictures of a tuple, 2018, with an
embedding of the user's: theirs was a public network for faces.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from imgen.binding import Count, Place
from imgen.errors import DataError
from imgen.metrics import Evaluation, Measured, Metric, ms_ssim
from imgen.metrics.embedding.embedder import ORACLE, Embedding, embedder_of, network_of
from imgen.metrics.generated import check_identity, generated_pairs
from imgen.metrics.identity import auc_interval
from imgen.metrics.real_pairs import RealPairs, notes_on, real_pairs, rng_of
from imgen.metrics.verification import figures, missing, squared_distance
from imgen.metrics.weights import kept_with
from imgen.model import Embedder

_WORDS = (
    "squared distance of embeddings of length 1; one threshold for all, the lowest of 0 to 4 in steps of 0.01 that "
    "tells the most real pairs of validation people right; real figures on pairs of test people"
)


def identity_verification(*, embedding: Place = ORACLE, pairs: Count = 5000, identity: str = "identity") -> Metric:
    """Verification of generated identities by an embedding, with real pairs beside, and how diverse pairs are.

    `pairs` pairs of generated pictures share their identity code and as many have two; all other codes are fresh in
    every picture, and each identity code serves one pair only. Pictures are taken as 8-bit files would hold them,
    resized to the embedding's own size (bilinear). The distance of a pair is the squared distance of its embeddings,
    each divided by its length, and a pair is taken for one identity where that is not above a threshold. The threshold
    is the one of 0 to 4 in steps of 0.01 that tells the most pairs right, of as many real ones of either kind, of the
    people of the part validation; the lowest of several. It serves the generated pairs and the real pairs of the part
    test alike. These parts share nobody with each other, nor with the people that the shipped embedding recipes learn
    from; whether a generator has learnt from them is the choice of its recipe.

    `auc` is the chance that a pair of one code is nearer than a pair of two, with the ends of its bootstrap interval of
    95 % as `auc_low` and `auc_high`. At the threshold: `accuracy`; `far`, the share of pairs of two that pass for one;
    `tpr`, the share of pairs of one that do. `tar_at_far_<rate>` is `tpr` at the threshold that lets this share of the
    pairs of two pass. `id_diversity_<rule>` is 1 - MS-SSIM of the pairs that share a code and `all_diversity_<rule>` of
    those that do not, by the rules of `ms-ssim-diversity`. All of them stand beside as `real_` of real test pairs.

    The threshold is that of real pictures. An embedding, or an oracle, to which generated pictures look blurred places
    pairs of them farther apart, so that `tpr` and `accuracy` are low where `auc` is high: the ranks are right, and the
    threshold is not theirs.

    Settings:
        embedding: weights file, run, or user/name on the Hub, of a model with `embed`; oracle: of drawn identities
        pairs: pairs of either kind, generated, real of validation people, and real of test people [pairs]
        identity: which of the model's codes is the identity

    Raises: `DataError` where the model has no such code or no other, the data set does not tell whom pictures show or
    has too few pictures for so many pairs, or the embedding does not fit.
    """
    who = "identity-verification"

    def measure(evaluation: Evaluation) -> Measured:
        check_identity(evaluation, identity, who)
        embedder = embedder_of(evaluation, embedding, who)
        real = _kept(evaluation, embedder, embedding, pairs, who)
        generator = torch.Generator().manual_seed(evaluation.seed)
        same, id_terms = _generated(evaluation, embedder, pairs, generator, identity)
        different, all_terms = _generated(evaluation, embedder, pairs, generator, "")
        values = _values(same, different, real.tau, evaluation) | _diversity(id_terms, all_terms)
        beside = real.figures() | _diversity(real.terms["id"], real.terms["all"])
        return Measured(
            values=values | {f"real_{name}": value for name, value in beside.items()},
            counts={"pairs": 2 * pairs, "real_pairs": 2 * pairs, "validation_pairs": 2 * pairs, **_people(real)},
            protocol=f"{_WORDS}; embedding: {embedder.words}; diversity: 1 - {ms_ssim.PROTOCOL}",
            details=_details(real),
            notes=[*notes_on(embedder), *missing(values, pairs)],
        )

    return measure


def embedding_verification(*, pairs: Count = 5000) -> Metric:
    """How well a model that embeds tells real pairs of one identity from pairs of two, of people whom it never met.

    The threshold comes from `pairs` pairs of either kind of the people of the part validation, and the figures from as
    many of the part test: what `identity-verification` tells as `real_`.

    Settings:
        pairs: pairs of either kind, of validation and of test people [pairs]

    Raises: `DataError` where the model does not embed, or the data set does not tell whom pictures show or has too few
    pictures for so many pairs.
    """
    who = "embedding-verification"

    def measure(evaluation: Evaluation) -> Measured:
        if not isinstance(evaluation.model, Embedder):
            raise DataError(f"{who}: needs a model with `embed(images)`, such as the recipe 'embedding' trains")
        spec = evaluation.dataset.spec
        people = (evaluation.learnt or spec).people
        embedder = network_of(evaluation.model, spec.image, evaluation.device, people=people)
        real = real_pairs(evaluation, embedder, pairs, who)
        values = _values(real.same, real.different, real.tau, evaluation)
        return Measured(
            values=values,
            counts={"pairs": 2 * pairs, "validation_pairs": 2 * pairs, **_people(real)},
            protocol=f"{_WORDS}; pictures of {spec.image[2]}x{spec.image[1]}",
            details=_details(real),
            notes=[*notes_on(embedder), *missing(values, pairs)],
        )

    return measure


def _generated(
    evaluation: Evaluation, embedder: Embedding, pairs: int, generator: torch.Generator, identity: str
) -> tuple[np.ndarray[Any, Any], Tensor]:
    """Distances and terms of MS-SSIM of generated pairs, some of whose pictures are in memory at a time."""
    distances, terms = [], []
    for one, other in generated_pairs(evaluation, pairs, generator, identity):
        distances.append(squared_distance(embedder(one), embedder(other)))
        terms.append(ms_ssim.terms_of([(one, other)]))
    return np.concatenate(distances), torch.cat(terms)


def _values(same: Any, different: Any, tau: float, evaluation: Evaluation) -> dict[str, float]:
    low, high = auc_interval(same, different, rng_of(evaluation, "interval"))
    told = figures(same, different, tau)
    return {"auc": told.pop("auc"), "auc_low": low, "auc_high": high, **told}


def _diversity(same: Tensor, different: Tensor) -> dict[str, float]:
    return {
        f"{kind}_diversity_{rule}": value
        for kind, terms in (("id", same), ("all", different))
        for rule, value in ms_ssim.diversity(terms).items()
    }


def _people(real: RealPairs) -> dict[str, int]:
    return {f"{part}_people": people for part, people in real.people.items()}


def _details(real: RealPairs) -> dict[str, float]:
    return {"threshold": real.tau, "validation_accuracy": real.validation_accuracy}


def _kept(evaluation: Evaluation, embedder: Embedding, embedding: str, pairs: int, who: str) -> RealPairs:
    """What real pairs say: once for all evaluations of a run with the same embedding, seed and number of pairs."""
    kept = kept_with(evaluation.dataset)
    key = (who, embedding, embedder.digest, pairs, evaluation.seed)
    if key not in kept:
        kept[key] = real_pairs(evaluation, embedder, pairs, who, alike=True)
    found: RealPairs = kept[key]
    return found
