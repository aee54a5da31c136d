"""How far codes are from being independent of one another, all at once: the joint Hilbert-Schmidt criterion, dHSIC."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Kernel = Callable[[NDArray[np.float64], float], NDArray[np.float64]]

_AT_ONCE = 2**16  # distances: they stay near the processor


class Criterion(NamedTuple):
    """dHSIC and its three terms: of all codes jointly, of each by itself, and of both, which has a minus."""

    total: float
    joint: float
    apart: float
    cross: float


def joint_criterion(codes: NDArray[np.floating], scales: NDArray[np.float64], kernel: Kernel) -> Criterion:
    """The biased estimate of dHSIC from n things: 0 of independent codes, but for about 1 / n.

    kernel: similarity by distances, any shape, and the scale of their code. A scale of 0 makes all of it NaN.

    Shapes: codes: (n, D), scales: (D,).
    Source: Pfister, Bühlmann, Schölkopf, Peters, "Kernel-based tests for joint independence", 2018.
    """
    if (scales == 0).any():
        return Criterion(*[float("nan")] * 4)
    columns = np.ascontiguousarray(codes.T, np.float64)
    n, block = len(codes), max(1, _AT_ONCE // len(codes))
    sums = np.empty((len(columns), n))  # of each row of each kernel's matrix, over n
    joint = 0.0
    for start in range(0, n, block):
        product = np.ones((min(block, n - start), n))
        for d, (column, scale) in enumerate(zip(columns, scales, strict=True)):
            alike = kernel(np.abs(column[start : start + block, None] - column), float(scale))
            sums[d, start : start + block] = alike.mean(axis=1)
            product *= alike
        joint += float(product.sum())
    joint /= n**2
    apart = float(sums.mean(axis=1).prod())
    cross = -2 * float(sums.prod(axis=0).mean())
    return Criterion(joint + apart + cross, joint, apart, cross)


def median_distances(codes: NDArray[np.floating]) -> NDArray[np.float64]:
    """The median over all n² ordered pairs of things, each with itself among them, for each code; exactly.

    Shapes: (n, D) -> (D,).
    """
    return np.array([_median_distance(np.asarray(code, np.float64)) for code in codes.T])


def _median_distance(code: NDArray[np.float64]) -> float:
    n, ordered = len(code), np.sort(code)
    # Of all, sorted, n zeros come first, and each distance of two different things comes twice.
    middle = {((n * n - 1) // 2 - n) // 2, (n * n // 2 - n) // 2}
    return float(np.mean([_distance(ordered, place) if place >= 0 else 0.0 for place in middle]))


def _distance(ordered: NDArray[np.float64], place: int) -> float:
    """The distance of two different things that stands at a place, from 0, among them all from the smallest on.

    Halving all numbers that it may be, as their bits count them, until one is left: distances are never kept.
    """
    low, high = 0, int((ordered[-1:] - ordered[:1]).view(np.int64)[0])
    while low < high:
        bits = (low + high) // 2
        if _within(ordered, np.array(bits).view(np.float64)) > place:
            high = bits
        else:
            low = bits + 1
    return float(np.array(low).view(np.float64))


def _within(ordered: NDArray[np.float64], most: NDArray[np.float64]) -> int:
    """How many pairs are at most so far apart."""
    first = np.arange(len(ordered))
    low, high = first, np.full(len(ordered), len(ordered) - 1)  # the last one within reach of each is between them
    while (low < high).any():
        place = (low + high + 1) // 2
        near = ordered[place] - ordered <= most
        low, high = np.where(near, place, low), np.where(near, high, place - 1)
    return int((low - first).sum())
