"""Signals that ask a run to save and end, heard between two steps."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any

from imgen.errors import ImgenError


class Stopped(ImgenError):
    """A signal asked the run to end, and its state is saved."""

    def __init__(self, message: str, exit_status: int) -> None:
        """exit_status: 75 after SIGTERM (start me again), 130 after SIGINT."""
        super().__init__(message)
        self.exit_status = exit_status


class StopSignals:
    """While entered, SIGTERM and SIGINT only leave a note; a second SIGINT interrupts at once."""

    def __init__(self) -> None:
        """Nothing has been asked yet."""
        self.asked: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignals:
        for number in (signal.SIGTERM, signal.SIGINT):
            try:
                self._before[number] = signal.signal(number, self._note)
            except ValueError:  # not the main thread: whoever owns it decides
                continue
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def end(self, where: str) -> Stopped:
        """The error that ends the run, once its state is saved."""
        if self.asked is signal.SIGINT:
            return Stopped(f"interrupted; {where}", 130)
        return Stopped(f"ended by SIGTERM; {where}", 75)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked is signal.SIGINT and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = signal.Signals(number)
