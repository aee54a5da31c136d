"""Scores that fit something to codes, as InfoGAN-CR's authors take them: SAP, explicitness, DCI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from imgen.binding import NonNegative
from imgen.metrics import Measured
from imgen.metrics.disentanglement import dci, sap
from imgen.metrics.disentanglement.explicitness import explicitness
from imgen.metrics.disentanglement.fitting import (
    counted,
    listed,
    several_codes,
    several_factors,
    several_values,
    steady_codes,
)
from imgen.metrics.disentanglement.regression import Fitted, Regressor, importances
from imgen_infogan_cr.protocol import metric_data

if TYPE_CHECKING:
    from imgen.metrics import Evaluation, Metric
    from imgen_infogan_cr.protocol import MetricData


def sap_infogan_cr(*, rows: NonNegative = 0) -> Metric:
    """How far the best single code for each factor is ahead of the next: SAP as InfoGAN-CR's authors take it.

    A table has for each code and ordered factor their squared correlation, and for each code and factor of kinds, such
    as shapes, the share of rows of which a linear support vector machine on that code alone tells the kind (C = 0.01,
    balanced), on the very rows that it was fitted to. `sap` is the mean over factors of the largest less the second
    largest entry. Angles count as plain numbers. The second best code still tells a third of three shapes, so that a
    perfect code of dSprites has 0.933. A code that never varies has no correlation, and `sap` is NaN.

    Settings:
        rows: draws of all factors, 0 for a tenth of the data set or all of a file [rows]

    Raises: `DataError` where there are not so many rows, one code alone, or a factor shows but one value.
    Source: Lin, Thekumparampil, Fanti, Oh, "InfoGAN-CR and ModelCentrality", 2020, the authors' code; each machine is
    solved exactly, where theirs stops near the solution.
    """

    def measure(evaluation: Evaluation) -> Measured:
        data = metric_data(evaluation, rows=rows)
        factors, (codes, values, places) = data.representation.factors, data.rows
        several_codes(codes, "SAP")
        several_values(factors, places, "SAP")
        table = sap.squared_correlations(codes, values)
        for factor in np.flatnonzero(data.kinds):
            told = places[:, factor]
            table[:, factor] = [sap.accuracy(code, told, code, told) for code in codes.T]
        steady, score = steady_codes(codes), sap.sap(table)
        why = f"sap is NaN: {counted(steady)} never var{'ies' if len(steady) == 1 else 'y'}, so has no correlation"
        return Measured(
            values={"sap": score},
            counts={"rows": len(codes)},
            protocol="infogan-cr: correlations, and machines for kinds, on the rows that they were fitted to",
            details={"factors": list(data.factor_names), "table": listed(table)},
            notes=[why] if np.isnan(score) else [],
        )

    return measure


def explicitness_infogan_cr(*, rows: NonNegative = 0) -> Metric:
    """Whether linear classifiers tell the values of each factor from all codes, as InfoGAN-CR's authors take it.

    A logistic regression of each value against the rest gives probabilities from the codes as they are, these the area
    under the curve of true against false positives on the very rows that were fitted to, and `explicitness` is the
    mean over a factor's values and then over factors. It depends on the codes' scale and on the number of rows: a
    perfect code of dSprites has 0.954 at 73,728 rows and 0.935 at 4,000. Noise has some 0.51 to 0.54.

    Settings:
        rows: draws of all factors, 0 for a tenth of the data set or all of a file [rows]

    Raises: `DataError` where there are not so many rows, or a factor shows but one value.
    Source: Ridgeway and Mozer, 2018; InfoGAN-CR's authors, 2020, with the logistic regression that scikit-learn had
    before version 0.22: one value against the rest, penalised intercept.
    """

    def measure(evaluation: Evaluation) -> Measured:
        data = metric_data(evaluation, rows=rows)
        several_values(data.representation.factors, data.rows.places, "explicitness")
        each = np.array([explicitness(data.rows.codes, places)[0] for places in data.rows.places.T])
        return Measured(
            values={"explicitness": float(each.mean())},
            counts={"rows": len(data.rows.codes)},
            protocol="infogan-cr: one value against the rest, C 1, codes as they are, on the rows that were fitted to",
            details={"factors": list(data.factor_names), "explicitness": listed(each)},
        )

    return measure


def dci_infogan_cr(
    *, rows: NonNegative = 0, regressor: Regressor = "forest-ibgan", held_out: NonNegative = 0
) -> Metric:
    """Disentanglement and completeness as InfoGAN-CR's authors take them: how much each code matters in regressions.

    For each factor a regression of its values on all codes, both less their mean and over their standard deviation,
    is fitted to the rows. How much each code matters for each factor is a table. `disentanglement` says whether each
    code matters for one factor alone, weighted by how much it matters; `completeness`, the plain mean over factors,
    whether one code alone matters for each. The authors' code has five regressions, and which of them fills the column
    of the paper's table is not known; the numbers in it of another paper suggest the default. The depth of the trees
    moves the scores more than seeds do. A code that matters for no factor has no entropy, and `disentanglement` is NaN:
    so it is for codes of noise where trees are shallow and rows many, and at fewer rows too with forests of the
    scikit-learn of the authors' day, where recent ones leave them some weight. The authors do not take informativeness:
    `held_out` adds `held_out_nrmse`, as the authors of DCI have it, the mean over factors of the root mean squared
    error of predictions over the standard deviation, so that 0 is best and 1 is no better than the mean.

    Settings:
        rows: draws of all factors, 0 for a tenth of the data set or all of a file [rows]
        regressor: lasso of penalty 0.02, lasso-cv of the best penalty, forest of 10 trees, or forest-ibgan, with depths
            for each factor, or forest-cv, of the best depth
        held_out: other draws for `held_out_nrmse`, 0 to leave it out [rows]

    Raises: `DataError` where scikit-learn is missing, there are not so many rows, one code or factor alone, or a
    factor shows but one value.
    Source: Eastwood and Williams, 2018; InfoGAN-CR's authors, 2020, with 10 trees and 3 folds as scikit-learn had them.
    """

    def measure(evaluation: Evaluation) -> Measured:
        data = metric_data(evaluation, rows=rows)
        codes, factors = data.rows.codes, data.representation.factors
        several_codes(codes, "DCI")
        several_factors(factors, "DCI")
        several_values(factors, data.rows.places, "DCI")
        told: dict[str, Any] = {
            "counts": {"rows": len(codes)},
            "protocol": f"infogan-cr: {regressor}, both sides standardised",
        }
        if steady := steady_codes(codes):
            why = f"{counted(steady)} never var{'ies' if len(steady) == 1 else 'y'}: no regression can be fitted"
            undefined = dict.fromkeys(("disentanglement", "completeness"), float("nan"))
            return Measured(values=undefined, notes=[f"undefined: {why}"], **told)
        fitted = importances(codes, data.rows.values, regressor, evaluation.seed)
        return _told(data, fitted, held_out, told)

    return measure


def _told(data: MetricData, fitted: Fitted, held_out: int, told: dict[str, Any]) -> Measured:
    """What regressions came to. told: counts and protocol."""
    by_code, by_factor = dci.disentanglement(fitted.table), dci.completeness(fitted.table)
    values = {"disentanglement": by_code.score, "completeness": by_factor.score}
    details = {
        "factors": list(data.factor_names),
        "regressions": list(fitted.settings),
        "table": listed(fitted.table),
        "disentanglement": listed(by_code.each),
        "completeness": listed(by_factor.each),
    }
    notes = []
    if idle := np.flatnonzero(np.isnan(by_code.each)).tolist():
        verb = "matters" if len(idle) == 1 else "matter"
        notes.append(f"disentanglement is NaN: {counted(idle)} {verb} for no factor, so has no entropy")
    if lost := [data.factor_names[place] for place in np.flatnonzero(np.isnan(by_factor.each)).tolist()]:
        notes.append(f"completeness is NaN: no code matters for {', '.join(lost)}")
    if held_out:
        others = data.held_out(held_out)
        several_values(data.representation.factors, others.places, "held_out_nrmse")
        errors = fitted.error(others.codes, others.values)
        values["held_out_nrmse"], details["held_out_nrmse"] = float(errors.mean()), listed(errors)
        told = {**told, "counts": {**told["counts"], "held_out": held_out}}
    return Measured(values=values, details=details, notes=notes, **told)
