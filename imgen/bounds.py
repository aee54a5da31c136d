"""Work whose extent others chose: Python that is stopped where it takes too many steps or too much memory."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
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
def bounded(steps: int = STEPS, memory: int = MEMORY) -> Iterator[None]:
    """Python in this thread for at most so many lines, during which the process may grow by so many bytes.

    What runs outside Python, such as one huge product, is not seen: bound the numbers that are handed to it. Where a
    debugger or a measurement of coverage traces already, it does not see what runs in here.

    Raises: `TooMuch`.
    """
    before, start = sys.gettrace(), _resident()
    taken = 0

    def count(frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        nonlocal taken
        taken += 1
        if taken > steps:
            raise TooMuch(f"takes more than {steps:,} steps")
        if not taken & _OFTEN and _resident() - start > memory:
            raise TooMuch(f"takes more than {memory // 2**20:,} MiB")
        # Inside torch only calls count: its loops go over what is built here, and tracing them would take long.
        inner = frame.f_globals.get("__name__", "")
        return None if isinstance(inner, str) and inner.startswith("torch.") else count

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
