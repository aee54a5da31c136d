"""A small game that keeps its contracts, and the data that it is played on: the tests break one promise each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from imgen import Algorithm, DataSpec, Player, adam, turn
from imgen.plugins import Plugins, load
from imgen.registry import Entry
from imgen.testing import algorithms, check_algorithm

pytest_plugins = ["pytester"]


class Pictures(nn.Module):
    """Makes pictures of two pixels by two.

    Settings:
        spread: how far pictures are from grey
    """

    codes: ClassVar = {"latent": 2}

    def __init__(self, data: DataSpec, *, spread: float = 1.0) -> None:
        super().__init__()
        self.spread = spread
        self.layer = nn.Linear(2, 4)

    def draw(self, code, n, generator=None):
        return torch.randn(n, 2, generator=generator, device=next(self.parameters()).device)

    def forward(self, z):
        return (self.spread * self.layer(z)).tanh().view(-1, 1, 2, 2)


class Game(Algorithm):
    """A game that keeps its contract; tests break one promise of it each."""

    ships = "pictures"
    expects: ClassVar = {"images": "B 1 2 2"}

    def __init__(self, data: DataSpec) -> None:
        super().__init__()
        self.model = Pictures(data)
        self.d = nn.Sequential(nn.Flatten(), nn.Linear(4, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 1))
        self.register_buffer("gap", torch.zeros(()))
        self.register_buffer("k", torch.ones(()))

    def players(self):
        return {"d": Player([self.d], adam(0.01)), "g": Player([self.model], adam(0.01))}

    def turns(self, step):
        return [self.judge, self.forge]

    def prepare(self, step):
        self.k.add_(0.1 * self.gap)

    @turn("d")
    def judge(self, batch):
        real, fake = self.d(batch["images"]).mean(), self.d(self.fakes(len(batch["images"]))).mean()
        self.gap.copy_((real - fake).detach())
        return {"d": self.k * fake - real + (real - fake).square()}, {"gap": self.gap.clone()}

    @turn("g")
    def forge(self, batch):
        return {"g": -self.d(self.fakes(len(batch["images"]))).mean()}, {}

    def fakes(self, n):
        return self.model(self.model.draw("latent", n))

    def preview(self, batch):
        return self.fakes(6).unflatten(0, (2, 3))


@dataclass
class Grey:
    """Twenty pictures of two pixels by two."""

    spec: DataSpec = field(default_factory=lambda: DataSpec(image=(1, 2, 2)))
    columns: dict[str, Tensor] = field(
        default_factory=lambda: {
            "images": torch.randint(0, 256, (20, 1, 2, 2), generator=torch.Generator().manual_seed(0)).byte()
        }
    )


@pytest.fixture
def plugins() -> Plugins:
    """No plugin, but the model `pictures`."""
    found = load([])
    found.registry("models").add(Entry("models", "pictures", "imgen", Pictures))
    return found


@pytest.fixture
def check(plugins):
    def checked(game, **options):
        check_algorithm(game, Grey(), plugins=plugins, **options)

    return checked


@pytest.fixture
def subject(plugins):
    """A game as a contract is handed it, of four steps."""

    def made(factory, *, batch=4):
        return algorithms.Game(factory.__name__, factory, Grey(), {}, plugins, steps=4, batch=batch)

    return made
