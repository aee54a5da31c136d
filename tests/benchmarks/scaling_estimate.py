"""What processes tell each other in a step, counted, and how long that would take on many GPUs, estimated.

Counted: a cycle of a recipe's steps is played in this process as the first of many, with messages that go nowhere.
After the gradients of each turn, one flat all-reduce of them and of the algorithm's floating buffers, in float32; where
a network has batch norm, its statistics over the whole batch; where a loss hangs on all items, what it asks for.

Estimated: a ring all-reduce of B bytes among n sends 2 (n - 1) / n * B past the slowest link, so it takes

    t(B) = 2 (n - 1) / n * B / bandwidth + latency

The flat ones come after the backward pass, as imgen sends them, and nothing runs meanwhile: "as it is". With overlap
the gradients' bytes would travel while the rest of the backward pass, taken as half of a step, is computed; messages
within a pass cannot be hidden. "Break-even" is the computing time of a step of which messages add a tenth to the whole:
9 times their time as it is. A step that computes for longer scales to better than 90 %.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from contests import recipe_of
from machine import rows
from plain import contests
from torch import Tensor

from imgen import dist
from imgen.build import build
from imgen.plugins import installed
from imgen.train.signals import StopSignals
from imgen.train.trainer import Trainer

HIDDEN = 0.5
"""Part of a step's computing behind which gradients of later layers could travel, were they sent as they come."""
WORLDS = (8, 64)
PAPERS = "sddcgan,sdbegan,discogan,embedding,infogan_cr,factor_vae,sggan,stargan"
_COUNTED = 2  # processes that messages are counted for


class Silent:
    """In place of `torch.distributed`: as if others had said the same; keeps the bytes of every message."""

    ReduceOp = torch.distributed.ReduceOp

    def __init__(self) -> None:
        """Nothing has been said yet."""
        self.said: list[int] = []

    def is_initialized(self) -> bool:
        return True

    def get_rank(self) -> int:
        return 0

    def get_world_size(self) -> int:
        return _COUNTED

    def all_reduce(self, tensor: Tensor, op: Any = None) -> None:
        self.said.append(tensor.numel() * tensor.element_size())

    def all_gather_single(self, told: Tensor, own: Tensor) -> None:
        self.said.append(told.numel() * told.element_size())
        told.copy_(own.expand_as(told))

    def reduce_scatter_single(self, told: Tensor, own: Tensor) -> None:
        self.said.append(own.numel() * own.element_size())
        told.copy_(own[:1])

    def broadcast(self, tensor: Tensor, src: int) -> None:
        self.said.append(tensor.numel() * tensor.element_size())

    def broadcast_object_list(self, box: list[Any], src: int) -> None:
        return None


@contextmanager
def silence() -> Iterator[Silent]:
    """Within it this process is the first of several that never speak."""
    silent = Silent()
    with mock.patch.object(dist, "td", silent):
        yield silent


def counted(name: str, *, seed: int = 0, tiny: bool = False) -> dict[str, float]:
    """Messages of a step, on average over a cycle: the flat ones of gradients and the others, and their bytes."""
    contest, device = contests()[name], torch.device("cpu")
    # Bytes of gradients do not hang on the batch: the least that processes can share and batch norm can take.
    recipe = recipe_of(name, contest, device, seed=seed, tiny=tiny, batch=2 * _COUNTED, play="eager")
    built = build(recipe, installed())
    flat: list[int] = []
    average = dist.average
    with tempfile.TemporaryDirectory() as folder, silence() as silent:

        def note(tensors: Any) -> None:
            before = len(silent.said)
            average(tensors)
            flat.extend(silent.said[before:])
            del silent.said[before:]

        with mock.patch.object(dist, "average", note):
            trainer = Trainer(built.algorithm, built.dataset, recipe.train, Path(folder), config=built.config)
            steps = trainer.going(StopSignals())
            silent.said.clear()  # what is told once, before the first step
            for _ in range(contest.cycle):
                next(steps)
            trainer.loader.close()
    # Whether anybody was asked to end is a message of eight bytes, about once a second: none of these.
    others = [size for size in silent.said if size > 8]
    return {
        "parameters": sum(parameter.numel() for parameter in built.algorithm.parameters()),
        "flat": len(flat) / contest.cycle,
        "flat bytes": sum(flat) / contest.cycle,
        "others": len(others) / contest.cycle,
        "others bytes": sum(others) / contest.cycle,
    }


