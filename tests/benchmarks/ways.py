"""Do captured, compiled and bf16 turns learn as eager ones do? Losses side by side, next to the spread of seeds.

    python tests/benchmarks/ways.py --out /tmp/ways
    python tests/benchmarks/ways.py quickstart sdbegan --steps 200 --seeds 2 --out /tmp/ways

Every recipe is trained eagerly with each seed, and in each other way with the first one: same first weights, batches
and noise. Drawn are each player's losses, means over a fiftieth of the run: of the eager runs their mean and, as
whiskers, least and most; of the others the one run. Printed is how far each way is from the eager run of its seed,
root mean square over those means, as a share of how far eager runs of other seeds are from it: below 1, a way changes
less than a seed does. The recipe's scores are taken at the end. Recipes are those made for a CPU; the paper's are
reduced, as REDUCED says.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from asking import chosen, plainly
from machine import machine, rows
from PIL import Image

from imgen import charts
from imgen.build import build
from imgen.plugins import installed
from imgen.recipe import Draft, find
from imgen.train.events import Evaluated, Event, Logged
from imgen.train.signals import StopSignals
from imgen.train.trainer import Trainer

DRAWN = ("quickstart", "infogan_cr_drawn", "discogan_drawn", "discogan_toy", "stargan_drawn", "embedding_drawn")
_PAIRS = {"name": "shapes", "identities": 200, "photos": 5, "size": 32, "k": 2}
_SPRITES = {"name": "drawn-sprites", "size": 64, "positions": 8}
REDUCED: dict[str, dict[str, dict[str, Any]]] = {
    "sdbegan": {"algorithm": {"hidden": 16}, "dataset": _PAIRS, "train": {"batch": 8}},
    "sddcgan": {"algorithm": {"dim": 16}, "dataset": _PAIRS, "train": {"batch": 16}},
    "factor_vae": {"algorithm": {"dim": 8, "hidden": 32}, "dataset": _SPRITES, "train": {"batch": 16}},
    "sggan_drawn": {"train": {"batch": 8}},
}
"""Settings in place of a recipe's own, for those that take too long on a CPU."""
POINTS = 50
WAYS: dict[str, dict[str, str]] = {
    "compiled": {"play": "compiled", "precision": "fp32"},
    "bf16": {"play": "eager", "precision": "bf16"},
    "captured": {"play": "captured", "precision": "fp32"},
}
_PANEL = (460, 330)


@dataclass
class Run:
    """One run. curves: of each player's loss, by its name, (step, mean) pairs; said: what was played otherwise."""

    curves: dict[str, list[tuple[int, float]]]
    scores: dict[str, float]
    seconds: float
    said: list[str]


class Heard:
    """Keeps what is logged and measured."""

    def __init__(self) -> None:
        self.logged: list[Logged] = []
        self.scores: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, Logged):
            self.logged.append(event)
        elif isinstance(event, Evaluated):
            self.scores |= {f"{event.metric}/{name}": value for name, value in event.values.items()}


def train(name: str, seed: int, way: Mapping[str, str], args: argparse.Namespace) -> Run:
    """Train a recipe in one way."""
    plugins = installed()
    draft = Draft.read(find(name, plugins), plugins)
    for section, settings in REDUCED.get(name, {}).items():
        before = {} if section == "dataset" else draft.content[section]
        draft.content[section] = {**before, **settings}
    every = max(1, args.steps // POINTS)
    short = {"steps": args.steps, "seed": seed, "log_every": every, "preview_every": 0, "save_every": args.steps}
    draft.content["train"] = {**draft.content["train"], **short, "tensorboard": False, **way}
    if not args.scores or name in REDUCED:
        draft.content["metrics"] = []
    recipe = draft.check()
    built = build(recipe, plugins)
    heard, said = Heard(), []
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            built.algorithm,
            built.dataset,
            built.recipe.train,
            Path(folder),
            config=built.config,
            device=args.device,
            metrics=built.metrics,
            listeners=[heard],
            say=said.append,
        )
        began = time.monotonic()
        trainer.fit(StopSignals())
    players = set(built.algorithm.players())
    curves: dict[str, list[tuple[int, float]]] = {}
    for event in heard.logged:
        for key, value in event.values.items():
            if key.partition("/")[2] in players:
                curves.setdefault(key, []).append((event.step, value))
    return Run(curves, heard.scores, time.monotonic() - began, said)


def apart(one: list[tuple[int, float]], other: list[tuple[int, float]]) -> float:
    """Root mean square of the difference of two curves."""
    return math.sqrt(mean((a[1] - b[1]) ** 2 for a, b in zip(one, other, strict=True)))


def panels(name: str, eager: list[Run], ways: Mapping[str, Run]) -> list[Image.Image]:
    """A chart for each player's loss, half of the points drawn."""
    drawn = []
    for loss in eager[0].curves:
        curves = [run.curves[loss] for run in eager]
        spread = []
        for places in zip(*curves, strict=True):
            values = [value for _, value in places]
            spread.append((places[0][0], mean(values), min(values), max(values)))
        series: dict[str, Any] = {f"eager, {len(eager)} seeds": spread[::2], "eager, seed 0": curves[0][::2]}
        series |= {f"{way}, seed 0": run.curves[loss][::2] for way, run in ways.items()}
        drawn.append(charts.lines(series, title=f"{name}: {loss}", x_label="step", y_label="loss", size=_PANEL))
    return drawn


