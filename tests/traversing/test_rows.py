"""Which coordinates move, through which values, and how much that changes."""

from __future__ import annotations

import pytest
import torch

from imgen import sampling
from imgen.errors import DataError
from imgen.traversing import rows
from imgen.traversing.rows import Row

CODES = {"code1": 1, "code2": 1, "noise": 3, "Look_Around": 2}


def names(*words: str) -> list[tuple[str, tuple[int, ...]]]:
    return [(row.name, row.at) for row in rows.chosen(words, CODES)]


def test_every_code_is_a_row_with_its_places_in_the_latent():
    assert rows.every(CODES) == [
        Row("code1", "code1", (0,)),
        Row("code2", "code2", (1,)),
        Row("noise", "noise", (2, 3, 4)),
        Row("Look_Around", "Look_Around", (5, 6)),
    ]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["code2"], [("code2", (1,))]),
        (["noise,code1"], [("noise", (2, 3, 4)), ("code1", (0,))]),
        (["NOISE", "look"], [("noise", (2, 3, 4)), ("Look_Around", (5, 6))]),
        (["noise[1]"], [("noise[1]", (3,))]),
        (["look-around[0:2]"], [("Look_Around[0]", (5,)), ("Look_Around[1]", (6,))]),
        (["noise[1:]", "noise[:1]"], [("noise[1]", (3,)), ("noise[2]", (4,)), ("noise[0]", (2,))]),
        (["0,2, 6"], [("code1", (0,)), ("noise[0]", (2,)), ("Look_Around[1]", (6,))]),
        (["1:3"], [("code2", (1,)), ("noise[0]", (2,))]),
        (["code1[0]"], [("code1", (0,))]),
        (["code1", "0", "code1"], [("code1", (0,))]),
    ],
)
def test_what_people_type(words, wanted):
    assert names(*words) == wanted


def test_a_code_called_like_a_number_is_meant_by_it():
    (row,) = rows.chosen(["1"], {"0": 1, "2": 1, "1": 1})
    assert row.at == (2,)


@pytest.mark.parametrize(
    "word",
    [
        *("", "code3", "noise[3]", "noise[0:4]", "noise[2:2]", "noise[2:1]", "noise[]", "noise[-1]", "noise[x]", "7"),
        *("6:8", "99999999999999", "[1]", "noise]", "noise[1", "code1,,noise", "1:2:3", "-1", "\u0663", "noise[1]x"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(word):
    with pytest.raises(DataError) as raised:
        rows.chosen([word], CODES)
    assert str(raised.value).startswith("--codes: ")
    assert "(it has code1 = 0, code2 = 1, noise[0:3] = 2 to 4, Look_Around[0:2] = 5 to 6)" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_nearest_name_is_offered():
    with pytest.raises(DataError, match="did you mean 'noise'"):
        rows.chosen(["niose"], CODES)


def test_many_codes_are_told_in_short():
    assert rows.told({f"c{n}": 1 for n in range(40)}).endswith("c11 = 11, 28 more")


def test_a_span_is_what_the_model_says(grid):
    grid.spans = {"left": (-3, 3)}
    assert rows.span(grid, "left") == (-3, 3)


def test_a_span_that_is_not_said_follows_from_draws(grid):
    low, high = rows.span(grid, "noise")
    assert (low, high) == pytest.approx((-0.95, 0.95), abs=0.02)
    assert rows.span(grid, "noise") == (low, high)
    grid.draw = lambda code, n, generator=None: torch.randn(n, 2, generator=generator)
    assert rows.span(grid, "noise") == pytest.approx((-1.96, 1.96), abs=0.1)


def test_the_span_of_kinds_holds_all_of_them(grid):
    grid.draw = lambda code, n, generator=None: torch.eye(100)[torch.arange(n) % 100]
    assert rows.span(grid, "noise") == (0, 1)


def test_values_hold_both_ends():
    assert rows.between(-1, 1, 5) == pytest.approx([-1, -0.5, 0, 0.5, 1])


def test_bases_are_those_of_sampling_and_the_first_stays_the_same(grid):
    one, three = rows.bases(grid, 1, 7), rows.bases(grid, 3, 7)
    assert torch.equal(one[0], three[0]) and len({tuple(z) for z in three.tolist()}) == 3
    assert torch.equal(three[:, 2:], sampling.draw(grid, "noise", range(3), 7))
    assert not torch.equal(rows.bases(grid, 1, 8), one)


def test_only_the_coordinates_of_a_row_move():
    bases = torch.tensor([[1.0, 2, 3, 4], [5, 6, 7, 8]])
    z = rows.moved(bases, [Row("a", "a", (1,)), Row("b", "b", (2, 3))], [[-1, 0, 1], [-2, 0, 2]])
    assert z.shape == (2, 2, 3, 4)
    assert z[0, 0].tolist() == [[1, -1, 3, 4], [1, 0, 3, 4], [1, 1, 3, 4]]
    assert z[1, 1].tolist() == [[5, 6, -2, -2], [5, 6, 0, 0], [5, 6, 2, 2]]
    assert bases.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]


def test_change_is_the_mean_distance_of_two_pictures_of_a_row():
    shown = torch.randint(0, 256, (2, 3, 5, 1, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    far = rows.change(shown)
    for base in range(2):
        for row in range(3):
            each = shown[base, row].double()
            pairs = [(each[a] - each[b]).abs().mean() for a in range(5) for b in range(a)]
            assert far[base, row].item() == pytest.approx(float(sum(pairs)) / 10, rel=1e-5)


def test_a_dead_row_changes_nothing():
    assert rows.change(torch.full((1, 1, 4, 3, 2, 2), 9, dtype=torch.uint8)).tolist() == [[0]]
    assert rows.change(torch.zeros(2, 1, 1, 3, 2, 2, dtype=torch.uint8)).tolist() == [[0], [0]]
