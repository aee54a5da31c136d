"""Work whose extent others chose: Python that is stopped where it takes too many steps or too much memory."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

STEPS = 2_000_000  # lines of Python; a model of a thousand layers takes some 100,000
MEMORY = 256 * 2**20  # bytes
_OFTEN = 0x1FF  # lines between two looks at the memory, as a mask
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_STATM = Path("/proc/self/statm")


class TooMuch(Exception):
    """Work went on for too long, or took too much memory."""


@contextmanager
def bounded(packages: Collection[str], steps: int = STEPS, memory: int = MEMORY) -> Iterator[None]:
    """Python of some packages, in this thread, for so many lines at most; the process may grow by so many bytes.

    packages: whose code goes through numbers that others chose. What it calls counts as its one line, so bound the
    numbers themselves, too; a module imported on the way costs nothing. Where a debugger or a measurement of coverage
    traces already, it does not see what runs in here.

    Raises: `TooMuch`.
    """
    before, start, imported = sys.gettrace(), _resident(), len(sys.modules)
    taken = 0

    def count(frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        nonlocal taken, start, imported
        name = frame.f_globals.get("__name__")
        if not isinstance(name, str) or name.partition(".")[0] not in packages:
            return None
        taken += 1
        if taken > steps:
            raise TooMuch(f"takes more than {steps:,} steps")
        if len(sys.modules) != imported:
            start, imported = _resident(), len(sys.modules)
        if not taken & _OFTEN and _resident() - start > memory:
            raise TooMuch(f"takes more than {memory // 2**20:,} MiB")
        return count

    sys.settrace(count)
    try:
        yield
    finally:
        sys.settrace(before)


def _resident() -> int:
    """Memory of this process [bytes]; 0 where the system does not tell."""
    try:
        return int(_STATM.read_bytes().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0
