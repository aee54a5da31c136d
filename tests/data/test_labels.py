"""Which labels are left, counted."""

from __future__ import annotations

import numpy as np
import pytest

from imgen.data.labels import UNKNOWN, binary, is_binary, show
from imgen.data.spec import Attribute
from imgen.errors import DataError

MALE, HAIR = binary("Male", "Male"), Attribute("hair", ("Black_Hair", "Blond_Hair"))


@pytest.fixture(scope="module")
def truth():
    """Two hundred pictures: of every fifth the hair is neither."""
    rng = np.random.default_rng(3)
    hair = rng.integers(0, 2, 200)
    hair[::5] = UNKNOWN
    return np.stack([rng.integers(0, 2, 200), hair], axis=1)


def counted(labels):
    return [[int((labels[:, column] == value).sum()) for value in (0, 1)] for column in range(labels.shape[1])]


def test_all_is_seen_unless_asked_otherwise(truth):
    shown = show(truth, (MALE, HAIR), "set")
    assert np.array_equal(shown.labels, truth) and shown.chosen.all()
    only_hair = show(truth[:, 1:], (HAIR,), "set")
    assert np.array_equal(only_hair.chosen, truth[:, 1] != UNKNOWN)


@pytest.mark.parametrize("count", [1, 7, 50])
@pytest.mark.parametrize("seed", [0, 1])
def test_exactly_so_many_of_each_value(truth, count, seed):
    shown = show(truth, (MALE, HAIR), "set", per_value=count, seed=seed)
    assert counted(shown.labels) == [[count, count], [count, count]]
    seen = shown.labels != UNKNOWN
    assert np.array_equal(shown.labels[seen], truth[seen])
    assert np.array_equal(shown.chosen, seen[:, 0] | seen[:, 1])


def test_the_seed_chooses_and_nothing_else(truth):
    first, again, other = (show(truth, (MALE, HAIR), "set", per_value=9, seed=seed).labels for seed in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    # An attribute more leaves the choice of the others as it is.
    alone = show(truth[:, 1:], (HAIR,), "set", per_value=9, seed=0).labels
    assert np.array_equal(alone[:, 0], first[:, 1])


def test_more_than_there_are(truth):
    have = counted(truth)[1][0]
    with pytest.raises(DataError) as caught:
        show(truth, (MALE, HAIR), "faces", per_value=have + 1)
    assert str(caught.value) == (
        f"faces: labels_per_value is {have + 1}, but of the pictures to train on {have} are labelled Black_Hair; "
        "ask for as many or fewer"
    )


def test_the_first_rows_as_the_authors_chose_them(truth):
    """Nominally so many a value: three times the rows where values leave pictures out."""
    shown = show(truth, (MALE, HAIR), "set", per_value=5, split="first")
    assert np.array_equal(shown.labels[:10, 0], truth[:10, 0]) and (shown.labels[10:, 0] == UNKNOWN).all()
    assert np.array_equal(shown.labels[:30, 1], truth[:30, 1]) and (shown.labels[30:, 1] == UNKNOWN).all()
    assert shown.chosen[:30].all() and not shown.chosen[30:].any()
    # What has not been told of a thing or its lack is not left out by its values.
    gaps = truth[:, :1].copy()
    gaps[3] = UNKNOWN
    assert show(gaps, (MALE,), "set", per_value=5, split="first").chosen.sum() == 10
    full = np.abs(truth[:, 1:])
    assert show(full, (HAIR,), "set", per_value=5, split="first").chosen.sum() == 10


def test_what_is_a_thing_or_its_lack():
    assert MALE.values == ("not Male", "Male") and is_binary(MALE) and is_binary(binary("gender", "Male"))
    assert not is_binary(HAIR) and not is_binary(Attribute("age", ("0-10", "11-20", "21+")))
