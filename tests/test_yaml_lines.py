"""YAML with line numbers and without YAML 1.1's surprises."""

from __future__ import annotations

import math

import pytest

from imgen.errors import RecipeError
from imgen.yaml_lines import dump, parse, scalar


def content(text: str):
    return parse(text, "r.yaml").content


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("8e-5", 8e-5),
        ("8E-5", 8e-5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-2.5e+1", -25.0),
        ("3", 3),
        ("-3", -3),
        ("+3", 3),
        ("1_000", 1000),
        ("0755", 755),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        # words, whatever YAML 1.1 makes of them
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("1:30", "1:30"),
        ("2001-01-01", "2001-01-01"),
        ("0x10", "0x10"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("'8e-5'", "8e-5"),
        ('"true"', "true"),
        ("[1, 2e0, a]", [1, 2.0, "a"]),
        ("{}", {}),
    ],
)
def test_values(text, value):
    got = content(f"key: {text}")["key"]
    assert got == value
    assert type(got) is type(value)


def test_every_key_and_item_has_its_line():
    document = parse("# head\na: 1\nb:\n  c: 2\n\n  d:\n    - 5\n    - x: 6\n", "r.yaml")
    assert document.content == {"a": 1, "b": {"c": 2, "d": [5, {"x": 6}]}}
    for path, line in {("a",): 2, ("b",): 3, ("b", "c"): 4, ("b", "d"): 6, ("b", "d", "1", "x"): 8}.items():
        assert document.where(path) == f"r.yaml:{line}"
    assert document.where(("b", "missing")) == "r.yaml:3", "the nearest thing around it"


def test_every_duplicate_is_told_with_both_lines():
    with pytest.raises(RecipeError) as caught:
        content("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n")
    assert str(caught.value).splitlines() == [
        "r.yaml:4: 'c' stands twice, first in line 3; keep one",
        "r.yaml:5: 'a' stands twice, first in line 1; keep one",
    ]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a: &x 1\nb: *x\n", 2, "aliases are not allowed"),
        ("a: 1\nb: !!python/object/apply:os.system [ls]\n", 2, "plain values only"),
        ("a: 1\nb: !mine 3\n", 2, "plain values only"),
        ("a: 1\nb: [1, 2\n", 3, "not valid YAML"),
        ("a: 1\n\tb: 2\n", 2, "not valid YAML"),
        ("a: 1\n---\nb: 2\n", 2, "not valid YAML"),
        ("a: 'x\n", 2, "not valid YAML"),
        ("a: " + "[" * 40 + "]" * 40, 1, "nested too deeply"),
        ("a: 1\nb: !!python/name:os.system x\n", 2, "plain values only"),
        ("a: 1\nb: !!set {x}\n", 2, "plain values only"),
        ("a: 1\nb: !!binary aGk=\n", 2, "plain values only"),
    ],
)
def test_refused_with_file_and_line(text, line, says):
    with pytest.raises(RecipeError) as caught:
        parse(text, "r.yaml")
    told = str(caught.value)
    assert told.startswith(f"r.yaml:{line}: ")
    assert says in told
    assert "\n" not in told


@pytest.mark.parametrize("text", ["a: " + "[" * 100_000, "\0", "a: \x07b", "- " * 50_000])
def test_hostile_text_is_one_line(text):
    with pytest.raises(RecipeError) as caught:
        parse(text, "r.yaml")
    assert len(str(caught.value).splitlines()) == 1


def test_a_billion_laughs_are_not_laughed():
    text = "a: &a [x,x]\n" + "".join(f"{c}: &{c} [*{p},*{p}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True))
    with pytest.raises(RecipeError, match="aliases"):
        parse(text, "r.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [("10", 10), ("8e-5", 8e-5), ("", ""), (" ", " "), ("a: b: c", "a: b: c"), ("[1, 2]", [1, 2]), ("*x", "*x")],
)
def test_values_from_the_command_line(text, value):
    assert scalar(text) == value


@pytest.mark.parametrize(
    "value",
    [
        *("8e-5", "no", "true", "null", "", "1_0", "~", "0755", "2001-01-01", "ü: #x", "a\nb", " x ", "- a", "'", "*x"),
        *(8e-5, 1e300, -0.0, 0.1, 5e-324, 3, True, None, [], {}, [1, [2, {"a": None}]]),
        *(1e16, 1e22, 123456789.125),
    ],
)
def test_dump_reads_back_equal(value):
    same = [value]  # written twice: equal values must not become aliases
    got = content(dump({"key": value, "again": [same, same]}))
    assert got == {"key": value, "again": [[value], [value]]}
    assert type(got["key"]) is type(value)
    if isinstance(value, float):
        assert math.copysign(1, got["key"]) == math.copysign(1, value)
