"""Whether models are selected well without labels: two good ones among four spoilt ones, again and again.

    python tests/benchmarks/selection.py --repetitions 5

Drawn pictures of three spots, each with a place of its own, are learnt by six models of three codes for each
repetition, all with seeds of their own. Good ones have 800 steps without the contrastive regulariser, and 400 with it.
Four are spoilt by construction: brief has 60 steps; unsettled has 400, in which codes do not come apart; blind has
1,000 in which nothing asks for codes; aslant has 600, without the regulariser, and draws codes from a normal
distribution, which looks the same from every side. What each is worth is measured against the factors, which no method
is shown: by the FactorVAE score and by `factor-correlation`. Then all methods rank them, with the repetition's number
as the seed. Runs stay where --out says, and finished ones are not trained again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from contrast_gain import resolved, score, trained
from machine import machine, rows
from numpy.typing import NDArray

from imgen.build import build, load_model
from imgen.data.factored.grid import Axis, Drawn, Grid, Gridded, evenly, gridded
from imgen.metrics.disentanglement.representation import ModelCodes
from imgen.metrics.disentanglement.votes import ballot, majority, winners
from imgen.plugins import installed
from imgen.recipe import Recipe
from imgen.registry import Entry
from imgen.selecting import common
from imgen.selecting.centrality import Plan
from imgen.selecting.ranking import METHODS, Ranking, by_centrality, by_udr
from imgen.selecting.reading import Work

DATA = "sliders"
GOOD = {"train.steps": "1200", "algorithm.cr_every": "800"}
MODELS = {
    "good-1": GOOD,
    "good-2": GOOD,
    "brief": {"train.steps": "60", "algorithm.cr_times": "0"},
    "unsettled": {"train.steps": "400", "algorithm.cr_times": "0"},
    "blind": {"train.steps": "1000", "algorithm.w_info": "0", "algorithm.cr_times": "0"},
    "aslant": {"train.steps": "600", "algorithm.prior": "gaussian", "algorithm.cr_times": "0"},
}
CPU = torch.device("cpu")


def sliders(*, size: int = 16, places: int = 16) -> Gridded:
    """Three spots, each somewhere across a stripe of its own: three factors that are alike, and a picture of all.

    Settings:
        size: width and height of a picture [pixels]
        places: of a spot, evenly across [values]
    """
    grid = Grid(tuple(Axis(name, evenly(places, 0.0, 1.0)) for name in ("top", "middle", "bottom")))
    down, across = np.mgrid[:size, :size] + 0.5

    def draw(rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        light = np.zeros((len(rows), size, size))
        for place, values in enumerate(grid.values(rows).T):
            middle = size * (0.15 + 0.7 * values)[:, None, None]
            apart = ((across - middle) ** 2 + (down - size * (place + 0.5) / 3) ** 2) / (size / 10) ** 2
            light = np.maximum(light, np.exp(-apart))
        return np.rint(255 * light).astype(np.uint8)

    return gridded(grid, Drawn(draw, (grid.rows, 1, size, size)), about="sliders", origin={"layout": "sliders"})


def recipes(repetition: int, steps: int) -> dict[str, Recipe]:
    """Of the six models; steps: at most, half of them before the regulariser, where it comes second."""
    found = {}
    for place, (name, settings) in enumerate(MODELS.items()):
        given = {"dataset.name": DATA, "dataset.size": "16", **settings}
        if steps:
            given["train.steps"] = str(min(steps, int(settings["train.steps"])))
            given |= {"algorithm.cr_every": str(max(1, steps // 2))} if "algorithm.cr_every" in settings else {}
        found[name] = resolved(repetition * len(MODELS) + place, **given)
    return found


def worth(model: Any, dataset: Gridded) -> float:
    """The FactorVAE score against the factors: 300 groups of 100."""
    codes, rng = ModelCodes(model, dataset, CPU), np.random.default_rng(5)
    scale = codes.anywhere(2000, rng).std(axis=0, dtype=np.float64)
    groups = codes.groups(300, 100, rng)
    return majority(ballot(winners(groups.codes, scale), groups.labels, len(scale), len(codes.factors)))


def rankings(models: Sequence[Any], dataset: Gridded, seed: int, args: argparse.Namespace) -> dict[str, Ranking]:
    """By every method."""
    names, shape = list(MODELS), dataset.spec.image
    told = {}
    for method, kind in METHODS.items():
        if kind is None:
            plan = Plan(args.groups, args.group_size, args.free, seed)
            told[method] = by_centrality(names, models, shape, plan, CPU)
        else:
            work = Work(CPU, seed, total=args.pictures * len(models))
            parts = common.of_data(dataset, args.pictures, work)
            told[method] = by_udr(names, models, parts, shape, method, work)
    return told


def measure(repetition: int, args: argparse.Namespace) -> dict[str, Any]:
    """Train what is not there yet, measure it, and rank it."""
    chosen = recipes(repetition, args.steps)
    files = {name: args.out / str(repetition) / name / "model.safetensors" for name in chosen}
    for name, recipe in chosen.items():
        if not files[name].is_file():
            trained(recipe, files[name].parent)
    dataset: Any = build(chosen["good-1"], installed()).dataset
    models = [load_model(file, installed())[0] for file in files.values()]
    found = {} if args.train_only else rankings(models, dataset, repetition, args)
    return {
        "repetition": repetition,
        "FactorVAE score": [worth(model, dataset) for model in models],
        "factor-correlation": [score(file, chosen[name])["best"] for name, file in files.items()],
        "methods": {name: told.to_json() | {"first": list(MODELS)[told.order[0]]} for name, told in found.items()},
    }


def lines_of(told: dict[str, Any]) -> list[list[str]]:
    """Rows of the table: what each model is worth, and its score and place by every method."""
    lines = []
    for place, name in enumerate(MODELS):
        worths = [f"{told[key][place]:.3f}" for key in ("FactorVAE score", "factor-correlation")]
        cells = []
        for method in told["methods"].values():
            scores = method["scores"]
            cells.append(f"{scores[place]:.3f} ({1 + sum(other > scores[place] for other in scores)})")
        lines.append([f"{told['repetition']} {name}", *worths, *cells])
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=1, help="default 1, from --first on")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--steps", type=int, default=0, help="of a model at most; 0: as many as it takes")
    parser.add_argument("--train-only", action="store_true", help="train and measure, but rank nothing yet")
    sizes = {"groups": (100, "for each code"), "group-size": (100, "pictures"), "free": (1000, "pictures")}
    for name, (value, what) in {**sizes, "pictures": (4096, "that UDR looks at")}.items():
        parser.add_argument(f"--{name}", type=int, default=value, help=f"{what}; default {value}")
    parser.add_argument("--json", action="store_true", help="one object with all figures, and nothing else")
    parser.add_argument("--out", type=Path, default=Path("runs/selection"))
    args = parser.parse_args()
    if DATA not in installed().registry("datasets"):
        installed().registry("datasets").add(Entry("datasets", DATA, "benchmark", sliders))
    told = [measure(repetition, args) for repetition in range(args.first, args.first + args.repetitions)]
    if args.json:
        print(json.dumps({"machine": machine(args.first), "models": list(MODELS), "repetitions": told}))
        return
    print(machine(args.first))
    head = ["model", "FactorVAE score", "correlation", *(f"{method} (place)" for method in told[0]["methods"])]
    print(rows(head, [line for each in told for line in lines_of(each)]))
    for method in told[0]["methods"]:
        first = [each["methods"][method]["first"] for each in told]
        right = sum(name in ("good-1", "good-2") for name in first)
        print(f"{method}: a good model first in {right} of {len(told)}: {', '.join(first)}")


if __name__ == "__main__":
    main()
