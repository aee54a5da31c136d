"""Averaged weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from imgen.train.ema import Averaged


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def fill(model: nn.Module, value: float) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(value)


def test_the_half_life_is_in_images(model):
    fill(model, 0)
    averaged = Averaged(model, half_life=100)
    fill(model, 1)
    for _ in range(10):
        averaged.update(10, seen=10**6)
    assert averaged.state_dict()["0.weight"].mean().item() == pytest.approx(0.5, rel=1e-5)
    assert model[0].weight.mean() == 1


def test_early_on_the_first_weights_do_not_linger(model):
    fill(model, 0)
    averaged = Averaged(model, half_life=10_000)
    fill(model, 1)
    averaged.update(16, seen=16)
    assert averaged.state_dict()["0.weight"].mean() > 0.999


def test_running_statistics_are_averaged_and_counts_copied(model):
    averaged = Averaged(model, half_life=10)
    model.train()
    model(torch.randn(5, 2) + 3)
    averaged.update(10, seen=10**6)
    state = averaged.state_dict()
    assert torch.allclose(state["1.running_mean"], model[1].running_mean / 2)
    assert state["1.num_batches_tracked"] == 1


def test_swapped_weights_come_back_bit_for_bit(model):
    averaged = Averaged(model, half_life=10)
    first = {name: value.clone() for name, value in averaged.state_dict().items()}
    fill(model, 7.25)
    live = {name: value.clone() for name, value in model.state_dict().items()}
    addresses = [parameter.data_ptr() for parameter in model.parameters()]
    model.train()
    with pytest.raises(RuntimeError, match="inside"), averaged.swapped() as shown:
        assert shown is model and not model.training and not torch.is_grad_enabled()
        assert all(torch.equal(value, first[name]) for name, value in model.state_dict().items())
        raise RuntimeError("inside")
    assert model.training and torch.is_grad_enabled()
    assert all(torch.equal(value, live[name]) for name, value in model.state_dict().items())
    assert addresses == [parameter.data_ptr() for parameter in model.parameters()], "optimizers hold on to these"
    assert all(torch.equal(value, first[name]) for name, value in averaged.state_dict().items())


def test_a_half_life_of_none_ships_the_weights_themselves(model):
    averaged = Averaged(model, half_life=0)
    fill(model, 3)
    averaged.update(10, seen=100)
    assert (averaged.state_dict()["0.weight"] == 3).all()
    with averaged.swapped():
        assert (model[0].weight == 3).all() and not model.training
    averaged.load_state_dict({})


def test_loading_is_in_place(model):
    averaged = Averaged(model, half_life=10)
    kept = averaged.state_dict()["0.weight"]
    averaged.load_state_dict({name: torch.full_like(value, 2) for name, value in averaged.state_dict().items()})
    assert (kept == 2).all() and not (model[0].weight == 2).all()
