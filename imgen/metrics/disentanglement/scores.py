"""Scores that count or vote, in the protocol `disentanglement-lib`: FactorVAE, BetaVAE, MIG, modularity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge

from imgen.binding import Count, Weight
from imgen.metrics import Measured
from imgen.metrics.disentanglement import beta, information, votes
from imgen.metrics.disentanglement.arrays import ArrayCodes
from imgen.metrics.disentanglement.checked import finite_codes
from imgen.metrics.disentanglement.fitting import counted, listed, several_codes, several_factors, several_values
from imgen.metrics.disentanglement.reference import NAME, TEST, TRAIN, training_rows
from imgen.metrics.disentanglement.representation import representation_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imgen.metrics import Evaluation, Metric
    from imgen.metrics.disentanglement.representation import Groups, Representation, Rows

_VOTES, _PAIRS = 31, 32  # streams of the evaluation's seed


def factorvae_score_disentanglement_lib(
    *,
    train: Count = TRAIN,
    test: Count = TEST,
    group_size: Annotated[int, Ge(2)] = 64,
    rows: Annotated[int, Ge(2)] = TRAIN,
    least_spread: Weight = 0.05,
) -> Metric:
    """Whether the code that varies least tells which factor stays: FactorVAE's score as disentanglement_lib has it.

    Each group shares one value of one factor, both by chance. The code whose variance within the group, over its
    variance anywhere, is smallest has a vote for that factor. Each code then stands for the factor that it had most
    votes for: `score` is the share of fresh votes that this is right for, `train_score` that of the votes themselves.
    Codes that hardly vary anywhere take no part; where none does, both are 0. 1 at best, about 1 / factors by chance.

    Settings:
        train: votes that say what each code stands for [groups]
        test: fresh votes that are counted [groups]
        group_size: things in a group [things]
        rows: draws that say how far a code varies anywhere [rows]
        least_spread: standard deviation below which a code takes no part

    Raises: `DataError` where there are not so many rows, or one factor alone.
    Source: Kim and Mnih, 2018; Locatello and others, 2019, and the settings of their study.
    """

    def measure(evaluation: Evaluation) -> Measured:
        codes = representation_of(evaluation)
        several_factors(codes.factors, "the FactorVAE score")
        scale = votes.spread(_rows(evaluation, rows).codes)
        taking_part = votes.active(scale, least_spread)
        counts = {"train": train, "test": test, "group_size": group_size, "rows": rows}
        tables = [
            _ballot(_by_chance(evaluation, codes, count, group_size, _VOTES, held_out), scale, taking_part, codes)
            for held_out, count in enumerate((train, test))
        ]
        idle = sorted(set(range(len(scale))) - set(taking_part.tolist()))
        return Measured(
            values={
                "score": votes.agreement(*tables) if len(taking_part) else 0.0,
                "train_score": votes.majority(tables[0]) if len(taking_part) else 0.0,
            },
            counts={**counts, "active_codes": len(taking_part)},
            protocol=f"{NAME}: {train:,} votes of {group_size} and {test:,} others, codes of spread {least_spread:g}",
            details={"factors": _names(codes), "votes": tables[0].tolist(), "test_votes": tables[1].tolist()},
            notes=[f"{counted(idle)} hardly var{'ies' if len(idle) == 1 else 'y'} and took no part"] if idle else [],
        )

    return measure


def betavae_score_disentanglement_lib(
    *, train: Count = TRAIN, test: Count = TEST, group_size: Annotated[int, Ge(1)] = 64
) -> Metric:
    """Whether lines tell from differences of codes which factor stays: BetaVAE's score as disentanglement_lib has it.

    A point is the mean over pairs of things of the absolute difference of each code, codes as they are. The pairs of a
    point share a value of the same factor, each pair its own value. A logistic regression of each factor against the
    rest is fitted to some points: `score` is its accuracy on others, `train_score` that on its own. There are about as
    many points of each factor. 1 at best, 1 / factors by chance.

    Settings:
        train: points that are fitted to [points]
        test: other points, that are tested on [points]
        group_size: pairs of a point [pairs]

    Raises: `DataError` where there are not so many rows, or one factor alone.
    Source: Higgins and others, 2017; Locatello and others, 2019, with the logistic regression that scikit-learn had
    then: one against the rest, penalised intercept.
    """

    def measure(evaluation: Evaluation) -> Measured:
        codes = representation_of(evaluation)
        several_factors(codes.factors, "the BetaVAE score")
        fitted, tested = (
            _points(evaluation, codes, count, group_size, held_out) for held_out, count in enumerate((train, test))
        )
        weights = beta.fitted(*fitted, len(codes.factors))
        return Measured(
            values={"score": beta.accuracy(weights, *tested), "train_score": beta.accuracy(weights, *fitted)},
            counts={"train": train, "test": test, "group_size": group_size},
            protocol=f"{NAME}: {train:,} points of {group_size} pairs fitted to, accuracy on {test:,} others",
            details={"factors": _names(codes), "weights": listed(weights)},
        )

    return measure


def mig_disentanglement_lib(*, rows: Annotated[int, Ge(2)] = TRAIN) -> Metric:
    """How far the code that says most of a factor is ahead of the next: MIG as disentanglement_lib has it.

    The range of each code is cut into 20 equal parts. `mig` is the mean over factors of the largest less the second
    largest mutual information of a code with it, over the factor's entropy. Parts do not tell factors of many values
    apart: a perfect code of dSprites has some 0.89.

    Settings:
        rows: draws of all factors [rows]

    Raises: `DataError` where there are not so many rows, one code alone, or a factor shows but one value.
    Source: Chen, Li, Grosse, Duvenaud, 2018; Locatello and others, 2019.
    """

    def measure(evaluation: Evaluation) -> Measured:
        found, factors = _rows(evaluation, rows), representation_of(evaluation).factors
        several_codes(found.codes, "MIG")
        several_values(factors, found.places, "MIG")
        told = information.mutual_information(information.discretised(found.codes), found.places)
        entropy = information.entropies(found.places)
        return Measured(
            values={"mig": information.mutual_information_gap(told, entropy)},
            counts={"rows": rows},
            protocol=f"{NAME}: {information.BINS} equal parts, {rows:,} rows",
            details={
                "factors": [factor.name for factor in factors],
                "mutual_information": listed(told),
                "entropy": listed(entropy),
            },
        )

    return measure


def modularity_disentanglement_lib(*, rows: Annotated[int, Ge(2)] = TRAIN) -> Metric:
    """Whether each code says something of one factor alone: modularity as disentanglement_lib has it.

    The range of each code is cut into 20 equal parts. `modularity` is the mean over codes of 1 less how evenly the
    squares of its mutual information are spread over the factors; a code that says nothing of any counts 0. Noise does
    not come to 0: with factors of few and many values it has some 0.66.

    Settings:
        rows: draws of all factors [rows]

    Raises: `DataError` where there are not so many rows, or one factor alone.
    Source: Ridgeway and Mozer, 2018; Locatello and others, 2019.
    """

    def measure(evaluation: Evaluation) -> Measured:
        found, factors = _rows(evaluation, rows), representation_of(evaluation).factors
        several_factors(factors, "modularity")
        told = information.mutual_information(information.discretised(found.codes), found.places)
        each = information.modularities(told)
        dead = np.flatnonzero(np.isnan(each)).tolist()
        return Measured(
            values={"modularity": information.modularity(told, dead=0.0)},
            counts={"rows": rows},
            protocol=f"{NAME}: {information.BINS} equal parts, {rows:,} rows, a code that says nothing counts 0",
            details={
                "factors": [factor.name for factor in factors],
                "mutual_information": listed(told),
                "modularity": listed(np.where(np.isnan(each), 0.0, each)),
            },
            notes=[f"{counted(dead)} say{'s' if len(dead) == 1 else ''} nothing of any factor"] if dead else [],
        )

    return measure


def _names(codes: Representation) -> list[str]:
    return [factor.name for factor in codes.factors]


def _rows(evaluation: Evaluation, n: int) -> Rows:
    """Draws that nothing is fitted to: of a file, none need be held out."""
    codes = representation_of(evaluation)
    return codes.any_rows(n) if isinstance(codes, ArrayCodes) else training_rows(evaluation, n)


def _by_chance(
    evaluation: Evaluation, codes: Representation, count: int, size: int, stream: int, held_out: int
) -> Groups:
    rng = np.random.default_rng([evaluation.seed, stream, held_out])
    groups = codes.groups(count, size, rng, in_turn=False)
    finite_codes(groups.codes)
    return groups


def _ballot(
    groups: Groups, scale: NDArray[np.float64], taking_part: NDArray[np.int64], codes: Representation
) -> NDArray[np.int64]:
    """Votes of all codes, (D, K); those that take no part have none."""
    table = np.zeros((len(scale), len(codes.factors)), np.int64)
    if len(taking_part):
        winning = votes.winners(groups.codes[..., taking_part], scale[taking_part])
        table = votes.ballot(taking_part[winning], groups.labels, *table.shape)
    return table


def _points(
    evaluation: Evaluation, codes: Representation, count: int, pairs: int, held_out: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Mean differences within pairs that share a factor, (count, D), and which factor, (count,)."""
    factors = len(codes.factors)
    # Of each factor so many pairs may be left over that they are too few for a point.
    drawn = _by_chance(evaluation, codes, (count + factors) * pairs, 2, _PAIRS, held_out)
    each = beta.differences(drawn.codes)
    points, labels = [], []
    for factor in range(factors):
        mine = each[drawn.labels == factor]
        whole = len(mine) // pairs
        points.append(mine[: whole * pairs].reshape(whole, pairs, -1).mean(axis=1))
        labels.append(np.full(whole, factor))
    rng = np.random.default_rng([evaluation.seed, _PAIRS, held_out, 1])
    order = rng.permutation(sum(map(len, labels)))[:count]
    return np.concatenate(points)[order], np.concatenate(labels)[order]
