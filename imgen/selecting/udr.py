"""UDR: representations that are disentangled are alike, up to the order, the sign and the number of their codes.

Source: Duan, Matthey, Saraiva, Watters, Burgess, Lerchner, Higgins, Unsupervised Model Selection for Variational
Disentangled Representation Learning, ICLR 2020 (arXiv 1905.12614), section 4: the score of a pair, and of a model the
median over the others. Not stated there, and taken from the authors' later release: the lasso's weight of 0.1 on
standardised codes, that uninformative codes are left out on both sides, and that a model is scored as the one whose
codes are explained. Their release divides by the number of codes of either side in turn; this follows the paper. The
settings with which the ModelCentrality paper took its figures of UDR are not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imgen.extras import need
from imgen.selecting.reading import Work, draws, generator, read

Kind = Literal["lasso", "spearman"]
Array = NDArray[np.float64]

LEAST_KL = 0.01
"""Nats that a code must tell of a picture on average to count."""
LEAST_SHARE = 0.01
"""Of the variance of the model's most varied code, for a code of an encoder that has no distribution."""
_WEIGHT = 0.1  # of the lasso's penalty
_DRAWS = 16  # codes of a picture, from which the spread of its posterior is taken
_LOOKED_AT = 1000  # pictures


def lasso(x: Array, y: Array) -> Array:
    """How much each standardised code of x weighs in what a lasso makes of each of y: (n, A), (n, B) -> (A, B)."""
    model = need("sklearn.linear_model", "metrics", "--method udr-lasso").Lasso(alpha=_WEIGHT)
    return np.abs(np.atleast_2d(model.fit(x, y).coef_)).T


def spearman(x: Array, y: Array) -> Array:
    """How far the order of each code of x is that of each of y, or its reverse: (n, A), (n, B) -> (A, B), 0 to 1."""
    rank = need("scipy.stats", "metrics", "--method udr-spearman").rankdata
    return np.abs(standardised(rank(x, axis=0)).T @ standardised(rank(y, axis=0))) / len(x)


_MEASURES: dict[Kind, Callable[[Array, Array], Array]] = {"lasso": lasso, "spearman": spearman}


def standardised(codes: NDArray[np.floating]) -> Array:
    """Columns of mean 0 and population variance 1; one that never varies is 0. Shapes: (n, D)."""
    centred = codes.astype(np.float64) - codes.mean(axis=0, dtype=np.float64)
    scale = centred.std(axis=0)
    return np.divide(centred, scale, out=np.zeros_like(centred), where=scale > 0)


def pair_score(relation: Array) -> float:
    """1 where each informative code of either model is related to one of the other's alone, and fully; else less.

    Every row and every column counts with its largest entry, squared, over its sum; one of zeros counts 0. No code at
    all: 0.

    Shapes: relation: (A, B), without the codes that are not informative.
    """
    if not relation.size:
        return 0.0
    told = 0.0
    for axis in (0, 1):
        largest, whole = relation.max(axis=axis), relation.sum(axis=axis)
        told += float(np.divide(largest**2, whole, out=np.zeros_like(whole), where=whole > 0).sum())
    return told / sum(relation.shape)


def pair_scores(codes: Sequence[NDArray[np.floating]], informative: Sequence[NDArray[np.bool_]], kind: Kind) -> Array:
    """Of every pair: (N, N), the model that explains by the one that is explained; 1 on the diagonal, which is unused.

    Shapes: codes: N times (n, D), of the same n pictures; informative: N times (D,).
    """
    kept = [standardised(some)[:, keep] for some, keep in zip(codes, informative, strict=True)]
    found = np.eye(len(kept))
    for a, x in enumerate(kept):
        for b, y in enumerate(kept):
            if a != b:
                found[a, b] = pair_score(_MEASURES[kind](x, y)) if x.size and y.size else 0.0
    return found


def scores(pairs: Array) -> Array:
    """Of each model the median over the others: (N, N) -> (N,)."""
    return np.array([np.median(np.delete(column, place)) for place, column in enumerate(pairs.T)])


@dataclass(frozen=True)
class Found:
    """pairs: as `pair_scores` gives them; informative: (D,) of each model; pictures: that were read."""

    pairs: Array
    informative: Sequence[NDArray[np.bool_]]
    pictures: int


def compare(models: Sequence[Any], parts: Iterable[Tensor], shape: Sequence[int], kind: Kind, work: Work) -> Found:
    """Every model with every other, by the codes that they read from the same pictures, their best guesses.

    parts: the pictures, as floats on the device; shape: (C, H, W) of one.
    """
    # Asked for first: what is not installed should not be missed after all the work.
    _MEASURES[kind](np.eye(3), np.eye(3))
    drawing = [draws(model, shape, work.device) for model in models]
    codes: list[list[NDArray[np.float32]]] = [[] for _ in models]
    looked: list[Tensor] = []
    stride = max(1, work.total // len(models) // _LOOKED_AT) if models else 1
    count = 0
    for shown in parts:
        for place in range(len(models)):
            codes[place].append(read(models[place], shown, count, work, sampled=False, purpose=""))
        if any(drawing):
            looked.append(shown[::stride])
        count += len(shown)
    whole = [np.concatenate(some) for some in codes]
    shown = torch.cat(looked) if looked else torch.zeros(0)
    kept = [informative(models[place], whole[place], shown, work, drawing[place]) for place in range(len(models))]
    return Found(pair_scores(whole, kept, kind), kept, count)


def informative(model: Any, codes: NDArray[np.floating], shown: Tensor, work: Work, drawing: bool) -> NDArray[np.bool_]:
    """Which codes tell something of pictures, (D,): by their KL from a standard normal where the encoder draws.

    codes: best guesses, (n, D), from which the variance is taken where it does not; shown: some of the pictures, on
    the device, for the KL.
    """
    if drawing:
        return divergence(model, shown, work) > LEAST_KL
    variance = codes.var(axis=0, dtype=np.float64)
    return np.asarray((variance > 0) & (variance > LEAST_SHARE * variance.max()))


def divergence(model: Any, shown: Tensor, work: Work) -> Array:
    """The mean over pictures of KL(posterior, standard normal) of each code, both taken as normal, (D,) [nats].

    An encoder tells its mean as its best guess and its spread in draws alone: the variance is the mean square of 16
    draws about the best guess, and its logarithm is put right by what such an estimate is off on average.
    """
    with torch.no_grad():
        told = []
        for start in range(0, len(shown), work.batch):
            some = shown[start : start + work.batch]
            mean = model.encode(some).double()
            draws = [
                model.encode(some, generator(work.seed, work.device, "spread", start, number)).double()
                for number in range(_DRAWS)
            ]
            variance = torch.stack([(each - mean).square() for each in draws]).mean(dim=0)
            half = torch.tensor(_DRAWS / 2, dtype=torch.float64)
            log = variance.clamp_min(1e-300).log() - (torch.digamma(half) - half.log()).to(variance.device)
            told.append((mean.square() + variance - log - 1) / 2)
    found: Array = torch.cat(told).mean(dim=0).cpu().numpy()
    return found
