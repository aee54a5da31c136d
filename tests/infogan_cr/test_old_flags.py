"""The settings of the authors' programs do here what they did there."""

from __future__ import annotations

import pytest

from imgen.errors import RecipeError
from imgen.overrides import Override
from imgen.recipe import Draft, find


def resolved(plugins, name: str, **flags: str):
    draft = Draft.read(find(name, plugins), plugins)
    draft.apply([Override(flag, value, f"--{flag} {value}") for flag, value in flags.items()])
    return draft.check()


def test_a_job_of_the_authors_grid(plugins):
    recipe = resolved(
        plugins,
        "infogan-cr",
        run="3",
        epoch="40",
        batch_size="32",
        uniform_reg_dim="4",
        uniform_not_reg_dim="6",
        q_l_dim="64",
        info_coe_de="0.2",
        cr_coe_start="0.5",
        cr_coe_increase="3.0",
        cr_coe_increase_times="2",
        cr_coe_increase_batch="50000",
        gap_start="1.9",
        gap_decrease="1.9",
        gap_decrease_times="1",
        gap_decrease_batch="85000",
        de_lr="0.01",
        infod_lr="0.02",
        crd_lr="0.03",
        vis_freq="200",
        summary_freq="1",
    )
    game, train = recipe.algorithm.settings, recipe.train
    assert (game["num_codes"], game["d_noise"], game["hidden"], game["w_info"]) == (4, 6, 64, 0.2)
    assert [game[f"cr_{name}"] for name in ("start", "increase", "times", "every")] == [0.5, 3.0, 2, 50_000]
    assert [game[f"gap_{name}"] for name in ("start", "decrease", "times", "every")] == [1.9, 1.9, 1, 85_000]
    assert [game[f"lr_{player}"] for player in ("g", "d", "cr")] == [0.01, 0.02, 0.03]
    assert (train.seed, train.epochs, train.batch) == (3, 40, 32)
    assert (train.preview_every, train.log_every) == (200, 1)


def test_a_job_of_the_baselines_grid(plugins):
    recipe = resolved(plugins, "factor-vae", run="9", gaussian_dim="6", tc_coe="10.0", batch_size="16", epoch="2")
    assert (recipe.algorithm.settings["num_codes"], recipe.algorithm.settings["w_tc"]) == (6, 10.0)
    assert (recipe.train.seed, recipe.train.batch, recipe.train.epochs) == (9, 16, 2)


def test_the_second_weight_is_the_first(plugins):
    """The authors set both alike in every grid; two that differ are one setting said twice."""
    assert resolved(plugins, "infogan-cr", info_coe_infod="0.3").algorithm.settings["w_info"] == 0.3


@pytest.mark.parametrize("flag", ["cr_coe", "no_such_thing"])
def test_what_neither_knows_is_refused(plugins, flag):
    with pytest.raises(RecipeError, match=flag):
        resolved(plugins, "infogan-cr", **{flag: "1"})
