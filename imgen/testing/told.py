"""What the checks share: copies of state, and how a failure is told.

PYTEST_DONT_REWRITE: the messages say all.
"""

from __future__ import annotations

import linecache
import os
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
_PYTHON = Path(os.__file__).parent


def copy(module: nn.Module) -> dict[str, Tensor]:
    """The state of a module now, whatever becomes of it later."""
    return {key: value.detach().clone() for key, value in module.state_dict().items()}


def names(several: Iterable[str]) -> str:
    """Names in a row, each in quotes."""
    return ", ".join(f"'{name}'" for name in several)


def called(turn: object) -> str:
    """A turn's name."""
    # Of a bound method `repr` writes down the whole game.
    return getattr(turn, "__name__", "") or repr(turn)


def line_of(error: BaseException) -> str:
    """The author's own line in which an error arose, `file:line: code`; nothing where no line is theirs."""
    place = line_of(error.__cause__) if error.__cause__ is not None else ""
    frames = [(frame.filename, frame.lineno or 0) for frame in traceback.extract_tb(error.__traceback__)]
    # What imgen says in words of its own needs no line of imgen's.
    return place or _line(frames, ours=not isinstance(error, ImgenError))


def line_of_call() -> str:
    """The author's own line that called this, `file:line: code`; nothing where no line is theirs."""
    return _line([(frame.filename, frame.lineno or 0) for frame in traceback.extract_stack()])


def _line(frames: list[tuple[str, int]], *, ours: bool = True) -> str:
    """The last line that is not the core's or a library's, of what a check called; or else, if `ours`, the core's."""
    checks = [place for place, (file, _) in enumerate(frames) if Path(file).is_relative_to(_CHECKS)]
    # A check that looks on stands below what it looks at; one that finds fault by itself has called nothing.
    called = [place for place in range(checks[0] if checks else 0, len(frames)) if place not in checks]
    if not called:
        return ""
    began = max((place for place in checks if place < called[-1]), default=-1)
    lines = [frames[place] for place in called if place > began]
    theirs = [(Path(file), line) for file, line in lines if not _library(file) and Path(file).is_file()]
    chosen = [each for each in theirs if not _of(each[0], (_CORE,))] or (theirs if ours else [])
    if not chosen:
        return _line(frames[: began + 1], ours=ours) if began >= 0 else ""
    path, line = chosen[-1]
    return f"{_short(path)}:{line}: {linecache.getline(str(path), line).strip()}"


def _library(file: str) -> bool:
    # Below the standard library stands what is installed, plugins among it.
    python = _of(file, (_PYTHON,)) and not {"site-packages", "dist-packages"} & set(Path(file).parts)
    return python or _of(file, _LIBRARIES)


def _of(file: str | Path, folders: tuple[Path, ...]) -> bool:
    return any(Path(file).is_relative_to(folder) for folder in folders)


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
