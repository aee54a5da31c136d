"""The flags of the authors' programs do what they did there."""

from __future__ import annotations

import pytest

from imgen.errors import RecipeError
from imgen.overrides import Override, spelt_out
from imgen.recipe import Draft, find


def recipe(plugins, name="sggan", **flags):
    draft = Draft.read(find(name, plugins), plugins)
    draft.apply([Override(flag, value, f"--{flag} {value}") for flag, value in {"root": "x", **flags}.items()])
    return draft.check(), draft.asked


def test_a_command_of_the_program_of_the_papers_time(plugins):
    resolved, _ = recipe(
        plugins,
        batch_size="16",
        learn_rate="2e-4",
        image_size="64",
        max_iters="40000",
        beta1="0.4",
        beta2="0.99",
        lam_recon="9",
        lam_gp="8",
        sp_type="1",
        use_sp="true",
    )
    game, data, train = resolved.algorithm.settings, resolved.dataset.settings, resolved.train
    assert (train.steps, train.batch) == (200_000, 16), "five batches for each move of the generator"
    wanted = {"lr": 2e-4, "beta1": 0.4, "beta2": 0.99, "w_rec": 9.0, "w_gp": 8.0, "d_norm": "spectral"}
    assert wanted == {name: game[name] for name in wanted}
    wanted = {"size": 64, "split": "first", "labels_per_value": 5000, "oversample": 10, "sampler": "uniform"}
    assert wanted == {name: data[name] for name in wanted}


def test_how_sparse_the_labels_are(plugins):
    few = recipe(plugins, sp_type="2")[0].dataset.settings
    assert (few["labels_per_value"], few["oversample"], few["split"]) == (500, 50, "first")
    assert recipe(plugins, sp_type="0")[0].dataset.settings["labels_per_value"] is None
    with pytest.raises(RecipeError, match="there is no sp_type '3'"):
        recipe(plugins, sp_type="3")


def test_a_command_of_the_later_program(plugins):
    resolved, asked = recipe(
        plugins,
        "sggan_new",
        exper_name="log20_5_1",
        data_dir="celeba",
        chosen_att_names="[Male, Smiling]",
        to_balance_att_names="[Smiling]",
        img_size="64",
        input_nc="3",
        ngf="32",
        ndf="16",
        n_layers_g="3",
        n_blocks="4",
        batch_size="4",
        niter="1000",
        lr_d="3e-4",
        lr_g="1e-4",
        loss_type="hinge",
        gp_type="r1",
        lam_r="5",
        lam_c="7",
        n_critic="4",
        save_model_freq="10",
    )
    game, data, train = resolved.algorithm.settings, resolved.dataset.settings, resolved.train
    assert asked == {"out": "log20_5_1"}
    assert (train.steps, train.batch, train.save_every) == (1000, 4, 10)
    wanted = {"width": 32, "d_width": 16, "levels": 3, "blocks": 4, "lr": 1e-4, "d_lr": 3e-4, "loss": "hinge"}
    wanted |= {"w_gp": 0.0, "w_r1": 10.0, "w_rec": 5.0, "w_class": 7.0, "n_critic": 4, "w_aim": None}
    assert wanted == {name: game[name] for name in wanted}
    assert (data["root"], data["attrs"], data["balance"], data["size"]) == (
        "celeba",
        ["Male", "Smiling"],
        ["Smiling"],
        64,
    )


def test_a_count_in_another_unit_is_multiplied_and_what_is_no_count_is_left_to_be_refused():
    spellings = {"iterations": "train.steps * 5"}
    assert spelt_out(Override("iterations", "12", ""), spellings, ())[0] == Override("train.steps", "60", "")
    assert spelt_out(Override("iterations", "many", "--x"), spellings, ())[0] == Override("train.steps", "many", "--x")
