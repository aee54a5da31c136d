"""One run on a worker: what its process's end means, how it is ended, and that it outlives nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from imgen.sweeping import ending, tasks
from imgen.sweeping.ending import KILL, STOP, Outcome
from imgen.sweeping.tasks import Job, Run
from imgen.train import run

FAST = {"_PAUSE": 0.02, "_BEAT": 0.05, "_SEEN": 0.3}


@pytest.fixture
def job(here, stub, monkeypatch):
    """A job in the working folder; its trainer does what the name says."""
    for name, seconds in FAST.items():
        monkeypatch.setattr(tasks, name, seconds)
    (here / "session").write_text("word")

    def make(how: str, **given) -> Job:
        stub["mine"] = how
        mine = Run("mine", "mine.yaml", "mine", "mine.log")
        return Job((mine,), str(here), "word", "session", grace=5, **given)

    return make


def attempt(job: Job, asked) -> Outcome:
    """What became of the one run of a job."""
    (told,) = tasks.train(job, asked)
    return told


def when(path: Path, *words: str):
    """Asks for the words, one after the other, once a file is there."""
    left = list(words)

    def asked(process: int) -> str:
        if not path.exists():
            return ""
        return left.pop(0) if len(left) > 1 else left[0]

    return asked


def gone(process: int) -> bool:
    """Whether a process has ended within some seconds."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(
    ("how", "came", "status", "again", "reason"),
    [
        ("fine", "done", 0, False, ""),
        ("crash", "failed", 1, True, "because of crash"),
        ("wrong", "failed", 2, False, "because of wrong"),
        ("twice", "failed", -9, True, "killed by SIGKILL"),
        ("diverge", "failed", 1, False, "run: step 3: turn 'd': loss 'd' is not a finite number; the last good"),
        ("another", "failed", 9, True, "because of another"),
    ],
)
def test_how_it_ends(job, how, came, status, again, reason):
    told = attempt(job(how), lambda process: "")
    assert (told.how, told.status, told.again, told.reason) == (came, status, again, reason)
    log = Path("mine.log").read_text().splitlines()
    assert log[0].startswith("--- ") and log[0].endswith("train") and log[1].startswith("run mine 1 ")


def test_logs_are_kept_and_the_last_words_are_those_of_this_attempt(job):
    attempt(job("crash"), lambda process: "")
    assert attempt(job("twice"), lambda process: "").reason == "killed by SIGKILL"
    assert attempt(job("fine"), lambda process: "").how == "done"
    assert Path("mine.log").read_text().count("--- ") == 3
    assert tasks.last_lines(Path("mine.log"), 1) == ["imgen: because of fine"]
    assert tasks.last_lines(Path("absent.log")) == []


def test_asked_to_stop_it_saves(job):
    told = attempt(job("wait"), when(Path("mine/ready"), STOP))
    assert (told.how, told.status, told.again) == ("ended", 75, False) and "step 3 is saved" in told.reason


def test_who_does_not_listen_is_killed(job):
    told = attempt(replace(job("deaf"), grace=0.3), when(Path("mine/ready"), STOP))
    assert (told.how, told.status, told.reason) == ("ended", -9, "ended before it could save")
    told = attempt(job("deaf"), when(Path("mine/ready"), STOP, KILL))
    assert told.how == "ended" and told.seconds < 5
    assert gone(int(Path("mine/pid").read_text()))


def test_asked_before_it_began(job):
    told = attempt(job("fine"), lambda process: STOP)
    assert told.how == "ended" and told.status is None and not Path("mine").exists()


def test_a_time_that_is_over_is_a_failure_that_saved(job):
    told = attempt(job("wait", timeout=1.5), lambda process: "")
    assert (told.how, told.again) == ("failed", False)
    assert "took longer than --timeout, 1.5 seconds" in told.reason


