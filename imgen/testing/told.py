"""What the checks share: copies of state, and how a failure is told.

PYTEST_DONT_REWRITE: the messages say all.
"""

from __future__ import annotations

import linecache
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import imgen
from imgen.errors import ImgenError

_CORE = Path(imgen.__file__).parent
_CHECKS = _CORE / "testing"
_LIBRARIES = (Path(torch.__file__).parent, Path(np.__file__).parent)


def copy(module: nn.Module) -> dict[str, Tensor]:
    """The state of a module now, whatever becomes of it later."""
    return {key: value.detach().clone() for key, value in module.state_dict().items()}


def names(several: Iterable[str]) -> str:
    """Names in a row, each in quotes."""
    return ", ".join(f"'{name}'" for name in several)


def line_of(error: BaseException) -> str:
    """The author's own line in which an error arose, `file:line: code`; nothing where no line is theirs."""
    while error.__cause__ is not None:
        error = error.__cause__
    return _line([(frame.filename, frame.lineno or 0) for frame in traceback.extract_tb(error.__traceback__)])


def line_of_call() -> str:
    """The author's own line that called this, `file:line: code`; nothing where no line is theirs."""
    return _line([(frame.filename, frame.lineno or 0) for frame in traceback.extract_stack()])


def _line(frames: list[tuple[str, int]]) -> str:
    """The last line that is neither the core's nor a library's, or else the core's, below the check."""
    core, began = "", False
    for file, line in reversed(frames):
        path = Path(file)
        if path.is_relative_to(_CHECKS):
            if began:
                break
            continue
        began = True
        if not path.is_file() or any(path.is_relative_to(library) for library in _LIBRARIES):
            continue
        told = f"{_short(path)}:{line}: {linecache.getline(file, line).strip()}"
        if not path.is_relative_to(_CORE):
            return told
        core = core or told
    return core


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


@contextmanager
def blamed(what: str) -> Iterator[None]:
    """Errors of the code under test as failures of its contract."""
    try:
        yield
    except (TypeError, ValueError, KeyError, AttributeError, IndexError, RuntimeError, ImgenError) as error:
        told = " ".join(str(error).split())[:300] or type(error).__name__
        place = line_of(error)
        raise AssertionError(f"{what}: {told}" + (f" ({place})" if place else "")) from error
