"""What the trainer costs: SD-DCGAN through imgen against a bare loop that does the same work, in one process.

    python tests/benchmarks/trainer_overhead.py

Same networks, first weights, optimizers, averaging and number of draws; pictures resident as uint8 in both. The two
take turns in blocks of steps, so that whatever else the machine does falls on both, and medians are compared.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from machine import machine, rows
from torch import Tensor
from torch.nn.functional import softplus

from imgen.build import Built, build
from imgen.data.shapes import Shapes
from imgen.plugins import installed
from imgen.recipe import Part, Recipe
from imgen.train.trainer import Trainer
from imgen.train_settings import TrainSettings


class BareLoop:
    """What one would write by hand."""

    def __init__(self, built: Built, settings: TrainSettings) -> None:
        data = built.dataset
        assert isinstance(data, Shapes)
        self.batch, self.photos = settings.batch, int((data.identity == 0).sum())
        self.half_life, self.seen = settings.ema_half_life, 0
        self.images = torch.as_tensor(data.columns["images"])
        self.g = copy.deepcopy(built.algorithm.model).train().to(memory_format=torch.channels_last)
        self.d = copy.deepcopy(built.algorithm.d).train().to(memory_format=torch.channels_last)
        self.average = {name: tensor.detach().clone() for name, tensor in self.g.state_dict().items()}
        self.optim_g = torch.optim.Adam(self.g.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
        self.optim_d = torch.optim.Adam(self.d.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)

    def step(self) -> None:
        """One batch, one move of each player, one move of the average."""
        real = self.draw().float().div_(127.5).sub_(1)
        with torch.no_grad():
            fake = self.fakes()
        loss_d = (softplus(-self.d(real)).mean() + softplus(self.d(fake)).mean()) / 2
        loss_d.backward()
        self.optim_d.step()
        self.optim_d.zero_grad(set_to_none=True)
        self.d.requires_grad_(False)
        loss_g = softplus(-self.d(self.fakes())).mean()
        loss_g.backward()
        self.optim_g.step()
        self.optim_g.zero_grad(set_to_none=True)
        self.d.requires_grad_(True)
        self.move_average()

    def draw(self) -> Tensor:
        """Pairs of different photos of one identity, (batch, 2, C, H, W)."""
        who = torch.randint(len(self.images) // self.photos, (self.batch,))
        first = torch.randint(self.photos, (self.batch,))
        second = (first + 1 + torch.randint(self.photos - 1, (self.batch,))) % self.photos
        chosen = torch.stack([first, second], dim=1) + who[:, None] * self.photos
        return self.images.index_select(0, chosen.flatten()).unflatten(0, chosen.shape)

    def fakes(self) -> Tensor:
        """Pairs of made pictures, (batch, 2, C, H, W)."""
        identity = torch.empty(self.batch, 1, self.g.codes["identity"]).uniform_(-1, 1).expand(-1, 2, -1)
        observation = torch.empty(self.batch, 2, self.g.codes["observation"]).uniform_(-1, 1)
        return self.g(torch.cat([identity, observation], dim=2).flatten(0, 1)).unflatten(0, (self.batch, 2))

    @torch.no_grad()
    def move_average(self) -> None:
        self.seen += 2 * self.batch
        decay = 0.5 ** (2 * self.batch / min(self.half_life, 0.05 * self.seen))
        live = self.g.state_dict()
        names = [name for name, tensor in live.items() if tensor.is_floating_point()]
        torch._foreach_lerp_([self.average[name] for name in names], [live[name] for name in names], 1 - decay)
        for name in live.keys() - names:
            self.average[name].copy_(live[name])


def through_imgen(built: Built, settings: TrainSettings, run: Path) -> Callable[[], None]:
    """A function that plays one step of the real trainer."""
    trainer = Trainer(built.algorithm, built.dataset, settings, run, config=built.config)

    def step() -> None:
        trainer._play_step(trainer.step)
        trainer.step += 1

    return step


def build_both(args: argparse.Namespace, run: Path) -> dict[str, Callable[[], None]]:
    """The two contestants with the same first weights."""
    settings = TrainSettings(batch=args.batch, seed=args.seed, resident="always")
    drawn = {"identities": 200, "photos": 5, "size": args.size, "k": 2, "seed": 0}
    recipe = Recipe("bench", Part("sddcgan", {"dim": args.dim}), Part("shapes", drawn), settings)
    built = build(recipe, installed())
    bare = BareLoop(built, settings)
    return {"bare loop": bare.step, "imgen": through_imgen(built, settings, run)}


def measure(contestants: dict[str, Callable[[], None]], blocks: int, steps: int) -> dict[str, list[float]]:
    """Seconds a step, by contestant and block; who goes first changes with every block."""
    for step in contestants.values():
        step()
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    order = list(contestants.items())
    for _ in range(blocks):
        for name, step in order:
            began = time.perf_counter()
            for _ in range(steps):
                step()
            taken[name].append((time.perf_counter() - began) / steps)
        order.reverse()
    return taken


def main(argv: list[str] | None = None) -> float:
    """Print the table; gives the ratio of the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in {"batch": 8, "dim": 64, "size": 64, "blocks": 15, "steps": 3, "threads": 0, "seed": 0}.items():
        parser.add_argument(f"--{name}", type=int, default=value, help=f"default {value}")
    args = parser.parse_args(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        taken = measure(build_both(args, Path(folder)), args.blocks, args.steps)
    print(machine(args.seed))
    print(
        f"SD-DCGAN, {args.size}x{args.size}, dim {args.dim}, {args.batch} pairs, {args.blocks} blocks of {args.steps}"
    )
    middle = {name: median(each) for name, each in taken.items()}
    table = [
        (name, f"{1000 * middle[name]:.1f}", f"{1000 * min(each):.1f}", f"{2 * args.batch / middle[name]:.1f}")
        for name, each in taken.items()
    ]
    print(rows(("", "ms a step, median", "least", "images/s"), table))
    ratio = middle["imgen"] / middle["bare loop"]
    paired = median(one / other for one, other in zip(taken["imgen"], taken["bare loop"], strict=True))
    print(f"imgen takes {100 * (ratio - 1):+.1f} % (ratio of medians), {100 * (paired - 1):+.1f} % (median of ratios)")
    return ratio


if __name__ == "__main__":
    main()
