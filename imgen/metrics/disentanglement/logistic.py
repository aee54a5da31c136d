"""Logistic regression of one value against the rest, for all values at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROWS = 2048  # at once: their numbers for all values stay near the processor
# In a product of matrices: larger ones are shared out among threads, which on a busy machine wait for each other longer
# than the product takes, a hundred times over.
_PRODUCTS = 2**18
_STEPS = 200
_FIRM = 1e-14  # of each weight's curvature, added to it
_ENOUGH = 1e-12  # what a further step could gain, of the loss


def one_against_rest(codes: NDArray[np.floating], places: NDArray[np.integer], values: int) -> NDArray[np.float64]:
    """Weights of the codes, and last the intercept, that tell each value from the rest.

    They minimise |weights|² / 2 + the sum over rows of log(1 + exp(-s (weights codes + intercept))), s = 1 for the
    value and -1 for the rest; the intercept is one of the weights that are kept small. That is what scikit-learn's
    LogisticRegression(solver="liblinear") minimises with C = 1, and did by default before version 0.22. Here Newton's
    method is taken for all values together, to a loss that no further step would lower by 1e-12 of itself.

    Shapes: codes: (n, D), places: (n,), from 0 to values - 1 -> (values, D + 1).
    """
    size = codes.shape[1] + 1
    rows, places = np.asarray(codes, np.float64), np.asarray(places)
    found = np.zeros((values, size))
    loss, gradient, curve = _at(rows, places, found, np.arange(values))
    step = _step(curve, gradient)
    length = np.ones(values)
    open_ = np.arange(values)  # those whose weights are still to move
    for _ in range(_STEPS):
        gain = -(gradient * step).sum(axis=1)
        done = gain[open_] <= _ENOUGH * (1 + loss[open_])
        # The last step is free: it only brings the weights nearer.
        found[open_[done]] += step[open_[done]]
        open_ = open_[~done]
        if not len(open_):
            break
        there = found[open_] + length[open_, None] * step[open_]
        new_loss, new_gradient, new_curve = _at(rows, places, there, open_)
        lower = new_loss <= loss[open_] - 1e-4 * length[open_] * gain[open_]
        length[open_[~lower]] /= 2
        moved = open_[lower]
        found[moved], loss[moved], gradient[moved] = there[lower], new_loss[lower], new_gradient[lower]
        step[moved] = _step(new_curve[lower], new_gradient[lower])
        length[moved] = 1.0
    return found


def probabilities(codes: NDArray[np.floating], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each value, summing to 1, from `one_against_rest`. Shapes: (n, D), (values, D + 1) -> (n, values)."""
    found = np.empty((len(codes), len(weights)))
    for start, end, part in _parts(len(codes), max(8, _PRODUCTS // weights.size)):
        rows = np.asarray(codes[start:end], np.float64).reshape(-1, part, codes.shape[1])
        told, _ = _sigmoid(rows @ weights[:, :-1].T + weights[:, -1])
        found[start:end] = (told / told.sum(axis=-1, keepdims=True)).reshape(end - start, -1)
    return found


def _step(curve: NDArray[np.float64], gradient: NDArray[np.float64]) -> NDArray[np.float64]:
    """Newton's step. Shapes: (V, D + 1, D + 1), (V, D + 1) -> (V, D + 1)."""
    units = np.sqrt(np.diagonal(curve, axis1=1, axis2=2))
    scaled = curve / (units[:, :, None] * units[:, None, :])
    # Of large codes, two of them alike, rounding swallows the penalty that keeps the curvature from being singular.
    found = np.linalg.solve(scaled + _FIRM * np.eye(curve.shape[1]), (gradient / units)[..., None])[..., 0]
    return np.asarray(-found / units, np.float64)


def _sigmoid(z: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """1 / (1 + exp(-z)), and exp(-|z|), without numbers too large."""
    small = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, small) / (1 + small), small


def _at(
    codes: NDArray[np.float64], places: NDArray[np.integer], weights: NDArray[np.float64], of: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Loss (V,), gradient (V, D + 1) and curvature (V, D + 1, D + 1) for values `of`, (V,)."""
    size = weights.shape[1]
    first, second = np.triu_indices(size)
    loss, gradient = (weights**2).sum(axis=1) / 2, weights.copy()
    halves = np.zeros((len(weights), len(first)))
    together = max(8, min(64, _PRODUCTS // (len(weights) * len(first))))
    for start, end, part in _parts(len(codes), together):
        rows = np.concatenate([codes[start:end], np.ones((end - start, 1))], axis=1).reshape(-1, part, size)
        shown = (places[start:end, None] == of).reshape(-1, part, len(of))
        z = rows @ weights.T
        told, small = _sigmoid(z)
        loss += (np.log1p(small) + np.maximum(z, 0.0) - np.where(shown, z, 0.0)).sum(axis=(0, 1))
        gradient += ((told - shown).transpose(0, 2, 1) @ rows).sum(axis=0)
        halves += ((told * (1 - told)).transpose(0, 2, 1) @ (rows[..., first] * rows[..., second])).sum(axis=0)
    curve = np.zeros((len(weights), size, size))
    curve[:, first, second] = curve[:, second, first] = halves
    return loss, gradient, curve + np.eye(size)


def _parts(n: int, together: int) -> Iterator[tuple[int, int, int]]:
    """Start and end of rows to take at once, and of how many they are stacks; all n in turn."""
    for start in range(0, n, _ROWS):
        end = min(start + _ROWS, n)
        whole = start + (end - start) // together * together
        if whole > start:
            yield start, whole, together
        if end > whole:
            yield whole, end, end - whole