def tiled(pictures: list[Image.Image], columns: int) -> Image.Image:
    """Pictures of one size in rows, in few colours, for a small file."""
    (width, height), columns = pictures[0].size, min(columns, len(pictures))
    sheet = Image.new("RGB", (width * columns, height * -(-len(pictures) // columns)), "white")
    for place, picture in enumerate(pictures):
        sheet.paste(picture, (place % columns * width, place // columns * height))
    # By coverage: the commonest colours are shades of text, and lines would take each other's.
    return sheet.quantize(64, Image.Quantize.MAXCOVERAGE)


def table(name: str, eager: list[Run], ways: Mapping[str, Run]) -> list[list[str]]:
    """A row for each loss: how far seeds are apart, and each way as a share of that."""
    lines = []
    for loss in eager[0].curves:
        first = eager[0].curves[loss]
        seeds = mean(apart(first, run.curves[loss]) for run in eager[1:]) if len(eager) > 1 else math.nan
        shares = [f"{apart(first, run.curves[loss]) / seeds:.3f}" for run in ways.values()]
        lines.append([f"{name}: {loss}", f"{seeds:.4g}", *shares])
    return lines


def scores(name: str, eager: list[Run], ways: Mapping[str, Run]) -> list[list[str]]:
    """A row for each score: the eager runs' least and most, then each way's."""
    lines = []
    for score in eager[0].scores:
        values = [run.scores[score] for run in eager]
        found = [f"{run.scores[score]:.4g}" for run in ways.values()]
        lines.append([f"{name}: {score}", f"{values[0]:.4g}", f"{min(values):.4g} to {max(values):.4g}", *found])
    return lines


def record(run: Run) -> dict[str, Any]:
    """For the JSON file."""
    return {"seconds": round(run.seconds, 1), "scores": run.scores, "said": run.said, "curves": run.curves}


def compare(name: str, chosen: list[str], args: argparse.Namespace, say: Callable[[str], None]) -> dict[str, Any]:
    """Train one recipe in all ways, draw it, and give its rows and its record."""
    eager = []
    for seed in range(args.seeds):
        eager.append(train(name, seed, {"play": "eager", "precision": "fp32"}, args))
        say(f"{name}: eager, seed {seed}: {eager[-1].seconds:.0f} s")
    ways = {}
    for way in chosen:
        ways[way] = train(name, 0, WAYS[way], args)
        say(f"{name}: {way}: {ways[way].seconds:.0f} s " + "; ".join(ways[way].said))
    drawn = panels(name, eager, ways)
    tiled(drawn, len(drawn)).save(args.out / f"{name}.png", optimize=True)
    told = {f"eager, seed {seed}": record(run) for seed, run in enumerate(eager)}
    return {
        "panels": drawn,
        "losses": table(name, eager, ways),
        "scores": scores(name, eager, ways),
        "runs": told | {way: record(run) for way, run in ways.items()},
    }


def keep(found: Mapping[str, dict[str, Any]], head: Mapping[str, Any], out: Path) -> None:
    """Write all recipes' charts as one picture, and everything as JSON."""
    tiled([panel for each in found.values() for panel in each["panels"]], 4).save(out / "ways.png", optimize=True)
    kept = {name: {key: each[key] for key in ("losses", "scores", "runs")} for name, each in found.items()}
    (out / "ways.json").write_text(json.dumps({**head, "recipes": kept}, indent=1) + "\n", encoding="utf8")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", default=[*DRAWN, *REDUCED], help="default: all that suit a CPU")
    parser.add_argument("--steps", type=int, default=500, help="default 500")
    parser.add_argument("--seeds", type=int, default=3, help="of eager runs, from 0 on; default 3")
    parser.add_argument("--ways", default="", help="besides eager, by commas; default: all that the device has")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--no-scores", dest="scores", action="store_false", help="leave the recipe's metrics out")
    parser.add_argument("--out", type=Path, required=True, help="folder for pictures and ways.json")
    args = parser.parse_args(argv)
    here = [way for way in WAYS if way != "captured" or args.device.startswith("cuda")]
    ways = chosen(args.ways, here, "way") if args.ways else here
    for name in args.recipes:
        find(name, installed())
    args.out.mkdir(parents=True, exist_ok=True)
    told = machine(0)
    head = {"machine": told, "steps": args.steps, "seeds": args.seeds, "ways": ways, "reduced": REDUCED}
    found: dict[str, dict[str, Any]] = {}
    for name in args.recipes:
        found[name] = compare(name, ways, args, lambda told: print(told, flush=True))
        # After every recipe, so that whoever stops it keeps what is done.
        keep(found, head, args.out)
    print(told)
    print(rows(("loss", "seeds apart", *ways), [row for each in found.values() for row in each["losses"]]))
    if kept := [row for each in found.values() for row in each["scores"]]:
        print(rows(("score", "eager, seed 0", "eager, all seeds", *ways), kept))


if __name__ == "__main__":
    plainly(main)
