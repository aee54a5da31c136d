"""How often rows are drawn: by the lists they are drawn from, and by counting."""

from __future__ import annotations

import numpy as np
import pytest

from imgen.data.labels import UNKNOWN, Shown, binary, show
from imgen.data.samplers import balanced, listed, sampler, uniform
from imgen.data.spec import Attribute

PEOPLE = 197_600
"""Pictures that the authors trained on."""


def drawn(draw, n, batches, seed=0):
    return np.concatenate([draw(n, np.random.default_rng([seed, step])) for step in range(batches)])


@pytest.fixture(scope="module")
def people():
    """Labels of as many pictures as the authors had: gender, and hair that is neither black nor blond for most."""
    rng = np.random.default_rng(0)
    hair = np.where(rng.random(PEOPLE) < 0.4, rng.integers(0, 2, PEOPLE), UNKNOWN)
    return np.stack([rng.integers(0, 2, PEOPLE), hair], axis=1)


@pytest.mark.parametrize(
    ("per_value", "repeats", "length", "labelled", "chosen"),
    [(5000, 10, 497_600, 0.2211, 0.6632), (500, 50, 347_600, 0.1467, 0.4402)],
)
def test_the_lists_of_the_paper(people, per_value, repeats, length, labelled, chosen):
    attributes = (binary("Male", "Male"), Attribute("hair", ("Black_Hair", "Blond_Hair")))
    shown = show(people, attributes, "set", per_value=per_value, split="first")
    rows = listed(shown, repeats)
    assert len(rows) == length
    assert (shown.labels[rows, 0] != UNKNOWN).mean() == pytest.approx(labelled, abs=5e-5)
    assert shown.chosen[rows].mean() == pytest.approx(chosen, abs=5e-5)
    # And so it is drawn: 20,000 pictures, five standard deviations.
    seen = shown.labels[drawn(sampler(shown, oversample=repeats), 8, 2500), 0] != UNKNOWN
    assert seen.mean() == pytest.approx(labelled, abs=5 * np.sqrt(labelled * (1 - labelled) / 20_000))


def test_uniform_draws_from_its_list_alone():
    draw = uniform(np.array([3, 7, 7, 9]))
    assert sorted(draw(4, np.random.default_rng(0)).tolist()) == [3, 7, 7, 9]
    assert len(draw(9, np.random.default_rng(0))) == 9
    often = np.bincount(drawn(draw, 2, 4000), minlength=10) / 8000
    assert often[[3, 7, 9]] == pytest.approx([0.25, 0.5, 0.25], abs=0.03) and often.sum() == often[[3, 7, 9]].sum()


@pytest.fixture
def labels():
    """A hundred pictures: seven of value 0, one of value 1, and for another attribute two of 0, three of 2."""
    table = np.full((100, 2), UNKNOWN)
    table[:7, 0], table[7, 0] = 0, 1
    table[8:10, 1], table[10:13, 1] = 0, 2
    return table


@pytest.mark.parametrize(("n", "fraction"), [(8, 0.25), (2, 0.25), (16, 1.0), (5, 0.0)])
def test_values_are_as_frequent_as_each_other(labels, n, fraction):
    rows = drawn(balanced(labels, fraction), n, 6000 // n)
    labelled = rows[rows < 13]
    assert len(labelled) / len(rows) == pytest.approx(fraction, abs=0.03)
    if fraction:
        shares = [np.isin(labelled, group).mean() for group in (range(7), [7], (8, 9), (10, 11, 12))]
        assert shares == pytest.approx([0.25] * 4, abs=0.06)


def test_a_batch_has_its_part_each_time(labels):
    for step in range(50):
        assert (balanced(labels, 0.25)(8, np.random.default_rng(step)) < 13).sum() == 2
        assert (balanced(labels, 1.0)(4, np.random.default_rng(step)) < 13).sum() == 4


def test_without_labels_or_without_others(labels):
    nothing = np.full((5, 1), UNKNOWN)
    assert set(drawn(balanced(nothing, 0.5), 4, 20).tolist()) == set(range(5))
    # All are labelled: the rest of a batch is anyone.
    assert set(drawn(balanced(labels[:8], 0.25), 4, 200).tolist()) == set(range(8))


@pytest.mark.parametrize("settings", [{}, {"oversample": 3}, {"kind": "balanced", "fraction": 0.5}])
def test_the_same_generator_gives_the_same_rows(labels, settings):
    draw = sampler(Shown(labels, (labels != UNKNOWN).any(axis=1)), **settings)
    first, again, other = (draw(16, np.random.default_rng(seed)) for seed in (4, 4, 5))
    assert np.array_equal(first, again) and not np.array_equal(first, other) and first.dtype == np.int64


def test_a_list_that_is_given():
    shown = Shown(np.array([[0], [1], [UNKNOWN]]), np.array([True, True, False]))
    assert listed(shown, 1, np.array([2, 2])).tolist() == [2, 2, 0, 1]
    assert listed(shown).tolist() == [0, 1, 2]
