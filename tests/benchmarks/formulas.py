"""The eight scores of disentanglement as anybody would first write their formulas down, for a benchmark to compare."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imgen.data.spec import Factor

FACTORS = (
    Factor("shape", 3, ordered=False),
    *(Factor(name, size) for name, size in (("scale", 6), ("orientation", 40), ("x", 32), ("y", 32))),
)
SIZES = np.array([factor.size for factor in FACTORS])


@dataclass(frozen=True)
class Taken:
    """What a transcription is given."""

    groups: NDArray[np.float32]
    labels: NDArray[np.int64]
    anywhere: NDArray[np.float32]
    pictures: NDArray[np.float32]
    codes: NDArray[np.float32]
    values: NDArray[np.float64]
    places: NDArray[np.int64]


def factorvae(taken: Taken) -> float:
    scale = np.std(taken.anywhere, axis=0)
    votes = np.zeros((taken.codes.shape[1], len(SIZES)))
    for codes, label in zip(taken.groups, taken.labels, strict=True):
        votes[np.argmin(np.std(codes / scale, axis=0)), label] += 1
    return float(sum(max(row) for row in votes) / votes.sum())


def betavae(taken: Taken) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    features = []
    for codes in taken.groups:
        pairs = [abs(codes[at].astype(float) - codes[at + 1]) for at in range(0, len(codes) - 1, 2)]
        features.append(np.mean(pairs, axis=0))
    model = OneVsRestClassifier(LogisticRegression(solver="liblinear")).fit(features, taken.labels)
    return float(model.score(features, taken.labels))


def sap(taken: Taken) -> float:
    from sklearn.svm import LinearSVC

    table = np.zeros((taken.codes.shape[1], len(SIZES)))
    for d, code in enumerate(taken.codes.T):
        for k, factor in enumerate(FACTORS):
            if factor.ordered:
                (var_z, cov), (_, var_y) = np.cov(code, taken.values[:, k])
                table[d, k] = cov**2 / (var_z * var_y)
            else:
                machine = LinearSVC(C=0.01, class_weight="balanced", dual=True, random_state=0)
                table[d, k] = machine.fit(code[:, None], taken.places[:, k]).score(code[:, None], taken.places[:, k])
    ordered = np.sort(table, axis=0)
    return float(np.mean(ordered[-1] - ordered[-2]))


def _information(taken: Taken) -> NDArray[np.float64]:
    from sklearn.metrics import mutual_info_score

    table = np.zeros((taken.codes.shape[1], len(SIZES)))
    for d, code in enumerate(taken.codes.T):
        parts = np.digitize(code, np.histogram(code, 20)[1][:-1])
        for k in range(len(SIZES)):
            table[d, k] = mutual_info_score(taken.places[:, k], parts)
    return table


def mig(taken: Taken) -> float:
    from sklearn.metrics import mutual_info_score

    ordered = np.sort(_information(taken), axis=0)
    entropy = np.array([mutual_info_score(column, column) for column in taken.places.T])
    return float(np.mean((ordered[-1] - ordered[-2]) / entropy))


def modularity(taken: Taken) -> float:
    each = []
    for row in _information(taken) ** 2:
        largest = max(row)
        each.append(1 - (sum(row) - largest) / (largest * (len(row) - 1)))
    return float(np.mean(each))


def explicitness(taken: Taken) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.multiclass import OneVsRestClassifier

    each = []
    for truth in taken.places.T:
        model = OneVsRestClassifier(LogisticRegression(solver="liblinear")).fit(taken.codes, truth)
        told = model.predict_proba(taken.codes)
        areas = [roc_auc_score(truth == value, told[:, at]) for at, value in enumerate(model.classes_)]
        each.append(np.mean(areas))
    return float(np.mean(each))


def dci(taken: Taken) -> float:
    from sklearn.ensemble import RandomForestRegressor

    z, y = ((some - some.mean(axis=0)) / some.std(axis=0) for some in (taken.codes.astype(float), taken.values))
    table = []
    for k, depth in enumerate((4, 2, 4, 2, 2)):
        model = RandomForestRegressor(10, max_depth=depth, oob_score=True, random_state=k)
        table.append(model.fit(z, y[:, k]).feature_importances_)
    each = []
    for row in table:
        p = row / sum(row)
        each.append(1 + sum(p * np.log(p + 1e-12)) / np.log(len(p)))
    return float(np.mean(each))


def dhsic(taken: Taken) -> float:
    n, kernels = len(taken.pictures), []
    for code in taken.pictures.T.astype(float):
        apart = np.abs(code[:, None] - code[None, :])
        kernels.append(np.exp(-apart / np.median(apart) ** 2))
    joint, cross = np.ones((n, n)), np.ones(n)
    for kernel in kernels:
        joint *= kernel
        cross *= kernel.sum(axis=1)
    apart_ = np.prod([kernel.mean() for kernel in kernels])
    return float(joint.mean() + apart_ - 2 * cross.sum() / float(n) ** (len(kernels) + 1))
