"""What data costs every recipe: how long a step waits for its batch, and what a batch takes beside and after that.

    python tests/benchmarks/data_wait.py
    python tests/benchmarks/data_wait.py --recipes infogan_cr,sggan --steps 20 --json data_wait.json

Every recipe has its own networks, threads, sampler and size of pictures, and is played by the trainer. Data that nobody
ships is stood in for by drawn files of the same kind; `way` is what `train.resident=auto` does with the full set on
this device, and the stand-in is used in the same way: `resident` in the device's memory, `mapped` from a file of
decoded pictures, or `decoded` from JPEG files (or drawn) by threads while training goes on. On a CPU the batch is
smaller where a step would take many seconds; n times as many pictures cost data and networks n times as much alike.

`wait`: until the batch is handed over, the next ones being fetched meanwhile. `floats`: until its pictures are floats.
`beside`: time of a core that other threads took for it, which on a CPU training must do without. `cost` is the three
together, `beside` shared among the cores, in percent of a step.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from asking import chosen, plainly
from machine import facts, machine, rows
from stand_ins import STAND_INS

from imgen.build import build
from imgen.data import loader as loading
from imgen.data import pictures
from imgen.plugins import installed
from imgen.recipe import Draft, Recipe, find
from imgen.train.trainer import Trainer

CPU_BATCH = {
    **dict.fromkeys(("sggan", "sggan_ages", "sggan_modern", "sggan_new", "stargan"), 2),
    **dict.fromkeys(("discogan", "discogan_modern", "discogan_paper", "discogan_poses", "sddcgan", "sdbegan"), 8),
    "embedding": 16,
}
"""Where a step of the recipe's own batch would take a CPU many seconds."""
HEAD = ("recipe", "data", "way", "batch", "step", "wait", "wait %", "floats", "beside", "cost %")


def recipe_of(draft: Draft, name: str, root: str, args: argparse.Namespace) -> Recipe:
    """The recipe on its stand-in, never logging or saving."""
    content = draft.content
    if root:
        content["dataset"] |= {"root": root} | _besides(content["dataset"]["name"])
    content["metrics"] = []
    never = {"steps": 10**9, "log_every": 10**9, "save_every": 10**9, "preview_every": 0, "measure_every": 0}
    content["train"] |= {**never, "seed": args.seed, "tensorboard": False}
    content["train"] |= {"threads": args.threads} if args.threads else {}
    small = CPU_BATCH.get(name) if args.device == "cpu" else None
    content["train"]["batch"] = args.batch or small or content["train"]["batch"]
    return draft.check()


def _besides(kind: str) -> dict[str, Any]:
    # Few pictures are enough, and most of them to train on.
    held = {"n_test": 1} if "attribute" in kind else {}
    return held | ({"style_A": "Blond_Hair"} if kind == "attribute-domains" else {})


class Counted:
    """A column, and the time of a core that its fetching takes."""

    def __init__(self, column: Any) -> None:
        self.column, self.shape, self.dtype = column, column.shape, column.dtype
        self.seconds, self._lock = 0.0, threading.Lock()

    def fetch(self, chosen: Any) -> torch.Tensor:
        """The column's rows."""
        began = time.thread_time()
        fetched: torch.Tensor = self.column.fetch(chosen)
        with self._lock:
            self.seconds += time.thread_time() - began
        return fetched


def way_of(dataset: Any, full: int, device: str) -> str:
    """`resident`, `mapped` or `decoded`: what `auto` does with the data set at its full number of pictures."""
    columns = dataset.columns.values()
    count = sum(column.shape[0] for column in columns if column.dtype == torch.uint8) or 1
    needed = sum(column.dtype.itemsize * int(np.prod(column.shape)) for column in columns) * max(1, full / count)
    if device == "cpu":
        fits = all(isinstance(column, torch.Tensor) for column in columns) or needed <= loading._MOST_HOST
    else:
        fits = needed <= torch.cuda.mem_get_info(device)[0] // 4
    if fits:
        return "resident"
    files = [column for column in columns if not isinstance(column, torch.Tensor)]
    return "decoded" if any(hasattr(column, "survey") or hasattr(column, "draw") for column in files) else "mapped"


def measure(name: str, stand_in: Callable[[str], tuple[str, int]], args: argparse.Namespace) -> dict[str, Any]:
    """All figures of one recipe, in seconds a step."""
    draft = Draft.read(find(name, installed()), installed())
    kind, own = draft.content["dataset"]["name"], draft.content["train"]["batch"]
    root, full = stand_in(kind) if kind in STAND_INS else ("", 0)
    recipe = recipe_of(draft, name, root, args)
    built = build(recipe, installed())
    way = way_of(built.dataset, full, args.device)
    settings = dataclasses.replace(recipe.train, resident="always" if way == "resident" else "never")
    with tempfile.TemporaryDirectory() as run:
        trainer = Trainer(built.algorithm, built.dataset, settings, Path(run), config=built.config, device=args.device)
        told = _played(trainer, args)
    return {"recipe": name, "data": kind, "way": way, "batch": settings.batch, "recipe_batch": own, **told}


