"""Codes and factors from arrays and files: both layouts, what is drawn from them, and what is wrong with others."""

from __future__ import annotations

import numpy as np
import pytest

from imgen.data.spec import Factor
from imgen.errors import DataError
from imgen.metrics.disentanglement.arrays import ArrayCodes, array_codes, read
from imgen.metrics.disentanglement.checked import distinct
from imgen.metrics.disentanglement.representation import Representation

VALUES = np.stack(np.unravel_index(np.arange(3 * 4 * 5), (3, 4, 5)), axis=1) * [10.0, 0.5, -1.0]
"""Every combination of three factors once."""
CODES = np.c_[VALUES, np.arange(60)].astype(np.float32)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def write(tmp_path):
    """Writes codes and factors and gives both paths: arrays by name, or one that has none."""

    def save(codes, factors):
        for name, told in (("codes", codes), ("factors", factors)):
            np.savez(tmp_path / f"{name}.npz", **(told if isinstance(told, dict) else {name: told}))
        return tmp_path / "codes.npz", tmp_path / "factors.npz"

    return save


def test_rows_of_files(write):
    found = read(*write(CODES, {"factors": VALUES, "names": ["a", "b", "c"], "ordered": [False, True, True]}))
    assert isinstance(found, Representation)
    assert found.factors == (Factor("a", 3, ordered=False), Factor("b", 4), Factor("c", 5))
    rows = found.any_rows(60)
    np.testing.assert_array_equal(rows.codes, CODES)
    np.testing.assert_array_equal(rows.values[:, 1:], VALUES[:, 1:])
    np.testing.assert_array_equal(rows.values[:, 0], VALUES[:, 0] / 10, "kinds are numbered")
    np.testing.assert_array_equal(rows.places, np.abs(VALUES / [10, 0.5, 1] - [0, 0, -4]))


def test_a_file_of_one_array_need_not_name_it(tmp_path):
    np.save(tmp_path / "codes.npy", CODES)
    np.savez(tmp_path / "factors.npz", VALUES)
    found = read(tmp_path / "codes.npy", tmp_path / "factors.npz")
    assert [factor.name for factor in found.factors] == ["factor 1", "factor 2", "factor 3"]
    assert all(factor.ordered for factor in found.factors)


def test_what_imgen_encode_writes_is_read(tmp_path, write):
    from imgen.encoding import write_table

    _, factors = write(CODES, VALUES)
    write_table(tmp_path / "table.npz", list("wxyz"), [f"{row}.png" for row in range(60)], CODES)
    np.testing.assert_array_equal(read(tmp_path / "table.npz", factors).any_rows(60).codes, CODES)


def test_many_different_values_are_an_interval():
    values = np.c_[np.linspace(0, 2, 101), np.arange(101) % 100]
    found = array_codes(np.zeros((101, 2)), values)
    assert [factor.size for factor in found.factors] == [0, 100]
    assert found.all_rows.places[[0, 5, 6, 50, 100], 0].tolist() == [0, 1, 1, 10, 19]
    assert found.all_rows.values[100, 0] == 2


def test_what_is_held_out_is_never_fitted_to():
    found = array_codes(CODES, VALUES)
    fitted, tested = found.rows(40, rng()), found.rows(20, rng(1), held_out=True)
    assert sorted(np.r_[fitted.codes[:, 3], tested.codes[:, 3]]) == list(range(60))
    np.testing.assert_array_equal(found.rows(10, rng(2)).codes, fitted.codes[:10])
    np.testing.assert_array_equal(fitted.codes[:, 0], fitted.values[:, 0])
    assert sorted(found.any_rows(59).codes[:, 3]) != list(range(59)), "those left out are left out by chance"


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda codes: codes.rows(41, rng()), "needs 41 rows to fit to; there are 40: set train=40, or give more"),
        (lambda codes: codes.rows(21, rng(), True), "needs 21 held-out rows; there are 20: set test=20, or give more"),
        (lambda codes: codes.any_rows(10_000), "needs 10,000 rows; there are 60: set rows=60, or give more"),
        (lambda codes: codes.anywhere(61, rng()), "needs 61 different rows; there are 60: set rows=60, or give more"),
        (
            lambda codes: codes.groups(3, 21, rng()),
            "needs 21 rows that share a value of the factor 'factor 1'; there are at most 20: set group_size=20, or "
            "give more rows",
        ),
    ],
)
def test_more_than_there_is(ask, told):
    with pytest.raises(DataError) as caught:
        ask(array_codes(CODES, VALUES))
    assert str(caught.value) == told


