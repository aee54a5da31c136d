"""What a population costs: runs of a recipe with other seeds in one process, in one process each, and one run alone.

    python tests/benchmarks/population.py
    python tests/benchmarks/population.py --recipe infogan_cr --runs 10 --steps 2000 --device cuda --json out.json

Each way is what a sweep starts: `imgen train` for a run by itself, and `--seeds-per-process` for several. All do the
same steps, without metrics and sheets, and save once. The ways take turns, and medians are compared. `seconds` is from
the start of the first process to the end of the last one; `training` is without the start of processes, and is what
counts for a long run. Processes of their own share the cores, as many at once as there are; on a GPU all run at once.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from asking import plainly
from machine import facts, machine, rows

from imgen.plugins import installed
from imgen.recipe import Draft, Recipe, find

ALONE, TOGETHER, APART = "one alone", "in one process", "in processes of their own"


@dataclass(frozen=True)
class Taken:
    """Seconds of one way, once: from beginning to end, and of training alone."""

    seconds: float
    training: float


def recipes(name: str, runs: int, steps: int, settings: Sequence[str], folder: Path) -> list[Path]:
    """The recipe's files, one for each seed."""
    plugins = installed()
    draft = Draft.read(find(name, plugins), plugins)
    draft.content["metrics"] = []
    often = {"steps": steps, "epochs": 0, "log_every": max(1, steps // 4), "preview_every": 0, "measure_every": 0}
    draft.content["train"] |= {**often, "save_every": steps, "tensorboard": False}
    for text in settings:
        key, _, value = text.partition("=")
        section, _, setting = key.partition(".")
        draft.content[section][setting] = json.loads(value)
    recipe = draft.check()
    return [_written(recipe, seed, folder / f"seed{seed}.yaml") for seed in range(runs)]


def _written(recipe: Recipe, seed: int, path: Path) -> Path:
    path.write_text(replace(recipe, train=replace(recipe.train, seed=seed)).to_yaml(), encoding="utf8")
    return path


def alone(recipe: Path, out: Path, device: str) -> list[str]:
    """The command of a run by itself."""
    return ["imgen", "train", str(recipe), "--out", str(out), "--device", device]


def several(files: Sequence[Path], out: Path, device: str) -> list[str]:
    """The command of a process of several."""
    paths = [str(each) for file in files for each in (file, out / file.stem, out / f"{file.stem}.log")]
    return ["imgen.sweeping.several", device if device == "cpu" else "auto", *paths]


def take(commands: Sequence[Sequence[str]], out: Path, at_once: int, threads: int) -> Taken:
    """Run commands, so many at once, and wait for all."""
    out.mkdir(parents=True)
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}

    def run(command: Sequence[str]) -> None:
        argv = [sys.executable, "-m", *command]
        ran = subprocess.run(argv, capture_output=True, text=True, env=environment, check=False)
        if ran.returncode:
            logs = "\n".join(log.read_text()[-500:] for log in out.glob("*.log"))
            raise SystemExit(f"{' '.join(command)}: status {ran.returncode}\n{ran.stderr[-2000:]}{logs}")

    began = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(run, commands))
    seconds = time.perf_counter() - began
    trained = [_trained(events) for events in out.rglob("events.jsonl")]
    # One after the other on as many cores as there are; those of one process all train until it ends.
    rounds = -(-len(commands) // at_once)
    return Taken(seconds, max(trained) if len(commands) == 1 else median(trained) * rounds)


def _trained(events: Path) -> float:
    lines = [json.loads(line) for line in events.read_text(encoding="utf8").splitlines()]
    return float(next(line["seconds"] for line in lines if line["event"] == "finished"))


def measure(files: Sequence[Path], folder: Path, args: argparse.Namespace) -> dict[str, list[Taken]]:
    """Every way in every round; who goes first changes."""
    cores = len(os.sched_getaffinity(0)) // args.threads or 1
    at_once = len(files) if args.device != "cpu" else min(len(files), cores)
    taken: dict[str, list[Taken]] = {ALONE: [], TOGETHER: [], APART: []}
    for number in range(args.rounds):
        out = folder / f"round{number}"
        ways = {
            ALONE: ([alone(files[0], out / "alone/run", args.device)], out / "alone", 1),
            TOGETHER: ([several(files, out / "together", args.device)], out / "together", 1),
            APART: ([alone(file, out / "apart" / file.stem, args.device) for file in files], out / "apart", at_once),
        }
        for name in list(ways) if number % 2 == 0 else list(reversed(ways)):
            taken[name].append(take(*ways[name], args.threads))
    return taken


def main(argv: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="infogan_cr_drawn", help="default infogan_cr_drawn")
    for name, value in {"runs": 4, "steps": 300, "rounds": 3, "threads": 1}.items():
        parser.add_argument(f"--{name}", type=int, default=value, help=f"default {value}")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("-s", dest="settings", metavar="KEY=VALUE", action="append", default=[])
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = recipes(args.recipe, args.runs, args.steps, args.settings, folder)
        taken = measure(files, folder, args)
    middle = {
        way: Taken(median(each.seconds for each in all_), median(each.training for each in all_))
        for way, all_ in taken.items()
    }
    print(machine(0))
    print(f"{args.recipe}, {args.runs} runs of {args.steps} steps on {args.device}, {args.rounds} rounds")
    one = middle[ALONE]
    figures = {
        way: (each.seconds, each.seconds / one.seconds, each.training, each.training / one.training)
        for way, each in middle.items()
    }
    lines = [(way, *(f"{figure:.2f}" for figure in each)) for way, each in figures.items()]
    print(rows(("", "seconds", "times one", "training", "times one"), lines))
    if args.json:
        told = {
            "machine": facts(0, args.device),
            **{key: getattr(args, key) for key in ("recipe", "runs", "steps", "rounds", "threads", "settings")},
            "ways": {way: [vars(each) for each in all_] for way, all_ in taken.items()},
        }
        args.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf8")


if __name__ == "__main__":
    plainly(main)
