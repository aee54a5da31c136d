"""What the contrastive phase gains on drawn sprites, seed by seed.

    python tests/benchmarks/contrast_gain.py --seeds 5

Trains the recipe infogan_cr_drawn, and once more as long without the regulariser. Printed are the accuracy of the
contrastive discriminator over its last hundred steps (chance is one in three), and how well codes follow factors
(`factor-correlation`, on pictures drawn afresh): of the state before the contrastive phase, of the one after it, and of
the run without one. The run's folders stay where --out says.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from machine import machine, rows

from imgen.build import build, load_model
from imgen.metrics import Evaluation
from imgen.metrics.correlation import factor_correlation
from imgen.overrides import Override
from imgen.plugins import installed
from imgen.recipe import Draft, Recipe, find
from imgen.train.events import JsonLines
from imgen.train.run import store_recipe, weights_at
from imgen.train.signals import StopSignals
from imgen.train.trainer import Trainer

RECIPE = "infogan_cr_drawn"


def resolved(seed: int, **settings: str) -> Recipe:
    """The recipe with another seed, and other settings where they are given."""
    draft = Draft.read(find(RECIPE, installed()), installed())
    given = {"train.seed": str(seed), "train.preview_every": "0", "train.tensorboard": "false", **settings}
    draft.apply([Override(key, value, f"-s {key}={value}") for key, value in given.items()])
    return draft.check()


def trained(recipe: Recipe, run: Path) -> float:
    """Train a run, or finish it; gives the minutes that it took."""
    built = build(recipe, installed())
    run.mkdir(parents=True, exist_ok=True)
    store_recipe(run, built.recipe)
    listeners = [JsonLines(run / "events.jsonl")]
    began = time.monotonic()
    Trainer(built.algorithm, built.dataset, built.recipe.train, run, config=built.config, listeners=listeners).fit(
        StopSignals()
    )
    return (time.monotonic() - began) / 60


def score(weights: Path, recipe: Recipe) -> dict[str, float]:
    """What `factor-correlation` says of a weights file."""
    model, _ = load_model(weights, installed())
    dataset = build(recipe, installed()).dataset
    device = torch.device("cpu")
    return dict(factor_correlation()(Evaluation(model=model, dataset=dataset, device=device, seed=recipe.train.seed)))


def accuracy(run: Path) -> float:
    """Of the contrastive discriminator, the mean since the last but one time that losses were told."""
    lines = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    told = [line["values"]["contrast/accuracy"] for line in lines if "contrast/accuracy" in line.get("values", {})]
    return float(told[-1])


def measure(seed: int, args: argparse.Namespace) -> list[str]:
    """A row of the table."""
    short = {"train.steps": str(args.steps), "algorithm.cr_every": str(args.steps // 2)} if args.steps else {}
    recipe, without = resolved(seed, **short), resolved(seed, **short, **{"algorithm.cr_times": "0"})
    run, plain = args.out / f"seed{seed}", args.out / f"seed{seed}-without"
    minutes = trained(recipe, run)
    found = [score(weights_at(run, "infogan-modified"), recipe), score(run / "model.safetensors", recipe)]
    if not args.skip_without:
        trained(without, plain)
        found.append(score(plain / "model.safetensors", recipe))
    shown = [f"{each[name]:.3f}" for name in ("best", "gap") for each in found]
    return [str(seed), f"{minutes:.1f}", f"{accuracy(run):.3f}", *shown]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="default 5, from --first on")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--steps", type=int, default=0, help="in all, half of them before the phase; 0: the recipe's")
    parser.add_argument("--skip-without", action="store_true", help="leave the runs without the regulariser out")
    parser.add_argument("--out", type=Path, default=Path("runs/contrast_gain"))
    args = parser.parse_args()
    lines = [measure(seed, args) for seed in range(args.first, args.first + args.seeds)]
    print(machine(args.first))
    states = ["before", "after", *([] if args.skip_without else ["without"])]
    head = ["seed", "minutes", "accuracy", *(f"{name} {state}" for name in ("best", "gap") for state in states)]
    print(rows(head, lines))


if __name__ == "__main__":
    main()
