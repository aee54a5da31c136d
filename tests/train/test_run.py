"""Runs: where they are, whose they are, and whether they are complete."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from imgen.errors import RecipeError, WeightsError
from imgen.model import write_model
from imgen.recipe import Part, Recipe
from imgen.train import checkpoint, run
from imgen.train_settings import TrainSettings


@pytest.fixture
def recipe(here):
    return Recipe("mine", Part("game", {"lr": 0.1}), Part("shapes", {"k": 2}), TrainSettings(steps=4))


@pytest.fixture
def save(config):
    """Writes a checkpoint of a run, with averaged weights only."""

    def write(folder: Path, step: int, name: str = "") -> None:
        averaged = {"w": torch.zeros(1)}
        checkpoint.write(folder, step, algorithm={}, averaged=averaged, config=config, seats={}, state={}, name=name)

    return write


@pytest.fixture
def finish(config, save):
    """Completes a run."""

    def write(folder: Path, step: int = 4) -> None:
        save(folder, step)
        write_model(folder / "model.safetensors", config, {"w": torch.zeros(1)})
        (folder / "README.md").write_text("# the card\n")

    return write


def changed(recipe: Recipe, **train) -> Recipe:
    return replace(recipe, train=replace(recipe.train, **train))


def test_runs_are_numbered(recipe, finish):
    assert run.open_for(recipe, None, fresh=False) == Path("runs/mine-0001")
    assert run.open_for(recipe, None, fresh=True) == Path("runs/mine-0002")
    Path("runs/mine-0007").mkdir()
    Path("runs/mine-notes").mkdir()
    assert run.open_for(recipe, None, fresh=True) == Path("runs/mine-0008")
    assert run.open_for(replace(recipe, title="other"), None, fresh=True) == Path("runs/other-0001")


def test_the_newest_unfinished_run_of_the_same_recipe_is_taken_up(recipe, save, finish):
    first, second = (run.open_for(recipe, None, fresh=True) for _ in range(2))
    for folder, when in ((first, 100), (second, 200)):
        os.utime(folder / "recipe.yaml", (when, when))
        save(folder, 2)
    assert run.open_for(recipe, None, fresh=False) == second
    finish(second)
    assert run.open_for(recipe, None, fresh=False) == first
    finish(first)
    assert run.open_for(recipe, None, fresh=False) == Path("runs/mine-0003")


def test_another_recipe_begins_another_run(recipe):
    run.open_for(recipe, None, fresh=False)
    assert run.open_for(changed(recipe, seed=1), None, fresh=False) == Path("runs/mine-0002")
    assert run.open_for(replace(recipe, algorithm=Part("game", {"lr": 0.2})), None, fresh=False).name == "mine-0003"


def test_a_run_that_another_process_trains_is_not_taken_up(recipe):
    folder = run.open_for(recipe, None, fresh=False)
    with run.held(folder):
        assert run.open_for(recipe, None, fresh=False) != folder
        assert run.is_busy(folder)
        with pytest.raises(RecipeError, match="another process is training this run"), run.held(folder):
            pass
    with run.held(folder):
        pass


def test_a_chosen_folder(recipe, here):
    assert run.open_for(recipe, here / "a/b", fresh=False) == here / "a/b"
    assert run.is_run(here / "a/b")
    assert run.open_for(recipe, here / "a/b", fresh=False) == here / "a/b"
    with pytest.raises(RecipeError, match="holds a run already"):
        run.open_for(recipe, here / "a/b", fresh=True)
    (here / "empty").mkdir()
    assert run.open_for(recipe, here / "empty", fresh=False) == here / "empty"
    (here / "full").mkdir()
    (here / "full/file").touch()
    for name in ("full", "full/file"):
        with pytest.raises(RecipeError, match="is not empty and not a run"):
            run.open_for(recipe, here / name, fresh=False)


def test_a_changed_recipe_is_refused_with_every_difference(recipe, here):
    run.open_for(recipe, here / "a", fresh=False)
    other = changed(replace(recipe, algorithm=Part("game", {"lr": 0.2})), batch=32, log_every=7)
    with pytest.raises(RecipeError) as caught:
        run.open_for(other, here / "a", fresh=False)
    told = str(caught.value)
    assert "algorithm.lr: 0.1 -> 0.2; train.batch: 16 -> 32)" in told
    assert "log_every" not in told and "\n" not in told
    run.open_for(changed(recipe, log_every=7, steps=9, keep_last=9, tensorboard=False), here / "a", fresh=False)


def test_a_run_cannot_become_shorter_than_it_is(recipe, here, save):
    folder = run.open_for(recipe, here / "a", fresh=False)
    save(folder, 3)
    with pytest.raises(RecipeError, match=r"is at step 3 already; train\.steps cannot be 2"):
        run.refuse_changes(folder, changed(recipe, steps=2))
    run.refuse_changes(folder, changed(recipe, steps=3))


def test_complete_means_at_the_last_step_with_its_weights(recipe, here, save, finish):
    folder = run.open_for(recipe, here / "a", fresh=False)
    assert not run.is_complete(folder)
    save(folder, 4)
    assert not run.is_complete(folder)
    finish(folder, 4)
    assert run.is_complete(folder) and run.is_complete(folder, 4)
    assert not run.is_complete(folder, 5), "asked to train on"
    (folder / "README.md").unlink()
    assert not run.is_complete(folder), "killed before its card was written"


def test_the_weights_of_a_run(recipe, here, save, finish):
    folder = run.open_for(recipe, here / "a", fresh=False)
    with pytest.raises(WeightsError, match="has no checkpoint yet"):
        run.weights_of(folder)
    save(folder, 2)
    assert run.weights_of(folder) == folder / "checkpoints/step-00000002/ema.safetensors"
    finish(folder, 4)
    assert run.weights_of(folder) == folder / "model.safetensors"
    run.store_recipe(folder, changed(recipe, steps=9))
    save(folder, 6)
    assert run.weights_of(folder) == folder / "checkpoints/step-00000006/ema.safetensors", "it is training on"


def test_a_former_state_by_its_name_or_step(recipe, here, save):
    folder = run.open_for(recipe, here / "a", fresh=False)
    with pytest.raises(WeightsError, match="a@warm: this run keeps no such checkpoint; it has none yet"):
        run.weights_at(folder, "warm")
    save(folder, 2)
    save(folder, 3, name="warm")
    assert run.weights_at(folder, "2") == folder / "checkpoints/step-00000002/ema.safetensors"
    assert run.weights_at(folder, "warm") == run.weights_at(folder, "3")
    for other in ("4", "worm", "../2"):
        with pytest.raises(WeightsError, match=r"it has warm, 2, 3$"):
            run.weights_at(folder, other)


def test_the_newest_that_can_do_what_is_asked(recipe, here, save):
    with pytest.raises(WeightsError, match="there are no runs under runs/"):
        run.newest_that(lambda config, path: True, "")
    for when, name in enumerate(("old", "new", "bare", "broken")):
        folder = run.open_for(recipe, Path("runs") / name, fresh=False)
        os.utime(folder / "recipe.yaml", (when, when))
        if name != "bare":
            save(folder, 1)
    weights = run.weights_of(Path("runs/broken"))
    weights.write_bytes(b"x" * weights.stat().st_size)
    told: list[str] = []
    found = run.newest_that(lambda config, path: True, "", passing=told.append)
    assert found == run.weights_of(Path("runs/new"))
    (line,) = told
    assert str(weights) in line, "a broken one is passed over aloud"
    old = run.newest_that(lambda config, path: "old" in str(path), "")
    assert old == run.weights_of(Path("runs/old"))
    with pytest.raises(WeightsError, match="none of the 4 runs under runs/ has a model that can fly"):
        run.newest_that(lambda config, path: False, "has a model that can fly")


def test_a_broken_recipe_in_a_run_is_no_run_to_resume(recipe):
    folder = run.open_for(recipe, None, fresh=False)
    (folder / "recipe.yaml").write_text("a: [")
    assert run.open_for(recipe, None, fresh=False) != folder
    assert not run.is_complete(folder)


def test_a_link_is_another_name_of_a_run_and_no_further_one(recipe, finish):
    first, second = (run.open_for(recipe, None, fresh=True) for _ in range(2))
    for folder, when in ((first, 200), (second, 100)):
        os.utime(folder / "recipe.yaml", (when, when))
        finish(folder)
    elsewhere = run.open_for(recipe, Path("elsewhere/a"), fresh=False)
    os.utime(elsewhere / "recipe.yaml", (300, 300))
    Path("runs/best").symlink_to("mine-0001")
    Path("runs/zzz").symlink_to("mine-0002")
    Path("runs/nowhere").symlink_to("mine-0009")
    Path("runs/weights").symlink_to("mine-0001/model.safetensors")
    assert run.newest_first() == [first, second]
    Path("runs/abroad").symlink_to("../elsewhere/a")
    Path("runs/again").symlink_to("abroad")
    assert run.newest_first() == [Path("runs/abroad"), first, second]
    assert run.weights_of(Path("runs/best")) == Path("runs/best/model.safetensors")


def test_to_look_whether_a_run_is_trained_leaves_it_as_it_is(tmp_path):
    assert not run.is_busy(tmp_path)
    assert list(tmp_path.iterdir()) == []
