"""Recipes: every error at once with its place, overrides, and the resolved recipe."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from imgen import recipe as recipes
from imgen.errors import RecipeError
from imgen.overrides import Override
from imgen.recipe import Draft, differences, find, load
from imgen.train_settings import MAY_CHANGE, TrainSettings


@pytest.fixture
def draft(plugins, here):
    """A draft of a recipe's text, in r.yaml."""

    def make(text: str, *overrides: tuple[str, str]) -> Draft:
        Path("r.yaml").write_text(text)
        made = Draft.read(Path("r.yaml"), plugins)
        made.apply([Override(key, value, f"-s {key}={value}") for key, value in overrides])
        return made

    return make


@pytest.fixture
def wrong(draft):
    """The lines of what is wrong with a recipe."""

    def check(text: str, *overrides: tuple[str, str]) -> list[str]:
        with pytest.raises(RecipeError) as caught:
            draft(text, *overrides).check()
        return str(caught.value).splitlines()

    return check


GOOD = """\
algorithm: {name: sdbegan, lr: 8e-5}
dataset:
  name: shapes
train:
  steps: 10
"""


def test_everything_is_explicit_in_a_resolved_recipe(draft):
    recipe = draft(GOOD).check()
    assert recipe.title == "r"
    assert recipe.algorithm.name == "sdbegan"
    assert recipe.algorithm.settings["lr"] == 8e-5
    assert recipe.algorithm.settings["lambda_k"] == 0.001
    assert recipe.dataset.settings["size"] == 32
    assert recipe.train == TrainSettings(steps=10)
    assert recipe.metrics == ()


def test_a_resolved_recipe_reads_back_equal(draft):
    text = GOOD + "metrics: [drawn-identity, {name: drawn-identity}]\n"
    recipe = draft(text, ("lr", "1.25e-05"), ("precision", "fp32")).check()
    again = draft(recipe.to_yaml()).check()
    assert again == recipe
    assert again.to_yaml() == recipe.to_yaml()
    assert list(recipe.to_dict()) == ["algorithm", "dataset", "train", "metrics"]


def test_every_error_comes_at_once_with_its_place(wrong):
    text = """\
algorithm:
  name: sdbegan
  lamda_k: 0.1
  gamma: 7
dataset:
  name: shaeps
train:
  steps: many
  batch: 0
  precision: fp16
tarin: {}
metrics:
  - drawn-identity
  - name: fidd
  - name: drawn-identity
    wrong: 1
"""
    lines = wrong(text)
    assert lines[0] == "r.yaml:11: a recipe has no section 'tarin'; did you mean 'train'?"
    assert "r.yaml:3: algorithm 'sdbegan' has no setting 'lamda_k'; did you mean 'lambda_k'?" in lines
    assert "r.yaml:4: algorithm 'sdbegan': gamma must be a number >= 0 and <= 1, not 7" in lines
    assert any(line.startswith("r.yaml:6: no dataset is called 'shaeps'; did you mean 'shapes'?") for line in lines)
    assert "r.yaml:8: train: steps must be a whole number >= 1, not 'many'" in lines
    assert "r.yaml:9: train: batch must be a whole number >= 1, not 0" in lines
    assert "r.yaml:10: train: precision must be auto | bf16 | fp32, not 'fp16'" in lines
    assert any(line.startswith("r.yaml:14: no metric is called 'fidd'") for line in lines)
    assert any(line.startswith("r.yaml:16: metric 'drawn-identity' has no setting 'wrong'") for line in lines)
    assert len(lines) == 9


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("- a\n", "r.yaml:1: a recipe is a mapping with the sections algorithm, dataset, train, metrics"),
        ("", "r.yaml: the recipe has no section 'algorithm'; it needs at least algorithm: {name: ...}"),
        ("algorithm: 3\n", "r.yaml:1: algorithm needs a name, as in algorithm: {name: ...}"),
        ("algorithm: {lr: 1}\n", "r.yaml:1: algorithm needs a name, as in algorithm: {name: ...}"),
        ("algorithm: {name: [a]}\n", "r.yaml:1: algorithm needs a name, as in algorithm: {name: ...}"),
        (GOOD.replace("train:\n  steps: 10", "train: [1]"), "r.yaml:4: train must be a mapping of settings"),
        (GOOD + "metrics: 3\n", "r.yaml:6: metrics must be a list of names and settings"),
        (GOOD + "metrics: [3]\n", "r.yaml:6: metrics needs a name, as in metrics: {name: ...}"),
        (
            GOOD.replace("shapes", "identities"),
            "r.yaml:2: dataset 'identities' needs the setting 'root': folder, zip or packed file; give it with "
            "--root VALUE",
        ),
        (GOOD.replace("8e-5", "8e-5e"), "r.yaml:1: algorithm 'sdbegan': lr must be a number > 0, not '8e-5e'"),
        (GOOD.replace("lr: 8e-5", "loss: x"), "r.yaml:1: algorithm 'sdbegan' has no setting 'loss'"),
    ],
)
def test_one_error(text, line, wrong):
    assert any(told.startswith(line) for told in wrong(text)), wrong(text)


def test_an_unknown_loss_lists_the_known(wrong):
    (line,) = wrong(GOOD.replace("sdbegan, lr: 8e-5", "sddcgan, loss: hing"))
    assert line == "r.yaml:1: algorithm 'sddcgan': loss: no loss is called 'hing'; did you mean 'hinge'?"