def _played(trainer: Trainer, args: argparse.Namespace) -> dict[str, float]:
    loader, device = trainer.loader, torch.device(args.device)
    counted: dict[str, Counted] = {}
    if not loader.resident:
        files = {name: column for name, column in loader.columns.items() if not isinstance(column, torch.Tensor)}
        counted = {name: Counted(column) for name, column in files.items()}
        loader.columns |= counted
    batch, handed = trainer.batches.of, [0.0]

    def timed(step: int) -> dict[str, torch.Tensor]:
        began = time.perf_counter()
        given = batch(step)
        handed[0] += time.perf_counter() - began
        return given

    trainer.batches.of = timed  # type: ignore[method-assign]
    for step in range(args.warm):
        trainer._play_step(step)
    _settled(device)
    beside, handed[0], _ = sum(each.seconds for each in counted.values()), 0.0, loader.waited()
    began = time.perf_counter()
    for step in range(args.warm, args.warm + args.steps):
        trainer._play_step(step)
    _settled(device)
    taken, waited = time.perf_counter() - began, loader.waited()
    loader.close()
    beside = sum(each.seconds for each in counted.values()) - beside
    figures = {"step": taken, "wait": waited, "floats": handed[0] - waited, "beside": beside}
    figures = {key: value / args.steps for key, value in figures.items()}
    cost = figures["wait"] + figures["floats"] + figures["beside"] / pictures.cores()
    return {**figures, "wait_percent": 100 * waited / taken, "cost_percent": 100 * cost / figures["step"]}


def _settled(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _line(told: dict[str, Any]) -> tuple[str, ...]:
    batch = str(told["batch"]) + (f" of {told['recipe_batch']}" if told["batch"] != told["recipe_batch"] else "")
    ms = {key: f"{1000 * told[key]:,.2f}" for key in ("wait", "floats", "beside")}
    step, shares = f"{1000 * told['step']:,.1f}", (f"{told[key]:.2f}" for key in ("wait_percent", "cost_percent"))
    wait, cost = shares
    return (told["recipe"], told["data"], told["way"], batch, step, ms["wait"], wait, ms["floats"], ms["beside"], cost)


def shipped() -> list[str]:
    """All recipes, by the names of their files."""
    return sorted(path.stem for path in (Path(__file__).parents[2] / "recipes").glob("*.yaml"))


def main(argv: list[str] | None = None) -> list[dict[str, Any]]:
    """Print the table; gives the figures, a mapping for each recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", default="", help="names, with commas between them; default: all that ship")
    parser.add_argument("--device", default="cpu", help="default cpu")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    defaults = {"steps": 10, "warm": 2, "count": 800, "batch": 0, "threads": 0, "seed": 0}
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=value, help=f"default {value}")
    args = parser.parse_args(argv)
    names, taken = chosen(args.recipes, shipped()), []
    with tempfile.TemporaryDirectory() as place:
        os.environ["IMGEN_CACHE"] = str(Path(place) / "cache")
        torch.manual_seed(args.seed)
        pictures.KEEP = 0  # as for a set that is larger than what a survey keeps
        stand_in = _maker(Path(place), args)
        for name in names:
            taken.append(measure(name, stand_in, args))
            print(" ".join(_line(taken[-1])), file=sys.stderr, flush=True)
    where = machine(args.seed)
    print(where, args.device, f"{args.steps} steps after {args.warm}; milliseconds a step", sep=", ")
    print(rows(HEAD, [_line(told) for told in taken]))
    if args.json:
        told = {"machine": facts(args.seed, args.device), "steps": args.steps, "recipes": taken}
        args.json.write_text(json.dumps(told, indent=1) + "\n")
    return taken


def _maker(folder: Path, args: argparse.Namespace) -> Callable[[str], tuple[str, int]]:
    made: dict[str, str] = {}

    def stand_in(kind: str) -> tuple[str, int]:
        """Its place, and how many pictures the real one has."""
        make, full = STAND_INS[kind]
        if kind not in made:
            (folder / kind).mkdir()
            made[kind] = str(make(folder / kind, args.count, 32 if kind == "images" else 64, args.seed))
        return made[kind], full

    return stand_in


if __name__ == "__main__":
    plainly(main)
