"""Listeners that show a run to people: the console and TensorBoard."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from imgen.data.pictures import progress
from imgen.train.events import Evaluated, Event, Finished, Logged, Previewed, Profiled, Saved, Started, Unmeasured

_MUCH = 0.02  # of the time, waited for pictures


class Console:
    """Progress on standard error: a bar in a terminal, plain lines in a log."""

    def __init__(self, quiet: bool = False) -> None:
        """The bar is made when training starts; quiet: show nothing."""
        self._quiet, self._seen = quiet, 0
        self._progress: Any = None
        self._task: Any = None
        self._late, self._advised = 0, False

    def __enter__(self) -> Console:
        return self

    def __exit__(self, *failure: object) -> None:
        self._stop()

    def say(self, *lines: str) -> None:
        """Messages for people, above the bar."""
        for line in () if self._quiet else lines:
            if self._progress is not None:
                self._progress.console.print(line, highlight=False, markup=False)
            else:
                print(line, file=sys.stderr, flush=True)

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if self._quiet:
            return
        # What is measured beside training comes when later steps have been told of.
        late = f"step {event.step:,}: " if event.step < self._seen else ""
        self._seen = max(self._seen, event.step)
        match event:
            case Started():
                self._start(event)
            case Logged():
                self._log(event)
            case Evaluated():
                self.say(f"{late}{event.metric}: " + "  ".join(f"{name} {v:.4g}" for name, v in event.values.items()))
            case Unmeasured():
                reason = event.reason.removeprefix(f"{event.metric}: ")
                self.say(f"{late}{event.metric}: not measured: {reason}")
            case Profiled():
                self.say(*event.table, f"{event.path}: the trace, for https://ui.perfetto.dev, and this table")
            case Saved() if self._progress is None:
                self.say(f"step {event.step:,}: saved")
            case Finished():
                self._stop()
            case _:
                pass

    @contextmanager
    def decoding(self) -> Iterator[None]:
        """Tell how far the decoding of pictures is, should it take long enough to be noticed."""
        token = progress.set(None if self._quiet else self._decoded)
        self._next = time.monotonic() + 2
        try:
            yield
        finally:
            progress.reset(token)

    def _decoded(self, done: int, total: int) -> None:
        if time.monotonic() >= self._next:
            self._next += 5
            self.say(f"decoding pictures: {done:,} of {total:,}")

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _start(self, event: Started) -> None:
        word = "resuming at" if event.step else "training from"
        several = f", in {event.processes} processes" if event.processes > 1 else ""
        self.say(f"{word} step {event.step:,} of {event.steps:,} on {event.device}{several}")
        if event.before not in (None, event.processes):
            self.say(
                f"so far it was trained in {event.before} process{'' if event.before == 1 else 'es'}: each draws noise "
                "of its own, so it goes on well, but not to the last bit as it would have"
            )
        if not sys.stderr.isatty():
            return
        from rich.console import Console as Terminal
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._progress = Progress(
            BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), console=Terminal(stderr=True)
        )
        self._task = self._progress.add_task("", total=event.steps, completed=event.step)
        self._progress.start()

    def _log(self, event: Logged) -> None:
        losses = "  ".join(f"{name} {value:.4g}" for name, value in event.values.items())
        left = timedelta(seconds=round(event.left))
        told = f"{event.rate:,.0f} images/s  {left} left  {losses}"
        if event.memory:
            told += f"  {event.memory / 2**30:.1f} GiB"
        if event.wait > _MUCH:
            told += f"  {100 * event.wait:.0f} % waiting for pictures"
        if self._progress is not None:
            self._progress.update(self._task, completed=event.step, description=told)
        else:
            self.say(f"step {event.step:,}: {told}")
        # The first pictures of a run always take their time: twice in succession is no accident.
        self._late = self._late + 1 if event.wait > _MUCH else 0
        if self._late == 2 and event.remedy and not self._advised:
            self._advised = True
            self.say(f"training waits for its pictures: {event.remedy}")


class TensorBoard:
    """Scalars and sheets for TensorBoard, under `tensorboard/` of the run."""

    def __init__(self, folder: Path) -> None:
        """folder: where the event files go."""
        self.folder = folder
        self._writer: Any = None

    def __call__(self, event: Event) -> None:
        """Write one event."""
        if isinstance(event, Started):
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self.folder), purge_step=event.step + 1 if event.step else None)
        if self._writer is None:
            return
        match event:
            case Logged():
                told = {**event.values, "images_per_second": event.rate, "data_wait": event.wait}
                for name, value in told.items():
                    self._writer.add_scalar(name, value, event.step)
            case Previewed():
                import numpy as np

                form = "HW" if event.sheet.mode == "L" else "HWC"
                self._writer.add_image("preview", np.asarray(event.sheet), event.step, dataformats=form)
            case Evaluated():
                for name, value in event.values.items():
                    self._writer.add_scalar(f"{event.metric}/{name}", value, event.step)
            case Saved():
                self._writer.flush()
            case Finished():
                self._writer.close()
            case _:
                pass
