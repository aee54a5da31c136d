"""Where a step goes: its parts by name, and a trace of a few steps with a table of what takes the time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import torch

from imgen import files

STEPS = 15
"""Steps in a trace: whole rounds of games in which somebody moves at every third or fifth step."""
_WARM = {"cpu": 5, "cuda": 25}  # steps before it: kernels are chosen, memory is taken, turns are captured or compiled
_MARK = "imgen: "
_MOST = 12  # operations in a table
_NOTHING: AbstractContextManager[Any] = nullcontext()
_marking = False


def part(name: str) -> AbstractContextManager[Any]:
    """A part of a step, under a name in traces; costs nothing while none is taken."""
    return torch.profiler.record_function(_MARK + name) if _marking else _NOTHING


class _Row(NamedTuple):
    """Calls and milliseconds in a step; device: milliseconds that a GPU was busy with it."""

    name: str
    calls: float
    host: float
    device: float


class Profile:
    """A trace of `STEPS` steps, taken after some that warm up, in a folder of the run."""

    def __init__(self, folder: Path, device: torch.device, begin: int, steps: int) -> None:
        """begin, steps: the step that training begins at and the one that it ends at: a short run is warm sooner."""
        self.folder, self._cuda = folder, device.type == "cuda"
        self.first = min(begin + _WARM["cuda" if self._cuda else "cpu"], max(begin + 1, steps - STEPS))
        self.last = min(self.first + STEPS, steps)
        self._profiler: Any = None

    def stepped(self, step: int) -> bool:
        """Told after every step; gives whether the trace has just been written."""
        if self._profiler is None and step == self.first < self.last:
            self._begin()
        elif self._profiler is not None and step == self.last:
            self._end()
            return True
        return False

    def close(self) -> None:
        """Give up a trace that is not done: whoever trains next in this process is not in it."""
        global _marking
        if self._profiler is not None:
            self._profiler.stop()
            self._profiler, _marking = None, False

    def lines(self) -> list[str]:
        """The table of the trace that was written."""
        return (self.folder / "table.txt").read_text(encoding="utf8").splitlines()

    def _begin(self) -> None:
        global _marking
        _marking = True
        kinds = [torch.profiler.ProfilerActivity.CPU]
        if self._cuda:
            kinds.append(torch.profiler.ProfilerActivity.CUDA)
            torch.cuda.synchronize()
        self._profiler = torch.profiler.profile(activities=kinds)
        self._profiler.start()
        self._began = time.perf_counter()

    def _end(self) -> None:
        global _marking
        if self._cuda:
            torch.cuda.synchronize()
        milliseconds = 1000 * (time.perf_counter() - self._began)
        self._profiler.stop()
        _marking = False
        profiler, self._profiler = self._profiler, None
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / ".partial.json.gz"  # by this ending it is compressed
        profiler.export_chrome_trace(str(partial))
        partial.replace(self.folder / "trace.json.gz")
        files.write(self.folder / "table.txt", "\n".join(self._table(profiler, milliseconds)) + "\n")

    def _table(self, profiler: Any, milliseconds: float) -> list[str]:
        """Parts of a step in their order, then the operations that take the most time."""
        steps = self.last - self.first
        parts: list[_Row] = []
        operations: list[_Row] = []
        for event in profiler.key_averages():
            if event.key.startswith(_MARK):
                times, rows = (event.cpu_time_total, event.device_time_total), parts
            else:
                times, rows = (event.self_cpu_time_total, event.self_device_time_total), operations
            rows.append(_Row(event.key.removeprefix(_MARK), event.count / steps, *(ms / 1000 / steps for ms in times)))
        whole = milliseconds / steps
        rest = whole - sum(row.host for row in parts)
        parts.append(_Row("the rest: logs, previews, checkpoints", 1, rest, 0))
        operations.sort(key=lambda row: max(row.host, row.device), reverse=True)
        head = f"{whole:.2f} ms a step, which tracing itself makes longer; steps {self.first + 1:,} to {self.last:,}"
        return [head, *self._rows("part", parts, whole), "", *self._rows("operation", operations[:_MOST], whole)]

    def _rows(self, what: str, rows: Sequence[_Row], whole: float) -> list[str]:
        columns = ["calls", "ms", "%"] + (["GPU ms"] if self._cuda else [])
        lines = [[what, *columns]]
        for row in rows:
            cells = [row.name, f"{row.calls:.4g}", f"{row.host:.2f}", f"{100 * row.host / whole:.1f}"]
            lines.append(cells + ([f"{row.device:.2f}"] if self._cuda else []))
        widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
        return ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in lines]