@pytest.mark.parametrize("in_turn", [True, False])
def test_groups_are_different_rows_with_a_value_in_common(in_turn):
    found = array_codes(CODES, VALUES).groups(300, 6, rng(), in_turn)
    assert found.codes.shape == (300, 6, 4)
    for codes, label in zip(found.codes, found.labels, strict=True):
        assert len(set(codes[:, 3])) == 6
        assert len(set(codes[:, label])) == 1
    assert (found.labels.tolist() == [0, 1, 2] * 100) == in_turn
    assert set(found.labels.tolist()) == {0, 1, 2}
    # Every value is somebody's.
    assert {codes[0, 2] for codes, label in zip(found.codes, found.labels, strict=True) if label == 2} == {
        *(0, -1, -2, -3, -4)
    }


def test_groups_are_of_values_that_enough_rows_share():
    values = np.c_[np.r_[np.zeros(7), np.ones(2)], np.arange(9) % 2]
    found = array_codes(np.arange(18).reshape(9, 2), values).groups(20, 4, rng())
    assert (found.codes[found.labels == 0][..., 0] < 14).all()


def test_distinct_numbers_are_every_subset_alike():
    drawn = distinct(np.full(20_000, 4), 2, rng())
    assert (drawn[:, 0] != drawn[:, 1]).all()
    counts = np.bincount(drawn[:, 0] * 4 + drawn[:, 1], minlength=16).reshape(4, 4)
    assert counts.diagonal().tolist() == [0] * 4
    assert counts[~np.eye(4, dtype=bool)] == pytest.approx(np.full(12, 20_000 / 12), rel=0.1)
    assert sorted(distinct(np.array([5]), 5, rng())[0]) == [0, 1, 2, 3, 4]


def test_the_same_seed_gives_the_same():
    found = array_codes(CODES, VALUES)
    for ask in (lambda seed: found.groups(9, 4, rng(seed)).codes, lambda seed: found.anywhere(20, rng(seed))):
        np.testing.assert_array_equal(ask(3), ask(3))
        assert (ask(3) != ask(4)).any()


# ---- parts ----

PLACES = np.abs(VALUES / [10, 0.5, 1] - [0, 0, -4]).astype(np.uint8)
GROUPS = np.stack([PLACES[PLACES[:, 0] == 1][:6], PLACES[PLACES[:, 2] == 3][:6]])


def parts(**changed):
    """Codes and factors in parts, by name; what is changed to None is left out."""
    codes = {"train": CODES, "test": CODES[:12] + 1, "std": CODES[:30], "groups": np.ones((2, 6, 4), np.float32)}
    factors = {
        "sizes": np.array([3, 4, 5]),
        "train": PLACES,
        "test": PLACES[:12],
        "groups": GROUPS,
        "labels": np.array([0, 2]),
        "is_continuous": np.array([False, True, True]),
        "kind_values": np.array([7.0, 8, 9]),
        "size_values": np.arange(4) / 2,
        "place_values": np.arange(5) - 4.0,
    }
    for name, value in changed.items():
        of, key = (codes, name[6:]) if name.startswith("codes_") else (factors, name)
        of[key] = value
    return tuple({key: value for key, value in each.items() if value is not None} for each in (codes, factors))


def test_parts_of_files(write):
    found = read(*write(*parts()))
    assert found.factors == (Factor("kind", 3, ordered=False), Factor("size", 4), Factor("place", 5))
    assert (found.things, found.different, found.stored_groups) == (60, 30, (2, 6))
    np.testing.assert_array_equal(found.all_rows.values, VALUES / [10, 1, 1])
    np.testing.assert_array_equal(found.rows(12, rng(), held_out=True).codes, CODES[:12] + 1)
    np.testing.assert_array_equal(found.rows(60, rng()).codes, CODES)
    stored = found.groups(2, 4, rng())
    assert (stored.codes.shape, stored.labels.tolist()) == ((2, 4, 4), [0, 2])
    drawn = found.groups(10, 4, rng(), in_turn=False)
    assert drawn.codes.shape == (10, 4, 4), "by chance they are drawn among the rows"
    with pytest.raises(DataError, match="needs 500 groups of 100; there are 2 of 6: set groups=2 and group_size=6"):
        found.groups(500, 100, rng())