def test_somebody_ends_it_by_hand(job):
    def kill(number):
        def asked(process: int) -> str:
            if Path("mine/ready").exists():
                os.kill(process, number)
            return ""

        return asked

    told = attempt(job("wait"), kill(signal.SIGTERM))
    assert (told.how, told.status, told.again) == ("failed", 75, True)
    Path("mine/ready").unlink()
    told = attempt(job("wait"), kill(signal.SIGKILL))
    assert (told.how, told.status, told.again) == ("failed", -9, True)


def test_a_run_that_is_held_is_waited_for(job, here):
    (here / "mine").mkdir()
    with run.held(here / "mine"):
        assert tasks.is_held(here / "mine")
        told = attempt(replace(job("fine"), grace=0.2), lambda process: "")
        assert told.how == "failed" and "another process is training this run" in told.reason
    assert not tasks.is_held(here / "mine") and not tasks.is_held(here / "absent")
    holding = run.held(here / "mine")
    holding.__enter__()
    threading.Timer(0.5, holding.__exit__, (None, None, None)).start()
    assert attempt(job("fine"), lambda process: "").how == "done"


def test_a_machine_that_does_not_see_the_folder(job, here):
    for wrong in (replace(job("fine"), session="other"), replace(job("fine"), session_file="absent/session")):
        told = attempt(wrong, lambda process: "")
        assert told.how == "unshared" and "all machines share" in told.reason
    told = attempt(replace(job("fine"), cwd="/absent"), lambda process: "")
    assert told.how == "unshared" and "has no folder /absent" in told.reason
    assert not (here / "mine").exists()


def test_nobody_left_to_end_it(here, stub, job):
    """The process that started a training is killed: the training hears of it, saves and ends."""
    wanted = job("wait")
    code = f"""
import subprocess, sys
from imgen.sweeping import tasks
from imgen.sweeping.tasks import Job, Run
tasks.command = lambda job: {tasks.command(wanted)!r}
tasks.train({wanted!r}, lambda process: "")
"""
    worker = subprocess.Popen([sys.executable, "-c", code])
    while not Path("mine/ready").exists():
        assert worker.poll() is None
        time.sleep(0.05)
    process = int(Path("mine/pid").read_text())
    worker.kill()
    worker.wait()
    assert gone(process)
    assert tasks.last_lines(Path("mine.log"), 1) == ["imgen: ended by SIGTERM; step 3 is saved"]


def test_the_command_and_its_surroundings(job):
    plain = tasks.environment(job("fine", cpus=2.5), {"RAY_JOB_ID": "1", "PATH": "/bin", "OMP_NUM_THREADS": "8"})
    assert plain["OMP_NUM_THREADS"] == plain["MKL_NUM_THREADS"] == "2"
    assert plain["CUDA_VISIBLE_DEVICES"] == "" and plain["PATH"] == "/bin" and "RAY_JOB_ID" not in plain
    shared = tasks.environment(job("fine", gpus=0.25, environment={"A": "b"}), {"CUDA_VISIBLE_DEVICES": "3"})
    assert shared["CUDA_VISIBLE_DEVICES"] == "3" and shared["A"] == "b"


def test_several_gpus_train_together(job, monkeypatch):
    wanted = job("fine")
    monkeypatch.undo()
    alone, cpu = tasks.command(replace(wanted, gpus=0.5)), tasks.command(wanted)
    assert alone[3:] == ["5", "imgen", "train", "mine.yaml", "--out", "mine"]
    assert cpu[-2:] == ["--device", "cpu"]
    together = tasks.command(replace(wanted, gpus=2))
    assert together[4:] == [
        *("imgen.sweeping.together", "2"),
        *("imgen", "train", "mine.yaml", "--out", "mine"),
    ]


def test_what_training_says_of_a_loss_that_is_no_number(tiny, cli):
    """The real message, with the real exit status: it is not started again."""
    said = cli("train", "tiny.yaml", "--out", "diverged", "-s", "lr_g=1e30")
    assert said.status == 1
    told = ending.outcome(said.status, "", said.lines[-1], 1.0, "here", None)
    assert (told.how, told.again) == ("failed", False) and "is not a finite number" in told.reason


