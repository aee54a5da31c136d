"""Axes, unions, seeds and names; everything that is wrong is told before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgen.errors import RecipeError
from imgen.overrides import Override
from imgen.sweeping import axes


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a=1,2", (1, 2)),
        ("a=1e-3, 0.5", (0.001, 0.5)),
        ("a=[1,2],[3]", ([1, 2], [3])),
        ("a=x", ("x",)),
        ("a='x,y',z", ("x,y", "z")),
        ("a=null,true,no", (None, True, "no")),
        ("a={b: 1, c: 2},3", ({"b": 1, "c": 2}, 3)),
        ("a=it's,b", ("it's", "b")),
    ],
)
def test_values_of_an_axis(text, values):
    axis = axes.axis(text)
    assert (axis.key, axis.values) == ("a", values)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a", "write it as"),
        ("=1", "write it as"),
        ("a=", "has no values"),
        ("a=1,,2", "an empty value"),
        ("a=1,1", "twice"),
        ("a=1,", "an empty value"),
    ],
)
def test_what_is_no_axis(text, what):
    with pytest.raises(RecipeError, match=what):
        axes.axis(text)


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("3", (0, 1, 2)), ("3,5,8", (3, 5, 8)), ("7,", (7,)), ("2-4", (2, 3, 4)), ("9,2-3", (9, 2, 3))],
)
def test_seeds(text, seeds):
    assert axes.seeds(text) == seeds


@pytest.mark.parametrize("text", ["0", "", "-1", "a", "1.5", "4-2", "1,,2", "1,1", "1-3,2", ",", "999999999999"])
def test_what_are_no_seeds(text):
    with pytest.raises(RecipeError, match="--seeds"):
        axes.seeds(text)


def test_the_product_of_axes_and_seeds(points):
    found = points("algorithm.dim=4,8", "lr_g=1e-3,2e-3", seeds=(0, 1))
    assert [point.name for point in found][:3] == [
        "dim=4_lr_g=0.001_seed=0",
        "dim=4_lr_g=0.001_seed=1",
        "dim=4_lr_g=0.002_seed=0",
    ]
    assert len({point.identity for point in found}) == len(found) == 8
    last = found[-1]
    assert last.settings == {"algorithm.dim": 8, "algorithm.lr_g": 0.002, "train.seed": 1} and last.seed == 1
    assert last.recipe.algorithm.settings["dim"] == 8 and last.recipe.train.seed == 1


def test_no_axis_is_one_run(points):
    (only,) = points()
    assert only.name == "run" and only.settings == {}


def test_settings_of_all_runs_stand_below_the_axes(points):
    given = [Override("train.batch", "2", "-s"), Override("dim", "16", "-s")]
    first, second = points("dim=4,8", settings=given)
    assert first.recipe.train.batch == second.recipe.train.batch == 2
    assert (first.recipe.algorithm.settings["dim"], second.recipe.algorithm.settings["dim"]) == (4, 8)


def test_all_that_is_wrong_is_told_at_once_and_once(points):
    with pytest.raises(RecipeError) as caught:
        points("lr_q=1,2", "algorithm.dim=4,many,true", "train.batch=0,4", seeds=(0, 1, 2))
    lines = str(caught.value).splitlines()
    assert len(lines) == len(set(lines)) == 4
    for key in ("--grid lr_q=1: this recipe has no setting 'lr_q'; did you mean", "--grid algorithm.dim=many: "):
        assert any(line.startswith(key) for line in lines)
    assert any("--grid train.batch=0: " in line and "must be a whole number >= 1, not 0" in line for line in lines)
    assert any("dim=true" in line for line in lines)


def test_one_setting_on_two_axes(points):
    with pytest.raises(RecipeError, match="in this grid twice"):
        points("dim=4,8", "dim=16")
    for key in ("seed=1,2", "train.seed=1,2"):
        if key.startswith("train"):
            with pytest.raises(RecipeError, match="seeds are given by --seeds already"):
                points(key, seeds=(0, 1))


def test_too_many_runs(points):
    with pytest.raises(RecipeError, match="100,000 are the most"):
        points("dim=4,8", seeds=range(99_999))


def test_a_file_of_grids_is_their_union_and_runs_in_two_of_them_are_one(points, here):
    (here / "grids.yaml").write_text("- {dim: [4, 8], train.batch: 2}\n- dim: [8, 16]\n  train.batch: [2, 4]\n")
    grids = axes.grids_of(Path("grids.yaml"))
    found = points(grids=grids)
    assert [point.name for point in found] == [
        "dim=4_batch=2",
        "dim=8_batch=2",
        "dim=8_batch=4",
        "dim=16_batch=2",
        "dim=16_batch=4",
    ]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "must be a list of mappings"),
        ("- 3", "must be a list of mappings"),
        ("- {}", "must be a list of mappings"),
        ("- dim: [4]\n- dim: []", r"grids.yaml:2: dim has no values"),
        ("- dim: [4, 4]", "grids.yaml:1: dim: a value stands twice"),
        ("- {dim: [4", "not valid YAML"),
    ],
)
def test_what_is_no_file_of_grids(text, what, here):
    (here / "grids.yaml").write_text(text)
    with pytest.raises(RecipeError, match=what):
        axes.grids_of(Path("grids.yaml"))
    with pytest.raises(RecipeError, match="cannot be read"):
        axes.grids_of(Path("absent.yaml"))


def test_names_are_stable_however_values_are_written(points):
    assert [each.name for each in points("lr_g=1e-3,2e-3")] == ["lr_g=0.001", "lr_g=0.002"]
    assert points("lr_g=0.001")[0].identity == points("lr_g=1e-3")[0].identity


def test_names_are_safe_short_and_unique(points):
    long = ["/data/" + "x" * 300 + end for end in "ab"]
    found = points(
        "dataset.name=identities", f"dataset.root={','.join(long)},../../etc,a b,a-b,a/b,A-B", "dataset.size=16"
    )
    names = [each.name for each in found]
    assert len({name.casefold() for name in names}) == 7
    for name in names:
        assert len(name) <= 120 and not set(name) - set("abcdefghijklmnopqrstuvwxyzABCDE_=.-0123456789"), name
        assert not name.startswith(".")


def test_alike_last_words_are_told_apart(points):
    (one,) = points("algorithm.name=sddcgan", "dataset.size=16")
    assert one.name == "algorithm.name=sddcgan_size=16"


def test_settings_that_touch_nothing_learnt_are_not_part_of_what_a_run_is_unless_they_vary(points):
    (short,), (long,) = points("dim=4"), points("dim=4", settings=[Override("train.steps", "9", "-s")])
    assert short.identity == long.identity
    first, second = points("train.steps=4,8")
    assert first.identity != second.identity


def test_names_that_are_known_stay(points):
    (one,) = points("dim=4")
    (same,) = points("dim=4", known={one.identity: "old"})
    assert same.name == "old"
    (other,) = points("dim=4", known={"another": "dim=4"})
    assert other.name.startswith("dim=4_") and other.name != "dim=4"


def test_one_setting_by_two_spellings_is_refused(points):
    with pytest.raises(RecipeError, match=r"--grid algorithm\.dim=8,16: that setting is in this grid twice"):
        points("dim=4", "algorithm.dim=8,16")
