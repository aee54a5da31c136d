"""Several runs in one process, a step of each in turn: each comes out bit for bit as it does alone.

Small models leave a GPU idle between their kernels. Here one thread feeds it from many runs, each on a stream of its
own, so that the kernels of one run fill the gaps of the others. What a step draws follows from the run's seed and the
step alone, so that turns may be taken in any order. On a CPU there are no gaps to fill: runs save the start of a
process each, and hold data in common, but compute no faster.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from types import FrameType

import torch

from imgen.train import memory
from imgen.train.signals import StopSignals


class Signals(StopSignals):
    """Signals that ask all runs of a process to save and end: each hears of them after its own next step."""

    at_once = False
    """Whether they are to end without saving: after a second SIGINT."""

    @contextmanager
    def between_steps(self) -> Iterator[None]:
        """One run's steps: the patience is that of all together, see `patiently`."""
        yield

    def patiently(self) -> AbstractContextManager[None]:
        """Leave notes, while any run is at work."""
        return super().between_steps()

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.at_once = not self._patient or (self.asked is signal.SIGINT and number == signal.SIGINT)
        super()._hear(number, frame)


Steps = Generator[object, None, None]


@dataclass
class Entrant:
    """A run that takes part.

    steps: builds the run and then gives a value, and one more after each step. around: what each of its turns is played
    within, such as its own log.
    """

    name: str
    steps: Steps
    around: Callable[[], AbstractContextManager[object]] = nullcontext


Ended = Callable[[str, Exception | None], None]
"""Hears that a run is over, and by which error if by one; within `around`."""


@dataclass
class _Own:
    """What of a process is a run's own while it has its turn: a stream of the GPU, and what noise is drawn from."""

    device: torch.device
    stream: torch.cuda.Stream | None = None
    noise: torch.Tensor | None = None
    noise_there: torch.Generator | None = None

    def __post_init__(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.init()
            self.stream = torch.cuda.Stream(self.device)
            # Graphs read seeds from memory that belongs to a generator's state: two runs that share one would overwrite
            # each other's, as their replays overlap.
            self.noise_there = _generator(self.device).clone_state()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """This run's turn: nothing that it draws or queues is seen by the others, nor theirs by it."""
        kept = torch.get_rng_state()
        if self.noise is not None:
            torch.set_rng_state(self.noise)
        try:
            with self._there():
                yield
        finally:
            self.noise = torch.get_rng_state()
            torch.set_rng_state(kept)

    @contextmanager
    def _there(self) -> Iterator[None]:
        if self.stream is None or self.noise_there is None:
            yield
            return
        generator = _generator(self.device)
        kept = generator.graphsafe_get_state()
        generator.graphsafe_set_state(self.noise_there)
        try:
            # All memory of a run is taken and given back on its stream, so that the allocator hands it to nobody who
            # might write before it was read.
            with torch.cuda.stream(self.stream):
                yield
        finally:
            generator.graphsafe_set_state(kept)

    def settle(self) -> None:
        """Wait until all that was queued is done."""
        if self.stream is not None:
            self.stream.synchronize()


def train(entrants: Sequence[Entrant], device: str, stop: Signals, ended: Ended) -> None:
    """Train all to their ends, a step of each in turn; one that fails ends alone, and the others go on.

    After SIGTERM or SIGINT each ends by its own error, saved; while they are still being built, and after a second
    SIGINT, all end at once.
    Raises: `Stopped` where all ended at once.
    """
    where = torch.device(device)
    going = {each.name: (each, _Own(where)) for each in entrants}

    def move(name: str) -> None:
        each, own = going[name]
        failed: Exception | None = None
        with each.around():
            try:
                with own.turn():
                    next(each.steps)
                    return
            except StopIteration:
                pass
            except Exception as error:
                if stop.at_once:
                    raise
                failed = error
            try:
                with own.turn():
                    own.settle()
            except RuntimeError as error:  # the device itself is lost
                failed = failed or error
            del going[name]
            ended(name, failed)
            _let_go(failed)
            if where.type == "cuda":
                torch.cuda.empty_cache()  # what lies on the stream of one run is of no use to the others

    try:
        for name in list(going):
            move(name)
            if where.type == "cuda":
                torch.cuda.synchronize(where)  # what one has put there is read by others, such as data that they share
        with stop.patiently(), memory.kept():
            while going:
                for name in list(going):
                    move(name)
    finally:
        for each, _ in going.values():
            each.steps.close()  # those that end at once


def _let_go(error: BaseException | None) -> None:
    """The frames of an error hold the run's networks, and with them the memory of the device."""
    while error is not None:
        error.__traceback__, error = None, error.__context__


def _generator(device: torch.device) -> torch.Generator:
    index = device.index if device.index is not None else torch.cuda.current_device()
    return torch.cuda.default_generators[index]
