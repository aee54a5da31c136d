"""What several processes gain: weak scaling with 1 and 2 on a CPU, and an estimate with its arithmetic for more.

    python tests/benchmarks/scaling.py
    python tests/benchmarks/scaling.py --recipes sddcgan --blocks 9 --json scaling.json
    python tests/benchmarks/scaling.py --no-measure --step-ms 20

Measured: one process with one thread and a batch; two such processes that know nothing of each other; and two that
train together with a batch each. They take turns in blocks of steps, so that whatever else the machine does falls on
all. The second shows what two processes cost each other by sharing a machine; what the third costs beyond that is
talking and waiting for one another. Efficiency is pictures a second beside twice those of one process.

Estimated: `scaling_estimate.py` says how. Its messages are counted, its bandwidths and latencies are assumed, and the
time of a step is yours to say: no step was timed on GPUs for it.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch.distributed as td
from asking import chosen, plainly
from contests import recipe_of
from machine import facts, machine, rows
from plain import contests
from scaling_estimate import add_options, counted, estimate, told

from imgen import dist
from imgen.build import build
from imgen.plugins import installed
from imgen.train.signals import StopSignals
from imgen.train.trainer import Trainer

SAYS = ("all_reduce", "all_gather_single", "all_gather_into_tensor", "reduce_scatter_single", "reduce_scatter_tensor")


class Talk:
    """Seconds spent in messages between processes, waiting for the others included."""

    def __init__(self) -> None:
        """Time whatever is said from now on."""
        self.seconds = 0.0
        for name in SAYS:
            if hasattr(td, name):
                setattr(td, name, self._timed(getattr(td, name)))

    def _timed(self, say: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **settings: Any) -> Any:
            began = time.perf_counter()
            try:
                return say(*args, **settings)
            finally:
                self.seconds += time.perf_counter() - began

        return timed


def work(name: str, seed: int, batch: int, tiny: bool, folder: str) -> None:
    """A process that trains: it plays as many steps as each line of its standard input says, and tells the time."""
    torch.set_num_threads(1)
    dist.join("cpu")
    talk, contest, device = Talk(), contests()[name], torch.device("cpu")
    recipe = recipe_of(name, contest, device, seed=seed, tiny=tiny)
    own = batch or recipe.train.batch
    recipe = recipe_of(name, contest, device, seed=seed, tiny=tiny, batch=own * dist.world())
    built = build(recipe, installed())
    trainer = Trainer(
        built.algorithm, built.dataset, recipe.train, Path(folder) / str(dist.rank()), config=built.config
    )
    steps = trainer.going(StopSignals())
    next(steps)
    print(json.dumps({"images": own * built.dataset.spec.pictures, "cycle": contest.cycle}), flush=True)
    for line in sys.stdin:
        talk.seconds, began = 0.0, time.perf_counter()
        for _ in range(int(line)):
            next(steps)
        seconds = time.perf_counter() - began
        print(json.dumps({"seconds": seconds, "talk": talk.seconds}), flush=True)
    os._exit(0)


class Worker:
    """Such a process, from outside."""

    def __init__(self, name: str, args: argparse.Namespace, folder: str, **around: str) -> None:
        """Start it. around: variables of its environment."""
        told = [name, str(args.seed), str(args.batch), str(int(args.tiny)), folder]
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--work", *told],
            env=os.environ | {"OMP_NUM_THREADS": "1"} | around,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, steps: int) -> None:
        """Have it play."""
        assert self.process.stdin
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """What it tells, once it is done."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a process that was to be timed has ended; see above")
        found: dict[str, Any] = json.loads(line)
        return found


@contextmanager
def workers(name: str, args: argparse.Namespace) -> Iterator[dict[str, list[Worker]]]:
    """The three contestants: four processes, of which as many work at a time as a contestant has."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    with tempfile.TemporaryDirectory() as folder:
        apart = [Worker(name, args, f"{folder}/{place}", WORLD_SIZE="1") for place in "ab"]
        together = [
            Worker(name, args, f"{folder}/c", RANK=str(rank), LOCAL_RANK=str(rank), **group) for rank in range(2)
        ]
        try:
            yield {"1 process": apart[:1], "2 apart": apart, "2 together": together}
        finally:
            for worker in (*apart, *together):
                worker.process.kill()
                worker.process.communicate()


def measured(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """Seconds a step by contestant and block, and what was spent on talking."""
    with workers(name, args) as sides:
        first = [worker.hear() for worker in (*sides["2 apart"], *sides["2 together"])].pop()
        steps = max(args.steps, first["cycle"])
        taken: dict[str, list[float]] = {side: [] for side in sides}
        talk: list[float] = []
        order = list(sides.items())
        for _ in range(args.blocks):
            for side, several in order:
                for worker in several:
                    worker.ask(steps)
                heard = [worker.hear() for worker in several]
                taken[side].append(max(each["seconds"] for each in heard) / steps)
                if side == "2 together":
                    talk.append(min(each["talk"] for each in heard) / steps)
            order.reverse()
    alone = taken["1 process"]
    gains = {side: median(one / other for one, other in zip(alone, taken[side], strict=True)) for side in taken}
    return {
        "recipe": name,
        "images a process": first["images"],
        "steps a block": steps,
        "seconds a step": {side: median(each) for side, each in taken.items()},
        "efficiency": gains,
        "seconds of talk a step": median(talk),
    }


def table(found: list[dict[str, Any]]) -> str:
    """Measured figures for people."""
    lines = []
    for each in found:
        for side, seconds in each["seconds a step"].items():
            count = 1 if side.startswith("1") else 2
            talk = f"{1000 * each['seconds of talk a step']:.1f}" if side == "2 together" else ""
            lines.append(
                (
                    f"{each['recipe']}, {side}",
                    f"{1000 * seconds:.1f}",
                    f"{count * each['images a process'] / seconds:.1f}",
                    f"{100 * each['efficiency'][side]:.0f} %",
                    talk,
                )
            )
    return rows(("", "ms a step", "images/s", "efficiency", "ms of it in messages"), lines)


def main(argv: list[str] | None = None) -> None:
    """Print the tables."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["--work"]:
        name, seed, batch, tiny, folder = argv[1:]
        work(name, int(seed), int(batch), bool(int(tiny)), folder)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, value in {"blocks": 7, "steps": 3, "batch": 0, "seed": 0}.items():
        parser.add_argument(f"--{option}", type=int, default=value, help=f"default {value}")
    parser.add_argument("--recipes", default="sddcgan,infogan_cr", help="measured; default sddcgan,infogan_cr")
    parser.add_argument("--no-measure", action="store_true", help="estimate alone")
    parser.add_argument("--tiny", action="store_true", help="at sizes that mean nothing")
    parser.add_argument("--json", type=Path, help="write all figures there, too")
    add_options(parser)
    args = parser.parse_args(argv)
    asked, names = chosen(args.recipes, contests()), chosen("" if args.estimate == "all" else args.estimate, contests())
    print(machine(args.seed))
    found = [] if args.no_measure else [measured(name, args) for name in asked]
    if found:
        print(f"weak scaling: the same batch in each process, one thread each, {args.blocks} blocks, medians")
        print(table(found))
    messages = {name: counted(name, seed=args.seed, tiny=args.tiny) for name in names}
    estimates = {name: estimate(each, args) for name, each in messages.items()}
    print(told(messages, estimates, args))
    if args.json:
        whole = {"machine": facts(args.seed, "cpu"), "measured": found, "messages": messages, "estimates": estimates}
        args.json.write_text(json.dumps(whole, indent=1) + "\n")


if __name__ == "__main__":
    plainly(main)
