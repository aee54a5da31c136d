"""From a model to a score of features: one row for what is made, and one for real pictures beside."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from imgen.errors import DataError
from imgen.metrics import Measured
from imgen.metrics.quality.features import Seen, seen, seen_real
from imgen.metrics.quality.networks import Network, network_of
from imgen.metrics.quality.pictures import Comparison, comparisons

if TYPE_CHECKING:
    from imgen.metrics import Evaluation

Values = Mapping[str, float]
Score = Callable[[Seen, Seen, np.random.Generator], Values]
"""What is told of made features beside real ones."""

REAL = "_real"
_HALVES = 20201  # the seed by which real pictures are parted: the same halves whatever is evaluated


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a metric asks of features.

    metric: its name. network, weights, clean, pictures: as it was set. score: what it tells. least: features that it
    needs on either side. floor: what it tells of real pictures alone; None: the score of one half beside the other.
    of: "features" or "chances", which it is about. words: of the protocol, beside network, resizing and counts.
    remark: a note that depends on the network and the smallest count.
    """

    metric: str
    network: str
    weights: str | None
    clean: bool
    pictures: int
    score: Score
    least: int
    floor: Callable[[Seen, np.random.Generator], Values] | None = None
    of: str = "features"
    words: str = ""
    remark: Callable[[Network, int], str] | None = None


def answer(evaluation: Evaluation, ask: Question) -> Measured:
    """The score of what a model makes, by way where there are several, then with means over ways.

    Raises: `DataError`, beginning with the metric's name, where something does not fit.
    """
    pairs = comparisons(evaluation, ask.pictures, ask.metric)
    network = evaluation.once(
        ("feature network", ask.network, ask.weights),
        lambda: network_of(ask.network, ask.weights, evaluation.device, ask.metric),
    )
    if not (network.dimension if ask.of == "features" else network.classes):
        lacks = "gives no features (`embed`)" if ask.of == "features" else "tells no classes"
        raise DataError(f"{ask.metric}: the network {network.name} {lacks}; choose another network")
    resizing = "clean" if ask.clean else network.resizing
    try:
        found = [_compared(evaluation, ask, network, resizing, pair) for pair in pairs]
    except DataError as error:
        text = str(error)
        raise DataError(text if text.startswith(f"{ask.metric}:") else f"{ask.metric}: {text}") from error
    values, origins = joined([(name, told) for name, told, _ in found]), {origin for _, _, origin in found}
    height, width = network.shape[1:]
    asked = f"at most {ask.pictures:,} pictures of either kind"
    return Measured(
        values=values,
        counts=counts_of(pairs),
        protocol=(
            f"{ask.metric}: network {network.name} ({network.digest[:12]}) at {height}x{width}, resizing {resizing}, "
            f"{asked}{', ' if ask.words else ''}{ask.words}"
        ),
        details={
            "network": network.name,
            "weights": network.digest,
            "resizing": resizing,
            "real_features": "kept from an earlier evaluation" if origins == {"kept"} else "seen now",
        },
        notes=_notes(evaluation, ask, network, pairs, values),
    )


def joined(found: Sequence[tuple[str, Values]]) -> dict[str, float]:
    """Means over ways, and then those of each way; of one without a name, its own."""
    if len(found) == 1 and not found[0][0]:
        return dict(found[0][1])
    means = {key: float(np.mean([told[key] for _, told in found])) for key in found[0][1]}
    return means | {f"{key}_{name}": value for name, told in found for key, value in told.items()}


def counts_of(pairs: list[Comparison]) -> dict[str, int]:
    """How many pictures were made, and how many real ones are beside, by way."""
    told: dict[str, int] = {}
    for pair in pairs:
        end = f"_{pair.name}" if pair.name else ""
        told |= {f"pictures{end}": pair.made.count, f"real{end}": pair.real.count}
    return told


def _compared(
    evaluation: Evaluation, ask: Question, network: Network, resizing: str, pair: Comparison
) -> tuple[str, Values, str]:
    """The way's name, both rows, and whether features of real pictures were kept."""
    where = f" of '{pair.name}'" if pair.name else ""
    if min(pair.made.count, pair.real.count) < ask.least:
        raise DataError(
            f"needs {ask.least:,} pictures or more of either kind{where}; there are {pair.made.count:,} made and "
            f"{pair.real.count:,} real ones"
        )
    real, origin = seen_real(evaluation, network, resizing, pair.real)
    made = seen(evaluation, network, resizing, pair.made)
    told = dict(ask.score(made, real, np.random.default_rng([evaluation.seed, 0])))
    beside = _floor(ask, real, np.random.default_rng([evaluation.seed, 1]), tuple(told))
    return pair.name, told | {f"{key}{REAL}": value for key, value in beside.items()}, origin


def _floor(ask: Question, real: Seen, rng: np.random.Generator, keys: tuple[str, ...]) -> Values:
    """What real pictures get: the same score, of one half beside the other."""
    order = np.random.default_rng(_HALVES).permutation(len(real))
    if ask.floor is not None:
        return ask.floor(real.of(order), rng)
    half = len(real) // 2
    if half < ask.least:
        return dict.fromkeys(keys, math.nan)
    return ask.score(real.of(order[:half]), real.of(order[half : 2 * half]), rng)


def _notes(
    evaluation: Evaluation, ask: Question, network: Network, pairs: list[Comparison], values: Values
) -> list[str]:
    notes: list[str] = list(network.notes)
    fewest = min(pair.real.count for pair in pairs)
    if fewest < ask.pictures:
        notes.append(f"there are no more than {fewest:,} real pictures to compare with, of {ask.pictures:,} asked for")
    if ask.floor is None:
        if any(math.isnan(value) for value in values.values()):
            notes.append(f"real pictures are too few for the real row: it needs {2 * ask.least:,}")
        else:
            notes.append(
                "the real row compares one half of the real pictures with the other: fewer than the model's row"
            )
    if tuple(evaluation.dataset.spec.image[1:]) == network.shape[1:]:
        notes.append("pictures have the size of the network: nothing is resized, and all resizings are equal")
    remark: Any = ask.remark and ask.remark(network, min(min(each.made.count, each.real.count) for each in pairs))
    return [*notes, remark] if remark else notes
