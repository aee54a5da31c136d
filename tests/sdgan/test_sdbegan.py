"""SD-BEGAN's game: the balance of the errors, the control of k and the learning rate."""

from __future__ import annotations

import pytest
import torch

from imgen import binding
from imgen_sdgan.algorithm import SDBegan

SMALL = {"d_identity": 3, "d_observation": 3, "hidden": 4}


@pytest.fixture
def batch():
    return {"images": torch.rand(4, 2, 3, 16, 16) * 2 - 1}


def test_every_setting_is_explained_and_checked():
    settings = binding.settings_of(SDBegan)
    assert [name for name, setting in settings.items() if not setting.meaning] == []
    assert settings["halve_every"].unit == "steps"
    assert binding.check(SDBegan, {})[1] == []


def test_both_players_move_in_one_turn_each_by_its_own_loss(spec, batch, play):
    algorithm = SDBegan(spec(), **SMALL)
    algorithm.k.fill_(0.3)
    losses, _, gradients = play(algorithm, algorithm.balance, batch)
    assert set(losses) == {"d", "g"}
    assert set(gradients) == set(dict(algorithm.named_parameters()))
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients.values())


def test_the_generator_learns_through_both_sides_of_the_error(spec, batch, play):
    algorithm = SDBegan(spec(), **SMALL)
    fake = algorithm.fakes(4)
    algorithm.fakes = lambda n: fake
    _, _, gradients = play(algorithm, algorithm.balance, batch)
    (by_hand,) = torch.autograd.grad(
        (algorithm.d(fake) - fake).abs().mean(), [algorithm.model.decoder.dense.weight], retain_graph=True
    )
    (one_sided,) = torch.autograd.grad(
        (algorithm.d(fake) - fake.detach()).abs().mean(), [algorithm.model.decoder.dense.weight]
    )
    torch.testing.assert_close(gradients["model.decoder.dense.weight"], by_hand)
    assert not torch.allclose(by_hand, one_sided)


def test_the_first_loss_is_the_error_on_real_tuples(spec, batch):
    algorithm = SDBegan(spec(), **SMALL)
    algorithm.prepare(0)
    losses, values = algorithm.balance(batch)
    real = batch["images"]
    assert values["k"] == 0
    torch.testing.assert_close(losses["d"], (algorithm.d(real) - real).abs().mean())


def test_k_follows_the_balance_and_stays_between_zero_and_one(spec, batch):
    algorithm = SDBegan(spec(), **SMALL, gamma=0.9, lambda_k=0.01)
    losses, values = algorithm.balance(batch)
    balance = 0.9 * losses["d"] - losses["g"]
    torch.testing.assert_close(values["balance"], balance.detach())
    torch.testing.assert_close(values["measure"], losses["d"] + balance.abs())
    assert algorithm.k == 0  # not moved by the turn whose loss reads it
    algorithm.prepare(1)
    torch.testing.assert_close(algorithm.k, (0.01 * balance).clamp(0, 1).detach())
    for gap, k in ((1e6, 1.0), (-1e6, 0.0), (30.0, 0.3)):
        algorithm.gap.fill_(gap)
        algorithm.prepare(2)
        assert algorithm.k.item() == pytest.approx(k)
    losses, values = algorithm.balance(batch)
    fake_share = 0.3 * losses["g"]
    torch.testing.assert_close(values["balance"], 0.9 * (losses["d"] + fake_share) - losses["g"])


def test_controller_and_evidence_are_part_of_the_state(spec):
    assert {"k", "gap"} <= set(SDBegan(spec(), **SMALL).state_dict())


@pytest.mark.parametrize(
    ("step", "lr"), [(0, 8e-5), (99_999, 8e-5), (100_000, 4e-5), (200_000, 2e-5), (300_000, 2e-5), (500_000, 2e-5)]
)
def test_the_learning_rate_is_halved_down_to_a_floor(spec, step, lr):
    for player in SDBegan(spec(), **SMALL).players().values():
        optimizer = player.optimizer([torch.nn.Parameter(torch.zeros(1))])
        (group,) = optimizer.param_groups
        assert group["lr"] * player.schedule(step) == pytest.approx(lr)
        assert group["betas"] == (0.9, 0.999)


@pytest.mark.parametrize("k", [2, 4])
def test_tuples_of_any_size(spec, k, play):
    algorithm = SDBegan(spec(k=k), **SMALL)
    losses, _, _ = play(algorithm, algorithm.balance, {"images": torch.rand(3, k, 3, 16, 16)})
    assert all(loss.isfinite() for loss in losses.values())


def test_the_preview_has_six_identities_and_eight_observations(spec, batch):
    assert SDBegan(spec(), **SMALL).preview(batch).shape == (6, 8, 3, 16, 16)


def test_the_autoencoder_learns_to_rebuild(spec, batch, train):
    algorithm = SDBegan(spec(), **SMALL)
    errors = train(algorithm, algorithm.balance, batch, 40)
    assert errors[-1] < 0.9 * errors[0]
