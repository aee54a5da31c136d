"""What a run tells: events, and the JSON lines that keep them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image

from imgen import files
from imgen.metrics.records import Record


@dataclass(frozen=True)
class Started:
    """Training begins at `step`, 0 or where a checkpoint left off.

    owed: the metrics of `step` are yet to be taken; measuring: those of these former steps, too.
    processes: how many train together; before: how many did until now.
    """

    step: int
    steps: int
    device: str
    owed: bool = False
    measuring: Sequence[int] = ()
    processes: int = 1
    before: int | None = None


@dataclass(frozen=True)
class Logged:
    """Means since the last one; rate: pictures a second, left: seconds to the end; memory: peak bytes on a GPU.

    wait: part of the time since the last one in which the slowest process waited for its batches, 0 to 1.
    remedy: what may shorten it, for people.
    """

    step: int
    values: Mapping[str, float]
    rate: float
    left: float
    memory: int
    wait: float = 0.0
    remedy: str = ""


@dataclass(frozen=True)
class Previewed:
    """A sheet was drawn."""

    step: int
    path: Path
    sheet: Image.Image


@dataclass(frozen=True)
class Saved:
    """A checkpoint is on disk."""

    step: int
    path: Path


@dataclass(frozen=True)
class Evaluated:
    """A metric was computed on the averaged model; record: all there is to keep of it."""

    step: int
    metric: str
    values: Mapping[str, float]
    record: Record | None = None


@dataclass(frozen=True)
class Unmeasured:
    """A metric does not fit this model or its data; reason: why."""

    step: int
    metric: str
    reason: str


@dataclass(frozen=True)
class Profiled:
    """A trace of a few steps was written into a folder; table: where they go, in lines."""

    step: int
    path: Path
    table: Sequence[str]


@dataclass(frozen=True)
class Finished:
    """The run is complete and its weights file written; seconds: how long this process trained."""

    step: int
    path: Path
    seconds: float


Event = Started | Logged | Previewed | Saved | Evaluated | Unmeasured | Profiled | Finished
Listener = Callable[[Event], None]

_NOT_KEPT = ("sheet", "record", "table", "remedy")  # for people, or kept elsewhere


class JsonLines:
    """Appends every event to `events.jsonl`, a JSON object a line."""

    def __init__(self, path: Path) -> None:
        """path: the file, made when the first event comes."""
        self.path = path

    def __call__(self, event: Event) -> None:
        """Append one line."""
        if isinstance(event, Started):
            self._drop_after(event)
        told = {key: self._told(value) for key, value in vars(event).items() if key not in _NOT_KEPT}
        line = {"event": type(event).__name__.lower(), "time": datetime.now(UTC).isoformat(timespec="seconds"), **told}
        with self.path.open("a", encoding="utf8") as file:
            file.write(json.dumps(line) + "\n")

    def _told(self, value: Any) -> Any:
        if isinstance(value, Path):
            # Relative to the run: the line stays true when the run is moved, and tells nobody's folders.
            within = value.is_relative_to(self.path.parent)
            return value.relative_to(self.path.parent).as_posix() if within else value.name
        return _plain(value)

    def _drop_after(self, begun: Started) -> None:
        """What a killed process told after its last checkpoint is told again: keep one history."""
        if not self.path.exists():
            return
        anew = {*begun.measuring, *([begun.step] if begun.owed else [])}
        # Line by line: the history of a run that was fetched may be long.
        with self.path.open("rb") as lines, files.replacing(self.path) as kept:
            for line in lines:
                try:
                    told = json.loads(line)
                    again = told["event"] in ("evaluated", "unmeasured") and told["step"] in anew
                    if told["step"] <= begun.step and not again:
                        kept.write(line.rstrip(b"\r\n") + b"\n")
                except (ValueError, KeyError, TypeError, RecursionError):
                    continue  # a line that a kill cut off


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value
