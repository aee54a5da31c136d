"""Logistic regression of one value against the rest, for all values at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROWS = 2048  # at once: their numbers for all values stay near the processor
_STEPS = 200
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
    step = -np.linalg.solve(curve, gradient[..., None])[..., 0]
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
        step[moved] = -np.linalg.solve(new_curve[lower], new_gradient[lower][..., None])[..., 0]
        length[moved] = 1.0
    return found


def probabilities(codes: NDArray[np.floating], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each value, summing to 1, from `one_against_rest`. Shapes: (n, D), (values, D + 1) -> (n, values)."""
    told, _ = _sigmoid(np.asarray(codes, np.float64) @ weights[:, :-1].T + weights[:, -1])
    told /= told.sum(axis=1, keepdims=True)
    return told


def _sigmoid(z: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """1 / (1 + exp(-z)), and exp(-|z|), without numbers too large."""
    small = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, small) / (1 + small), small


def _at(
    codes: NDArray[np.float64], places: NDArray[np.integer], weights: NDArray[np.float64], of: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Loss (V,), gradient (V, D + 1) and curvature (V, D + 1, D + 1) for values `of`, (V,)."""
    size = weights.shape[1]
    upper = np.triu_indices(size)
    loss, gradient = (weights**2).sum(axis=1) / 2, weights.copy()
    halves = np.zeros((len(weights), len(upper[0])))
    for start in range(0, len(codes), _ROWS):
        rows = np.concatenate([codes[start : start + _ROWS], np.ones((len(codes[start : start + _ROWS]), 1))], axis=1)
        shown = places[start : start + _ROWS, None] == of
        z = rows @ weights.T
        told, small = _sigmoid(z)
        loss += (np.log1p(small) + np.maximum(z, 0.0) - np.where(shown, z, 0.0)).sum(axis=0)
        gradient += (told - shown).T @ rows
        halves += (told * (1 - told)).T @ (rows[:, upper[0]] * rows[:, upper[1]])
    curve = np.zeros((len(weights), size, size))
    curve[:, upper[0], upper[1]] = curve[:, upper[1], upper[0]] = halves
    return loss, gradient, curve + np.eye(size)
