"""FactorVAE's game: its permutation, every loss by hand, and who sees what."""

from __future__ import annotations

import math

import pytest
import torch

from imgen import DataSpec
from imgen.train.play import Eager, House, take_seats
from imgen_infogan_cr.factor_vae import FactorVae, divergence, reconstruction, shuffled

DATA = DataSpec(image=(1, 16, 16))


@pytest.fixture
def game():
    torch.manual_seed(0)
    return FactorVae(DATA, num_codes=3, dim=4, hidden=8)


@pytest.fixture
def batch():
    return {"images": torch.rand(5, 1, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1}


def test_every_code_is_permuted_by_itself_within_the_batch():
    torch.manual_seed(0)
    z = torch.arange(40.0).view(10, 4)
    mixed = shuffled(z)
    assert torch.equal(mixed.sort(dim=0).values, z), "nothing is lost, and no code takes another's values"
    orders = [tuple(mixed[:, code].sub(code).div(4).int().tolist()) for code in range(4)]
    assert len(set(orders)) == 4
    first = torch.stack([shuffled(z)[0] for _ in range(2000)])
    counts = torch.bincount((first[:, 0] / 4).long(), minlength=10)
    assert counts.tolist() == pytest.approx([200] * 10, rel=0.3), "every order is as likely"


def test_reconstruction_by_hand():
    logits = torch.zeros(2, 1, 2, 2)
    assert float(reconstruction(logits, torch.rand(2, 1, 2, 2))) == pytest.approx(4 * math.log(2), abs=1e-6)
    white, half = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
    assert float(reconstruction(torch.full_like(white, 2.0), white)) == pytest.approx(math.log(1 + math.exp(-2)))
    # A grey of one half is a chance of one half.
    wanted = 0.5 * math.log(1 + math.exp(-2)) + 0.5 * math.log(1 + math.exp(2))
    assert float(reconstruction(torch.full_like(half, 2.0), half)) == pytest.approx(wanted)


def test_divergence_by_hand():
    assert float(divergence(torch.zeros(3, 2), torch.zeros(3, 2))) == 0
    # For one code of mean 2 and variance e: (4 + e - 1 - 1) / 2.
    assert float(divergence(torch.tensor([[2.0]]), torch.tensor([[1.0]]))) == pytest.approx((2 + math.e) / 2, abs=1e-6)
    assert float(divergence(torch.tensor([[2.0], [0.0]]), torch.tensor([[1.0], [0.0]]))) == pytest.approx(
        (2 + math.e) / 4, abs=1e-6
    )


def test_the_losses_of_both_turns_by_hand(game, batch):
    game.w_tc = 7.0
    with torch.no_grad():
        torch.manual_seed(3)
        losses, values = game.reconstruct(batch)
        torch.manual_seed(3)
        separated = game.separate(batch)[0]["tc"]
        torch.manual_seed(3)
        mean, logvar = game.model.encoder(batch["images"])
        z = mean + (logvar / 2).exp() * torch.randn_like(mean)
        logits, mixed = game.tc(z), game.tc(shuffled(z))
        total = (logits[:, 0] - logits[:, 1]).mean()
        elbo = reconstruction(game.model.decoder(z), batch["images"]) + divergence(mean, logvar)
    assert float(losses["vae"]) == pytest.approx(float(elbo + 7 * total), rel=1e-5)
    assert float(values["tc"]) == pytest.approx(float(total), abs=1e-6)
    joint, product = logits.softmax(1)[:, 0], mixed.softmax(1)[:, 1]
    assert float(separated) == pytest.approx(float(-(joint.log().mean() + product.log().mean()) / 2), abs=1e-5)


def test_each_turn_moves_its_own_and_the_second_sees_what_the_first_did(game, batch):
    seats = take_seats(game)
    assert [turn.__name__ for turn in game.turns(0)] == ["reconstruct", "separate"]
    before = {name: value.clone() for name, value in game.state_dict().items()}
    for turn, mine in zip(game.turns(0), ("model.", "tc."), strict=True):
        House(Eager(torch.device("cpu"))).play(turn, batch, game, seats)
        moved = {name for name, value in game.state_dict().items() if not torch.equal(value, before[name])}
        assert moved and all(name.startswith(mine) for name in moved)
        before = {name: value.clone() for name, value in game.state_dict().items()}


def test_optimizers_are_the_authors(game):
    groups = {name: seat.optimizer.param_groups[0] for name, seat in take_seats(game).items()}
    assert {name: (group["lr"], group["betas"]) for name, group in groups.items()} == {
        "vae": (1e-4, (0.9, 0.999)),
        "tc": (1e-4, (0.5, 0.9)),
    }


def test_a_preview_has_a_row_for_each_code_beside_picture_and_reconstruction(game, batch):
    sheet = game.preview(batch)
    assert sheet.shape == (3, 12, 1, 16, 16)
    assert torch.equal(sheet[:, 0], batch["images"][:1].expand(3, -1, -1, -1))
    rebuilt = game.model(game.model.encode(batch["images"][:1]))
    assert torch.equal(sheet[2, 1:2], rebuilt)
