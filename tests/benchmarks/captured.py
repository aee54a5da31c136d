"""What CUDA graphs bring: every recipe trained eagerly and with captured turns, on one GPU.

    python tests/benchmarks/captured.py
    python tests/benchmarks/captured.py --recipes infogan_cr,sddcgan --blocks 10 --json captured.json

Recipes have the paper's sizes and data that imgen draws, and bf16 or TF32 as the recipe has it. Both sides train from
the same first weights, in one process, and take turns in blocks of steps; who goes first changes with every block.
Printed are the median time of a step until the GPU is done, the time that the host takes to ask for a step, how many
times as fast captured steps are (the median of the ratios block by block), and the most memory that a step takes beyond
what is there before, taken while one side stands alone; the JSON has what torch has reserved by then, too. Turns that
cannot be captured are told below. Without a GPU nothing is measured.
"""

from __future__ import annotations

import argparse
import gc
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from asking import chosen, plainly
from contests import block, peak_of, recipe_of, wait
from machine import facts, machine, rows
from plain import Contest, contests

from imgen.build import build
from imgen.plugins import installed
from imgen.train.signals import StopSignals
from imgen.train.trainer import Trainer

WAYS = ("eager", "captured")
_WARM = 12
"""Rounds before the first that counts: turns are captured after a few plays, and some have a turn in few steps."""


class Side:
    """A trainer that plays in one way; said: what it plays in another."""

    def __init__(self, name: str, contest: Contest, way: str, args: argparse.Namespace, run: Path) -> None:
        recipe = recipe_of(name, contest, torch.device(args.device), seed=args.seed, tiny=args.tiny, play=way)
        built, self.said = build(recipe, installed()), list[str]()
        self.trainer = Trainer(
            built.algorithm,
            built.dataset,
            built.recipe.train,
            run,
            config=built.config,
            device=args.device,
            say=self.said.append,
        )
        self._going = self.trainer.going(StopSignals())

    def steps(self, count: int) -> None:
        """So many steps; on a GPU they may still be under way afterwards."""
        for _ in range(count):
            next(self._going)

    def close(self) -> None:
        """End in order."""
        self.trainer.loader.close()


def host_time(side: Side, cycle: int, rounds: int, device: torch.device) -> float:
    """Seconds of the host for a step that it only asks for, the median of rounds that begin with an idle device."""
    taken = []
    for _ in range(rounds):
        wait(device)
        began = time.perf_counter()
        side.steps(cycle)
        taken.append((time.perf_counter() - began) / cycle)
    wait(device)
    return median(taken)


def alone(make: Callable[[], Side], contest: Contest, device: torch.device) -> dict[str, int]:
    """Memory of one side while there is no other."""
    if device.type == "cuda":
        gc.collect()
        torch.cuda.empty_cache()
    side = make()
    block(side, contest.cycle, 1, _WARM, device)
    found = {"peak": peak_of(side, contest.cycle, device)}
    if device.type == "cuda":
        found["reserved"] = torch.cuda.memory_reserved(device)
    side.close()
    return found


def measure(name: str, contest: Contest, args: argparse.Namespace, ways: Sequence[str] = WAYS) -> dict[str, Any]:
    """All figures of one recipe."""
    device, cycle = torch.device(args.device), contest.cycle
    with tempfile.TemporaryDirectory() as folder:

        def make(way: str, run: str) -> Side:
            return Side(name, contest, way, args, Path(folder, f"{run}-{way}"))

        memory = {way: alone(lambda way=way: make(way, "alone"), contest, device) for way in ways}  # type: ignore[misc]
        sides = {way: make(way, "run") for way in ways}
        for side in sides.values():
            block(side, cycle, 1, _WARM, device)
        taken: dict[str, list[float]] = {way: [] for way in ways}
        order = list(sides.items())
        for _ in range(args.blocks):
            for way, side in order:
                taken[way].append(median(block(side, cycle, args.steps, 1, device)))
            order.reverse()
        host = {way: host_time(side, cycle, args.steps, device) for way, side in sides.items()}
        for side in sides.values():
            side.close()
    return {
        "batch": sides[ways[0]].trainer.settings.batch,
        "seconds": {way: median(each) for way, each in taken.items()},
        "host_seconds": host,
        "times_as_fast": median(one / other for one, other in zip(taken[ways[0]], taken[ways[1]], strict=True)),
        "memory": memory,
        "said": sides[ways[1]].said,
    }


def shown(found: dict[str, dict[str, Any]]) -> str:
    """The table."""
    head = ("recipe", "batch", *(f"{way} ms" for way in WAYS), "times", "host ms", "captured", "peak MiB", "captured")
    lines = [
        [
            name,
            str(each["batch"]),
            *(f"{1e3 * seconds:.2f}" for seconds in each["seconds"].values()),
            f"{each['times_as_fast']:.2f}",
            *(f"{1e3 * seconds:.2f}" for seconds in each["host_seconds"].values()),
            *(f"{memory['peak'] / 2**20:.0f}" for memory in each["memory"].values()),
        ]
        for name, each in found.items()
    ]
    told = [f"{name}: {line}" for name, each in found.items() for line in each["said"]]
    return "\n".join([rows(head, lines), *told])


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", default="", help="some of them, with commas between; default all")
    for name, value in {"blocks": 8, "steps": 20, "seed": 0}.items():
        parser.add_argument(f"--{name}", type=int, default=value, help=f"default {value}")
    parser.add_argument("--device", default="cuda", help="default cuda")
    parser.add_argument("--tiny", action="store_true", help="sizes for a test, whose figures mean nothing")
    parser.add_argument("--json", type=Path, help="where the figures go, too")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Print the table."""
    args = arguments(argv)
    if not torch.cuda.is_available():
        print("there is no GPU here, and CUDA graphs are of GPUs alone: nothing is measured")
        return
    asked = chosen(args.recipes, contests())
    print(f"{torch.cuda.get_device_name(args.device)}; {machine(args.seed)}")
    found = {name: measure(name, contests()[name], args) for name in asked}
    print(shown(found))
    if args.json:
        args.json.write_text(json.dumps({**facts(args.seed, args.device), "recipes": found}, indent=1) + "\n")


if __name__ == "__main__":
    plainly(main)
