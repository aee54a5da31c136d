"""Pairs, thresholds and rates by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from imgen.metrics.verification import Pairs, accepts_at, fewest, figures, missing, squared_distance, threshold


def all_pairs(identity: np.ndarray, same: bool) -> set[frozenset[int]]:
    n = len(identity)
    return {frozenset((i, j)) for i in range(n) for j in range(i) if (identity[i] == identity[j]) is np.bool_(same)}


@pytest.mark.parametrize("identity", [[0, 1, 0, 2, 0, 1], [5, 5], [0, 1, 2], [3] * 7 + [1], []])
def test_all_pairs_are_counted_and_each_is_drawn_once(identity):
    identity = np.array(identity, np.int64)
    pairs, rng = Pairs(identity), np.random.default_rng(0)
    for same, total, draw in ((True, pairs.same, pairs.draw_same), (False, pairs.different, pairs.draw_different)):
        wanted = all_pairs(identity, same)
        assert total == len(wanted)
        if total:
            drawn = draw(total, rng)
            assert {frozenset(pair) for pair in drawn.tolist()} == wanted and drawn.shape == (total, 2)
            assert len({frozenset(pair) for pair in draw(max(1, total // 2), rng).tolist()}) == max(1, total // 2)


def test_every_pair_is_as_likely_as_any_other():
    identity = np.array([0, 0, 0, 1, 1, 2])
    pairs, rng = Pairs(identity), np.random.default_rng(0)
    for total, draw in ((pairs.same, pairs.draw_same), (pairs.different, pairs.draw_different)):
        drawn = [frozenset(pair) for _ in range(1500) for pair in draw(2, rng).tolist()]
        counts = np.array([drawn.count(pair) for pair in set(drawn)])
        assert len(counts) == total
        assert counts == pytest.approx(3000 / total, rel=0.25)


def test_pairs_of_many_pictures_take_no_memory():
    """Half a billion pairs of one person, of whom two are asked."""
    pairs = Pairs(np.zeros(30_000, np.int64))
    assert pairs.same == 30_000 * 29_999 // 2 and pairs.different == 0
    assert pairs.draw_same(2, np.random.default_rng(0)).shape == (2, 2)


def test_squared_distances_by_hand():
    a = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.6, 0.8]])
    b = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    assert squared_distance(a, b) == pytest.approx([0, 4, 0.4])


def test_the_threshold_is_the_lowest_of_the_best():
    """Between 0.305 and 0.505 all are right: of 0.31 to 0.50 the lowest."""
    tau, right = threshold(np.array([0.1, 0.305]), np.array([0.505, 1.2]))
    assert (tau, right) == (pytest.approx(0.31), 1)
    # Kinds of different sizes weigh alike: 0.2 has all of one kind, and 3 of 4 of the other.
    tau, right = threshold(np.array([0.195]), np.array([0.1, 1.0, 1.0, 1.0]))
    assert (tau, right) == (pytest.approx(0.2), pytest.approx((1 + 0.75) / 2))


def test_a_pair_at_the_threshold_is_of_one_identity():
    assert threshold(np.array([0.5]), np.array([0.75]))[0] == 0.5
    told = figures(np.array([0.5, 0.75]), np.array([0.5, 0.75, 1.0, 2.0]), 0.5)
    assert (told["tpr"], told["far"]) == (0.5, 0.25)
    assert told["accuracy"] == pytest.approx((0.5 + 0.75) / 2)
    assert told["tpr"] == pytest.approx(2 * told["accuracy"] - 1 + told["far"])
    assert told["auc"] == pytest.approx((0.5 + 3 + 0.5 + 2) / 8)


def test_nothing_separable_still_has_a_threshold():
    """Everything is one: at 0 all are told different, and that is half."""
    assert threshold(np.full(4, 1.0), np.full(4, 1.0)) == (0, 0.5)


@pytest.mark.parametrize("same", [[], [math.nan]])
def test_no_threshold_without_distances(same):
    with pytest.raises(ValueError, match="both kinds"):
        threshold(np.array(same), np.ones(2))


def test_true_accepts_at_a_rate_of_false_ones():
    """Of 50 pairs of two, five may pass at 0.1: whoever is nearer than the sixth does."""
    different = np.arange(1, 51) / 50
    same = np.array([0.01, 0.10, 0.119, 0.12, 0.5])
    assert accepts_at(same, different, 0.1) == pytest.approx(3 / 5)
    assert (different < 0.12).sum() == 5
    assert accepts_at(same, np.full(50, 0.05), 0.1) == pytest.approx(1 / 5), "ties let fewer pass, never more"


def test_too_few_pairs_leave_a_rate_undefined():
    assert [fewest(rate) for rate in (0.1, 0.01, 0.001)] == [50, 500, 5000]
    told = figures(np.zeros(3), np.ones(600), 0.5)
    assert (told["tar_at_far_0.1"], told["tar_at_far_0.01"]) == (1, 1)
    assert math.isnan(told["tar_at_far_0.001"])
    assert missing(told, 600) == ["tar_at_far_0.001 needs 5,000 pairs of two identities or more, not 600"]
    assert not missing(figures(np.zeros(3), np.ones(5000), 0.5), 5000)
