"""A small game and its data, and a trainer of it in a folder."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
import torch
from torch import nn

from imgen.algorithm import Algorithm, Player, turn
from imgen.data.spec import DataSpec
from imgen.model import ModelConfig
from imgen.optim import adam
from imgen.train.signals import StopSignals
from imgen.train.trainer import Trainer
from imgen.train_settings import TrainSettings

SPEC = DataSpec(image=(3, 4, 4))


@dataclass
class Pictures:
    """Twelve pictures of noise, and a number for each."""

    spec: DataSpec = SPEC
    columns: Mapping = field(
        default_factory=lambda: {
            "images": torch.randint(
                0, 256, (12, 3, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(3)
            ),
            "number": torch.arange(12.0),
        }
    )


class Made(nn.Module):
    """A generator with a code."""

    def __init__(self, data: DataSpec = SPEC, *, width: int = 5) -> None:
        super().__init__()
        self.codes = {"latent": 2}
        self.net = nn.Sequential(nn.Linear(2, width), nn.BatchNorm1d(width), nn.Linear(width, 48))

    def draw(self, code, n, generator=None):
        return torch.randn(n, 2, generator=generator)

    def forward(self, z):
        return self.net(z).tanh().view(-1, 3, 4, 4)


class Game(Algorithm):
    """One turn that moves both players, one that moves the generator; noise, evidence, a controller, a schedule."""

    ships = "made"
    expects = {"images": "B C H W", "number": "B"}  # noqa: RUF012

    def __init__(self, *, breaks_at: int | None = None, restarts_at: int | None = None) -> None:
        super().__init__()
        self.model = Made()
        self.d = nn.Linear(48, 1)
        self.breaks_at, self.restarts_at = breaks_at, restarts_at
        self.register_buffer("k", torch.zeros(()))
        self.register_buffer("gap", torch.zeros(()))
        self.register_buffer("broken", torch.zeros(()))
        self.register_buffer("moves", torch.zeros((), dtype=torch.int64))
        self.register_buffer("size", torch.zeros(()))
        self.named: dict[int, str] = {}
        self.shared: list[torch.Tensor] = []

    def players(self):
        return {
            "d": Player([self.d], adam(1e-2), schedule=lambda step: 1 / (1 + step)),
            "g": Player([self.model], adam(1e-2)),
        }

    def turns(self, step) -> Sequence:
        return [self.both, self.forge] if step % 2 else [self.both]

    def prepare(self, step):
        self.k.add_(0.1 * self.gap).clamp_(0, 1)
        self.moves.add_(1)
        if step == self.breaks_at:
            self.broken.fill_(torch.nan)

    def conclude(self, step):
        self.size.copy_(self.d.weight.norm())

    def milestones(self):
        return self.named

    def share(self, batch):
        return {"z": torch.randn(len(batch["images"]), 2)}

    def restarts(self, step):
        return ["d"] if step == self.restarts_at else ()

    @turn("d", "g")
    def both(self, batch):
        real, fake = batch["images"].flatten(1), self.model(batch["z"]).flatten(1)
        score = self.d(real).mean()
        gap = (score - self.d(fake).mean()).detach()
        self.gap.copy_(gap)
        return {"d": self.d(fake).mean() * (1 + self.k) - score, "g": -self.d(fake).mean()}, {"gap": gap}

    @turn("g")
    def forge(self, batch):
        z = torch.randn(len(batch["images"]), 2)
        return {"g": self.model(z).square().mean() - self.d(self.model(z).flatten(1)).mean() + self.broken}, {}

    def preview(self, batch):
        return self.model(torch.randn(4, 2)).unflatten(0, (2, 2))


@pytest.fixture
def game():
    """Makes the game, alike each time."""

    def make(**settings) -> Game:
        torch.manual_seed(11)
        return Game(**settings)

    return make


@pytest.fixture
def config():
    return ModelConfig(name="made", settings={"width": 5}, data=SPEC, plugin="mine 1.0", origin={"algorithm": "game"})


@pytest.fixture
def trainer(game, config, tmp_path):
    """Makes a trainer of the game: `trainer("run", steps=6)`; settings of the game may be given as `game=Game`."""

    def make(run="run", *, algorithm=None, listeners=(), dataset=None, say=None, profile=False, **settings) -> Trainer:
        given = {
            "steps": 8,
            "batch": 4,
            "log_every": 1,
            "preview_every": 0,
            "save_every": 2,
            "ema_half_life": 20,
            "workers": 1,
        }
        return Trainer(
            algorithm or game(),
            dataset or Pictures(),
            TrainSettings(**(given | settings)),
            tmp_path / run,
            config=config,
            listeners=listeners,
            say=say,
            profile=profile,
        )

    return make


@pytest.fixture
def heard():
    """A listener that keeps every event, and says what it kept: `heard(Saved)`."""

    class Heard(list):
        def __call__(self, event):
            self.append(event)

        def of(self, kind):
            return [event for event in self if isinstance(event, kind)]

    return Heard()


class StopAt(StopSignals):
    """A signal comes during a step."""

    def __init__(self, trainer, step: int, number: signal.Signals = signal.SIGTERM) -> None:
        super().__init__()
        self.trainer, self.step, self.number = trainer, step, number
        prepare = trainer.algorithm.prepare
        trainer.algorithm.prepare = lambda now: (prepare(now), now == step and self._hear(number, None))


@pytest.fixture
def stopping() -> type[StopAt]:
    """Signals, of which one comes during a step: `stopping(trainer, step)`."""
    return StopAt