def test_a_name_alone_is_a_section(draft):
    assert draft("algorithm: sdbegan\ndataset: shapes\n").check().train == TrainSettings()


def test_overrides_by_bare_and_full_name(draft):
    made = draft(
        GOOD, ("steps", "20"), ("dataset.k", "3"), ("lr", "1e-3"), ("train.save-every", "5"), ("ema-half-life", "0")
    )
    recipe = made.check()
    assert (recipe.train.steps, recipe.train.save_every, recipe.train.ema_half_life) == (20, 5, 0)
    assert recipe.dataset.settings["k"] == 3
    assert recipe.algorithm.settings["lr"] == 1e-3


def test_an_override_makes_a_section_that_is_missing(draft):
    assert draft("algorithm: sdbegan\ndataset: {name: shapes}\n", ("steps", "7")).check().train.steps == 7


def test_an_override_reaches_a_section_that_is_a_name_alone(draft):
    assert draft("algorithm: sdbegan\ndataset: shapes\n", ("size", "16")).check().dataset.settings["size"] == 16


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("stpes", "1", "-s stpes=1: this recipe has no setting 'stpes'; did you mean 'steps'?"),
        ("trian.steps", "1", "-s trian.steps=1: a recipe has no section 'trian'; did you mean 'train'?"),
        ("train.stpes", "1", "-s train.stpes=1: train has no setting 'stpes'; did you mean 'steps'?"),
        ("steps", "few", "-s steps=few: train: steps must be a whole number >= 1, not 'few'"),
        ("seed", "1", "-s seed=1: several settings have that name: -s train.seed=..., -s dataset.seed=..."),
        ("lambda_k", "-1", "-s lambda_k=-1: algorithm 'sdbegan': lambda_k must be a number >= 0, not -1"),
    ],
)
def test_a_wrong_override_is_told_as_it_was_written(key, value, line, wrong):
    assert wrong(GOOD, (key, value)) == [line]


def test_an_error_in_the_file_does_not_hide_behind_an_override(wrong):
    lines = wrong(GOOD.replace("steps: 10", "steps: x\n  batch: x"), ("steps", "7"))
    assert lines == ["r.yaml:6: train: batch must be a whole number >= 1, not 'x'"]


def test_overrides_do_not_blame_each_others_sections(wrong):
    """A wrong metric setting of the same name as an override keeps its own place."""
    text = GOOD + "metrics:\n  - name: drawn-identity\n    steps: 3\n"
    assert wrong(text, ("train.steps", "3"))[0].startswith("r.yaml:8: ")


def test_a_recipe_is_found_by_path_name_and_documented_path(here, plugins):
    Path("mine.yaml").write_text(GOOD)
    assert find("mine.yaml", plugins) == Path("mine.yaml")
    for reference in ("sdbegan", "recipes/sdbegan.yaml", "sdbegan.yaml"):
        assert find(reference, plugins).name == "sdbegan.yaml", reference
    for reference, says in {
        "sdbgan": "no recipe is called 'sdbgan'; did you mean 'sdbegan'",
        "recipes/sdbgan.yaml": "recipes/sdbgan.yaml: no such file; did you mean 'sdbegan'",
        "elsewhere/sdbegan.yaml": "elsewhere/sdbegan.yaml: no such file",
    }.items():
        with pytest.raises(RecipeError, match=says):
            find(reference, plugins)


def test_unreadable_recipes(here, plugins):
    Path("binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match=r"^binary.yaml: not text, so it is no recipe"):
        load("binary.yaml", [], plugins)
    Path("folder").mkdir()
    with pytest.raises(RecipeError, match=r"^folder: a folder, but not a run"):
        load("folder", [], plugins)


def test_differences_are_told_a_line_a_setting():
    old = {"train": {"batch": 16, "seed": 0}, "metrics": [{"name": "a"}], "gone": 1}
    new = {"train": {"batch": 32, "seed": 0}, "metrics": [{"name": "a", "n": 2}]}
    assert differences(old, new) == ["train.batch: 16 -> 32", "gone: 1 -> absent", "metrics[0].n: absent -> 2"]
    assert differences(old, old) == []


def test_every_setting_of_train_is_explained_and_can_be_changed_or_not():
    from imgen.binding import settings_of

    known = settings_of(TrainSettings)
    assert all(setting.meaning for setting in known.values())
    assert set(known) == {field.name for field in dataclasses.fields(TrainSettings)}
    assert set(known) >= MAY_CHANGE
    assert recipes.SECTIONS == ("algorithm", "dataset", "train", "metrics")


def test_the_case_of_a_settings_name_does_not_matter(plugins):
    draft = Draft.read(find("discogan", plugins), plugins)
    draft.apply([Override("style_a", "blond", "--style_a blond"), Override("root", "x", "--root x")])
    assert draft.check().dataset.settings["style_A"] == "blond"


def test_another_data_set_keeps_the_settings_that_it_has(plugins):
    draft = Draft.read(find("discogan", plugins), plugins)
    given = {"root": "x", "dataset.name": "folder-domains", "domain_A": "cats"}
    draft.apply([Override(key, value, f"-s {key}={value}") for key, value in given.items()])
    dataset = draft.check().dataset
    assert dataset.name == "folder-domains"
    assert (dataset.settings["size"], dataset.settings["domain_A"], dataset.settings["root"]) == (64, "cats", "x")
