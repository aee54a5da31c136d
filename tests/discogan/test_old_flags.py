"""The flags of the reference programs do what they did there."""

from __future__ import annotations

import pytest

from imgen.errors import RecipeError
from imgen.overrides import Override
from imgen.recipe import Draft, find


def recipe(plugins, name="discogan", **flags):
    draft = Draft.read(find(name, plugins), plugins)
    draft.apply([Override(flag, value, f"--{flag} {value}") for flag, value in flags.items()])
    return draft.check(), draft.asked


def test_a_command_of_the_old_programs_in_full(plugins):
    """Every flag of theirs in one line."""
    resolved, asked = recipe(
        plugins,
        cuda="true",
        task_name="celebA",
        epoch_size="7",
        batch_size="32",
        learning_rate="0.001",
        result_path="out",
        model_path="out",
        model_arch="recongan",
        image_size="128",
        gan_curriculum="500",
        starting_rate="0.02",
        default_rate="0.4",
        style_A="Blond_Hair",
        style_B="Black_Hair",
        constraint="Male",
        constraint_type="-1",
        n_test="100",
        update_interval="4",
        log_interval="10",
        image_save_interval="20",
        model_save_interval="30",
        attrs="[Black_Hair, Blond_Hair, Male]",
        root="somewhere",
    )
    game, data, train = resolved.algorithm.settings, resolved.dataset.settings, resolved.train
    assert resolved.dataset.name == "attribute-domains"
    assert asked == {"out": "out", "device": "cuda"}
    assert (train.epochs, train.batch, train.log_every, train.preview_every, train.save_every) == (7, 32, 10, 20, 30)
    wanted = {"variant": "recongan", "lr": 0.001, "curriculum": 500, "update_interval": 4}
    assert wanted | {"starting_rate": 0.02, "default_rate": 0.4} == {
        name: game[name] for name in (*wanted, "starting_rate", "default_rate")
    }
    styles = {"style_A": "Blond_Hair", "style_B": "Black_Hair", "constraint": "Male", "size": 128, "n_test": 100}
    assert styles == {name: data[name] for name in styles}
    assert data["attrs"] == ["Black_Hair", "Blond_Hair", "Male"] and str(data["constraint_type"]) == "-1"


@pytest.mark.parametrize(
    ("task", "dataset", "settings"),
    [
        ("celebA", "attribute-domains", {}),
        ("facescrub", "folder-domains", {}),
        ("edges2shoes", "aligned-domains", {"thicken": True}),
        ("Edges2Handbags", "aligned-domains", {"thicken": True}),
        ("handbags2shoes", "folder-domains", {"side_A": "right", "side_B": "right"}),
        ("Handbags2Shoes", "folder-domains", {"side_A": "right", "side_B": "right"}),
        ("car2car", "pose-pairs", {"task": "car2car"}),
        ("chair2car", "pose-pairs", {"task": "chair2car"}),
    ],
)
def test_a_task_chooses_the_data(task, dataset, settings, plugins):
    more = {"style_A": "male"} if dataset == "attribute-domains" else {}
    resolved, _ = recipe(plugins, task_name=task, root="somewhere", **more)
    assert resolved.dataset.name == dataset
    assert settings == {name: resolved.dataset.settings[name] for name in settings}
    assert resolved.dataset.settings["size"] == 64, "what both data sets have stays as the recipe says"
    if dataset == "pose-pairs":
        game = resolved.algorithm.settings
        assert (game["levels"], game["matched"], game["starting_rate"], game["default_rate"]) == (5, "deep", 0.9, 0.9)


def test_an_unknown_task_is_told(plugins):
    with pytest.raises(RecipeError, match="there is no task_name 'edges2cats'; did you mean 'edges2"):
        recipe(plugins, task_name="edges2cats", root="somewhere", style_A="male")


def test_two_places_for_one_run_are_refused(plugins):
    with pytest.raises(RecipeError, match="--model_path y: --out is 'x' already"):
        recipe(plugins, result_path="x", model_path="y", root="somewhere", style_A="male")


def test_old_flags_on_the_command_line(cli, here):
    """`discogan_drawn` needs no files; the length is told in epochs, with hyphens or underscores."""
    said = cli(
        *("train", "discogan_drawn", "--epoch_size", "1", "--batch-size", "4", "--pictures", "12", "--n_test", "4"),
        *("--cuda", "false", "--result_path", "there", "--width", "4", "--d_width", "4", "--size", "16"),
        *("-s", "train.tensorboard=false", "--ema_half_life", "0"),
    )
    assert said.status == 0, said.err
    assert "training from step 0 of 3 on cpu" in said.err and (here / "there/model.safetensors").is_file()
    assert "steps: 3" in (here / "there/recipe.yaml").read_text()


def test_a_flag_of_several_words(plugins, cli):
    said = cli("train", "discogan", "--attrs", "Male", "Young", "--style_A", "male", "--root", "nowhere")
    assert "nowhere: no such folder" in said.err
