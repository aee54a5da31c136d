"""Small data for SD-GAN, and a way to play turns by hand."""

from __future__ import annotations

import pytest
import torch

from imgen.algorithm import moves_of
from imgen.data.spec import DataSpec


@pytest.fixture(autouse=True)
def seeded():
    """The same noise in every test, and one thread: these networks are too small for two."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def spec():
    """Makes a DataSpec."""

    def make(size=16, k=2, channels=3):
        return DataSpec(image=(channels, size, size), group=k)

    return make


@pytest.fixture
def play():
    """Plays one turn: gives (losses, values, gradient by parameter of the movers)."""

    def played(algorithm, turn, batch):
        players, movers = algorithm.players(), moves_of(turn).players
        for name, player in players.items():
            for parameter in player.named_parameters(algorithm).values():
                parameter.requires_grad_(name in movers)
        losses, values = turn(batch)
        assert set(losses) == set(movers)
        gradients = {}
        for name in movers:
            mine = players[name].named_parameters(algorithm)
            found = torch.autograd.grad(losses[name], list(mine.values()), retain_graph=True, allow_unused=True)
            gradients.update(zip(mine, found, strict=True))
        return losses, values, gradients

    return played


@pytest.fixture
def train(play):
    """Plays one turn so many times on one batch; gives the losses of its first mover, oldest first."""

    def trained(algorithm, turn, batch, times, lr=2e-3):
        players = algorithm.players()
        names = moves_of(turn).players
        optimizers = {
            name: torch.optim.Adam(players[name].named_parameters(algorithm).values(), lr=lr, betas=(0.5, 0.999))
            for name in names
        }
        shown = []
        for _ in range(times):
            losses, _, gradients = play(algorithm, turn, batch)
            for name, optimizer in optimizers.items():
                for key, parameter in players[name].named_parameters(algorithm).items():
                    parameter.grad = gradients[key]
                optimizer.step()
            shown.append(losses[names[0]].item())
        return shown

    return trained
