"""Mutual information of discretised codes with factors, its gap, and modularity."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from imgen.metrics.disentanglement.information import (
    discretised,
    entropies,
    modularities,
    modularity,
    mutual_information,
    mutual_information_gap,
)

GRID = np.stack(np.unravel_index(np.arange(4 * 5 * 6), (4, 5, 6)), axis=1)
"""Every combination of three factors once."""
FIVE = np.eye(5)


def told(codes, places=GRID):
    return mutual_information(discretised(np.asarray(codes, np.float32)), places)


@pytest.mark.parametrize("step", [2.0**-23, 3.0e37])
def test_parts_of_ranges_that_32_bits_cannot_part(step):
    code = (1 + step * np.arange(-8, 9)).astype(np.float32)
    wanted = 1 + np.arange(17) * 20 // 16
    assert discretised(code[:, None])[:, 0].tolist() == wanted.clip(max=20).tolist()


def test_a_large_code_that_never_varies_is_in_one_part():
    assert len(set(discretised(np.full((5, 1), 1e9, np.float32))[:, 0])) == 1


def test_parts_are_equally_wide_and_the_largest_is_in_the_last():
    code = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert discretised(code[:, None], bins=3)[:, 0].tolist() == [1, 1, 2, 2, 3, 3]
    assert discretised(np.array([[0.0], [0.5], [10.0]]), bins=20)[:, 0].tolist() == [1, 2, 20]


def test_information_of_bits():
    bits = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    assert mutual_information(bits, bits) == pytest.approx(np.array([[log(2), 0], [0, log(2)]]), abs=1e-15)
    assert entropies(bits) == pytest.approx([log(2), log(2)])
    assert entropies(np.array([[0], [0], [3]])) == pytest.approx([log(3) - 2 / 3 * log(2)])


def test_information_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    rng = np.random.default_rng(0)
    places = rng.integers(0, 7, (300, 2))
    codes = places[:, :1] + rng.normal(size=(300, 3))
    parts = discretised(codes)
    wanted = [[metrics.mutual_info_score(part, place) for place in places.T] for part in parts.T]
    np.testing.assert_allclose(mutual_information(parts, places), wanted, atol=1e-12)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_a_code_for_each_factor_is_perfect_in_any_order_and_scale(order):
    codes = GRID[:, order] * [2.0, -0.5, 10.0] + [1.0, 0.0, -5.0]
    found = told(codes)
    assert mutual_information_gap(found, entropies(GRID)) == pytest.approx(1)
    assert modularities(found) == pytest.approx([1, 1, 1])


def test_a_turned_code_is_neither():
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    found = told(GRID @ turn)
    assert mutual_information_gap(found, entropies(GRID)) < 0.4
    assert modularity(found) < 0.95


def test_a_code_given_twice_leaves_no_gap_but_is_modular():
    found = told(np.c_[GRID, GRID])
    assert mutual_information_gap(found, entropies(GRID)) == 0
    assert modularity(found) == pytest.approx(1)


def test_noise_is_modular_by_the_number_of_values():
    # What noise says by chance goes with values - 1: here 2, 5, 39, 31, 31.
    rng = np.random.default_rng(2)
    sizes = np.array([3, 6, 40, 32, 32])
    places = rng.integers(0, sizes, (20_000, 5))
    found = told(rng.normal(size=(20_000, 5)), places)
    assert mutual_information_gap(found, entropies(places)) < 1e-3
    wanted = 1 - (2**2 + 5**2 + 31**2 + 31**2) / (4 * 39**2)
    assert modularity(found) == pytest.approx(wanted, abs=0.04)


@pytest.mark.parametrize(
    ("table", "score"),
    [
        (5 * FIVE, 1),
        ([[1, 0], [0, 1], [0, 0]], 2 / 3),
        (np.zeros((4, 3)), 0),
        (np.concatenate([FIVE, FIVE]), 1),
        (np.concatenate([FIVE, FIVE], axis=1), 1 - 1 / 9),
    ],
)
def test_modularity_by_hand_where_dead_codes_count_nothing(table, score):
    assert modularity(np.array(table), dead=0.0) == pytest.approx(score)


def test_a_code_that_stands_still_says_exactly_nothing():
    # 0.1 in 32 bits, so often that its mean is another number.
    found = told(np.c_[GRID, np.full(len(GRID), 0.1)])
    assert found[3].tolist() == [0, 0, 0]
    assert mutual_information_gap(found, entropies(GRID)) == pytest.approx(1), "harmless to the gap"
    assert np.isnan(modularities(found)).tolist() == [False, False, False, True]
    assert np.isnan(modularity(found))
    assert modularity(found, dead=0.0) == pytest.approx(3 / 4)
