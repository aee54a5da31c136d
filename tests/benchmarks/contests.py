"""imgen and a plain step side by side: built from one recipe with the same first weights, played in turn, counted."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any, Protocol

import torch
from plain import Contest
from torch.autograd.profiler import profile
from torch.nn.functional import conv2d
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from imgen.build import Built, build
from imgen.plugins import installed
from imgen.recipe import Draft, Recipe, find
from imgen.train.device import rounds_to_bf16
from imgen.train.memory import kept
from imgen.train.play import Eager, House
from imgen.train.signals import StopSignals
from imgen.train.trainer import Trainer
from imgen.train_settings import TrainSettings

_FOREVER = 10**9


def recipe_of(
    name: str, contest: Contest, device: torch.device, *, seed: int, tiny: bool = False, **train: Any
) -> Recipe:
    """The recipe of a contest, which never stops, shows or saves; train: settings in place of its own."""
    plugins = installed()
    draft = Draft.read(find(contest.recipe or name, plugins), plugins)
    content = draft.content
    if contest.dataset:
        content["dataset"] = contest.dataset.to_dict()
    content["metrics"] = []
    often = {"steps": _FOREVER, "log_every": _FOREVER, "save_every": _FOREVER, "preview_every": 0, "measure_every": 0}
    # Threads are the same for both sides, and for all recipes.
    content["train"] |= {**often, "seed": seed, "threads": 0, "tensorboard": False}
    if contest.cpu_batch and device.type == "cpu":
        content["train"]["batch"] = contest.cpu_batch
    for key, value in {**contest.settings, **(contest.tiny if tiny else {})}.items():
        section, _, setting = key.partition(".")
        content[section][setting] = value
    content["train"] |= train
    return draft.check()


class Side(Protocol):
    """Who takes part."""

    def steps(self, count: int) -> None:
        """So many steps; on a GPU they may still be under way afterwards."""


class Theirs:
    """The plain step, as torch comes and as glibc does."""

    def __init__(self, contest: Contest, built: Built, device: torch.device) -> None:
        self.plain = contest.plain(built, built.recipe.train, device)

    def steps(self, count: int) -> None:
        for _ in range(count):
            self.plain.step()

    def surroundings(self) -> AbstractContextManager[None]:
        """What holds in the whole process while it plays."""
        _round(_AS_TORCH_COMES)
        return nullcontext()


class Ours:
    """The trainer as it is, beats and all, in a run folder."""

    def __init__(self, built: Built, device: torch.device, run: Path) -> None:
        self.trainer = Trainer(
            built.algorithm, built.dataset, built.recipe.train, run, config=built.config, device=str(device)
        )
        self.going: Iterator[int] = self.trainer.going(StopSignals())
        self._rounding = _rounding()

    def steps(self, count: int) -> None:
        for _ in range(count):
            next(self.going)

    def surroundings(self) -> AbstractContextManager[None]:
        """What holds in the whole process while it plays."""
        _round(self._rounding)
        return kept() if self.trainer.device.type == "cpu" else nullcontext()

    def close(self) -> None:
        """End in order."""
        self.trainer.loader.close()


def both(contest: Contest, recipe: Recipe, device: torch.device, run: Path) -> tuple[Ours, Theirs]:
    """The two sides; the plain one first, which copies the first weights."""
    built = build(recipe, installed())
    theirs = Theirs(contest, built, device)
    return Ours(built, device, run), theirs


def _rounding() -> tuple[str, str, bool]:
    cuda = torch.backends.cuda.matmul.fp32_precision
    return cuda, torch.backends.cudnn.conv.fp32_precision, torch.backends.cudnn.benchmark  # type: ignore[attr-defined]


_AS_TORCH_COMES = _rounding()
"""Before any trainer of this process has set anything."""


def _round(how: tuple[str, str, bool]) -> None:
    if torch.cuda.is_available():
        torch.backends.cuda.matmul.fp32_precision = how[0]
        torch.backends.cudnn.conv.fp32_precision = how[1]  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark = how[2]


def wait(device: torch.device) -> None:
    """Until the device has done all that it was asked."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def block(side: Side, cycle: int, rounds: int, warm: int, device: torch.device) -> list[float]:
    """Seconds a step in each of some rounds of `cycle` steps; those that warm up are not counted."""
    taken = []
    for number in range(warm + rounds):
        wait(device)
        began = time.perf_counter()
        side.steps(cycle)
        wait(device)
        if number >= warm:
            taken.append((time.perf_counter() - began) / cycle)
    return taken


