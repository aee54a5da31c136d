"""What a worker does: start the training of a run, or of several, in a process, watch it, end it, say what became.

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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from imgen.sweeping import ending
from imgen.sweeping.ending import BUSY, KILL, SAVED, STOP, Outcome

_PAUSE, _BEAT, _SEEN = 0.1, 1.0, 15.0  # seconds between looks at the process, and at whoever asks; for a file to show
_TAIL = 16_384
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Run:
    """One run to train; paths are relative to the job's `cwd` or absolute."""

    name: str
    recipe: str
    folder: str
    log: str


@dataclass(frozen=True)
class Job:
    """What one process is to train, as a worker on any machine needs it.

    runs: one, or several that differ in their seeds alone. session: what the file `session_file` must say, if the
    worker sees the sweep's folder. timeout, grace: seconds.
    """

    runs: tuple[Run, ...]
    cwd: str
    session: str
    session_file: str
    cpus: float = 1
    gpus: float = 0
    timeout: float | None = None
    grace: float = 60
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """By which it is known while it is at work: that of its first run."""
        return self.runs[0].name


def train(job: Job, asked: Callable[[int], str]) -> tuple[Outcome, ...]:
    """Train the runs to their ends, or until something happens to them; gives what became of each.

    asked: called every second with the process's number, gives a word such as `STOP`, or nothing.
    """
    began, where = time.monotonic(), platform.node()
    if word := asked(0):
        return (Outcome("ended", reason=f"asked to {word} before it began", where=where),) * len(job.runs)
    if wrong := _unseen(job):
        return (Outcome("unshared", reason=wrong, where=where),) * len(job.runs)
    busy = [each for each in job.runs if not _wait_for(Path(job.cwd, each.folder), job.grace + _SEEN, asked)]
    held = Outcome("failed", reason=f"{BUSY}, outside of this sweep", seconds=time.monotonic() - began, where=where)
    free = tuple(each for each in job.runs if each not in busy)
    became = dict.fromkeys(busy, held)
    if free:
        became |= dict(zip(free, _train(replace(job, runs=free), asked, where), strict=True))
    return tuple(became[each] for each in job.runs)


def _train(job: Job, asked: Callable[[int], str], where: str) -> list[Outcome]:
    began = time.monotonic()
    logs = [Path(job.cwd, each.log) for each in job.runs]
    several = len(logs) > 1
    # What each run says goes to its own log; the process itself may have last words, too.
    own = logs[0].with_suffix(".process.log") if several else logs[0]
    starts = [_announce(job, log) for log in logs]
    last = _announce(job, own) if several else starts[0]
    with own.open("ab") as file, _started(job, file.fileno()) as process:
        asked_for = _watch(process, job, asked)
        status = process.returncode
    seconds, outcomes = time.monotonic() - began, []
    for log, start in zip(logs, starts, strict=True):
        told = last_lines(log, 1, start)
        ended = ending.ended_in(tail(log, start)) if several else None
        if several and ended is None:
            told = last_lines(own, 1, last) or told
            with log.open("ab") as file:
                file.write(f"--- cut off with its process, whose words are in {own.name}\n".encode())
        its, took = ended or (status, seconds)
        # What ended by itself was not ended by whoever asked the process to.
        why = "" if ended and its not in SAVED else asked_for
        outcomes.append(ending.outcome(its, why, told[0] if told else "", took, where, job.timeout))
    return outcomes


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
    first = job.runs[0]
    train = ["imgen", "train", first.recipe, "--out", first.folder]
    if len(job.runs) > 1:
        paths = [path for each in job.runs for path in (each.recipe, each.folder, each.log)]
        train = ["imgen.sweeping.several", "auto" if job.gpus else "cpu", *paths]
    elif job.gpus > 1:
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


def _announce(job: Job, log: Path) -> int:
    """Begin an attempt in a log; gives where in it its words begin."""
    argv, when = command(job), time.strftime("%Y-%m-%d %H:%M:%S%z")
    module = "imgen.sweeping.several"
    words = argv[argv.index(module) :] if module in argv else ["imgen", *argv[argv.index("train") :]]
    with log.open("ab") as file:
        file.write(f"--- {when} on {platform.node()}: {' '.join(words)}\n".encode())
        return file.tell()


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
