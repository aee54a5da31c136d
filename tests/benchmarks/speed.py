"""How fast every recipe trains, beside a plain PyTorch step that does the same work.

    python tests/benchmarks/speed.py
    python tests/benchmarks/speed.py --recipes sddcgan,discogan --blocks 6 --json speed.json
    python tests/benchmarks/speed.py --apart

Recipes have the paper's sizes and data that imgen draws; on a CPU batches are smaller where a step would take many
seconds, as the table says. The plain steps stand in `plain/`: `test_plain.py` compares their losses with imgen's. Both
sides start from the same weights and take turns in blocks of steps, whoever went first in one goes second in the next,
so that whatever else the machine does falls on both. Where steps are short a block begins with some that do not count.
Printed are the median time of a step on either side, how many times as fast imgen is, as the median of the ratios block
by block, and what part of the rate of one large matrix product a step reaches. Operations are those that a side does
itself: who leaves some out is not credited with them. Of a name in two parts, as `sggan:asked`, `plain/` says what is
measured otherwise than under the first alone.

Memory is what a step takes beyond what is there before. imgen plays its blocks as it trains, and the plain step as
Python starts it: glibc's memory and torch's flags are switched between blocks. `--apart` gives each side a process of
its own instead, which play in turn all the same.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

# The library that counts memory tells its beginning and end, unless this is set before torch is imported.
os.environ.setdefault("KINETO_LOG_LEVEL", "6")

import torch
from apart import Alone, serve
from asking import chosen, plainly
from contests import Ours, Theirs, block, both, flops_of, matrix_rate, parts_of, peak_of, recipe_of
from machine import facts, machine, rows
from plain import Contest, contests

from imgen.recipe import Recipe

RECORDS = Path(__file__).parent / "records"
Play = Callable[[int, int], list[float]]
"""(rounds, of which warm up beforehand) -> seconds a step in each round."""


def interleaved(sides: dict[str, Play], args: argparse.Namespace) -> dict[str, list[list[float]]]:
    """Seconds a step by side, block and round; who goes first changes with every block."""
    warm = args.warm if args.warm >= 0 else 10 if args.device.startswith("cuda") else 1
    one = sum(args.cycle * play(1, warm)[0] for play in sides.values())
    blocks = args.blocks or max(3, min(8, int(args.seconds / one)))
    # Where rounds are long, what a change of sides costs is lost in them.
    again = int(one < 1)
    rounds = args.steps or max(1, round(args.seconds / blocks / one) - again)
    taken: dict[str, list[list[float]]] = {name: [] for name in sides}
    order = list(sides.items())
    for _ in range(blocks):
        for name, play in order:
            taken[name].append(play(rounds, again))
        order.reverse()
    return taken


def compared(taken: dict[str, list[list[float]]]) -> dict[str, Any]:
    """The figures of both sides, and how many times as fast imgen is."""
    middle = {name: median(each for one in blocks for each in one) for name, blocks in taken.items()}
    pairs = zip(taken["imgen"], taken["plain"], strict=True)
    ratios = [median(theirs) / median(ours) for ours, theirs in pairs]
    return {
        "imgen_seconds": middle["imgen"],
        "plain_seconds": middle["plain"],
        "times_as_fast": median(ratios),
        "of_medians": middle["plain"] / middle["imgen"],
        "by_block": [round(ratio, 4) for ratio in ratios],
        "rounds": len(taken["imgen"][0]),
    }


def measure(name: str, contest: Contest, args: argparse.Namespace) -> dict[str, Any]:
    """All figures of one recipe."""
    device, args.cycle = torch.device(args.device), contest.cycle
    recipe = asked(name, contest, args)
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = both(contest, recipe, device, Path(folder))
        if args.apart:
            with Alone("imgen", name, args) as alone, Alone("plain", name, args) as plain:
                found = compared(interleaved({"imgen": alone.play, "plain": plain.play}, args))
                found |= {"imgen_resident": alone.resident, "plain_resident": plain.resident}
        else:
            sides = {"imgen": played(ours, contest, device), "plain": played(theirs, contest, device)}
            found = compared(interleaved(sides, args))
        found |= _beside(ours, theirs, contest, recipe, args)
        ours.close()
    found["images_a_second"] = ours.trainer.images_a_step / found["imgen_seconds"]
    for side in ("imgen", "plain"):
        found[f"{side}_of_peak"] = found[f"{side}_flops"] / found[f"{side}_seconds"] / found["matrix_rate"]
    whole = recipe_of(name, contest, torch.device("meta"), seed=0).train.batch
    return {"batch": recipe.train.batch, "recipe_batch": whole, "image": list(ours.trainer.dataset.spec.image), **found}


def played(side: Any, contest: Contest, device: torch.device) -> Play:
    """Blocks of one side in this process, with what holds while it plays."""

    def play(rounds: int, warm: int) -> list[float]:
        with side.surroundings():
            return block(side, contest.cycle, rounds, warm, device)

    return play


def _beside(ours: Ours, theirs: Theirs, contest: Contest, recipe: Recipe, args: argparse.Namespace) -> dict[str, Any]:
    """What is measured without being compared."""
    device = torch.device(args.device)
    with ours.surroundings():
        rate, kind = matrix_rate(device, recipe.train, args.side)
    turns, waited, step = parts_of(ours, contest.cycle, 2)
    found = {"turns": turns, "data_seconds": waited, "data_share": waited / step}
    for name, side in {"imgen": ours, "plain": theirs}.items():
        with side.surroundings():
            found[f"{name}_peak"] = peak_of(side, contest.cycle, device)
            found[f"{name}_flops"] = flops_of(side, contest.cycle)
    return {**found, "matrix_rate": rate, "matrix_numbers": kind}


def asked(name: str, contest: Contest, args: argparse.Namespace) -> Recipe:
    """The recipe as the command line wants it."""
    train = {"batch": args.batch} if args.batch else {}
    return recipe_of(name, contest, torch.device(args.device), seed=args.seed, tiny=args.tiny, **train)


def table(found: dict[str, dict[str, Any]]) -> str:
    """Figures for people, a line for each recipe."""
    head = (
        "",
        "batch",
        "images/s",
        "ms a step",
        "plain",
        "times as fast",
        "of peak",
        "plain",
        "data %",
        "MiB",
        "plain",
    )
    lines = [
        (
            name,
            f"{one['batch']} of {one['recipe_batch']}" if one["batch"] != one["recipe_batch"] else str(one["batch"]),
            f"{one['images_a_second']:.1f}",
            f"{1000 * one['imgen_seconds']:.1f}",
            f"{1000 * one['plain_seconds']:.1f}",
            f"{one['times_as_fast']:.2f}",
            *(f"{100 * one[f'{side}_of_peak']:.0f} %" for side in ("imgen", "plain")),
            f"{100 * one['data_share']:.2f}",
            *(f"{one[f'{side}_peak'] / 2**20:,.0f}" for side in ("imgen", "plain")),
        )
        for name, one in found.items()
    ]
    return rows(head, lines)


def by_turn(found: dict[str, dict[str, Any]]) -> str:
    """How long the turns of each recipe take."""
    shown = (
        (name, ", ".join(f"{turn} {1000 * seconds:.1f}" for turn, seconds in one["turns"].items()))
        for name, one in found.items()
    )
    return "ms a turn, when it is played\n" + "\n".join(f"  {name}: {turns}" for name, turns in shown)


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """What was asked for."""
    known = contests()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", default=",".join(known), help="names with commas; default all: %(default)s")
    parser.add_argument("--device", default="cpu", help="default %(default)s")
    parser.add_argument("--seconds", type=float, default=30, help="for the blocks of one recipe; default %(default)s")
    numbers = {"blocks": 0, "steps": 0, "warm": -1, "batch": 0, "threads": 0, "seed": 0, "side": 0}
    said = {
        "blocks": "of each side; 0: 3 to 8, as the seconds allow;",
        "steps": "rounds of a block, each as many steps as turns need to repeat; 0: what the seconds allow;",
        "warm": "rounds before all; -1: 1 on a CPU, 10 on a GPU;",
        "batch": "0: each recipe's own;",
        "threads": "of both sides; 0: torch's;",
        "side": "of the large matrices; 0: 2048 on a CPU, 8192 on a GPU;",
    }
    for name, value in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=value, help=f"{said.get(name, '')} default {value}".strip())
    parser.add_argument("--apart", action="store_true", help="each side in a process of its own")
    parser.add_argument("--tiny", action="store_true", help="sizes at which figures mean nothing")
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--record", action="store_true", help=f"write them to {RECORDS.name}/, as DATE-DEVICE.json")
    parser.add_argument("--serve", choices=("imgen", "plain"), help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    args.recipes = chosen(args.recipes, known)
    return args


def main(argv: Sequence[str] | None = None) -> dict[str, dict[str, Any]]:
    """Print the tables; gives all figures by recipe."""
    args = arguments(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.serve:
        serve(args.serve, asked, args)
        return {}
    found = {}
    for name in args.recipes:
        found[name] = measure(name, contests()[name], args)
        print(f"{name}: {found[name]['times_as_fast']:.2f} times as fast", file=sys.stderr)
    print(machine(args.seed))
    print(table(found))
    print(by_turn(found))
    told = json.dumps({**facts(args.seed, args.device), "apart": args.apart, "recipes": found}, indent=1)
    if args.json:
        args.json.write_text(told + "\n")
    if args.record:
        RECORDS.mkdir(exist_ok=True)
        (RECORDS / f"{date.today()}-{args.device.replace(':', '')}.json").write_text(told + "\n")
    return found


if __name__ == "__main__":
    plainly(main)
