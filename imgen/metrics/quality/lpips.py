"""Diversity of made pictures by learned perceptual distance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from imgen.binding import Count, Place
from imgen.errors import DataError
from imgen.images import to_float
from imgen.metrics import Measured, Metric
from imgen.metrics.quality.perceptual import LEAST_SIDE, WANTED, PerceptualDistance, read_distance
from imgen.metrics.quality.pictures import Pictures, comparisons
from imgen.metrics.quality.rows import REAL, counts_of, joined

if TYPE_CHECKING:
    from imgen.metrics import Evaluation

_METRIC = "lpips-diversity"
_PASS = 32  # pairs


def lpips_diversity(*, weights: Place | None = None, pairs: Count = 1000) -> Metric:
    """How different made pictures are from each other, by learned perceptual distance, and real ones beside.

    `lpips` is the mean distance of pairs of made pictures, each picture in one pair, and `lpips_real` that of as many
    pairs of real ones: near 0, all are alike; about the real row, they are as diverse. Noise is diverse, too, so this
    says nothing without a measure of quality. Pictures are taken at their own size, grey ones as colours, by LPIPS
    0.1 over AlexNet. Ways of translators are named as for `fid`: they are translations of different pictures.

    Settings:
        weights: safetensors file of torchvision's AlexNet features and the linear layers of LPIPS; null: none, and the
            measurement says so
        pairs: pairs of made pictures, and of real ones, at most as many as there are [pairs]

    Raises: `DataError` where there are no weights or they do not fit, the model makes no pictures, or pictures are too
    few or smaller than 31 pixels.
    Source: Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric", 2018.
    """

    def measure(evaluation: Evaluation) -> Measured:
        if weights is None:
            raise DataError(f"{_METRIC}: needs weights; give the setting weights {WANTED}")
        found = comparisons(evaluation, 2 * pairs, _METRIC)
        if min(evaluation.dataset.spec.image[1:]) < LEAST_SIDE:
            raise DataError(f"{_METRIC}: needs pictures of {LEAST_SIDE} pixels or more on either side")
        try:
            network, digest = read_distance(Path(weights).expanduser())
        except DataError as error:
            raise DataError(f"{_METRIC}: {error}") from error
        network = network.to(evaluation.device)
        rows = []
        for each in found:
            told = {
                "lpips": _mean(network, each.made, evaluation),
                f"lpips{REAL}": _mean(network, each.real, evaluation),
            }
            rows.append((each.name, told))
        return Measured(
            values=joined(rows),
            counts=counts_of(found),
            protocol=f"{_METRIC}: LPIPS 0.1 over AlexNet ({digest[:12]}), at most {pairs:,} pairs, nothing resized",
            details={"weights": digest},
        )

    return measure


def _mean(network: PerceptualDistance, pictures: Pictures, evaluation: Evaluation) -> float:
    """The mean distance of pairs: each picture, in an order of chance, and its next."""
    if pictures.count < 2:
        raise DataError(f"{_METRIC}: needs 2 pictures or more of either kind; there are {pictures.count}")
    order = torch.from_numpy(np.random.default_rng([evaluation.seed, 2]).permutation(pictures.count))
    images = torch.cat(list(pictures.parts()))[order[: pictures.count // 2 * 2]]
    with torch.no_grad():
        apart = [
            network(_colours(first, evaluation), _colours(second, evaluation)).double().cpu()
            for first, second in zip(images[::2].split(_PASS), images[1::2].split(_PASS), strict=True)
        ]
    return float(torch.cat(apart).mean())


def _colours(images: Tensor, evaluation: Evaluation) -> Tensor:
    return to_float(images.to(evaluation.device)).expand(-1, 3, -1, -1)
