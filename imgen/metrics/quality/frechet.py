"""Fréchet distance of two sets of features, each taken for a normal distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 4096  # rows that are held as float64 at once


@dataclass(frozen=True)
class Moments:
    """Mean (D,) and covariance (D, D) of `count` features, as float64; the covariance divides by count - 1."""

    count: int
    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]


def moments(features: NDArray[np.floating]) -> Moments:
    """Mean and covariance, in float64 throughout.

    Shapes: features: (N, D).
    Raises: `ValueError` where N is less than 2.
    """
    count, width = features.shape
    if count < 2:
        raise ValueError(f"a covariance needs 2 features or more, not {count}")
    starts = range(0, count, _BLOCK)
    mean = np.zeros(width)
    for start in starts:
        mean += features[start : start + _BLOCK].sum(axis=0, dtype=np.float64)
    mean /= count
    covariance = np.zeros((width, width))
    for start in starts:
        away = features[start : start + _BLOCK].astype(np.float64) - mean
        covariance += away.T @ away
    return Moments(count, mean, covariance / (count - 1))


def frechet_distance(first: Moments, second: Moments) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), which is 0 for equal moments.

    The trace of the root is the sum of the roots of the eigenvalues of A^T C2 A, where A A^T = C1: both are symmetric,
    so singular covariances, as of fewer features than dimensions, need no offset, and nothing turns complex.

    Source: Heusel, Ramsauer, Unterthiner, Nessler, Hochreiter, "GANs trained by a two time-scale update rule converge
    to a local Nash equilibrium", 2017, equation 6.
    """
    values, vectors = np.linalg.eigh(first.covariance)
    root = vectors * np.sqrt(_without_noise(values))
    roots = np.sqrt(_without_noise(np.linalg.eigvalsh(root.T @ second.covariance @ root)))
    apart = float(((first.mean - second.mean) ** 2).sum())
    spread = float(np.trace(first.covariance) + np.trace(second.covariance) - 2 * roots.sum())
    # Rounding may leave equal moments a little below 0.
    return max(0.0, apart + spread)


def _without_noise(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Eigenvalues of which those that are rounding alone are 0: their roots would not be small."""
    least = max(float(values.max(initial=0)), 0.0) * len(values) * np.finfo(np.float64).eps
    return np.where(values > least, values, 0.0)