def test_parts_that_may_be_left_out(write):
    few = parts(codes_groups=None, codes_std=None, codes_test=None, is_continuous=None, labels=None)
    codes, factors = few[0], {key: each for key, each in few[1].items() if not key.endswith("_values")}
    found = read(*write(codes, factors))
    assert found.factors == (Factor("factor 1", 3), Factor("factor 2", 4), Factor("factor 3", 5))
    assert (found.things, found.different, found.stored_groups) == (60, 60, None)
    assert len(found.rows(20, rng(), held_out=True).codes) == 20


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"sizes": None}, "has no array 'sizes'"),
        ({"sizes": np.array([3, 4, 2**40])}, "a factor has from 2 to 1,000,000 values"),
        ({"train": PLACES + 1}, "'train' has places outside 0 to sizes - 1"),
        ({"place_values": np.arange(4.0)}, "'place_values' has 4 values; 'sizes' says 5"),
        ({"place_values": None}, "there are 2 of 'NAME_values' for 3 factors; give one for each"),
        ({"is_continuous": np.array([True])}, "there are 1 of 'is_continuous' for 3 factors; give one for each"),
        ({"train": PLACES.astype(float)}, "give places of 3 factors' values"),
        ({"train": PLACES[:50]}, "'train' has 60 rows of codes but 50 of factors"),
        ({"train": PLACES * np.array([1, 0, 1], np.uint8)}, "the factor 'size' has the value 0 alone"),
        ({"labels": np.array([0])}, "there are 2 groups but 1 labels; give each group its own"),
        ({"labels": np.array([0, 3])}, "'labels' has 0 to 3; there are the factors 0 to 2"),
        ({"labels": np.array([0, 1])}, "group 1 does not share the factor 1, as its label says"),
        ({"groups": GROUPS[:, :5]}, r"'groups' is \(2, 6\) of codes but \(2, 5\) of factors"),
        ({"codes_groups": np.ones((2, 6, 5))}, "'groups' has 5 codes, but 'train' has 4"),
        ({"codes_std": np.ones((2, 6, 5))}, r"'std' is \(2, 6, 5\); give \(rows, codes\)"),
        ({"codes_std": np.ones((2, 5))}, "'std' has 5 codes, but 'train' has 4"),
        ({"codes_test": np.ones((12, 5))}, "'test' has 5 codes, but 'train' has 4"),
    ],
)
def test_parts_that_do_not_fit(write, changed, told):
    paths = write(*parts(**changed))
    with pytest.raises(DataError, match=told) as caught:
        read(*paths)
    assert "\n" not in str(caught.value) and str(paths[1]) in str(caught.value)


BAD = CODES.copy()
BAD[3, 2], BAD[7, 0] = np.nan, np.inf


@pytest.mark.parametrize(
    ("codes", "factors", "told"),
    [
        (CODES[:50], VALUES, "there are 50 rows of codes but 60 of factors; give a row of each for a thing"),
        (BAD, VALUES, r"'codes' has 2 values that are not finite, the first at \[3, 2\]"),
        (np.full((60, 2), 1e300), VALUES, "'codes' has 120 values that are not finite"),
        (CODES, np.where(VALUES == 0, np.nan, VALUES), "'factors' has .* values that are not finite"),
        (CODES, VALUES * [1, 0, 1], "the factor 'factor 2' has the value 0 alone; leave out what never varies"),
        (CODES.astype(str), VALUES, "'codes' holds <U.*; give numbers"),
        (CODES, VALUES.astype(str), "'factors' holds <U.*; give numbers"),
        (CODES[:, 0], VALUES, r"'codes' is \(60,\); give \(rows, codes\)"),
        (CODES[:, :0], VALUES, r"'codes' is \(60, 0\); give \(rows, codes\)"),
        (CODES[:, :, None], VALUES, r"'codes' is \(60, 4, 1\)"),
        (CODES, VALUES[:, 0], r"'factors' is \(60,\); give \(rows, factors\)"),
        (CODES[:3], VALUES[:3], "there are 3 rows; give 6 or more"),
        ({"a": CODES, "b": CODES}, VALUES, "has no array 'codes'; there are a, b"),
        (CODES, {"factors": VALUES, "names": ["a", "b"]}, "'names' has 2 entries for 3 factors; give one for each"),
        (CODES, {"factors": VALUES, "names": ["a", "b", "a"]}, "two factors have the same name: a, b, a"),
        (CODES, {"factors": VALUES, "names": [1, 2, 3]}, r"'names' is \(3,\) of int64; give text"),
        (CODES, {"factors": VALUES, "ordered": [True]}, "'ordered' has 1 entries for 3 factors; give one for each"),
        (CODES, {"factors": VALUES, "ordered": ["no"] * 3}, "give true or false"),
    ],
)
def test_rows_that_are_wrong(write, codes, factors, told):
    paths = write(codes, factors)
    with pytest.raises(DataError, match=told) as caught:
        read(*paths)
    assert "\n" not in str(caught.value) and str(paths[0].parent) in str(caught.value)


def test_no_such_file(tmp_path, write):
    codes, factors = write(CODES, VALUES)
    with pytest.raises(DataError, match=r"none\.npz: no such file"):
        read(tmp_path / "none.npz", factors)
    with pytest.raises(DataError, match=r"none\.npz: no such file"):
        read(codes, tmp_path / "none.npz")


def test_codes_in_memory_are_codes_from_files(write):
    again = read(*write(CODES, {"factors": VALUES, "names": ["a", "b", "c"]}))
    found = array_codes(CODES, VALUES, ["a", "b", "c"])
    assert isinstance(found, ArrayCodes)
    assert found.factors == again.factors
    np.testing.assert_array_equal(found.groups(4, 3, rng()).codes, again.groups(4, 3, rng()).codes)
