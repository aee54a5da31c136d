"""Which way is meant."""

from __future__ import annotations

import pytest

from imgen.errors import DataError
from imgen.model import Way
from imgen.translating.ways import Asked, back_of, can, choose, route

PAIR = [Way("Blond_Hair", "Black_Hair"), Way("Black_Hair", "Blond_Hair")]
FREE = [Way(None, name) for name in ("Male", "not Male", "Eyeglasses")]
EDITS = [
    Way(None, value, attribute)
    for attribute, values in (
        ("Smiling", ("not Smiling", "Smiling")),
        ("hair", ("Black_Hair", "Blond_Hair")),
        ("age", ("0-10", "11-70", "71+")),
    )
    for value in values
]
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
        (EDITS, "", [], [0]),
        (EDITS, "", ["blond", "age=40", "not smiling"], [3, 5, 0]),
        (EDITS, "black", ["hair=blond"], [3]),
        (EDITS, "age=3", ["blond", "black"], [3, 2]),
        (EDITS, "black", [], None),
        (EDITS, "black", ["hair=black"], None),
        (EDITS, "", ["hair"], None),
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


def test_routes_of_edits():
    assert route(EDITS, Asked("black", ("blond",))).back == EDITS[2]
    assert route(EDITS, Asked("smiling", ("blond",))).back is None, "what is shown says nothing of hair"
    assert route(EDITS, Asked("", ("blond",))).back is None
    there = route(EDITS, Asked("71+", ("age=5",)), chain=3)
    assert [way.target for way in there.ways] == ["0-10", "71+", "0-10"] and there.starts == (0, 1, 2)
    assert [there.styles(stage) for stage in range(3)] == [(), ("0-10",), ("0-10", "71+")]
    every = route(EDITS, Asked(every=True))
    assert every.ways == tuple(EDITS) and every.starts == (0,) * 7 and every.back is None
    assert every.folders[1] == "not_Smiling" and every.styles(4) == ("Blond_Hair",)
    assert route(EDITS, Asked(of="AGE")).ways == tuple(EDITS[4:])
    assert route(FREE, Asked(every=True)).ways == tuple(FREE)
    assert route(MIXED, Asked(every=True)).ways == (MIXED[2],)


@pytest.mark.parametrize(
    ("ways", "asked"), [(PAIR, Asked(every=True)), (PAIR, Asked(of="x")), (FREE, Asked(of="Male"))]
)
def test_every_needs_attributes(ways, asked):
    with pytest.raises(DataError, match="needs a model that edits attributes of any picture; this one translates"):
        route(ways, asked)


def test_what_a_model_can_do_in_words():
    assert can(PAIR) == "translates Blond_Hair to Black_Hair and Black_Hair to Blond_Hair"
    assert can(PAIR[:1]) == "translates Blond_Hair to Black_Hair"
    assert can(FREE) == "translates any picture to Male, not Male and Eyeglasses"
    assert can(EDITS) == "edits Smiling (0 or 1), hair (Black_Hair, Blond_Hair), age (0-10 to 71+)"
    assert can([Way(None, str(n)) for n in range(20)]).endswith("6, 7 and 12 more")
