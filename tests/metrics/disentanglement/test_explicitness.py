"""Explicitness: logistic regressions of one value against the rest, and areas from ranks."""

from __future__ import annotations

import numpy as np
import pytest

from imgen.metrics.disentanglement.explicitness import areas, explicitness, standardised
from imgen.metrics.disentanglement.logistic import one_against_rest, probabilities


def blobs(n: int, values: int, codes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    places = rng.integers(0, values, n)
    return (rng.normal(size=(n, codes)) + places[:, None] * rng.normal(size=codes)).astype(np.float32), places


def test_areas_by_hand():
    scores = np.array([[0.1, 0.9], [0.4, 0.6], [0.35, 0.65], [0.8, 0.2]])
    # Of the pairs of one that is and one that is not, 3 of 4 are in order.
    assert areas(scores, np.array([0, 0, 1, 1])).tolist() == [0.25, 0.25]
    assert areas(scores[:, ::-1], np.array([0, 0, 1, 1])).tolist() == [0.75, 0.75]
    assert areas(np.full((4, 2), 0.5), np.array([0, 1, 1, 1])).tolist() == [0.5, 0.5], "equal scores count as half"


def test_areas_of_what_nothing_is():
    told = areas(np.zeros((3, 2)), np.zeros(3, int))
    assert np.isnan(told).all()


def test_areas_are_those_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    rng = np.random.default_rng(3)
    scores, truth = rng.integers(0, 9, (200, 4)) / 9, np.r_[np.arange(4), rng.integers(0, 4, 196)]
    wanted = [metrics.roc_auc_score(truth == value, scores[:, value]) for value in range(4)]
    np.testing.assert_allclose(areas(scores, truth), wanted, rtol=1e-12)


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("values", [2, 7])
def test_regressions_are_at_the_lowest_loss(values, scale):
    codes, places = blobs(300, values, 3)
    codes = codes * np.float32(scale)
    weights = one_against_rest(codes, places, values)
    rows = np.c_[codes.astype(float), np.ones(300)]
    # The gradient of half the squared weights and the logarithms, at a minimum that is the only one.
    told = 1 / (1 + np.exp(-rows @ weights.T))
    gradient = weights + (told - (places[:, None] == np.arange(values))).T @ rows
    assert np.abs(gradient).max() < 1e-4 * max(1.0, scale)


def test_regressions_are_those_of_liblinear():
    linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")
    multiclass = pytest.importorskip("sklearn.multiclass")
    codes, places = blobs(500, 5, 4)
    theirs = multiclass.OneVsRestClassifier(linear.LogisticRegression(solver="liblinear", tol=1e-8))
    theirs.fit(codes.astype(np.float64), places)
    wanted = np.array([np.r_[each.coef_[0], each.intercept_] for each in theirs.estimators_])
    weights = one_against_rest(codes, places, 5)
    np.testing.assert_allclose(weights, wanted, atol=1e-4)
    np.testing.assert_allclose(probabilities(codes, weights), theirs.predict_proba(codes), atol=1e-5)


def test_values_that_lie_apart_are_explicit():
    places = np.arange(90) % 3
    corners = np.eye(3)[places]
    assert explicitness(corners, places, corners, places) == (1.0, 1.0)


def test_values_in_the_middle_are_on_one_side_of_no_plane():
    places = np.arange(400) % 8
    fitted, tested = explicitness(places[:, None] / 7, places)
    assert 0.7 < fitted < 0.95
    assert np.isnan(tested), "nothing was tested"


def test_noise_is_not_explicit():
    rng = np.random.default_rng(4)
    codes, places, others, truth = rng.normal(size=(2000, 3)), np.arange(2000) % 4, rng.normal(size=(2000, 3)), None
    truth = rng.integers(0, 4, 2000)
    fitted, tested = explicitness(codes, places, others, truth)
    assert 0.5 < fitted < 0.56
    assert 0.45 < tested < 0.55


def test_values_need_not_be_counted_from_nought():
    codes, places = blobs(200, 3, 2)
    assert explicitness(codes, places) == pytest.approx(explicitness(codes, 10 * places + 7), nan_ok=True)


def test_standardised_by_other_rows():
    by = np.array([[0.0, 5.0], [2.0, 5.0]], np.float32)
    assert standardised(np.array([[3.0, 5.0]], np.float32), by).tolist() == [[2.0, 0.0]]
    assert standardised(by).tolist() == [[-1.0, 0.0], [1.0, 0.0]]


def test_large_codes_that_are_alike():
    codes, places = blobs(300, 3, 1)
    alone, _ = explicitness(codes * 1e12, places)
    twice, _ = explicitness(np.repeat(codes, 2, axis=1) * 1e12, places)
    assert twice == pytest.approx(alone, abs=1e-6)
