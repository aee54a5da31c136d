"""Inception score: whether each picture is one thing, and all pictures are many."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def inception_score(chances: NDArray[np.floating], splits: int = 10) -> tuple[float, float]:
    """Mean and standard deviation (dividing by their number) over splits of exp(E KL(p(y|x) || p(y))).

    Splits are consecutive. The score of one lies between 1 and the number of classes.

    Shapes: chances: (N, classes), each row of sum 1.
    Raises: `ValueError` where there are fewer rows than splits.
    Source: Salimans, Goodfellow, Zaremba, Cheung, Radford, Chen, "Improved techniques for training GANs", 2016,
    section 4.
    """
    count = len(chances)
    if count < splits:
        raise ValueError(f"{splits} splits need as many pictures or more, not {count}")
    ends = [part * count // splits for part in range(splits + 1)]
    found = [_score(chances[start:end]) for start, end in pairwise(ends)]
    return float(np.mean(found)), float(np.std(found))


def _score(chances: NDArray[np.floating]) -> float:
    p = chances.astype(np.float64)
    marginal = p.mean(axis=0)
    # 0 log 0 is 0, and where the marginal is 0 so is every p.
    terms = p * (np.log(np.where(p > 0, p, 1)) - np.log(np.where(marginal > 0, marginal, 1)))
    return float(np.exp(terms.sum(axis=1).mean()))
