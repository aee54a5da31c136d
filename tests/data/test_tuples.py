"""Tuples are of one identity, never hold a picture twice, and favour nobody."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from imgen.data.tuples import Tuples
from imgen.errors import DataError


@pytest.mark.parametrize("k", range(2, 9))
def test_never_a_picture_with_itself(k):
    rng = np.random.default_rng(k)
    # Interleaved identities with 1 to 14 pictures.
    identity = rng.permutation(np.repeat(np.arange(14), np.arange(1, 15)))
    rows = Tuples(identity, k).draw(4000, rng)
    assert rows.shape == (4000, k)
    assert (np.diff(np.sort(rows, axis=1), axis=1) > 0).all()
    assert (identity[rows] == identity[rows[:, :1]]).all()
    assert set(identity[rows[:, 0]]) == set(range(k - 1, 14))


def test_identities_are_uniform_however_many_pictures_they_have():
    identity = np.repeat(np.arange(20), [2, 50] * 10)
    draws = 20_000
    seen = np.bincount(identity[Tuples(identity, 2).draw(draws, np.random.default_rng(0))[:, 0]], minlength=20)
    # Chi-square with 19 degrees of freedom: above 43.8 once in a thousand.
    assert ((seen - draws / 20) ** 2 / (draws / 20)).sum() < 43.8


@pytest.mark.parametrize("k", [2, 3])
def test_every_order_of_every_tuple_is_as_likely(k):
    identity = np.zeros(4, np.int64)
    rows = Tuples(identity, k).draw(24_000, np.random.default_rng(1))
    kinds = list(permutations(range(4), k))
    seen = np.array([(rows == kind).all(1).sum() for kind in kinds])
    expected = len(rows) / len(kinds)
    # Degrees of freedom 11 and 23: above 31.3 and 49.7 once in a thousand.
    assert ((seen - expected) ** 2 / expected).sum() < {2: 31.3, 3: 49.7}[k]


def test_small_identities_are_counted():
    identity = np.array([0, 0, 0, 1, 2, 2, 4, 4, 4])
    tuples = Tuples(identity, 2)
    assert tuples.usable.tolist() == [0, 2, 4] and tuples.too_few.tolist() == [1]
    strict = Tuples(identity, 2, min_images=3)
    assert strict.usable.tolist() == [0, 4] and strict.too_few.tolist() == [1, 2]


@pytest.mark.parametrize("identity", [[], [0, 1, 2], [0, 0, 1, 1]])
def test_nobody_with_enough_pictures(identity):
    with pytest.raises(DataError, match="no identity has 3 pictures or more"):
        Tuples(np.array(identity, np.int64), 3)


def test_draws_follow_from_the_generator_alone():
    tuples = Tuples(np.repeat(np.arange(5), 4), 3)
    one, other = (tuples.draw(9, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(one, other)
