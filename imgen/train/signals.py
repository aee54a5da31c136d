"""Signals that ask a run to save and end, heard between two steps."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

import torch

from imgen import dist
from imgen.errors import ImgenError


class Stopped(ImgenError):
    """A signal asked the run to end, and its state is saved."""

    def __init__(self, message: str, exit_status: int) -> None:
        """exit_status: 75 after SIGTERM (start me again), 130 after SIGINT."""
        super().__init__(message)
        self.exit_status = exit_status


class StopSignals:
    """While entered, SIGTERM and SIGINT end the program in order.

    Within `between_steps` they only leave a note, which the loop reads after each step; elsewhere, and at a second
    SIGINT, they end at once: outside the loop there is nothing to save.
    """

    def __init__(self) -> None:
        """Nothing has been asked yet."""
        self.asked: signal.Signals | None = None
        self._patient = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignals:
        for number in (signal.SIGTERM, signal.SIGINT):
            try:
                self._before[number] = signal.signal(number, self._hear)
            except ValueError:  # not the main thread: whoever owns it decides
                continue
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def between_steps(self) -> Iterator[None]:
        """Leave notes instead of ending at once."""
        self._patient = True
        try:
            yield
        finally:
            self._patient = False

    def end(self, where: str) -> Stopped:
        """The error that ends the run, once its state is saved."""
        if self.asked is signal.SIGINT:
            return Stopped(f"interrupted; {where}", 130)
        return Stopped(f"ended by SIGTERM; {where}", 75)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        again, self.asked = self.asked, signal.Signals(number)
        if not self._patient or (again is signal.SIGINT and number == signal.SIGINT):
            raise self.end("the same command goes on from the last checkpoint, if there is one")


_BEAT = 1.0  # seconds between two looks of processes that train together
_SELDOM = 10  # steps between them at most


class Agreed:
    """Whether any of several processes was asked to end: all of them get the same answer at the same step.

    They compare notes about once a second by the slowest one's clock: soon enough for whoever gives them half a minute,
    and seldom enough to cost nothing.
    """

    def __init__(self, step: int, last: int, device: torch.device) -> None:
        """step: that training begins at; last: where they look in any case."""
        self._last, self._device = last, device
        self._looked, self._next, self._clock = step, step + 1, time.monotonic()

    def __call__(self, stop: StopSignals, step: int) -> bool:
        """After a step."""
        asked = stop.asked is not None
        if dist.world() == 1:
            return asked
        if step < self._next and step != self._last:
            return False
        now = time.monotonic()
        pace = (now - self._clock) / max(1, step - self._looked)
        steps = 0 if asked else min(_SELDOM, max(1, int(_BEAT / max(pace, 1e-6))))
        steps = dist.least(steps, self._device)
        self._looked, self._next, self._clock = step, step + steps, now
        return steps == 0
