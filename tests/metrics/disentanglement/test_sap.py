"""SAP: its table, its mean of gaps, and machines on one code that are solved exactly."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from imgen.metrics.disentanglement.sap import C, accuracy, machines, sap, squared_correlations


def test_score_is_the_mean_gap_of_the_two_best_codes():
    assert sap(np.array([[0.9, 0.1], [0.2, 0.5], [0.4, 0.3]])) == pytest.approx((0.5 + 0.2) / 2)
    assert sap(np.array([[0.7, 0.3], [0.7, 0.3]])) == 0


def test_score_of_what_is_no_number_is_none():
    assert np.isnan(sap(np.array([[0.9, 0.1], [0.2, np.nan], [0.4, 0.3]])))


def test_squared_correlations_are_those_of_numpy():
    rng = np.random.default_rng(0)
    codes, values = rng.normal(size=(50, 3)).astype(np.float32), rng.normal(size=(50, 2))
    wanted = np.corrcoef(codes.T, values.T)[:3, 3:] ** 2
    np.testing.assert_allclose(squared_correlations(codes, values), wanted, rtol=1e-6)


def test_a_steady_code_has_no_correlation_or_is_guarded():
    # The mean of so many of 0.1 is not 0.1: what rounding leaves must not count as variance.
    codes = np.stack([np.full(1001, 0.1, np.float32), np.arange(1001, dtype=np.float32)], axis=1)
    values = np.arange(1001.0)[:, None]
    assert np.isnan(squared_correlations(codes, values)[0, 0])
    assert squared_correlations(codes, values, guarded=True)[:, 0].tolist() == [0.0, pytest.approx(1.0)]


def loss(slope: float, height: float, x: np.ndarray, sign: np.ndarray, weights: np.ndarray) -> float:
    """Of a machine, as its definition reads."""
    return (slope**2 + height**2) / 2 + float((weights * np.maximum(0, 1 - sign * (slope * x + height)) ** 2).sum())


@pytest.mark.parametrize("scale", [1e-4, 1.0, 30.0])
def test_machines_are_at_the_lowest_loss(scale):
    rng = np.random.default_rng(1)
    kinds = rng.integers(0, 3, 400)
    x = (kinds + rng.normal(size=400)) * scale + scale
    lines = machines(x, kinds)
    for kind in range(3):
        sign = np.where(kinds == kind, 1.0, -1.0)
        weights = np.where(kinds == kind, C * 400 / (3 * (kinds == kind).sum()), C)
        best = loss(lines.slopes[kind], lines.heights[kind], x, sign, weights)
        for slope, height in rng.normal(size=(200, 2)) * [0.1 / scale, 0.1]:
            assert best <= loss(lines.slopes[kind] + slope, lines.heights[kind] + height, x, sign, weights) + 1e-12


@pytest.mark.parametrize("kinds", [2, 3, 6])
def test_machines_are_those_of_scikit_learn(kinds):
    svm = pytest.importorskip("sklearn.svm", reason="scikit-learn is not installed")
    rng = np.random.default_rng(2)
    truth = rng.integers(0, kinds, 600)
    code = (truth + 0.8 * rng.normal(size=600)).astype(np.float32)
    theirs = svm.LinearSVC(C=C, class_weight="balanced", dual=True, tol=1e-9, max_iter=200_000)
    theirs.fit(code[:, None].astype(np.float64), truth)
    lines = machines(code, truth)
    np.testing.assert_allclose(lines.slopes, theirs.coef_[:, 0], atol=1e-5)
    np.testing.assert_allclose(lines.heights, theirs.intercept_, atol=1e-5)
    assert accuracy(code, truth, code, truth) == pytest.approx(theirs.score(code[:, None], truth), abs=2 / 600)


def test_accuracy_tells_what_it_can():
    kinds = np.arange(300) % 3
    assert accuracy(kinds - 1.0, kinds, kinds - 1.0, kinds) == 1.0
    assert accuracy(np.zeros(300), kinds, np.zeros(300), kinds) == pytest.approx(1 / 3)
    assert accuracy(np.arange(4.0), np.zeros(4, int), np.arange(2.0), np.array([0, 1])) == 0.5


def test_two_kinds_far_from_zero_are_told():
    """Gradient and curvature are sums of squares: an offset must not drown them."""
    kinds = np.arange(200) % 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert accuracy(1000.0 + kinds, kinds, 1000.0 + kinds, kinds) > 0.4
        assert accuracy(20.0 * kinds - 300.0, kinds, 20.0 * kinds - 300.0, kinds) >= 0.5
