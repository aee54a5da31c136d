"""Scores that count or vote, as InfoGAN-CR's authors take them: FactorVAE, BetaVAE, MIG, modularity, dHSIC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge

from imgen.binding import NonNegative
from imgen.errors import DataError
from imgen.metrics import Measured
from imgen.metrics.disentanglement import beta, information, votes
from imgen.metrics.disentanglement.dhsic import joint_criterion, median_distances
from imgen.metrics.disentanglement.fitting import (
    counted,
    listed,
    several_codes,
    several_factors,
    several_values,
    steady_codes,
)
from imgen_infogan_cr.protocol import codes_of_pictures, metric_data

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imgen.metrics import Evaluation, Metric
    from imgen_infogan_cr.protocol import MetricData


def factorvae_score_infogan_cr(
    *, groups: NonNegative = 0, group_size: NonNegative = 0, rows: NonNegative = 0
) -> Metric:
    """Whether the code that varies least tells which factor stays: FactorVAE's score as InfoGAN-CR's authors take it.

    Groups share one value of one factor, of each factor in turn. The code whose standard deviation within a group,
    over that of the data set, is smallest has a vote for its factor. `score` is the share of votes that agree with
    most votes of their code, on the very votes that say what these are, so that chance is above 1 / factors: 0.25 for 5
    codes of 5 factors and 500 groups. `revised` counts only as many codes as there are factors, those with most votes:
    to share a factor out among codes is no gain. No code is left out: one that never varies wins every group, and both
    are 1 / factors.

    Settings:
        groups: how many, 0 for 100 for each factor or all of a file [groups]
        group_size: things in each, 0 for 100, or 25 of two factors, or all of a file's [things]
        rows: things that say how far a code varies anywhere, 0 for a tenth of the data set or all of a file [rows]

    Raises: `DataError` where there are not so many, or one factor alone.
    Source: Kim and Mnih, 2018; Lin, Thekumparampil, Fanti, Oh, "InfoGAN-CR and ModelCentrality", 2020, the authors'
    code.
    """

    def measure(evaluation: Evaluation) -> Measured:
        data = metric_data(evaluation, groups=groups, group_size=group_size, rows=rows)
        several_factors(data.representation.factors, "the FactorVAE score")
        _several_things(data, "does not vary")
        anywhere = data.anywhere
        steady = steady_codes(anywhere)
        # In 32 bits throughout, as theirs: it decides between codes that stand still in a group. Powers of two change
        # no digit, and keep the squares of very large and very small codes within these bits.
        twos = -np.frexp(np.abs(anywhere).max(axis=0))[1]
        scale = np.ldexp(anywhere, twos).std(axis=0)
        scale[steady] = 0.0  # whatever rounding makes of it
        winning = votes.winners(np.ldexp(data.groups.codes, twos), scale, exact=False)
        table = votes.ballot(winning, data.groups.labels, anywhere.shape[1], len(data.factor_names))
        wins = f"{counted(steady[:1])} never varies and so wins every group: the score says nothing of the others"
        return Measured(
            values={"score": votes.majority(table), "revised": votes.revised_majority(table)},
            counts={**_group_counts(data), "rows": len(anywhere)},
            protocol=f"infogan-cr: {_of(data)}, counted on the votes that say what each code stands for",
            details={"factors": list(data.factor_names), "votes": table.tolist()},
            notes=[wins] if steady else [],
        )

    return measure


def betavae_score_infogan_cr(*, groups: NonNegative = 0, group_size: NonNegative = 0) -> Metric:
    """Whether lines tell from differences of codes which factor stays: BetaVAE's score as InfoGAN-CR's authors take it.

    Groups share one value of one factor, of each factor in turn. What is told from is the mean over pairs of a group of
    the absolute difference of each code, codes as they are. A logistic regression of each factor against the rest is
    fitted to the groups, and `score` is its accuracy on the very same. It depends on the codes' scale. 1 at best. Of a
    group of odd size one thing is left out; the authors' code cannot go on there, as on CdSprites.

    Settings:
        groups: how many, 0 for 100 for each factor or all of a file [groups]
        group_size: things in each, 0 for 100, or 25 of two factors, or all of a file's [things]

    Raises: `DataError` where there are not so many, or one factor or one thing alone.
    Source: Higgins and others, 2017; InfoGAN-CR's authors, 2020, with the logistic regression that scikit-learn had
    before version 0.22: one against the rest, penalised intercept.
    """

    def measure(evaluation: Evaluation) -> Measured:
        data = metric_data(evaluation, groups=groups, group_size=group_size)
        several_factors(data.representation.factors, "the BetaVAE score")
        _several_things(data, "has no pairs")
        features, labels = beta.differences(data.groups.codes), data.groups.labels
        weights = beta.fitted(features, labels, len(data.factor_names))
        odd = data.groups.codes.shape[1] % 2
        return Measured(
            values={"score": beta.accuracy(weights, features, labels)},
            counts=_group_counts(data),
            protocol=f"infogan-cr: {_of(data)}, in pairs, on the groups that were fitted to",
            details={"factors": list(data.factor_names), "weights": listed(weights)},
            notes=["of each group the last thing has no partner and was left out"] if odd else [],
        )

    return measure


def mig_infogan_cr(*, rows: NonNegative = 0) -> Metric:
    """How far the code that says most of a factor is ahead of the next: MIG as InfoGAN-CR's authors take it.

    The range of each code is cut into 20 equal parts. `mig` is the mean over factors of the largest less the second
    largest mutual information of a code with it, over the factor's entropy. Parts do not tell factors of many values
    apart: a perfect code of dSprites has 0.902 at 73,728 rows.

    Settings:
        rows: draws of all factors, 0 for a tenth of the data set or all of a file [rows]

    Raises: `DataError` where there are not so many rows, one code alone, or a factor shows but one value.
    Source: Chen, Li, Grosse, Duvenaud, 2018; InfoGAN-CR's authors, 2020, whose formula is disentanglement_lib's.
    """

    def measure(evaluation: Evaluation) -> Measured:
        data = metric_data(evaluation, rows=rows)
        several_codes(data.rows.codes, "MIG")
        several_values(data.representation.factors, data.rows.places, "MIG")
        told, entropy = _information(data), information.entropies(data.rows.places)
        return Measured(
            values={"mig": information.mutual_information_gap(told, entropy)},
            counts={"rows": len(data.rows.codes)},
            protocol=f"infogan-cr: {information.BINS} equal parts",
            details={
                "factors": list(data.factor_names),
                "mutual_information": listed(told),
                "entropy": listed(entropy),
            },
        )

    return measure


def modularity_infogan_cr(*, rows: NonNegative = 0) -> Metric:
    """Whether each code says something of one factor alone: modularity as InfoGAN-CR's authors take it.

    The range of each code is cut into 20 equal parts. `modularity` is the mean over codes of 1 less how evenly the
    squares of its mutual information are spread over the factors, whatever a code says. Noise does not come to 0 but,
    with dSprites' factors, to some 0.66. A code that never varies says nothing of any factor, and `modularity` is NaN:
    what the authors' code gives then hangs on rounding.

    Settings:
        rows: draws of all factors, 0 for a tenth of the data set or all of a file [rows]

    Raises: `DataError` where there are not so many rows, or one factor alone.
    Source: Ridgeway and Mozer, 2018; InfoGAN-CR's authors, 2020.
    """

    def measure(evaluation: Evaluation) -> Measured:
        data = metric_data(evaluation, rows=rows)
        several_factors(data.representation.factors, "modularity")
        told = _information(data)
        each = information.modularities(told)
        dead = np.flatnonzero(np.isnan(each)).tolist()
        verb = "says" if len(dead) == 1 else "say"
        return Measured(
            values={"modularity": information.modularity(told)},
            counts={"rows": len(data.rows.codes)},
            protocol=f"infogan-cr: {information.BINS} equal parts, the mean of all codes",
            details={
                "factors": list(data.factor_names),
                "mutual_information": listed(told),
                "modularity": listed(each),
            },
            notes=[f"modularity is NaN: {counted(dead)} {verb} nothing of any factor"] if dead else [],
        )

    return measure


def dhsic_infogan_cr(*, rows: Annotated[int, Ge(2)] = 5000) -> Metric:
    """How far codes are from being independent of one another: dHSIC as InfoGAN-CR's authors take it.

    Less is better. The kernel is exp(-distance / h²), h being the median of all distances: no Gaussian, and not the
    same for codes of another scale. Independent codes do not come to 0 but to about 1 / rows, so that only numbers of
    equally many rows and codes compare. A code given twice hardly raises it. NaN where half of the distances of a code
    are 0, as of one that never varies. It needs no factors: any data set of pictures will do.

    Settings:
        rows: pictures of the data set, all where it has fewer [rows]

    Raises: `DataError` where the model reads one code alone or none, or the data set has no single pictures.
    Source: Pfister, Bühlmann, Schölkopf, Peters, 2018; InfoGAN-CR's authors, 2020.
    """

    def measure(evaluation: Evaluation) -> Measured:
        codes = codes_of_pictures(evaluation, rows)
        several_codes(codes, "dHSIC")
        scales = median_distances(codes)
        found = joint_criterion(codes, scales, lambda apart, scale: np.exp(apart * (-1 / scale**2)))
        none = np.flatnonzero(scales == 0).tolist()
        return Measured(
            values={"dhsic": found.total},
            counts={"rows": len(codes)},
            protocol=f"infogan-cr: kernel exp(-distance / median²), {len(codes):,} pictures",
            details={"terms": listed(np.array(found[1:])), "medians": listed(scales)},
            notes=[f"dhsic is NaN: half of all distances are 0 in {counted(none)}"] if none else [],
        )

    return measure


def _information(data: MetricData) -> NDArray[np.float64]:
    return data.evaluation.once(
        ("infogan-cr", "mutual information", data.row_count),
        lambda: information.mutual_information(information.discretised(data.rows.codes), data.rows.places),
    )


def _several_things(data: MetricData, otherwise: str) -> None:
    if data.group_size < 2:
        raise DataError(f"a group of one thing {otherwise}; set group_size=2 or more")


def _group_counts(data: MetricData) -> dict[str, int]:
    return {"groups": data.group_count, "group_size": data.group_size}


def _of(data: MetricData) -> str:
    return f"{data.group_count:,} groups of {data.group_size}, factors in turn"
