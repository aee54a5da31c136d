"""FactorVAE's votes."""

from __future__ import annotations

import numpy as np
import pytest

from imgen.metrics.disentanglement.votes import active, agreement, ballot, majority, revised_majority, spread, winners


def test_the_code_that_varies_least_for_its_range_wins():
    codes = np.array([[[0.0, 0.0], [1.0, 5.0]], [[0.0, 0.0], [1.0, 5.0]]])
    assert winners(codes, np.array([1.0, 1.0])).tolist() == [0, 0]
    assert winners(codes, np.array([1.0, 10.0])).tolist() == [1, 1]


def test_ties_go_to_the_first_and_what_is_no_number_wins():
    codes = np.ones((1, 4, 3))
    assert winners(codes, np.ones(3)).tolist() == [0]
    assert winners(codes * [1.0, 1.0, 0.0], np.array([1.0, 1.0, 0.0])).tolist() == [2]


def test_rounding_decides_unless_it_is_exact():
    # So many of 0.1 have another mean in 32 bits; halves are exact.
    still = np.full((1, 1001, 2), [0.1, 0.5], np.float32)
    assert still.std(axis=1)[0, 0] > 0
    assert winners(still, np.ones(2, np.float32), exact=False).tolist() == [1]
    assert winners(still, np.ones(2, np.float32)).tolist() == [0]


def test_counts_and_shares_by_hand():
    table = ballot(np.array([0, 0, 0, 1, 2, 2]), np.array([0, 0, 1, 1, 1, 1]), 3, 2)
    assert table.tolist() == [[2, 1], [0, 1], [0, 2]]
    assert majority(table) == pytest.approx(5 / 6)
    assert revised_majority(table) == pytest.approx(4 / 6), "of two factors, two codes"


def test_fresh_votes_are_judged_by_the_former():
    assert agreement(np.array([[5, 1], [0, 4]]), np.array([[2, 1], [3, 4]])) == pytest.approx(6 / 10)


def test_codes_that_hardly_vary_take_no_part():
    codes = np.random.default_rng(0).normal(size=(100, 3)) * [1.0, 0.01, 0.0]
    assert spread(codes) == pytest.approx(codes.std(axis=0, ddof=1))
    assert active(spread(codes), 0.05).tolist() == [0]
    assert active(spread(codes), 0.0).tolist() == [0, 1], "one that stands still never does"
