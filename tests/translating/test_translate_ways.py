"""Which way is meant."""

from __future__ import annotations

import pytest

from imgen.errors import DataError
from imgen.model import Way
from imgen.translating.ways import Asked, back_of, can, choose, route

PAIR = [Way("Blond_Hair", "Black_Hair"), Way("Black_Hair", "Blond_Hair")]
FREE = [Way(None, name) for name in ("Male", "not Male", "Eyeglasses")]
MIXED = [Way("horse", "zebra"), Way("dog", "zebra"), Way(None, "cat")]


@pytest.mark.parametrize(
    ("ways", "source", "targets", "chosen"),
    [
        (PAIR, "", [], [0]),
        (PAIR, "black", [], [1]),
        (PAIR, "", ["BLOND"], [1]),
        (PAIR, "blond", ["black"], [0]),
        (PAIR, "", ["blond", "black", "blond"], [1, 0, 1]),
        (FREE, "", ["not male"], [1]),
        (FREE, "male", ["!male", "eyeglasses"], [1, 2]),
        (FREE, "", ["eyeglasses", "male"], [2, 0]),
        (MIXED, "dog", ["zebra"], [1]),
        (MIXED, "zebra", ["cat"], [2]),
        (MIXED, "", ["cat", "zebra"], None),
        (MIXED, "", ["zebra"], None),
        (MIXED, "cat", [], None),
        (PAIR, "", ["blond", "blond"], None),
        (PAIR, "", ["not blond"], None),
        ([], "", [], None),
    ],
)
def test_styles_choose_ways(ways, source, targets, chosen):
    asked = Asked(source, tuple(targets))
    if chosen is None:
        with pytest.raises(DataError):
            choose(ways, asked)
    else:
        assert choose(ways, asked) == tuple(ways[place] for place in chosen)


def test_the_way_back():
    assert back_of(PAIR[0], PAIR) == PAIR[1]
    assert back_of(PAIR[0], PAIR[:1]) is None
    assert back_of(FREE[0], FREE) is None, "nobody knows what it was"
    assert back_of(FREE[0], FREE, "not Male") == FREE[1]
    assert back_of(MIXED[0], MIXED) is None


def test_routes():
    assert route(PAIR, Asked()).back == PAIR[1]
    assert route(PAIR, Asked(), cycle=True).ways == tuple(PAIR)
    assert route(PAIR, Asked("black"), chain=3).ways == (PAIR[1], PAIR[0], PAIR[1])
    assert route(PAIR, Asked("black"), chain=3).written == {1: ".1", 2: ".2", 3: ".3"}
    assert route(PAIR[:1], Asked(), chain=1).ways == (PAIR[0],)
    assert route(PAIR, Asked("", ("black", "blond"))).written == {2: ""}


def test_what_a_model_can_do_in_words():
    assert can(PAIR) == "translates Blond_Hair to Black_Hair and Black_Hair to Blond_Hair"
    assert can(PAIR[:1]) == "translates Blond_Hair to Black_Hair"
    assert can(FREE) == "translates any picture to Male, not Male and Eyeglasses"
    assert can([Way(None, str(n)) for n in range(20)]).endswith("6, 7 and 12 more")
