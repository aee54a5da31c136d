"""How far a long command is, on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from imgen.commands.options import say

_QUIET, _PAUSE = 2, 5  # seconds before the bar, and between two lines


@contextmanager
def progress_of(word: str) -> Iterator[None]:
    """A bar in a terminal, or lines in a log, once it takes long enough to be noticed: `translated 20 of 90`."""
    from imgen.data.pictures import progress

    began = told = time.monotonic()
    bar: Any = None

    def show(done: int, total: int) -> None:
        nonlocal told, bar
        now = time.monotonic()
        if sys.stderr.isatty():
            if bar is None and now > began + _QUIET:
                bar = _bar()
                bar.start()
            if bar is not None:
                bar.update(0, completed=done, total=total)
        elif now > told + _PAUSE:
            told = now
            say(f"{word} {done:,} of {total:,}, {done / (now - began):,.0f} a second")

    token = progress.set(show)
    try:
        yield
    finally:
        progress.reset(token)
        if bar is not None:
            bar.stop()


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    bar = Progress(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=Console(stderr=True))
    bar.add_task("")
    return bar
