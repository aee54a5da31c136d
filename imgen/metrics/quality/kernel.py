"""Kernel distance of two sets of features: maximum mean discrepancy with a polynomial kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def squared_discrepancy(x: NDArray[np.floating], y: NDArray[np.floating]) -> float:
    """The unbiased estimate of the squared maximum mean discrepancy; it may lie below 0.

    The kernel is (a . b / D + 1)^3. Shapes: x: (n, D), y: (m, D).
    Raises: `ValueError` where n or m is less than 2.
    Source: Gretton et al., "A kernel two-sample test", 2012, equation 3; the kernel: see `kernel_distance`.
    """
    n, m = len(x), len(y)
    if min(n, m) < 2:
        raise ValueError(f"a kernel distance needs 2 features or more of either set, not {n} and {m}")
    a, b = x.astype(np.float64), y.astype(np.float64)
    own = [_off_diagonal_mean(_kernel(each, each)) for each in (a, b)]
    return float(own[0] + own[1] - 2 * _kernel(a, b).mean())


def kernel_distance(
    x: NDArray[np.floating], y: NDArray[np.floating], rng: np.random.Generator, subsets: int = 100, size: int = 1000
) -> tuple[float, float]:
    """Mean and standard deviation (over subsets, dividing by their number) of the squared discrepancy of subsets.

    Each subset takes `size` features of either set without replacement; fewer, where a set has fewer.

    Source: Bińkowski, Sutherland, Arbel, Gretton, "Demystifying MMD GANs", 2018, section 4 and appendix D.
    """
    size = min(size, len(x), len(y))
    found = [
        squared_discrepancy(x[rng.choice(len(x), size, replace=False)], y[rng.choice(len(y), size, replace=False)])
        for _ in range(subsets)
    ]
    return float(np.mean(found)), float(np.std(found))


def _kernel(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    base = a @ b.T / a.shape[1] + 1
    # numpy's power takes many times as long.
    return base * base * base


def _off_diagonal_mean(kernel: NDArray[np.float64]) -> float:
    n = len(kernel)
    return float((kernel.sum() - np.trace(kernel)) / (n * (n - 1)))
