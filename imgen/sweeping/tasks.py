"""What a worker does for one run: start its training in a process of its own, watch it, end it, and say what became.

A crash there takes no worker along. Nothing here imports torch or Ray, so that a worker stays small.
"""

from __future__ import annotations

import fcntl
import math
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

STOP, KILL = "stop", "kill"
"""Words by which a worker is asked to end its run: in order, or at once."""

_PAUSE, _BEAT, _SEEN = 0.1, 1.0, 15.0  # seconds between looks at the process, and at whoever asks; for a file to show
_TAIL = 16_384
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_BUSY = "another process is training this run"
_DIVERGED = "is not a finite number"
"""Ends of messages of `imgen train`: one passes, the other comes back however often the run is started again."""


@dataclass(frozen=True)
class Job:
    """One run to train, as a worker on any machine needs it; paths are relative to `cwd` or absolute.

    session: what the file `session_file` must say, if the worker sees the sweep's folder. timeout, grace: seconds.
    """

    name: str
    recipe: str
    folder: str
    log: str
    cwd: str
    session: str
    session_file: str
    cpus: float = 1
    gpus: float = 0
    timeout: float | None = None
    grace: float = 60
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What became of one attempt.

    how: `done`, `failed`, `ended` as it was asked to, or `unshared`: this machine does not see the sweep's folder.
    again: whether it makes sense to start the run again.
    """

    how: str
    status: int | None = None
    reason: str = ""
    seconds: float = 0.0
    where: str = ""
    again: bool = False


def train(job: Job, asked: Callable[[int], str]) -> Outcome:
    """Train one run to its end, or until something happens to it.

    asked: called every second with the process's number, gives a word such as `STOP`, or nothing.
    """
    began, where = time.monotonic(), platform.node()
    if word := asked(0):
        return Outcome("ended", reason=f"asked to {word} before it began", where=where)
    if wrong := _unseen(job):
        return Outcome("unshared", reason=wrong, where=where)
    folder, log = Path(job.cwd, job.folder), Path(job.cwd, job.log)
    if not _wait_for(folder, job.grace + _SEEN, asked):
        reason = f"{_BUSY}, outside of this sweep"
        return Outcome("failed", reason=reason, seconds=time.monotonic() - began, where=where)
    start = log.stat().st_size if log.exists() else 0
    with log.open("ab") as file, _started(job, file.fileno()) as process:
        asked_for = _watch(process, job, asked)
        status = process.returncode
    told = last_lines(log, 1, start)
    return _outcome(job, status, asked_for, told[0] if told else "", time.monotonic() - began, where)


def is_held(folder: Path) -> bool:
    """Whether a process is training this run."""
    try:
        with (folder / ".lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
    except FileNotFoundError:
        return False
    except OSError:
        return True


def last_lines(path: Path, count: int = 3, start: int = 0) -> list[str]:
    """The last lines of a log that say something; start: where in the file to begin."""
    lines = [line for line in tail(path, start).splitlines() if line.strip() and not line.startswith("--- ")]
    return [line.rstrip()[:400] for line in lines[-count:]]


def tail(path: Path, start: int = 0) -> str:
    """The end of a file as text, or nothing."""
    try:
        with path.open("rb") as file:
            file.seek(max(start, file.seek(0, os.SEEK_END) - _TAIL))
            return file.read().decode("utf8", "replace")
    except OSError:
        return ""


def command(job: Job) -> list[str]:
    """What the worker starts: the training, on a lifeline."""
    train = ["imgen", "train", job.recipe, "--out", job.folder]
    if job.gpus > 1:
        train = ["imgen.sweeping.together", str(int(job.gpus)), *train]
    elif job.gpus == 0:
        train += ["--device", "cpu"]
    return [sys.executable, "-m", "imgen.sweeping.lifeline", str(job.grace), *train]


def environment(job: Job, around: Mapping[str, str]) -> dict[str, str]:
    """The variables of the training: those around without Ray's own, and no more threads than the run has cores."""
    kept = {name: value for name, value in around.items() if not name.startswith("RAY_")}
    threads = str(max(1, math.floor(job.cpus)))
    kept |= dict.fromkeys(_THREADS, threads) | {"MPLBACKEND": "Agg", "PYTHONUNBUFFERED": "1"}
    if job.gpus == 0:
        kept["CUDA_VISIBLE_DEVICES"] = ""
    return kept | dict(job.environment)


