"""The separated attribute predictability score: how far the best code for each factor is ahead of the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

C = 0.01
"""What a row outside its margin costs, against the squared weights, in both protocols."""
_LEAST_VARIANCE = 1e-12
_STEPS = 100
_HALVINGS = 30


def sap(table: NDArray[np.float64]) -> float:
    """The mean over factors of the largest entry of the column less the second largest.

    NaN, where an entry of one of the two is not a number: such a one counts as the largest.

    Shapes: table: (D, K), of two codes or more.
    Source: Kumar, Sattigeri, Balakrishnan, "Variational inference of disentangled latent concepts from unlabeled
    observations", 2018, section 3.
    """
    ordered = np.sort(table, axis=0)
    return float((ordered[-1] - ordered[-2]).mean())


def squared_correlations(
    codes: NDArray[np.floating], values: NDArray[np.number], guarded: bool = False
) -> NDArray[np.float64]:
    """Squared Pearson correlations of each code with each factor. Shapes: (n, D), (n, K) -> (D, K).

    A code that never varies has none: NaN. guarded: 0, where its variance is at most 1e-12.
    """
    z, y = (np.asarray(some, np.float64) - np.mean(some, axis=0, dtype=np.float64) for some in (codes, values))
    degrees = len(z) - 1
    covariance = z.T @ y / degrees
    of_codes, of_values = (z**2).sum(axis=0) / degrees, (y**2).sum(axis=0) / degrees
    # The mean of equal numbers is not always that number, and what rounding leaves is no variance.
    of_codes[np.ptp(codes, axis=0) == 0] = 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.where(of_codes[:, None] > 0, covariance**2 / of_codes[:, None] / of_values, np.nan)
    return np.where(of_codes[:, None] > _LEAST_VARIANCE, found, 0.0) if guarded else found


def accuracy(
    code: NDArray[np.floating],
    places: NDArray[np.integer],
    tested: NDArray[np.floating],
    truth: NDArray[np.integer],
) -> float:
    """The share of tested things whose value a linear support vector machine tells from one code alone.

    It is fitted to `code` and `places`, (n,), and tells the values of `tested`, (m,), of which `truth` is right.
    """
    kinds = np.unique(places)
    if len(kinds) == 1:
        return float((truth == kinds[0]).mean())
    lines = machines(code, places)
    at = np.asarray(tested, np.float64)
    if len(kinds) == 2:
        told = kinds[(lines.slopes[0] * at + lines.heights[0] > 0).astype(np.int64)]
    else:
        told = kinds[_highest(at, lines)]
    return float((told == truth).mean())


class Lines(NamedTuple):
    """For each kind the line, over the code, whose sign tells it from the rest; of two kinds that of the second."""

    slopes: NDArray[np.float64]
    heights: NDArray[np.float64]


def machines(code: NDArray[np.floating], places: NDArray[np.integer]) -> Lines:
    """Linear support vector machines on one code, one kind against the rest.

    Each minimises (slope² + height²) / 2 + the sum over rows of C max(0, 1 - s (slope code + height))², s = 1 for its
    kind and -1 for the rest. C is 0.01, times n / (kinds x rows of the kind) for rows of the kind ("balanced"; of two
    kinds for either). That is what scikit-learn's LinearSVC(C=0.01, class_weight="balanced") minimises step by step.
    Here it is solved exactly: in one dimension the rows that count lie on one side of a point, so that running sums
    over sorted rows give gradient and curvature at once, and Newton's method ends after a few of them.

    Shapes: code, places: (n,), of two kinds or more.
    """
    order = np.argsort(code, kind="stable")
    x, kind_of = np.asarray(code, np.float64)[order], np.unique(places, return_inverse=True)[1][order]
    counts = np.bincount(kind_of)
    weights = C * len(x) / (len(counts) * counts)
    every = _Sums(x)
    if len(counts) == 2:
        found = [_solved(_Sums(x[kind_of == 1]), weights[1], _Sums(x[kind_of == 0]), None, weights[0])]
    else:
        found = [
            _solved(_Sums(x[kind_of == k]), weights[k], every, _Sums(x[kind_of == k]), C) for k in range(len(counts))
        ]
    slopes, heights = zip(*found, strict=True)
    return Lines(np.array(slopes), np.array(heights))


class _Sums:
    """Running sums of 1, x and x² of sorted numbers."""

    def __init__(self, x: NDArray[np.float64]) -> None:
        self.x = x
        self.sums = np.zeros((len(x) + 1, 3))
        np.cumsum(np.stack([np.ones_like(x), x, x**2], axis=1), axis=0, out=self.sums[1:])

    def where(self, slope: float, height: float, below: float) -> NDArray[np.float64]:
        """The sums over those with slope x + height < below."""
        if slope == 0:
            return self.sums[-1] if height < below else self.sums[0]
        edge = (below - height) / slope
        if slope > 0:
            return self.sums[np.searchsorted(self.x, edge, "left")]
        return self.sums[-1] - self.sums[np.searchsorted(self.x, edge, "right")]


def _solved(
    kind: _Sums, its_weight: float, others: _Sums, less: _Sums | None, their_weight: float
) -> tuple[float, float]:
    """Slope and height; the rest are the `others`, less some of them."""

    def at(slope: float, height: float) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
        """Loss, gradient and curvature."""
        inside = kind.where(slope, height, 1.0)
        # The rest mirrored: -(slope x + height) < 1.
        outside = others.where(-slope, -height, 1.0)
        if less is not None:
            outside = outside - less.where(-slope, -height, 1.0)
        loss, gradient, curve = (slope**2 + height**2) / 2, np.array([slope, height]), np.eye(2)
        for (n, x, xx), side, weight in ((inside, 1.0, its_weight), (outside, -1.0, their_weight)):
            away = side - height  # a row costs weight (away - slope x)²
            loss += weight * (away**2 * n - 2 * away * slope * x + slope**2 * xx)
            gradient -= 2 * weight * np.array([away * x - slope * xx, away * n - slope * x])
            curve += 2 * weight * np.array([[xx, x], [x, n]])
        return loss, gradient, curve

    point = np.zeros(2)
    loss, gradient, curve = at(0.0, 0.0)
    for _ in range(_STEPS):
        step = -np.linalg.solve(curve, gradient)
        gain = -float(gradient @ step)
        if gain <= 1e-13 * (1 + loss):
            break
        for halving in range(_HALVINGS):
            there = point + step / 2**halving
            new = at(float(there[0]), float(there[1]))
            if new[0] <= loss - 1e-4 * gain / 2**halving:
                break
        else:
            break  # rounding is all that is left
        point, (loss, gradient, curve) = there, new
    return float(point[0]), float(point[1])


def _highest(at: NDArray[np.float64], lines: Lines) -> NDArray[np.int64]:
    """Which line is highest at each place, the first of several, in parts that need little memory."""
    parts = [at[start : start + 8192] for start in range(0, len(at), 8192)]
    told = [(part[:, None] * lines.slopes + lines.heights).argmax(axis=1) for part in parts]
    return np.concatenate(told)