def test_what_training_says_of_a_run_that_is_held(tiny, cli, here):
    """The real message, with the real exit status: it is started again."""
    cli("train", "tiny.yaml", "--out", "held", "-s", "train.steps=2")
    with run.held(here / "held"):
        said = cli("train", "tiny.yaml", "--out", "held", "-s", "train.steps=4")
    told = ending.outcome(said.status, "", said.lines[-1], 1.0, "here", None)
    assert (told.status, told.again) == (2, True)


@pytest.fixture
def group(job, here, stub):
    """A job of three runs in one process, which do what is said."""

    def make(*hows: str, **given) -> Job:
        stub.update({f"r{place}": how for place, how in enumerate(hows)})
        runs = tuple(Run(f"r{place}", f"r{place}.yaml", f"r{place}", f"r{place}.log") for place in range(len(hows)))
        return replace(job("fine"), runs=runs, **given)

    return make


def test_each_run_of_a_process_comes_to_its_own_end(group, here):
    told = tasks.train(group("fine", "wrong", "crash once"), lambda process: "")
    assert [(each.how, each.status, each.again, each.reason) for each in told] == [
        ("done", 0, False, ""),
        ("failed", 2, False, "because of wrong"),
        ("failed", 1, True, "because of crash once"),
    ]
    assert [each.seconds for each in told] == [0.25] * 3
    log = (here / "r1.log").read_text().splitlines()
    assert log[0].startswith("--- ") and log[1:] == ["imgen: because of wrong", "--- ended with status 2 after 0.25 s"]
    # What was told in a former attempt is not this one's.
    told = tasks.train(group("fine", "kill", "crash once"), lambda process: "")
    assert [each.status for each in told] == [0, 0, 0], "begun before, it is not killed again"


def test_a_process_that_crashes_takes_along_only_runs_that_had_not_ended(group):
    told = tasks.train(group("wrong", "kill", "fine"), lambda process: "")
    assert [(each.status, each.again) for each in told] == [(2, False), (-9, True), (-9, True)]
    assert [each.reason for each in told] == ["because of wrong", *["killed by SIGKILL"] * 2]
    assert Path("r2.log").read_text().splitlines()[-1].endswith("whose words are in r0.process.log")
    assert tasks.last_lines(Path("r0.process.log")) == ["Fatal Python error: the device is gone"]


def test_a_process_that_is_asked_to_stop_saves_all_its_runs(group):
    told = tasks.train(group("wrong", "fine", "wait"), when(Path("r2/begun"), STOP))
    assert [(each.how, each.status) for each in told] == [("failed", 2), ("done", 0), ("ended", 75)]


def test_a_time_that_is_over_is_over_for_those_that_are_still_at_work(group):
    told = tasks.train(group("fine", "wait", timeout=1.5), lambda process: "")
    assert [each.how for each in told] == ["done", "failed"]
    assert told[1].reason == "took longer than --timeout, 1.5 seconds" and not told[1].again


def test_one_run_of_a_process_that_is_held_elsewhere(group, here):
    (here / "r1").mkdir()
    with run.held(here / "r1"):
        told = tasks.train(group("fine", "fine", "fine", grace=0.2), lambda process: "")
    assert [each.how for each in told] == ["done", "failed", "done"]
    assert "another process is training this run, outside" in told[1].reason


def test_the_command_of_several(group, monkeypatch):
    wanted = group("fine", "fine")
    monkeypatch.undo()
    paths = ["r0.yaml", "r0", "r0.log", "r1.yaml", "r1", "r1.log"]
    assert tasks.command(wanted)[3:] == ["5", "imgen.sweeping.several", "cpu", *paths]
    assert tasks.command(replace(wanted, gpus=0.5))[5:] == ["auto", *paths]