class _Counting(TorchDispatchMode):
    """Counts by torch's own table. Its `FlopCounterMode` also follows modules, and refuses gradients of gradients."""

    flops = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if count := flop_registry.get(func.overloadpacket):
            self.flops += count(*args, **(kwargs or {}), out_val=made)
        return made


def flops_of(side: Ours | Theirs, cycle: int) -> float:
    """Multiplications and additions of matrix products and convolutions in a step of this side, forward and backward.

    imgen's are counted in eager turns, for nobody sees into a compiled or a captured one.
    """
    with _Counting() as counting, _eagerly(side) if isinstance(side, Ours) else nullcontext():
        side.steps(cycle)
    return counting.flops / cycle


def _eagerly(ours: Ours) -> AbstractContextManager[None]:
    trainer = ours.trainer
    way = Eager(trainer.device, rounds_to_bf16(trainer.settings, trainer.device))
    return _noting(trainer, "house", House(way, trainer.settings.clip_grad))


def peak_of(side: Side, cycle: int, device: torch.device) -> int:
    """Bytes that a step takes at most beyond what is there before it, as torch's allocators tell."""
    if device.type == "cuda":
        wait(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        side.steps(cycle)
        wait(device)
        return torch.cuda.max_memory_allocated(device) - before
    with profile(profile_memory=True) as watched:
        side.steps(cycle)
    events = [event for event in watched.kineto_results.events() if event.name() == "[memory]"]
    now = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        most = max(most, now)
    return most


def resident() -> int:
    """The most bytes that this process has had in memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@dataclass(frozen=True)
class _Timed:
    """A house that notes how long each turn takes."""

    house: House
    device: torch.device
    taken: dict[str, list[float]]

    def play(self, turn: Any, *rest: Any) -> Any:
        wait(self.device)
        began = time.perf_counter()
        told = self.house.play(turn, *rest)
        wait(self.device)
        self.taken.setdefault(turn.__name__, []).append(time.perf_counter() - began)
        return told


@contextmanager
def _noting(owner: Any, name: str, replaced: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, replaced)
    try:
        yield
    finally:
        setattr(owner, name, before)


def parts_of(ours: Ours, cycle: int, rounds: int) -> tuple[dict[str, float], float, float]:
    """Seconds of each turn when it is played, those that a step waits for its batch, and those that it takes itself.

    A turn's are a median; of waits the mean, as one of several steps may wait for all.
    """
    trainer, device = ours.trainer, ours.trainer.device
    turns: dict[str, list[float]] = {}
    waits: list[float] = []
    batch: Callable[[int], Any] = trainer.loader.batch

    def timed_batch(step: int) -> Any:
        began = time.perf_counter()
        given = batch(step)
        waits.append(time.perf_counter() - began)
        return given

    with (
        ours.surroundings(),
        _noting(trainer, "house", _Timed(trainer.house, device, turns)),
        _noting(trainer.loader, "batch", timed_batch),
    ):
        began = time.perf_counter()
        ours.steps(cycle * rounds)
        wait(device)
        step = (time.perf_counter() - began) / (cycle * rounds)
    return {name: median(each) for name, each in turns.items()}, mean(waits), step


def matrix_rate(device: torch.device, settings: TrainSettings, side: int = 0, times: int = 5) -> tuple[float, str]:
    """Multiplications and additions a second of two square matrices, and in which numbers: what imgen rounds to.

    On a CPU torch has two libraries for it, one for products and one for convolutions, of which either can be twice as
    fast as the other: the faster one counts.
    """
    side = side or (8192 if device.type == "cuda" else 2048)
    bf16 = rounds_to_bf16(settings, device)
    a = torch.rand(side, side, device=device, dtype=torch.bfloat16 if bf16 else torch.float32)
    as_pictures = a.view(1, side, 1, side).permute(0, 3, 1, 2)
    kernels = a.view(side, side, 1, 1)
    ways = [lambda: a @ a] if device.type == "cuda" else [lambda: a @ a, lambda: conv2d(as_pictures, kernels)]
    rates = []
    for multiply in ways:
        taken = []
        for _ in range(times + 1):
            wait(device)
            began = time.perf_counter()
            multiply()
            wait(device)
            taken.append(time.perf_counter() - began)
        rates.append(2 * side**3 / median(taken[1:]))
    kind = "bf16" if bf16 else "TF32" if device.type == "cuda" and settings.tf32 else "float32"
    return max(rates), kind
