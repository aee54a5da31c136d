"""A factory's signature as the schema of its settings."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import pytest
from annotated_types import Ge, Le

from imgen import binding
from imgen.binding import Count, Fraction, NonNegative, Problem, Rate, Registered, Weight
from imgen.errors import PluginError, RecipeError


class Pair:
    """What a registered name builds."""


def factory(
    data: str,
    *,
    root: str,
    width: Count = 4,
    workers: NonNegative = 0,
    lr: Rate = 8e-5,
    weight: Weight = 1.0,
    share: Fraction = 0.5,
    norm: Literal["batch", "layer"] = "batch",
    siamese: bool = True,
    crop: int | str = "center",
    betas: tuple[float, float] = (0.5, 0.999),
    floor: float | None = None,
    loss: Annotated[Pair, Registered("losses")] | None = None,
) -> dict:
    """A thing with settings.

    Settings:
        root: where the pictures are
        width: channels [channels]
        lr: learning rate, the same
            for all [1/step]

    Raises: nothing.
    """
    return {"data": data, **{name: value for name, value in locals().items() if name != "data"}}


def checked(**given):
    plain, problems = binding.check(factory, {"root": "x", **given})
    assert not problems
    return plain


def problems(**given):
    return binding.check(factory, {"root": "x", **given})[1]


def test_settings_tell_type_default_unit_and_meaning():
    known = binding.settings_of(factory)
    assert list(known)[:3] == ["root", "width", "workers"]
    assert "data" not in known, "a positional parameter is no setting"
    assert known["root"].required and known["root"].meaning == "where the pictures are"
    assert (known["width"].default, known["width"].unit, known["width"].type) == (4, "channels", "whole number >= 1")
    assert (known["lr"].meaning, known["lr"].unit) == ("learning rate, the same for all", "1/step")
    assert known["norm"].type == "batch | layer"
    assert known["share"].type == "number >= 0 and <= 1"
    assert known["floor"].type == "number or null"
    assert known["loss"].type == "a name of losses"
    assert known["workers"].meaning == ""


def test_defaults_are_filled_in_as_plain_values():
    assert checked() == {
        "root": "x",
        "width": 4,
        "workers": 0,
        "lr": 8e-5,
        "weight": 1.0,
        "share": 0.5,
        "norm": "batch",
        "siamese": True,
        "crop": "center",
        "betas": [0.5, 0.999],
        "floor": None,
        "loss": None,
    }


@pytest.mark.parametrize(
    ("name", "given", "plain"),
    [
        ("lr", 1, 1.0),
        ("lr", "8e-5", 8e-5),
        ("root", 2024, "2024"),
        ("crop", 128, 128),
        ("crop", "128x96+0+0", "128x96+0+0"),
        ("width", 7.0, 7),
        ("betas", [0, 1], [0.0, 1.0]),
        ("floor", None, None),
        ("siamese", False, False),
        ("norm", "layer", "layer"),
    ],
)
def test_values_are_converted_by_annotation(name, given, plain):
    assert checked(**{name: given})[name] == plain
    assert type(checked(**{name: given})[name]) is type(plain)


@pytest.mark.parametrize(
    ("name", "given", "text"),
    [
        ("width", 0, "width must be a whole number >= 1, not 0"),
        ("width", 2.5, "width must be a whole number >= 1, not 2.5"),
        ("width", "wide", "width must be a whole number >= 1, not 'wide'"),
        ("width", True, "width must be a whole number >= 1, not true"),
        ("lr", True, "lr must be a number > 0, not true"),
        ("lr", 0, "lr must be a number > 0, not 0"),
        ("lr", None, "lr must be a number > 0, not null"),
        ("lr", math.nan, "lr must be a number > 0, not nan"),
        ("weight", math.inf, "weight must be a number >= 0, not inf"),
        ("share", 1.5, "share must be a number >= 0 and <= 1, not 1.5"),
        ("norm", "bach", "norm must be batch | layer, not 'bach'"),
        ("siamese", "perhaps", "siamese must be true or false, not 'perhaps'"),
        ("betas", [1], "betas must be [number, number], not [1]"),
        ("floor", False, "floor must be a number or null, not false"),
        ("root", ["a"], "root must be text, not ['a']"),
        ("crop", {"a": 1}, "crop must be a whole number or text, not {'a': 1}"),
    ],
)
def test_wrong_values_are_told_with_what_is_right(name, given, text):
    assert problems(**{name: given}) == [Problem(name, text)]


def test_all_problems_come_at_once():
    _, found = binding.check(factory, {"widthh": 3, "lr": -1, "norm": 3, "siamese": 7})
    assert [problem.key for problem in found] == ["widthh", None, "lr", "norm", "siamese"]
    assert found[0].text == "has no setting 'widthh'; did you mean 'width'?"
    assert found[1].text == "needs the setting 'root': where the pictures are"


def test_a_long_value_is_cut_short():
    (problem,) = problems(width="x" * 1000)
    assert len(problem.text) < 120


def test_names_of_registered_things_are_looked_up():
    def resolve(kind, name):
        if name != "hinge":
            raise RecipeError(f"no loss is called '{name}'")
        return (kind, name)

    plain, found = binding.check(factory, {"root": "x", "loss": "hinge"}, resolve)
    assert plain["loss"] == "hinge" and not found, "stays a name in the resolved recipe"
    assert binding.build(factory, "data", settings=plain, resolve=resolve)["loss"] == ("losses", "hinge")
    _, found = binding.check(factory, {"root": "x", "loss": "hing", "width": 0}, resolve)
    assert {problem.key for problem in found} == {"loss", "width"}
    assert binding.check(factory, {"root": "x", "loss": 3.5}, resolve)[0]["loss"] == "3.5"


def test_build_gives_the_annotated_types():
    built = binding.build(factory, "data", settings=checked(betas=[0, 1]))
    assert built["data"] == "data"
    assert built["betas"] == (0.0, 1.0)
    assert built["loss"] is None


def test_checked_settings_check_again_to_the_same():
    once = checked(lr="1e-3", width=9)
    assert checked(**once) == once


def test_a_class_is_a_factory_too():
    class Thing:
        """A thing.

        Settings:
            size: how big [pixels]
        """

        def __init__(self, data: str, *, size: Annotated[int, Ge(8), Le(64)] = 16) -> None:
            self.size = size

    assert binding.settings_of(Thing)["size"].unit == "pixels"
    assert binding.settings_of(Thing)["size"].type == "whole number >= 8 and <= 64"
    assert binding.build(Thing, "data", settings={"size": 8}).size == 8


def test_a_setting_without_annotation_is_a_fault_of_the_plugin():
    def bad(*, size=3):
        pass

    def worse(*, size: NotThere = 3):  # noqa: F821
        pass

    with pytest.raises(TypeError, match="bad: the setting 'size' has no type annotation"):
        binding.settings_of(bad)
    with pytest.raises(TypeError, match="worse: a setting's type annotation cannot be resolved"):
        binding.settings_of(worse)


def test_a_factory_that_does_not_fit_its_own_signature_is_a_fault_of_the_plugin():
    def shy(data, *, weight: Weight = -1.0):
        pass

    def crowded(data, size: int = 3, *, other: int = 4):
        pass

    def alone(*, size: int = 3):
        pass

    with pytest.raises(PluginError, match=r"shy: 'weight' must be a number >= 0, not -1.0; that goes for its default"):
        binding.build(shy, "data", settings=binding.check(shy, {})[0])
    (problem,) = binding.check(crowded, {"size": 4})[1]
    assert problem.text.endswith("crowded it must stand behind `*,`") and problem.key == "size"
    with pytest.raises(PluginError, match=r"alone must take \(data, \*, settings\): too many positional arguments"):
        binding.build(alone, "data", settings={})


def test_only_the_settings_types_are_needed():
    """A plugin imports the types of the rest for type checkers alone."""

    def metric(data: ForTypeCheckersOnly, *, pairs: int = 3) -> NorThis:  # noqa: F821
        return pairs

    assert binding.settings_of(metric)["pairs"].annotation is int


@pytest.mark.parametrize("name", ["copy", "json", "schema", "model_config", "model_fields", "construct", "dict"])
def test_a_setting_may_be_called_anything(name):
    """The schema is a pydantic model, whose own attributes must not come in the way."""
    scope: dict = {}
    exec(f"def thing(*, {name}: int = 3) -> dict:\n    return dict({name}={name})", scope)
    plain, found = binding.check(scope["thing"], {name: 5})
    assert plain == {name: 5} and not found
