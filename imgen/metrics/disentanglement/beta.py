"""The score of BetaVAE: whether a line tells from differences of codes which factor two things share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imgen.metrics.disentanglement.logistic import one_against_rest, probabilities

if TYPE_CHECKING:
    from numpy.typing import NDArray


def differences(groups: NDArray[np.floating]) -> NDArray[np.float64]:
    """The mean absolute difference of each code within the pairs of a group: rows 0 and 1, 2 and 3, and so on.

    An odd one at the end is left out. Codes are not scaled.

    Shapes: (M, L, D) -> (M, D).
    Source: Higgins and others, "beta-VAE", 2017, section 3.
    """
    size = groups.shape[1] - groups.shape[1] % 2
    paired = np.asarray(groups[:, :size], np.float64)
    return np.abs(paired[:, ::2] - paired[:, 1::2]).mean(axis=1)


def fitted(features: NDArray[np.floating], labels: NDArray[np.integer], factors: int) -> NDArray[np.float64]:
    """What tells each factor from the rest: `one_against_rest`, as was scikit-learn's default before version 0.22."""
    return one_against_rest(features, labels, factors)


def accuracy(weights: NDArray[np.float64], features: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """The share of groups whose factor is the one that is told most surely. Shapes: (K, D + 1), (M, D), (M,)."""
    return float((probabilities(features, weights).argmax(axis=1) == labels).mean())
