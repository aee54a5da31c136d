"""BetaVAE's score: differences within pairs, and lines that tell their factor."""

from __future__ import annotations

import numpy as np
import pytest

from imgen.metrics.disentanglement.beta import accuracy, differences, fitted


def groups(turn: np.ndarray, count: int = 200, size: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Uniform factors, one the same within each group, times a matrix."""
    rng = np.random.default_rng(seed)
    factors = len(turn)
    labels = np.arange(count) % factors
    values = rng.uniform(-1, 1, (count, size, factors))
    values[np.arange(count), :, labels] = values[np.arange(count), 0, labels, None]
    return (values @ turn).astype(np.float32), labels


def score(turn: np.ndarray) -> float:
    codes, labels = groups(turn)
    weights = fitted(differences(codes), labels, len(turn))
    return accuracy(weights, differences(codes), labels)


def test_differences_by_hand():
    codes = np.array([[[0, 1], [1, 3], [5, 5], [2, 5]]], np.float32)
    assert differences(codes).tolist() == [[2.0, 1.0]]
    assert differences(codes[:, :3]).tolist() == [[1.0, 2.0]], "the odd one at the end has no partner"


def test_what_is_not_scaled():
    codes, _ = groups(np.eye(3))
    np.testing.assert_allclose(differences(10 * codes), 10 * differences(codes), rtol=1e-5)


@pytest.mark.parametrize("turn", [np.eye(4), np.eye(4)[[2, 0, 3, 1]], np.c_[np.eye(4), np.zeros(4)]])
def test_perfect_permuted_and_dead_codes_are_told(turn):
    assert score(turn) == 1


def test_noise_is_not_told():
    codes, labels = groups(np.eye(4))
    noise = np.random.default_rng(3).normal(size=codes.shape)
    weights = fitted(differences(noise), labels, 4)
    others = np.random.default_rng(4).normal(size=codes.shape)
    assert accuracy(weights, differences(others), labels) == pytest.approx(0.25, abs=0.1)


def test_a_turned_code_is_told_less():
    assert score(np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))[0]) < 0.9


def test_the_classifier_is_the_old_default_of_scikit_learn():
    linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")
    multiclass = pytest.importorskip("sklearn.multiclass")
    codes, labels = groups(np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))[0])
    features = differences(codes)
    theirs = multiclass.OneVsRestClassifier(linear.LogisticRegression(solver="liblinear")).fit(features, labels)
    wanted = float((theirs.predict(features) == labels).mean())
    assert accuracy(fitted(features, labels, 5), features, labels) == pytest.approx(wanted, abs=2 / len(labels))
