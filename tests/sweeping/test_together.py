"""Processes that train together on one machine: what they are told, what their end means, and that none is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from imgen.sweeping import tasks
from imgen.sweeping.ending import KILL, STOP
from imgen.sweeping.tasks import Job, Run

RANK = """\
import os, signal, sys, time
rank, how = int(os.environ["RANK"]), sys.argv[1]
told = [os.environ[name] for name in ("LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR")]
print("rank", *told, flush=True)
def stop(*_):
    time.sleep(0.2 * rank)
    os._exit(75)
signal.signal(signal.SIGTERM, stop)
open(f"pid-{rank}", "w").write(str(os.getpid()))
if how == "fine" or (how == "crash" and rank):
    sys.exit({"fine": 0, "crash": 2}[how])
time.sleep(60)
"""


@pytest.fixture
def job(here, monkeypatch):
    """A job of two processes in the working folder, which do what is asked for."""
    (here / "rank.py").write_text(RANK)
    (here / "session").write_text("word")
    monkeypatch.setenv("PYTHONPATH", str(here))
    monkeypatch.setattr(tasks, "_PAUSE", 0.02)
    monkeypatch.setattr(tasks, "_BEAT", 0.05)

    def make(how: str) -> Job:
        lifeline = [sys.executable, "-m", "imgen.sweeping.lifeline", "5"]
        argv = [*lifeline, "imgen.sweeping.together", "2", "rank", how, "train"]
        monkeypatch.setattr(tasks, "command", lambda job: argv)
        mine = Run("mine", "mine.yaml", "mine", "mine.log")
        return Job((mine,), str(here), "word", "session", gpus=2, grace=5)

    return make


def pids() -> list[int]:
    """The numbers of both processes, once they are there."""
    texts = [Path(f"pid-{rank}").read_text() if Path(f"pid-{rank}").exists() else "" for rank in range(2)]
    return [int(text) for text in texts] if all(texts) else []


def none_left() -> bool:
    """Whether both have ended within some seconds."""
    for _ in range(100):
        alive = [Path(f"/proc/{number}/stat") for number in pids()]
        if not any(path.exists() and path.read_text().rpartition(")")[2].split()[0] != "Z" for path in alive):
            return True
        time.sleep(0.05)
    return False


def test_each_is_told_its_place(job):
    (told,) = tasks.train(job("fine"), lambda process: "")
    lines = Path("mine.log").read_text().splitlines()[1:]
    assert told.how == "done" and sorted(lines) == ["rank 0 2 127.0.0.1", "rank 1 2 127.0.0.1"]


def test_where_one_is_refused_the_other_waits_for_nothing(job):
    (told,) = tasks.train(job("crash"), lambda process: "")
    assert (told.how, told.status, told.again) == ("failed", 2, False) and told.seconds < 20
    assert none_left()


@pytest.mark.parametrize(("word", "status"), [(STOP, 75), (KILL, -9)])
def test_asked_to_end_all_do(job, word, status):
    (told,) = tasks.train(job("wait"), lambda process: word if pids() else "")
    assert (told.how, told.status) == ("ended", status)
    assert none_left()


def test_one_that_is_killed_takes_all_along(job):
    def asked(process: int) -> str:
        # Asked again before the rest has ended, it may be gone already.
        with suppress(ProcessLookupError):
            if pids():
                os.kill(pids()[1], signal.SIGKILL)
        return ""

    (told,) = tasks.train(job("wait"), asked)
    assert (told.how, told.status, told.again, told.reason) == ("failed", -9, True, "killed by SIGKILL")
    assert none_left()


def test_the_one_that_started_them_is_killed(job):
    def asked(process: int) -> str:
        if process and pids():
            os.kill(process, signal.SIGKILL)
        return ""

    (told,) = tasks.train(job("wait"), asked)
    assert told.status == -9
    assert none_left()


def test_two_that_train_end_in_order(tiny, here):
    """Real ones, on the CPU: both join, save what was learnt, and give the status that says so."""
    train = ["imgen", "train", "tiny.yaml", "--out", "out", "--device", "cpu"]
    argv = [sys.executable, "-m", "imgen.sweeping.together", "2", *train]
    said = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    assert said.returncode == 0, said.stderr
    assert (here / "out/model.safetensors").is_file()
