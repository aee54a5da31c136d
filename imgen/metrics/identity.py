"""Whether pictures of one identity code show one identity, and whether the rest of them varies."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from annotated_types import Ge

from imgen.data.shapes import Shapes
from imgen.data.shapes_oracle import OBSERVATIONS, identity_distance, read
from imgen.errors import DataError
from imgen.metrics.generated import check_identity, latents, looking

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from imgen.metrics import Evaluation

_BATCH = 250


def auc(same: NDArray[np.floating], different: NDArray[np.floating]) -> float:
    """Chance that a pair of one identity is closer than a pair of two; a tie counts half.

    The area under the ROC curve of "closer than a threshold", by ranks.

    Shapes: same: (n,), different: (m,): distances.
    Raises: `ValueError` where one of them is empty or holds NaN.
    """
    if not len(same) or not len(different) or np.isnan(same).any() or np.isnan(different).any():
        raise ValueError("an AUC needs distances of both kinds, none of them NaN")
    ordered = np.sort(different)
    farther = len(ordered) - np.searchsorted(ordered, same, side="right")
    tied = np.searchsorted(ordered, same, side="right") - np.searchsorted(ordered, same, side="left")
    return float((farther + tied / 2).mean() / len(ordered))


def auc_interval(
    same: NDArray[np.floating], different: NDArray[np.floating], rng: np.random.Generator, rounds: int = 200
) -> tuple[float, float]:
    """The middle 95 % of the AUC when pairs are drawn again from the given ones, with replacement."""
    again = [auc(rng.choice(same, len(same)), rng.choice(different, len(different))) for _ in range(rounds)]
    low, high = np.quantile(again, [0.025, 0.975])
    return float(low), float(high)


def spread(factors: NDArray[np.floating]) -> NDArray[np.float64]:
    """How much each factor varies among pictures of one identity: the root of the mean variance over identities.

    An identity in which fewer than two pictures show a factor says nothing of it.

    Shapes: factors: (identities, pictures, F), NaN where a picture does not show one -> (F,), NaN where none says.
    """
    shown = (~np.isnan(factors)).sum(axis=1)
    mean = np.nansum(factors, axis=1) / np.maximum(shown, 1)
    variance = np.nansum((factors - mean[:, None]) ** 2, axis=1) / np.maximum(shown - 1, 1)
    says = shown > 1
    return np.sqrt(np.where(says, variance, 0).sum(axis=0) / np.where(says.any(axis=0), says.sum(axis=0), np.nan))


def drawn_identity(
    *,
    pairs: Annotated[int, Ge(2)] = 1000,
    identities: Annotated[int, Ge(1)] = 200,
    observations: Annotated[int, Ge(2)] = 8,
    identity: str = "identity",
) -> Callable[[Evaluation], dict[str, float]]:
    """Reads drawn identities back from generated pictures: the same within an identity code, varied in all else?

    Identity. `pairs` pairs share their identity code and as many have two; all other codes are fresh in every picture.
    The oracle of `imgen.data.shapes_oracle` reads shape, hue and pattern of each picture, and `identity_auc` is the
    chance that a pair of one code is closer in these than a pair of two, with `identity_auc_low` and
    `identity_auc_high` the ends of its bootstrap interval of 95 %. Each identity code serves one pair only.

    Observation. For `identities` identity codes with `observations` pictures each, and for as many drawn identities of
    the data set, the oracle reads x, y, rotation, size and background. `observation_<factor>` is the standard
    deviation within one identity of the generated pictures (root of the mean variance over identities), divided by
    that of the drawn ones; the oracle's own errors are in both. `observation_ratio` is the mean over the five factors
    of min(ratio, 1): varying too much in one does not make up for a collapse in another. A factor that no generated
    picture shows counts as 0.

    Settings:
        pairs: pairs of either kind, same and different [pairs]
        identities: identities in which the observation's spread is measured [identities]
        observations: pictures of each of these identities [pictures]
        identity: which of the model's codes is the identity

    Raises: `DataError` where the data set is not drawn or the model has no such code or no other.
    """

    def measure(evaluation: Evaluation) -> dict[str, float]:
        if not isinstance(evaluation.dataset, Shapes):
            raise DataError("drawn-identity: needs the data set 'shapes', whose identities can be read back")
        check_identity(evaluation, identity, "drawn-identity")
        rng = np.random.default_rng(evaluation.seed)
        generator = torch.Generator().manual_seed(evaluation.seed)

        def people(rows: int, pictures: int) -> Tensor:
            return _generate(evaluation.model, identity, rows, pictures, generator, evaluation.device)

        same = read(people(pairs, 2)).identity().view(pairs, 2, -1)
        different = read(people(2 * pairs, 1)).identity().view(pairs, 2, -1)
        near, far = (identity_distance(x[:, 0], x[:, 1]).numpy() for x in (same, different))
        low, high = auc_interval(near, far, rng)
        generated = read(people(identities, observations)).observation().view(identities, observations, -1)
        drawn = _drawn(evaluation.dataset, identities, observations, rng)
        ratio = np.nan_to_num(spread(generated.numpy()) / spread(drawn.numpy()))
        return {
            "identity_auc": auc(near, far),
            "identity_auc_low": low,
            "identity_auc_high": high,
            "observation_ratio": float(np.minimum(ratio, 1).mean()),
            **{f"observation_{name}": float(value) for name, value in zip(OBSERVATIONS, ratio, strict=True)},
        }

    return measure


def _generate(
    model: nn.Module, identity: str, rows: int, pictures: int, generator: torch.Generator, device: torch.device
) -> Tensor:
    """Pictures in [-1, 1] on the CPU, (rows * pictures, C, H, W): each row one identity code, all other codes fresh."""
    drawn = latents(model, rows, pictures, generator, identity)
    with looking(model), torch.no_grad():
        return torch.cat([model(some.to(device)).float().cpu() for some in drawn.split(_BATCH)])


def _drawn(dataset: Shapes, identities: int, observations: int, rng: np.random.Generator) -> Tensor:
    """Observation factors read from drawn pictures, (rows, pictures, F), of as many identities as there are."""
    photos = np.bincount(dataset.identity)
    if photos.min() < 2:
        raise DataError("drawn-identity: needs two pictures or more of every drawn identity")
    pictures = min(observations, int(photos.min()))
    first = np.cumsum(photos) - photos
    who = rng.permutation(len(photos))[:identities]
    rows = torch.from_numpy(first[who][:, None] + np.arange(pictures)).flatten()
    return read(dataset.columns["images"][rows]).observation().view(len(who), pictures, -1)
