"""SD-DCGAN's game: losses, penalties and moves against values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from imgen import binding
from imgen.algorithm import moves_of
from imgen.losses.adversarial import hinge
from imgen_sdgan.algorithm import SDDcgan

SMALL = {"d_identity": 3, "d_observation": 3, "dim": 4}


@pytest.fixture
def batch():
    return {"images": torch.rand(4, 2, 3, 16, 16) * 2 - 1}


class Linear(nn.Module):
    """A score whose gradient is the same everywhere."""

    def __init__(self, shape):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(shape) / 10)

    def forward(self, images):
        return (images * self.weight).flatten(1).sum(1)


class Square(nn.Module):
    """A score whose gradient is the tuple itself."""

    def forward(self, images):
        return images.square().flatten(1).sum(1) / 2


def test_every_setting_is_explained_and_checked():
    settings = binding.settings_of(SDDcgan)
    assert [name for name, setting in settings.items() if not setting.meaning] == []
    assert settings["loss"].registered == "losses"
    plain, problems = binding.check(SDDcgan, {})
    assert problems == []
    assert plain["objective"] == "dcgan"
    _, problems = binding.check(SDDcgan, {"objective": "gan", "critic_steps": 0, "dims": 3})
    assert {problem.key for problem in problems} == {"objective", "critic_steps", "dims"}


def test_each_turn_moves_its_own_player(spec, batch, play):
    algorithm = SDDcgan(spec(), **SMALL)
    owned = [set(player.named_parameters(algorithm)) for player in algorithm.players().values()]
    assert not owned[0] & owned[1]
    assert owned[0] | owned[1] == set(dict(algorithm.named_parameters()))
    for turn in algorithm.turns(0):
        (mover,) = moves_of(turn).players
        losses, _, gradients = play(algorithm, turn, batch)
        assert losses[mover].shape == ()
        assert set(gradients) == set(algorithm.players()[mover].named_parameters(algorithm))
        assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients.values())


def test_losses_at_the_start_are_those_of_a_coin(spec):
    # Without batch norm, which gives the first scores an offset and a spread of about 0.5 that change with the seed.
    algorithm = SDDcgan(spec(64), norm="none")
    batch = {"images": torch.rand(4, 2, 3, 64, 64) * 2 - 1}
    with torch.no_grad():
        for turn in algorithm.turns(0):
            (loss,) = turn(batch)[0].values()
            assert loss.item() == pytest.approx(math.log(2), abs=0.05)


def test_batch_norm_starts_near_that(spec):
    algorithm = SDDcgan(spec(64))
    with torch.no_grad():
        loss = algorithm.judge({"images": torch.rand(8, 2, 3, 64, 64) * 2 - 1})[0]["d"]
    assert loss.item() == pytest.approx(math.log(2), abs=0.2)


@pytest.mark.parametrize(
    ("objective", "d", "g"),
    [
        ("dcgan", (math.log1p(math.exp(-2)) + math.log1p(math.exp(1))) / 2, math.log1p(math.exp(-1))),
        ("lsgan", ((2 - 1) ** 2 + 1**2) / 2, 0),
        ("wgan", 1 - 2, -1),
        ("wgan-gp", 1 - 2, -1),
    ],
)
def test_objectives_give_the_authors_losses(spec, objective, d, g):
    loss = SDDcgan(spec(), **SMALL, objective=objective).loss
    real, fake = torch.full((4,), 2.0), torch.ones(4)
    assert loss.d(real, fake).item() == pytest.approx(d, abs=1e-6)
    assert loss.g(fake).item() == pytest.approx(g, abs=1e-6)


@pytest.mark.parametrize(
    ("objective", "kind", "lr", "betas", "clamp"),
    [
        ("dcgan", "Adam", 2e-4, (0.5, 0.999), None),
        ("lsgan", "RMSprop", 1e-4, None, None),
        ("wgan", "RMSprop", 5e-5, None, 0.01),
        ("wgan-gp", "Adam", 1e-4, (0.5, 0.9), None),
    ],
)
def test_objectives_choose_the_authors_optimizers(spec, objective, kind, lr, betas, clamp):
    players = SDDcgan(spec(), **SMALL, objective=objective).players()
    assert (players["d"].clamp, players["g"].clamp) == (clamp, None)
    for player in players.values():
        optimizer = player.optimizer([nn.Parameter(torch.zeros(1))])
        (group,) = optimizer.param_groups
        assert (type(optimizer).__name__, group["lr"], group.get("betas")) == (kind, lr, betas)


def test_a_named_loss_and_rates_replace_the_objectives(spec):
    settings = {**binding.check(SDDcgan, SMALL)[0], "loss": "hinge", "lr_d": 3e-4}
    algorithm = binding.build(SDDcgan, spec(), settings=settings, resolve=lambda kind, name: {"hinge": hinge()}[name])
    assert algorithm.loss.d(torch.zeros(2), torch.zeros(2)) == 2
    rates = [
        player.optimizer([nn.Parameter(torch.zeros(1))]).param_groups[0]["lr"]
        for player in algorithm.players().values()
    ]
    assert rates == [3e-4, 2e-4]


def test_the_generator_moves_after_every_nth_move_of_the_critic(spec):
    algorithm = SDDcgan(spec(), **SMALL, critic_steps=3)
    names = [[turn.__name__ for turn in algorithm.turns(step)] for step in range(6)]
    assert names == [["judge"], ["judge"], ["judge", "forge"]] * 2


def test_gradient_turns_say_that_they_are_of_second_order(spec):
    assert moves_of(SDDcgan(spec(), **SMALL, objective="wgan-gp").turns(0)[0]).second_order
    assert moves_of(SDDcgan(spec(), **SMALL, w_r1=1.0).turns(0)[0]).second_order
    assert not moves_of(SDDcgan(spec(), **SMALL).turns(0)[0]).second_order


@pytest.mark.parametrize("k", [2, 4])
def test_the_penalty_has_one_norm_for_a_whole_tuple(spec, k):
    algorithm = SDDcgan(spec(k=k), **SMALL, objective="wgan-gp")
    real, fake = torch.randn(2, 5, k, 3, 16, 16).unbind(0)
    algorithm.fakes = lambda n: fake
    algorithm.d = Linear((k, 3, 16, 16))
    losses, values = algorithm.judge_smoothly({"images": real})
    expected = (algorithm.d.weight.norm() - 1).square()
    torch.testing.assert_close(values["penalty"], expected)
    torch.testing.assert_close(losses["d"], algorithm.d(fake).mean() - algorithm.d(real).mean() + 10 * expected)


def test_the_penalty_averages_over_tuples(spec):
    algorithm = SDDcgan(spec(), **SMALL, objective="wgan-gp")
    real = torch.randn(5, 2, 3, 16, 16)
    algorithm.fakes = lambda n: real
    algorithm.d = Square()
    _, values = algorithm.judge_smoothly({"images": real})
    torch.testing.assert_close(values["penalty"], (real.flatten(1).norm(dim=1) - 1).square().mean())


def test_r1_is_weighed_by_half_of_gamma(spec, batch):
    algorithm = SDDcgan(spec(), **SMALL, w_r1=6.0)
    fake = torch.randn(4, 2, 3, 16, 16)
    algorithm.fakes = lambda n: fake
    algorithm.d = Linear((2, 3, 16, 16))
    smooth, plain = algorithm.judge_smoothly(batch), algorithm.judge(batch)
    torch.testing.assert_close(smooth[0]["d"] - plain[0]["d"], 3 * algorithm.d.weight.square().sum())
    assert "penalty" not in smooth[1]


def test_batch_norm_and_a_gradient_penalty_go_together_only_on_purpose(spec):
    kinds = {type(module) for module in SDDcgan(spec(), **SMALL, objective="wgan-gp").d.modules()}
    assert nn.GroupNorm in kinds
    assert nn.BatchNorm2d not in kinds
    with pytest.raises(ValueError, match="batch_norm_penalty"):
        SDDcgan(spec(), **SMALL, objective="wgan-gp", norm="batch")
    allowed = SDDcgan(spec(), **SMALL, objective="wgan-gp", norm="batch", batch_norm_penalty=True)
    assert nn.BatchNorm2d in {type(module) for module in allowed.d.modules()}


def test_penalised_turns_reach_every_weight_of_the_critic(spec, batch, play):
    algorithm = SDDcgan(spec(), **SMALL, objective="wgan-gp", w_r1=1.0)
    _, _, gradients = play(algorithm, algorithm.judge_smoothly, batch)
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients.values())


def test_single_pictures_are_refused(spec):
    with pytest.raises(ValueError, match="set its k to 2 or more"):
        SDDcgan(spec(k=1), **SMALL)


@pytest.mark.parametrize("siamese", [True, False])
@pytest.mark.parametrize("k", [2, 4])
def test_both_discriminators_play_with_any_k(spec, k, siamese, play):
    algorithm = SDDcgan(spec(k=k), **SMALL, siamese=siamese)
    for turn in algorithm.turns(0):
        losses, _, _ = play(algorithm, turn, {"images": torch.rand(3, k, 3, 16, 16)})
        assert all(loss.isfinite() for loss in losses.values())


def test_the_preview_has_six_identities_and_eight_observations(spec, batch):
    assert SDDcgan(spec(), **SMALL).preview(batch).shape == (6, 8, 3, 16, 16)


def test_each_player_learns_while_the_other_rests(spec, batch, train):
    algorithm = SDDcgan(spec(), **SMALL)
    judged = train(algorithm, algorithm.judge, batch, 30)
    assert judged[-1] < 0.5 * judged[0]
    forged = train(algorithm, algorithm.forge, batch, 30)
    assert forged[-1] < 0.5 * forged[0]
