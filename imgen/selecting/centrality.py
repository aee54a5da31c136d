"""ModelCentrality: good models agree with one another, so the one that agrees most with the others is taken.

Source: Lin, Thekumparampil, Fanti, Oh, InfoGAN-CR and ModelCentrality: Self-supervised Model Training and Selection for
Disentangling GANs, ICML 2020 (arXiv 1906.06034), section 5; counts and the score's details are those of the authors'
code. Theirs writes the pictures of every model to files; here they are made anew from the seed where they are read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from imgen.data.spec import DataSpec
from imgen.metrics.disentanglement.votes import ballot, majority, winners
from imgen.selecting.reading import Work, draws, fixable, fixed, latents, pictures, read_by_all

GROUPS, SIZE = 100, 100
"""Of each code, and pictures in one: 500 groups for five codes, 1,000 for ten, as in the paper."""
_LEAST_FREE, _UNKNOWN_FREE = 1000, 20_000


@dataclass(frozen=True)
class Plan:
    """What is asked of every model.

    groups: of each code that a model reads [groups]; size: of a group [pictures]; free: in which no code is held, from
    which the codes' ranges are taken [pictures].
    """

    groups: int = GROUPS
    size: int = SIZE
    free: int = _UNKNOWN_FREE
    seed: int = 0
    batch: int = 256

    def encodings(self, models: Sequence[Any]) -> int:
        """Pictures that will be read in all."""
        return len(models) * sum(self.free + self.groups * self.size * len(fixable(model)) for model in models)


def free_of(data: Sequence[DataSpec]) -> int:
    """How many free pictures to make where nobody says: a tenth of the largest data set, as in the paper.

    The size of a data set is known where its factors are and each has so many values; it is 73,728 for dSprites. Never
    fewer than 1,000; 20,000 where no size is known.
    """
    counts = [
        math.prod(factor.size for factor in spec.factors)
        for spec in data
        if spec.factors and all(factor.size > 0 for factor in spec.factors)
    ]
    return max(_LEAST_FREE, max(counts) // 10) if counts else _UNKNOWN_FREE


def cross_scores(models: Sequence[Any], shape: Sequence[int], plan: Plan, device: torch.device) -> NDArray[np.float64]:
    """The FactorVAE score of each model's encoder on each model's pictures: (N, N), encoder by generator.

    shape: (C, H, W) of a picture. Pictures are passed on as floats, as in the authors' code, and not rounded to 8 bits.
    An encoder that has a distribution of codes is drawn from, as the authors do with FactorVAE's.

    All draws follow from the seed, and not from the place of a model among the others, nor from the batch. Batches of
    another size, or another device, round pictures differently, so that a vote between two codes that vary all but
    equally little may go to the other.
    """
    work = Work(device, plan.seed, plan.batch, plan.encodings(models))
    drawing = [draws(models[place], shape, device) for place in range(len(models))]
    found = np.zeros((len(models), len(models)))
    for made_by in range(len(models)):
        found[:, made_by] = _scores_on(made_by, models, plan, work, drawing)
    return found


def _scores_on(
    made_by: int, models: Sequence[Any], plan: Plan, work: Work, drawing: Sequence[bool]
) -> NDArray[np.float64]:
    """Of every encoder, on the pictures of one generator."""
    maker = models[made_by]
    names = fixable(maker)
    free = latents(maker, plan.free, plan.seed, "free")
    ranges = [
        codes.std(axis=0, dtype=np.float64)
        for codes in read_by_all(models, pictures(maker, free, work), work, drawing.__getitem__, "free")
    ]
    count = plan.groups * len(names)
    z = fixed(latents(maker, count * plan.size, plan.seed, "groups"), names, plan.size)
    labels = np.arange(count) % len(names)
    scores = []
    read = read_by_all(models, pictures(maker, z, work), work, drawing.__getitem__, "groups")
    for codes, scale in zip(read, ranges, strict=True):
        won = winners(codes.reshape(count, plan.size, -1), scale)
        scores.append(majority(ballot(won, labels, codes.shape[1], len(names))))
    return np.array(scores)


def both_ways(found: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of a matrix and its transpose."""
    return (found + found.T) / 2


def centrality(alike: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much each model is like the others on average, itself left out: (N, N) symmetric -> (N,)."""
    # Summed exactly, so that the order of the models does not show in the last digits.
    others = [math.fsum(np.delete(row, place)) for place, row in enumerate(alike)]
    return np.array(others) / (len(alike) - 1)
