"""How far each run of a sweep is, read from the disk alone, and the journal of attempts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from imgen.sweeping.folder import Places
from imgen.sweeping.grid import Point
from imgen.sweeping.tasks import is_held, tail
from imgen.train import checkpoint, run

DONE, RUNNING, FAILED, UNFINISHED, WAITING = "done", "running", "failed", "unfinished", "waiting"
_HEAD = 16_384


@dataclass(frozen=True)
class Attempt:
    """One attempt to train a run: how it ended and how long it took.

    status: the process's exit status, minus a signal's number, or None where nobody knows; how: `done`, `failed`,
    `again` (failed, but it was to be started again) or `ended` (asked to, it goes on from there); where: the machine.
    """

    run: str
    how: str
    status: int | None
    seconds: float
    where: str = ""
    reason: str = ""
    time: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))


@dataclass(frozen=True)
class State:
    """How far a run is. step: of its newest checkpoint; steps: of the whole run, None where only the data know.

    status, reason: of the last attempt, where it failed. seconds: of all attempts, and how many those were.
    """

    state: str
    step: int
    steps: int | None
    status: int | None = None
    reason: str = ""
    seconds: float = 0.0
    attempts: int = 0
    where: str = ""

    def told(self) -> str:
        """In words."""
        if self.state == UNFINISHED:
            return f"unfinished at step {self.step:,}"
        return f"{FAILED} ({self.reason})" if self.state == FAILED and self.reason else self.state


def read(places: Places, point: Point, attempts: Mapping[str, list[Attempt]]) -> State:
    """The state of one run: what lies on the disk counts before what the journal says."""
    folder, before = places.run(point.name), attempts.get(point.name, [])
    # A run whose length is given in passes knows its steps once it has begun.
    steps = point.recipe.train.steps if not point.recipe.train.epochs else None
    last = before[-1] if before else None
    common: dict[str, Any] = {
        "step": saved_step(folder),
        "steps": steps or run_steps(folder),
        "seconds": round(sum(each.seconds for each in before), 1),
        "attempts": len(before),
    }
    if run.is_run(folder) and run.is_complete(folder, steps):
        return State(DONE, **common, status=0, where=last.where if last else "")
    if is_held(folder):
        return State(RUNNING, **common)
    if last and last.how == FAILED:
        return State(FAILED, **common, status=last.status, reason=last.reason, where=last.where)
    return State(UNFINISHED if common["step"] else WAITING, **common)


def note(places: Places, attempt: Attempt) -> None:
    """Add a line to the journal."""
    with places.attempts.open("a", encoding="utf8") as file:
        file.write(json.dumps(asdict(attempt)) + "\n")


def journal(places: Places) -> dict[str, list[Attempt]]:
    """The attempts by the names of their runs; a line that a kill cut off is passed over."""
    found: dict[str, list[Attempt]] = {}
    if places.attempts.exists():
        for line in places.attempts.read_text(encoding="utf8").splitlines():
            try:
                attempt = Attempt(**json.loads(line))
                found.setdefault(attempt.run, []).append(attempt)
            except (ValueError, TypeError):
                continue
    return found


def saved_step(folder: Path) -> int:
    """The step of a run's newest checkpoint, or 0."""
    return checkpoint.newest_step(folder) or 0


def run_steps(folder: Path) -> int | None:
    """How many steps a run has, as it told when it began."""
    return started(folder).get("steps")


def started(folder: Path) -> dict[str, Any]:
    """What a run told when it last began, or nothing."""
    return _newest(folder, "started")


def progress(folder: Path) -> tuple[int, int | None, float, float]:
    """Of a run at work: its step, its steps, pictures a second, and seconds that are left."""
    began, logged = started(folder), _newest(folder, "logged")
    step = max(int(began.get("step") or 0), int(logged.get("step") or 0))
    return step, began.get("steps"), float(logged.get("rate") or 0), float(logged.get("left") or 0)


def _newest(folder: Path, event: str) -> dict[str, Any]:
    """The newest event of a kind, from either end of the file: a run of weeks tells of many."""
    path = folder / "events.jsonl"
    for text in (tail(path), _head(path)):
        for line in reversed(text.splitlines()):
            try:
                told = json.loads(line)
                if told["event"] == event:
                    return dict(told)
            except (ValueError, KeyError, TypeError):
                continue
    return {}


def _head(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD).decode("utf8", "replace")
    except OSError:
        return ""
