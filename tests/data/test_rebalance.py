"""Rare values made more frequent, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from imgen.data.rebalance import rebalanced


def table(*counts: tuple[tuple[int, ...], int]) -> np.ndarray:
    """So many rows of each kind."""
    return np.array([kind for kind, count in counts for _ in range(count)])


def of_kind(labels, rows):
    kinds, counts = np.unique(labels[rows], axis=0, return_counts=True)
    return dict(zip(map(tuple, kinds.tolist()), counts.tolist(), strict=True))


def test_one_attribute():
    labels = table(((0,), 20), ((1,), 5))
    rows = rebalanced(labels, [0], 0.55)
    # ceil(0.55 * 20) = 11 of the five, cycled to twenty: none more than four times.
    assert of_kind(labels, rows) == {(0,): 20, (1,): 11}
    assert sorted(rows[:20]) == list(range(20)) and np.bincount(rows, minlength=25)[20:].max() <= 4


@pytest.mark.parametrize(("few", "grown"), [(11, 11), (10, 11), (12, 12), (20, 20)])
def test_what_is_frequent_enough_stays(few, grown):
    labels = table(((0,), 20), ((1,), few))
    rows = rebalanced(labels, [0], 0.55)
    assert of_kind(labels, rows) == {(0,): 20, (1,): grown}
    if few == grown:
        assert rows.tolist() == list(range(20 + few))


def test_the_second_inside_each_value_of_the_first():
    labels = table(((0, 0), 16), ((0, 1), 4), ((1, 0), 1), ((1, 1), 9))
    rows = rebalanced(labels, [0, 1], 0.55, seed=2)
    found = of_kind(labels, rows)
    # First: 20 lack it and 10 have it, which grow to 11, so that one of these ten is there twice or more.
    # Then among the 20: 4 grow to ceil(8.8) = 9 of 16. Among the 11 the single one grows to ceil(0.55 * m).
    assert found[0, 0] == 16 and found[0, 1] == 9
    most = found[1, 1]
    assert most in (9, 10, 11) and found.get((1, 0), 0) in (0, int(np.ceil(0.55 * most)))


def test_one_side_or_none():
    labels = table(((0,), 3), ((1,), 2))
    assert rebalanced(labels, [0], "only_pos").tolist() == [3, 4]
    assert rebalanced(labels, [0], "only_neg").tolist() == [0, 1, 2]
    assert rebalanced(labels, [], 0.55).tolist() == [0, 1, 2, 3, 4]
    assert rebalanced(table(((1,), 3)), [0], 0.55).tolist() == [0, 1, 2]
    assert rebalanced(labels, [0], 0.0).tolist() == [0, 1, 2, 3, 4]


def test_three_values_and_what_is_unknown():
    labels = table(((-1,), 50), ((0,), 10), ((1,), 8), ((2,), 1))
    # The unknown neither grow nor count: the commonest value has ten.
    assert of_kind(labels, rebalanced(labels, [0], 0.55)) == {(-1,): 50, (0,): 10, (1,): 8, (2,): 6}
    assert of_kind(labels, rebalanced(labels, [0], 1.0)) == {(-1,): 50, (0,): 10, (1,): 10, (2,): 10}
    unknown = table(((-1,), 4))
    assert rebalanced(unknown, [0], 0.55).tolist() == [0, 1, 2, 3]


def test_the_seed_draws():
    labels = table(((0,), 100), ((1,), 30))
    first, again, other = (rebalanced(labels, [0], 0.55, seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
