"""How long one waits for a command: until it has ended, or until a run has done its first step.

    python tests/benchmarks/startup.py
    python tests/benchmarks/startup.py --rounds 15 --json startup.json

Each command runs in a fresh process of its own, by turns with all others, so that a busy machine slows all of them; the
first round fills the caches of files and is not counted. Beside imgen's commands stand an empty Python and `import
torch`, which whoever trains or samples waits for in any case. Seconds of all cores are those of the process itself. A
run counts from its start until the losses of its first step are in `events.jsonl`, and is then killed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from asking import chosen, plainly
from machine import facts, machine, rows

from imgen.build import build
from imgen.model import write_model
from imgen.plugins import installed
from imgen.recipe import Draft, find

RECIPE = "quickstart"
_PATIENCE = 300  # for one command [s]


def started(command: Sequence[str], place: Path) -> subprocess.Popen[bytes]:
    """A process that says nothing, in its own folder."""
    quiet = subprocess.DEVNULL
    return subprocess.Popen([sys.executable, *command], cwd=place, stdin=quiet, stdout=quiet, stderr=quiet)


def ended(process: subprocess.Popen[bytes]) -> tuple[int, float]:
    """The status of a process when it has ended, and the seconds of all cores that it took."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, used.ru_utime + used.ru_stime


def whole(command: Sequence[str], place: Path) -> tuple[float, float]:
    """Seconds until a command has ended, and those of all cores."""
    began = time.perf_counter()
    status, cores = ended(started(command, place))
    taken = time.perf_counter() - began
    assert status == 0, f"{' '.join(command)}: status {status}"
    return taken, cores


def first_step(command: Sequence[str], place: Path) -> tuple[float, float]:
    """Seconds until a run has told of its first step, and those of all cores until it is killed after that."""
    run = place / "run"
    shutil.rmtree(run, ignore_errors=True)
    began = time.perf_counter()
    process = started([*command, "--out", str(run)], place)
    try:
        while not _has_stepped(run / "events.jsonl"):
            told = time.perf_counter() - began
            # Asked of the system, as `poll` would take the figures of the process away.
            gone = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            assert gone is None and told < _PATIENCE, f"{' '.join(command)}: no step after {told:.0f} s"
            time.sleep(0.002)
        taken = time.perf_counter() - began
    finally:
        process.kill()
        _, cores = ended(process)
    return taken, cores


def _has_stepped(events: Path) -> bool:
    if not events.exists():
        return False
    lines = [json.loads(line) for line in events.read_text().splitlines() if line.endswith("}")]
    return any(line["event"] == "logged" for line in lines)


def weights(place: Path) -> Path:
    """A weights file of the recipe's model, with its first weights."""
    plugins = installed()
    built = build(Draft.read(find(RECIPE, plugins), plugins).check(), plugins)
    write_model(place / "model.safetensors", built.config, built.algorithm.model.state_dict())
    return place / "model.safetensors"


def contestants(place: Path, wanted: Sequence[str]) -> dict[str, Callable[[], tuple[float, float]]]:
    """What is timed, by name; nothing wanted: all."""
    imgen = ("-m", "imgen")
    model = weights(place) if not wanted or "imgen sample" in wanted else Path()
    short = (
        f"{section}.{name}={value}"
        for section, name, value in (("train", "log_every", 1), ("train", "tensorboard", "false"))
    )
    brief = [word for setting in short for word in ("-s", setting)]
    commands: dict[str, Sequence[str]] = {
        "an empty Python": ("-c", "pass"),
        "import torch": ("-c", "import torch"),
        "import imgen": ("-c", "import imgen"),
        "imgen --help": (*imgen, "--help"),
        "imgen plugins": (*imgen, "plugins"),
        "imgen recipes": (*imgen, "recipes"),
        f"imgen train {RECIPE} --dry-run": (*imgen, "train", RECIPE, "--dry-run"),
        "imgen sample": (*imgen, "sample", str(model), "--out", "sheet.png"),
    }
    timed: dict[str, Callable[[], tuple[float, float]]] = {
        name: lambda command=command: whole(command, place) for name, command in commands.items()
    }
    timed[f"imgen train {RECIPE}, first step"] = lambda: first_step((*imgen, "train", RECIPE, *brief), place)
    return {name: timed[name] for name in chosen(wanted, timed, "line")}


def measure(timed: dict[str, Callable[[], tuple[float, float]]], rounds: int) -> dict[str, dict[str, Any]]:
    """Medians and least times; who goes first changes with every round."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in timed}
    order = list(timed.items())
    for number in range(rounds + 1):
        for name, run in order:
            told = run()
            if number:
                taken[name].append(told)
        order.reverse()
    return {
        name: {
            "seconds": median(seconds for seconds, _ in each),
            "least": min(seconds for seconds, _ in each),
            "core_seconds": median(cores for _, cores in each),
        }
        for name, each in taken.items()
    }


def main(argv: list[str] | None = None) -> dict[str, dict[str, Any]]:
    """Print the table; gives its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="default %(default)s")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="a line of the table; default: all")
    parser.add_argument("--json", type=Path, help="write the figures there")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as place:
        found = measure(contestants(Path(place), args.only), args.rounds)
    print(machine(0))
    print(f"medians of {args.rounds} rounds, each command in a fresh process")
    lines = [
        (name, *(f"{one[key]:.2f}" for key in ("seconds", "least", "core_seconds"))) for name, one in found.items()
    ]
    print(rows(("", "seconds", "least", "of all cores"), lines))
    if args.json:
        args.json.write_text(json.dumps({**facts(0, "cpu"), "startup": found}, indent=1) + "\n")
    return found


if __name__ == "__main__":
    plainly(main)
