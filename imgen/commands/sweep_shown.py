"""How far a sweep is: a table in a terminal, lines in a log, one object for programs."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from imgen.commands.options import give, say
from imgen.sweeping.conduct import Seen
from imgen.sweeping.folder import Places
from imgen.sweeping.grid import Point
from imgen.sweeping.states import DONE, FAILED, RUNNING, UNFINISHED, WAITING
from imgen.sweeping.tasks import last_lines

_PAUSE = 30  # seconds between two lines about the whole
_ORDER = (RUNNING, FAILED, UNFINISHED, WAITING, DONE)


class Shown:
    """What goes on, on standard error."""

    def __init__(self, quiet: bool = False) -> None:
        """quiet: show nothing."""
        self._quiet, self._said = quiet, time.monotonic()
        self._live: Any = None

    def __enter__(self) -> Shown:
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True), auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(self, *failure: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def say(self, line: str) -> None:
        """A message for people, above the table."""
        if self._quiet:
            return
        if self._live is not None:
            self._live.console.print(line, highlight=False, markup=False)
        else:
            say(line)

    def __call__(self, seen: Sequence[Seen]) -> None:
        """Show how far the runs are."""
        if self._quiet:
            return
        if self._live is not None:
            self._live.update(_table(seen, self._live.console.height - 4), refresh=True)
            return
        for each in seen:
            if each.changed and each.state.state in (RUNNING, DONE, FAILED):
                say(_line(each))
            each.changed = False
        if time.monotonic() > self._said + _PAUSE:
            self._said = time.monotonic()
            say(_counted(seen))


def tell(places: Places, seen: Sequence[Seen]) -> None:
    """What became of all runs: how many of each, and the last words of those that failed, alike ones together."""
    alike: dict[str, list[Seen]] = {}
    for each in seen:
        if each.state.state == FAILED:
            alike.setdefault(each.state.reason, []).append(each)
    for reason, failed in alike.items():
        first = failed[0]
        others = f" and {len(failed) - 1:,} others alike" if len(failed) > 1 else ""
        say(f"failed: {first.name}{others}, at step {first.state.step:,}: {reason}")
        lines = last_lines(places.log(first.name))
        for line in lines:
            if line.removeprefix("imgen: ") != reason or len(lines) > 1:
                say(f"    {line}")
        say(f"    all of it: {places.log(first.name)}")
    say(_counted(seen))


def as_object(places: Places, points: Sequence[Point], seen: Mapping[str, Seen]) -> dict[str, Any]:
    """The sweep and its runs as plain values."""
    runs = []
    for point in points:
        state = seen[point.name].state
        folder = places.run(point.name)
        done = state.state == DONE
        runs.append(
            {
                "name": point.name,
                "settings": dict(point.settings),
                "seed": point.seed,
                "folder": str(folder),
                "state": state.state,
                "step": state.step,
                "steps": state.steps,
                "status": state.status,
                "reason": state.reason if not done else "",
                "model": str(folder / "model.safetensors") if done else None,
                "seconds": state.seconds,
                "attempts": state.attempts,
                "where": state.where,
                "log": str(places.log(point.name)) if state.attempts else None,
                "last_lines": last_lines(places.log(point.name)) if state.state == FAILED else [],
            }
        )
    counts = Counter(run["state"] for run in runs)
    return {"sweep": str(places.out), "counts": {state: counts[state] for state in _ORDER}, "runs": runs}


def list_runs(
    places: Places,
    points: Sequence[Point],
    seen: Mapping[str, Seen],
    processes: Sequence[Sequence[str]],
    as_json: bool,
) -> None:
    """List the runs, how far they are and what would be done. processes: those to train, by the process of each."""
    from imgen.commands.show import table

    within = {name: number for number, names in enumerate(processes, 1) for name in names}
    if as_json:
        told = as_object(places, points, seen)
        for run in told["runs"]:
            run["action"] = _action(seen[run["name"]], run["name"] in within)
            run["process"] = within.get(run["name"])
        give(told)
        return
    shared = len(within) > len(processes)
    rows = [
        [
            point.name,
            seen[point.name].state.told(),
            _action(seen[point.name], point.name in within),
            *([str(within.get(point.name, ""))] if shared else ()),
        ]
        for point in points
    ]
    table(["run", "state", "would be", *(["in process"] if shared else ())], rows)
    told_of = f" in {len(processes):,} process{'' if len(processes) == 1 else 'es'}" if shared else ""
    say(f"sweep {places.out}: {len(points):,} runs, {len(within):,} of them to train{told_of}")


def _counted(seen: Sequence[Seen]) -> str:
    counts = Counter(each.state.state for each in seen)
    return f"{len(seen):,} runs: " + ", ".join(f"{counts[state]:,} {state}" for state in _ORDER if counts[state])


def _line(seen: Seen) -> str:
    state = seen.state
    if state.state == DONE:
        return f"{seen.name}: done, {state.step:,} steps in {state.seconds:,.0f} s"
    if state.state == FAILED:
        return f"{seen.name}: failed: {state.reason}"
    return f"{seen.name}: running on {state.where}" + (f" from step {state.step:,}" if state.step else "")


def _table(seen: Sequence[Seen], height: int) -> Any:
    from rich.table import Table

    table = Table(title=_counted(seen), title_justify="left", box=None, pad_edge=False)
    for name in ("run", "state", "step", "images/s", "left", "retries", "where"):
        table.add_column(
            name, overflow="ellipsis", no_wrap=True, justify="left" if name in ("run", "state") else "right"
        )
    ordered = sorted(seen, key=lambda each: _ORDER.index(each.state.state))
    for each in ordered[: max(3, height)]:
        state, at_work = each.state, each.state.state == RUNNING
        table.add_row(
            each.name,
            state.state,
            f"{state.step:,}" + (f" of {state.steps:,}" if state.steps else ""),
            f"{each.rate:,.0f}" if at_work and each.rate else "",
            str(timedelta(seconds=round(each.left))) if at_work and each.rate else "",
            str(each.again or ""),
            state.where if at_work else "",
        )
    if len(ordered) > max(3, height):
        table.add_row(f"and {len(ordered) - max(3, height):,} more", *[""] * 6)
    return table


def _action(seen: Seen, due: bool) -> str:
    if not due:
        return "left alone"
    if seen.state.state == RUNNING:
        return "waited for, then resumed"
    return f"resumed at step {seen.state.step:,}" if seen.state.step else "trained"
