"""Scores that fit something to codes, in the protocol `disentanglement-lib`: SAP, explicitness, DCI."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imgen.binding import Count
from imgen.metrics import Measured
from imgen.metrics.disentanglement import dci, sap
from imgen.metrics.disentanglement.explicitness import explicitness, standardised
from imgen.metrics.disentanglement.fitting import (
    listed,
    same_values,
    several_codes,
    several_factors,
    several_values,
)
from imgen.metrics.disentanglement.reference import NAME, TEST, TRAIN, held_out_rows, training_rows
from imgen.metrics.disentanglement.regression import boosted
from imgen.metrics.disentanglement.representation import representation_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imgen.metrics import Evaluation, Metric
    from imgen.metrics.disentanglement.representation import Rows


def sap_disentanglement_lib(*, train: Count = TRAIN, test: Count = TEST, continuous: bool = False) -> Metric:
    """How far the best single code for each factor is ahead of the next: SAP as disentanglement_lib has it.

    A table has for each code and factor the share of held-out rows of which a linear support vector machine on that
    code alone tells the value (C = 0.01, balanced), or, where `continuous`, the squared correlation with the value's
    place among the rows that are fitted to, 0 for a code whose variance is at most 1e-12. `sap` is the mean over
    factors of the largest less the second largest entry. The two kinds of tables are not comparable with each other,
    and neither is comparable with numbers that treat some factors in one way and others in the other: a perfect code
    of dSprites has 0.18, or 1.0.

    Settings:
        train: draws of all factors that are fitted to [rows]
        test: other draws, that are tested on [rows]
        continuous: squared correlations, for all factors, instead of what can be told

    Raises: `DataError` where there are not so many rows, one code alone, or a factor shows but one value.
    Source: Kumar, Sattigeri, Balakrishnan, 2018; Locatello and others, 2019. Each machine is solved exactly, where
    theirs stops near the solution.
    """

    def measure(evaluation: Evaluation) -> Measured:
        rows, factors = training_rows(evaluation, train), representation_of(evaluation).factors
        several_codes(rows.codes, "SAP")
        several_values(factors, rows.places, "SAP")
        names, counts = [factor.name for factor in factors], {"train": train}
        if continuous:
            table = sap.squared_correlations(rows.codes, rows.places, guarded=True)
            how = f"squared correlations of {train:,} rows"
        else:
            others = held_out_rows(evaluation, test)
            counts["test"] = test
            table = _told(rows, others)
            how = f"linear support vector machines fitted to {train:,} rows, accuracy on {test:,} others"
        return Measured(
            values={"sap": sap.sap(table)},
            counts=counts,
            protocol=f"{NAME}: {how}, for all factors",
            details={"factors": names, "table": listed(table)},
        )

    return measure


def explicitness_disentanglement_lib(*, train: Count = TRAIN, test: Count = TEST) -> Metric:
    """Whether linear classifiers tell the values of each factor from all codes, as disentanglement_lib has it.

    Codes less their mean and over their standard deviation among the rows that are fitted to. A logistic regression of
    each value against the rest gives probabilities, these the area under the curve of true against false positives,
    and the mean over a factor's values and then over factors is `explicitness_train` on what was fitted to and
    `explicitness_test` on held-out rows. 1 is out of reach for ordered factors of many values, as no plane has the
    middle ones on one side: a perfect code of dSprites has some 0.94. Noise has 0.5 and a little more where it is
    fitted.

    Settings:
        train: draws of all factors that are fitted to [rows]
        test: other draws, that are tested on [rows]

    Raises: `DataError` where there are not so many rows, or a value is not shown by both the fitted and the held-out.
    Source: Ridgeway and Mozer, 2018; Locatello and others, 2019, with the logistic regression that scikit-learn had
    then: one value against the rest, penalised intercept. The same lines on a scikit-learn since version 0.22 fit all
    values at once and give some 0.98 for a perfect code.
    """

    def measure(evaluation: Evaluation) -> Measured:
        rows, others = training_rows(evaluation, train), held_out_rows(evaluation, test)
        factors = representation_of(evaluation).factors
        several_values(factors, rows.places, "explicitness")
        same_values(factors, rows.places, others.places, "explicitness")
        fitted, tested = standardised(rows.codes), standardised(others.codes, by=rows.codes)
        each = np.array(
            [
                explicitness(fitted, places, tested, truth)
                for places, truth in zip(rows.places.T, others.places.T, strict=True)
            ]
        )
        named = ("explicitness_train", "explicitness_test")
        return Measured(
            values=dict(zip(named, each.mean(axis=0).tolist(), strict=True)),
            counts={"train": train, "test": test},
            protocol=f"{NAME}: one value against the rest, C 1, standardised codes, {train:,} rows and {test:,} others",
            details={
                "factors": [factor.name for factor in factors],
                **{name: listed(column) for name, column in zip(named, each.T, strict=True)},
            },
        )

    return measure


def dci_disentanglement_lib(*, train: Count = TRAIN, test: Count = TEST) -> Metric:
    """Disentanglement, completeness and informativeness as disentanglement_lib has them, with boosted trees.

    For each factor a gradient boosting classifier of its values is fitted to all codes. How much each code matters for
    each factor is a table: `disentanglement` says whether each code matters for one factor alone, `completeness`
    whether each factor has one code alone, both weighted by how much a code or a factor has in the table, and
    `informativeness_train` and `informativeness_test` are the mean shares of values that are told right. Not
    comparable with DCI of regressions: model, target and means are others. Some minutes for factors of many values.

    Settings:
        train: draws of all factors that are fitted to [rows]
        test: other draws, that are tested on [rows]

    Raises: `DataError` where scikit-learn is missing, there are not so many rows, one code or factor alone, or a
    factor shows but one value.
    Source: Eastwood and Williams, 2018; Locatello and others, 2019.
    """

    def measure(evaluation: Evaluation) -> Measured:
        rows, others = training_rows(evaluation, train), held_out_rows(evaluation, test)
        factors = representation_of(evaluation).factors
        several_codes(rows.codes, "DCI")
        several_factors(factors, "DCI")
        several_values(factors, rows.places, "DCI")
        table, fitted, told = boosted(rows.codes, rows.places, others.codes, others.places, evaluation.seed)
        by_code, by_factor = dci.disentanglement(table, guarded=True), dci.completeness(table, guarded=True)
        return Measured(
            values={
                "disentanglement": by_code.score,
                "completeness": by_factor.score,
                "informativeness_train": float(fitted.mean()),
                "informativeness_test": float(told.mean()),
            },
            counts={"train": train, "test": test},
            protocol=f"{NAME}: gradient boosting classifiers fitted to {train:,} rows, accuracy on {test:,} others",
            details={
                "factors": [factor.name for factor in factors],
                "table": listed(table),
                "disentanglement": listed(by_code.each),
                "completeness": listed(by_factor.each),
                "informativeness_train": listed(fitted),
                "informativeness_test": listed(told),
            },
        )

    return measure


def _told(rows: Rows, others: Rows) -> NDArray[np.float64]:
    """For each code and factor the share of the others that a machine on that code tells right, (D, K)."""
    table = np.empty((rows.codes.shape[1], rows.places.shape[1]))
    for code, factor in np.ndindex(table.shape):
        fitted, tested = rows.codes[:, code], others.codes[:, code]
        table[code, factor] = sap.accuracy(fitted, rows.places[:, factor], tested, others.places[:, factor])
    return table
