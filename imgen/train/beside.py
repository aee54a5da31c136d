"""Metrics taken beside training: snapshots of what ships, and a process that measures them meanwhile."""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from imgen.metrics.records import Record
from imgen.model import ModelConfig, write_model
from imgen.train.events import Evaluated, Event, Unmeasured

MODULE = "imgen.evaluating.beside"
"""What measures: told a run and a device, then a step in each line of its standard input."""
MOST = 2
"""Steps whose metrics may be outstanding; training waits with a further one."""
_GROUP = re.compile(r"(LOCAL_|GROUP_|ROLE_|)(RANK|WORLD_SIZE)|ROLE_NAME|MASTER_(ADDR|PORT)|TORCHELASTIC_.*")
"""What tells a process that it trains with others."""
_PATIENCE = 10.0  # seconds that the process which measures is given to end


class Beside:
    """Snapshots of a run in its folder `measuring`, and the process that measures one after the other.

    A snapshot is removed once its metrics have been told: whoever goes on with a killed run measures what is there.
    """

    def __init__(self, run: Path, device: torch.device, metrics: Sequence[str]) -> None:
        """Nothing is started yet. metrics: what is taken of each snapshot."""
        self.run, self.device, self.metrics = run, device, tuple(metrics)
        self._outstanding: deque[int] = deque()
        self._found: list[Event] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._told: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def left(self, step: int) -> list[int]:
        """The steps of snapshots that were not measured before this one; those that come again are removed."""
        found = {
            int(path.stem.removeprefix("step-")): path for path in self._folder.glob(f"step-{8 * '[0-9]'}.safetensors")
        }
        for other in [other for other in found if other > step]:
            found.pop(other).unlink()
        return sorted(found)

    def take(self, step: int, config: ModelConfig, weights: Mapping[str, Tensor]) -> None:
        """Have a snapshot of what ships measured."""
        write_model(self._snapshot(step), config, weights)
        self.again(step)

    def again(self, step: int) -> None:
        """Have a snapshot that is there measured."""
        # One that ended while nothing was asked of it, as where memory was short, costs no step its metrics.
        gone = self._process is None or (not self._outstanding and self._process.poll() is not None)
        self._outstanding.append(step)
        if gone:
            self._start()
        else:
            self._ask(step)

    def told(self) -> Iterator[Event]:
        """What has been measured by now, a step at a time; nothing is waited for."""
        while self._outstanding:
            try:
                yield from self._heard(self._told.get_nowait())
            except queue.Empty:
                return

    def wait(self, most: int, given_up: Callable[[], bool] = lambda: False) -> Iterator[Event]:
        """The same, until no more than so many steps are outstanding, or nobody wants to wait any longer."""
        while len(self._outstanding) > most and not given_up():
            try:
                # In pieces: a signal has to be heard.
                yield from self._heard(self._told.get(timeout=0.2))
            except queue.Empty:
                continue

    def close(self) -> None:
        """End the process. What is outstanding stays, for whoever goes on."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()  # it has nothing to save
            self._end(process)
        if not self._outstanding and self._folder.is_dir() and not any(self._folder.iterdir()):
            self._folder.rmdir()

    @property
    def _folder(self) -> Path:
        return self.run / "measuring"

    def _snapshot(self, step: int) -> Path:
        return snapshot(self.run, step)

    def _start(self) -> None:
        """Start a process, and ask it for all that is outstanding."""
        around = {name: value for name, value in os.environ.items() if not _GROUP.fullmatch(name)}
        # Signals for this process are not for that one, which ends when its standard input does.
        self._process = subprocess.Popen(
            [sys.executable, "-m", MODULE, str(self.run), str(self.device)],
            env=around,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._told = queue.SimpleQueue()
        threading.Thread(target=_listen, args=(self._process.stdout, self._told), daemon=True).start()
        for step in self._outstanding:
            self._ask(step)

    def _ask(self, step: int) -> None:
        assert self._process is not None and self._process.stdin is not None
        with suppress(BrokenPipeError):  # its end will be heard of
            self._process.stdin.write(b"%d\n" % step)
            self._process.stdin.flush()

    def _heard(self, line: bytes | None) -> Iterator[Event]:
        """What comes of one line of the process, or of its end."""
        step = self._outstanding[0]
        if line is None:
            assert self._process is not None
            status = self._end(self._process)
            self._process = None
            told = f"ended by signal {-status}" if status < 0 else f"ended with status {status}"
            yield from self._conclude(step, f"the process that measures {told}")
            if self._outstanding:
                self._start()
            return
        said: dict[str, Any] = json.loads(line)
        if "done" in said:
            yield from self._conclude(step, said["done"])
        elif "reason" in said:
            self._found.append(Unmeasured(step, said["metric"], said["reason"]))
        else:
            self._found.append(Evaluated(step, said["metric"], said["values"], Record.from_json(said["record"])))

    def _conclude(self, step: int, reason: str) -> Iterator[Event]:
        """All of a step, with a reason for each metric that is lacking; then it is outstanding no more."""
        found, self._found = self._found, []
        has = {event.metric for event in found if isinstance(event, (Evaluated, Unmeasured))}
        yield from found
        for name in self.metrics:
            if name not in has:
                yield Unmeasured(step, name, reason)
        self._outstanding.popleft()
        self._snapshot(step).unlink(missing_ok=True)

    def _end(self, process: subprocess.Popen[bytes]) -> int:
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.close()
        try:
            return process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def snapshot(run: Path, step: int) -> Path:
    """Where the snapshot of a step is."""
    return run / "measuring" / f"step-{step:08d}.safetensors"


def _listen(lines: Any, told: queue.SimpleQueue[bytes | None]) -> None:
    """Pass on a process's lines, and then its end."""
    with lines:
        for line in lines:
            if line.endswith(b"\n"):  # else its end cut it off
                told.put(line)
    told.put(None)