def add_options(parser: argparse.ArgumentParser) -> None:
    """What is assumed, and what is asked."""
    told = {
        "nvlink": (300.0, "GB/s of a ring all-reduce among the 8 GPUs of a machine, assumed"),
        "network": (50.0, "GB/s that leave a machine, for all of its GPUs together, assumed"),
        "latency": (20.0, "microseconds of a message among 8, assumed"),
        "far-latency": (60.0, "microseconds of a message among machines, assumed"),
        "step-ms": (0.0, "milliseconds that a step computes for on one GPU; 0: say the break-even alone"),
    }
    for option, (value, meaning) in told.items():
        parser.add_argument(f"--{option}", type=float, default=value, help=f"{meaning}; default {value:g}")
    parser.add_argument("--estimate", default=PAPERS, help=f"recipes to estimate, or all; default {PAPERS}")


def seconds(messages: float, size: float, world: int, args: argparse.Namespace) -> float:
    """How long so many messages of so many bytes in all take among `world` GPUs, 8 in a machine."""
    within = world <= 8
    bandwidth = args.nvlink if within else min(args.nvlink, args.network)
    latency = args.latency if within else args.far_latency
    return 2 * (world - 1) / world * size / (bandwidth * 1e9) + messages * latency * 1e-6


def estimate(messages: Mapping[str, float], args: argparse.Namespace) -> dict[str, dict[str, float]]:
    """By world: seconds of messages in a step, break-even as it is and with overlap, and efficiency where asked."""
    found = {}
    for world in WORLDS:
        flat = seconds(messages["flat"], messages["flat bytes"], world, args)
        others = seconds(messages["others"], messages["others bytes"], world, args)
        whole = flat + others
        # Computing T, of which HIDDEN * T can hide the flat ones: what is left is T / 9.
        overlapped = 9 * others if flat <= HIDDEN * 9 * others else whole / (HIDDEN + 1 / 9)
        told = {"seconds": whole, "break-even": 9 * whole, "break-even with overlap": overlapped}
        if args.step_ms:
            step = args.step_ms / 1000
            told["efficiency"] = step / (step + whole)
            told["efficiency with overlap"] = step / (step + others + max(0.0, flat - HIDDEN * step))
        found[str(world)] = told
    return found


def told(
    messages: Mapping[str, Mapping[str, float]],
    estimates: Mapping[str, Mapping[str, Mapping[str, float]]],
    args: argparse.Namespace,
) -> str:
    """The estimate for people, with what it assumes."""
    head = ["", "million parameters", "all-reduces", "MB", "others", "MB"]
    for world in WORLDS:
        head += [f"{world}: ms", "break-even ms", "with overlap"]
        head += ["efficiency", "with overlap"] if args.step_ms else []
    lines = []
    for name, said in messages.items():
        line = [name, f"{said['parameters'] / 1e6:.2f}", f"{said['flat']:.2f}", f"{said['flat bytes'] / 1e6:.2f}"]
        line += [f"{said['others']:.1f}", f"{said['others bytes'] / 1e6:.3f}"]
        for world in WORLDS:
            found = estimates[name][str(world)]
            line += [f"{1000 * found[key]:.2f}" for key in ("seconds", "break-even", "break-even with overlap")]
            if args.step_ms:
                line += [f"{100 * found[key]:.0f} %" for key in ("efficiency", "efficiency with overlap")]
        lines.append(line)
    step = f"a step of {args.step_ms:g} ms, as asked" if args.step_ms else "no step was timed on GPUs"
    return (
        f"\nestimated, not measured: {args.nvlink:g} GB/s within a machine of 8, {args.network:g} GB/s between "
        f"machines, {args.latency:g} and {args.far_latency:g} microseconds a message; {step}\n"
        "a step's messages are counted: flat all-reduces of gradients and buffers, and others within a pass\n"
        + rows(head, lines)
    )
