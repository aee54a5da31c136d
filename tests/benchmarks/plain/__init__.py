"""Training steps as one writes them by hand in PyTorch, to measure imgen against; `speed.py` lets both take turns.

A module for each paper, with a class for each kind of step, and `RECIPES`: which shipped recipes it plays, how large.

The contract of a class: it is called with what was built from the recipe, its section `train` and a device, copies the
first weights (`take`) and shares nothing else with imgen's networks. `step()` is one training step, `play(batch)` the
same on a batch that is given. `losses(batch, seed)` gives the losses of all turns on the present weights, and moves
nothing: under imgen's own names, "turn/player", `torch.manual_seed(seed)` being called before whatever the turns of a
step share, and again before each turn. It must be the same work: `test_plain.py` compares these losses, and those after
some steps from the same noise.

What a step looks like: as a competent researcher writes it after PyTorch's own tutorial of DCGAN. Layers written out in
`nn.Sequential`, default memory format, float32, `torch.optim.Adam(parameters, lr, betas)` with its defaults; real and
made pictures in passes of their own, made ones detached for the discriminator; `loss.backward()`, which also leaves
gradients in a discriminator that does not move, zeroed at its next turn; averaged weights by a loop over parameters;
data resident as uint8 and made floats batch by batch. Nothing is slowed on purpose: no needless copies, no `.item()`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from imgen.build import Built
from imgen.recipe import Part
from imgen.train_settings import TrainSettings

MODULES = ("sdgan", "discogan", "embedding", "infogan_cr", "factor_vae", "sggan", "sggan_modern", "stargan")
"""Each new one has a line here."""


class Plain:
    """What the plain steps have in common: where data is, and how a batch of it is drawn."""

    def __init__(self, built: Built, settings: TrainSettings, device: torch.device) -> None:
        self.device, self.batch, self.settings, self.done = device, settings.batch, settings, 0
        self.columns = {name: torch.as_tensor(column).to(device) for name, column in built.dataset.columns.items()}

    def step(self) -> None:
        """One training step."""
        self.play(self.draw())
        self.done += 1

    def draw(self) -> dict[str, Tensor]:
        """A batch: any rows of each column, and pictures as floats in [-1, 1]."""
        rows = {
            name: torch.randint(len(column), (self.batch,), device=self.device) for name, column in self.columns.items()
        }
        return {name: floats(column[rows[name]]) for name, column in self.columns.items()}

    def play(self, batch: dict[str, Tensor]) -> None:
        """The step on this batch; `self.done` steps came before it."""
        raise NotImplementedError

    def losses(self, batch: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
        """The losses of all turns, see above."""
        raise NotImplementedError


@dataclass(frozen=True)
class Contest:
    """A recipe and the plain step that is measured beside it.

    plain: its class. recipe: whose; '' for the one that it is listed under, which else names a phase of it.
    dataset: drawn by imgen in place of the recipe's, with pictures of the paper's size; None: the recipe's is drawn.
    cpu_batch: items in a batch on a CPU, where the recipe's are too many; 0: the recipe's. A GPU takes the recipe's.
    settings: in place of the recipe's: {"algorithm.cr_start": 2.0}. cycle: steps after which turns repeat themselves,
    which are measured together. tiny: further settings that make it small enough for a test; its batch is
    "train.batch".
    """

    plain: type[Plain]
    recipe: str = ""
    dataset: Part | None = None
    cpu_batch: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    cycle: int = 1
    tiny: Mapping[str, Any] = field(default_factory=dict)


def contests() -> dict[str, Contest]:
    """All of them, by the names that `speed.py --recipes` takes."""
    return {name: contest for module in MODULES for name, contest in _recipes(module).items()}


def _recipes(module: str) -> Mapping[str, Contest]:
    recipes: Mapping[str, Contest] = import_module(f"plain.{module}").RECIPES
    return recipes


def take(mine: nn.Module, theirs: nn.Module) -> None:
    """Copy weights and buffers of the same layers in the same order, whatever they are called."""
    pairs = list(zip(mine.state_dict().values(), theirs.state_dict().values(), strict=True))
    with torch.no_grad():
        for one, other in pairs:
            assert one.shape == other.shape, f"{tuple(one.shape)} cannot take {tuple(other.shape)}"
            one.copy_(other)


def floats(pictures: Tensor) -> Tensor:
    """uint8 as floats in [-1, 1]; anything else as it is."""
    return pictures.float() / 127.5 - 1 if pictures.dtype == torch.uint8 else pictures


class Average:
    """A copy of a network that follows it, as it is usually written."""

    def __init__(self, network: nn.Module, copy: nn.Module, settings: TrainSettings, pictures: int) -> None:
        """copy: a second one with the same weights. pictures: seen in each step."""
        self.network, self.copy, self.pictures, self.half_life, self.seen = (
            network,
            copy,
            pictures,
            settings.ema_half_life,
            0,
        )
        for parameter in copy.parameters():
            parameter.requires_grad_(False)

    @torch.no_grad()
    def update(self) -> None:
        """Move it after a step."""
        self.seen += self.pictures
        decay = 0.5 ** (self.pictures / min(self.half_life, 0.05 * self.seen))
        for mine, theirs in zip(self.copy.parameters(), self.network.parameters(), strict=True):
            mine.mul_(decay).add_(theirs, alpha=1 - decay)
        for mine, theirs in zip(self.copy.buffers(), self.network.buffers(), strict=True):
            mine.copy_(theirs)