def signal_name(number: int) -> str:
    """`SIGKILL` for 9."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _unseen(job: Job) -> str:
    """Why this machine cannot work in the sweep's folder, or nothing."""
    if not Path(job.cwd).is_dir():
        return f"has no folder {job.cwd}, where the sweep was started"
    path, until = Path(job.cwd, job.session_file), time.monotonic() + _SEEN
    while True:
        try:
            if path.read_text(encoding="utf8") == job.session:
                return ""
        except OSError:
            pass
        # A network's disk may show a new file late.
        if time.monotonic() > until:
            return f"does not see the sweep's folder {path.parent}: it must lie on a disk that all machines share"
        time.sleep(_PAUSE)


def _wait_for(folder: Path, seconds: float, asked: Callable[[int], str]) -> bool:
    """Wait while another process holds the run: what a killed sweep leaves behind is about to save and end."""
    until = time.monotonic() + seconds
    while is_held(folder):
        if time.monotonic() > until or asked(0):
            return False
        time.sleep(_BEAT)
    return True


@contextmanager
def _started(job: Job, log: int) -> Iterator[subprocess.Popen[bytes]]:
    """The training's process, which does not outlive this."""
    argv = command(job)
    when = time.strftime("%Y-%m-%d %H:%M:%S%z")
    os.write(log, f"--- {when} on {platform.node()}: imgen {' '.join(_told(argv))}\n".encode())
    process = subprocess.Popen(
        argv,
        cwd=job.cwd,
        env=environment(job, os.environ),
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        # Ctrl-C in the terminal is for the sweep, which asks every run to save.
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            _end(process, job.grace)
        _signal(process, signal.SIGKILL)  # whatever it started itself
        assert process.stdin
        process.stdin.close()


def _told(argv: Sequence[str]) -> Sequence[str]:
    return argv[argv.index("train") :]


def _watch(process: subprocess.Popen[bytes], job: Job, asked: Callable[[int], str]) -> str:
    """Wait for the process; gives why it was ended, if it was."""
    began = heard = time.monotonic()
    while process.poll() is None:
        time.sleep(_PAUSE)
        now = time.monotonic()
        if job.timeout and now - began > job.timeout:
            _end(process, job.grace, asked)
            return "timeout"
        if now - heard > _BEAT:
            heard = now
            if word := asked(process.pid):
                _end(process, job.grace if word == STOP else 0, asked)
                return word
    return ""


def _end(process: subprocess.Popen[bytes], grace: float, asked: Callable[[int], str] | None = None) -> None:
    """Ask the process to save and end; after `grace` seconds, or at a harder word, end it and all that it started."""
    until = time.monotonic() + grace
    if grace:
        process.terminate()
    while process.poll() is None and time.monotonic() < until:
        time.sleep(_PAUSE)
        if asked and asked(process.pid) == KILL:
            break
    if process.poll() is None:
        _signal(process, signal.SIGKILL)
        process.wait()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _outcome(job: Job, status: int, asked_for: str, told: str, seconds: float, where: str) -> Outcome:
    """What an exit status means, and whether to start the run again.

    A crash, a kill and 75 may pass. What is wrong with the request (2), a loss that is no number, a time that is over,
    and what somebody ended by hand (130) would come to the same again.
    """
    told = told.removeprefix("imgen: ")
    how, reason, again = "failed", told or f"exit status {status}", True
    if status == 0:
        how, reason, again = "done", "", False
    elif asked_for in (STOP, KILL):
        how, reason, again = "ended", told if status == 75 else "ended before it could save", False
    elif asked_for == "timeout":
        reason, again = f"took longer than --timeout, {job.timeout:g} seconds", False
    elif status == 2:
        again = _BUSY in told
    elif status < 0:
        reason = f"killed by {signal_name(-status)}"
    elif status == 130 or (status == 1 and _DIVERGED in told):
        again = False
    return Outcome(how, status, reason, round(seconds, 2), where, again)
