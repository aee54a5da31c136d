"""The two sides in processes of their own, which play when they are told to."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from contests import block, both, resident
from plain import Contest, contests


class Alone:
    """One side in a process of its own; entered, it has been built and waits."""

    def __init__(self, side: str, name: str, args: argparse.Namespace) -> None:
        self.resident = 0
        numbers = {name: getattr(args, name) for name in ("device", "batch", "threads", "seed")}
        self.command = [sys.executable, str(Path(__file__).with_name("speed.py")), "--serve", side, "--recipes", name]
        self.command += [f"--{name}={value}" for name, value in numbers.items()] + ["--tiny"] * args.tiny

    def __enter__(self) -> Alone:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self.command, stdin=pipe, stdout=pipe, text=True)
        assert self._process.stdout.readline() == "ready\n", f"{self.command}: did not start"
        return self

    def __exit__(self, *error: object) -> None:
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=60)

    def play(self, rounds: int, warm: int) -> list[float]:
        """Seconds a step in each of so many rounds, after others that are not counted."""
        print(rounds, warm, file=self._process.stdin, flush=True)
        told = json.loads(self._process.stdout.readline())
        self.resident = told["resident"]
        taken: list[float] = told["taken"]
        return taken


def serve(side: str, asked: Callable[[str, Contest, argparse.Namespace], Any], args: argparse.Namespace) -> None:
    """Play for the process that holds the other end of standard input and output, until it closes them."""
    (name,) = args.recipes
    contest, device = contests()[name], torch.device(args.device)
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = both(contest, asked(name, contest, args), device, Path(folder))
        player = ours if side == "imgen" else theirs
        with player.surroundings():
            print("ready", flush=True)
            for line in sys.stdin:
                rounds, warm = map(int, line.split())
                taken = block(player, contest.cycle, rounds, warm, device)
                print(json.dumps({"taken": taken, "resident": resident()}), flush=True)
        ours.close()
