"""Scores that count: what each code says of each factor, both cut into parts, and whether of that one alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 20
"""Equal parts into which the range of a code is cut, in both protocols."""


def discretised(codes: NDArray[np.floating], bins: int = BINS) -> NDArray[np.int64]:
    """The part of its code's range that each number lies in, from 1 to `bins`, the largest in the last.

    Shapes: codes: (n, D) -> (n, D).
    """
    return np.stack([np.digitize(code, _edges(code, bins)) for code in codes.T], axis=1)


def entropies(places: NDArray[np.integer]) -> NDArray[np.float64]:
    """Of each factor, by how often its values occur. Shapes: (n, K), from 0 -> (K,). Units: nats."""
    return np.array([_entropy(np.bincount(column) / len(places)) for column in places.T])


def mutual_information(parts: NDArray[np.integer], places: NDArray[np.integer]) -> NDArray[np.float64]:
    """What each discretised code and each factor say of one another, by how often their values meet.

    By chance alone it is about (values of the code - 1) (values of the factor - 1) / 2n, and not 0.

    Shapes: parts: (n, D), places: (n, K), both from 0 -> (D, K). Units: nats.
    """
    found = np.zeros((parts.shape[1], places.shape[1]))
    width = int(places.max()) + 1
    for d, part in enumerate(parts.T):
        for k, place in enumerate(places.T):
            joint = np.bincount(part * width + place, minlength=(int(part.max()) + 1) * width) / len(part)
            joint = joint.reshape(-1, width)
            apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0)
            met = joint > 0
            found[d, k] = (joint[met] * np.log(joint[met] / apart[met])).sum()
    # A code that is all in one part says nothing, whatever rounding makes of it.
    found[(parts == parts[0]).all(axis=0)] = 0.0
    return found


def mutual_information_gap(information: NDArray[np.floating], entropy: NDArray[np.floating]) -> float:
    """How far the code that says most of a factor is ahead of the next, as a share of its entropy; mean over factors.

    Shapes: information: (D, K), of two codes or more, entropy: (K,).
    Source: Chen, Li, Grosse, Duvenaud, "Isolating sources of disentanglement in VAEs", 2018, with histograms in place
    of the posterior, as the code of Locatello and others, 2019, has it.
    """
    ordered = np.sort(information, axis=0)
    return float(((ordered[-1] - ordered[-2]) / entropy).mean())


def modularities(information: NDArray[np.floating]) -> NDArray[np.float64]:
    """How far each code is from saying the same of all factors: 1 of one that says something of one factor alone.

    NaN for a code that says nothing of any. Noise does not come to 0: what it says by chance grows with the number of
    a factor's values.

    Shapes: information: (D, K), of two factors or more -> (D,).
    Source: Ridgeway and Mozer, "Learning deep disentangled embeddings with the F-statistic loss", 2018, section 2.
    """
    squares = np.asarray(information, np.float64) ** 2
    largest = squares.max(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        away = (squares.sum(axis=1) - largest) / (largest * (squares.shape[1] - 1))
    return 1 - away


def modularity(information: NDArray[np.floating], dead: float = np.nan) -> float:
    """The mean of `modularities` over all codes, whatever they say. dead: what one counts that says nothing."""
    each = modularities(information)
    return float(np.where(np.isnan(each), dead, each).mean())


def _edges(code: NDArray[np.floating], bins: int) -> NDArray[np.floating]:
    """The lower ends of the parts of a code's range, (bins,); of a code that never varies, itself for all."""
    if code.min() == code.max():
        return np.full(bins, code[0])
    with np.errstate(over="ignore", invalid="ignore"):
        try:
            return np.histogram_bin_edges(code, bins)[:-1]
        except ValueError:  # numbers of 32 bits are too few, or too small, to part the range
            return np.histogram_bin_edges(code.astype(np.float64), bins)[:-1]


def _entropy(shares: NDArray[np.float64]) -> float:
    there = shares[shares > 0]
    return float(-(there * np.log(there)).sum())
