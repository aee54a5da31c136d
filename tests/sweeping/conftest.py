"""Points of a small grid, and a trainer of a tenth of a second in place of the real one."""

from __future__ import annotations

import sys
import textwrap

import pytest

from imgen.recipe import find
from imgen.sweeping import axes, folder, grid, tasks

STUB = """\
import fcntl, json, os, signal, sys, time
from pathlib import Path
run, how = Path(sys.argv[1]), sys.argv[2]
run.mkdir(exist_ok=True)
lock = (run / ".lock").open("w")
fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
print("run", run, os.environ["OMP_NUM_THREADS"], os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
(run / "pid").write_text(str(os.getpid()))
def stop(*_):
    print("imgen: ended by SIGTERM; step 3 is saved", file=sys.stderr)
    os._exit(75)
signal.signal(signal.SIGTERM, signal.SIG_IGN if how == "deaf" else stop)
if how == "wait" or how == "deaf":
    (run / "ready").touch()
    time.sleep(60)
if how == "twice":
    (run / "again").touch() if (run / "again").exists() is False else sys.exit(0)
    os.kill(os.getpid(), signal.SIGKILL)
if how == "diverge":
    print("imgen: run: step 3: turn 'd': loss 'd' is not a finite number; the last good", file=sys.stderr)
    sys.exit(1)
print("imgen: because of " + how, file=sys.stderr)
sys.exit({"fine": 0, "wrong": 2, "crash": 1, "busy": 2}.get(how, 9))
"""


SEVERAL = """\
import os, signal, sys, time
from pathlib import Path
from imgen.sweeping.ending import ended_line
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(75))
words = sys.argv[1:-1]
runs = [words[place : place + 3] for place in range(0, len(words), 3)]
for folder, log, how in [*runs, *((folder, log, "over") for folder, log, how in runs if how == "wait")]:
    Path(folder).mkdir(exist_ok=True)
    first = not (Path(folder) / "begun").exists()
    (Path(folder) / "begun").touch()
    if how == "kill" and first:
        print("Fatal Python error: the device is gone", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    while how == "over" and not asked:
        time.sleep(0.02)
    status = {"wrong": 2, "over": 75, "crash once": int(first)}.get(how, 0)
    with open(log, "a") as file:
        if how != "wait":
            print(f"imgen: because of {how}", ended_line(status, 0.25), sep="\\n", file=file)
"""


@pytest.fixture
def stub(here, monkeypatch):
    """The trainer that does what `stub[name]` says: fine, wrong, crash, twice, diverge, wait or deaf.

    With several runs in a process, what each of them does: fine, wrong, crash once, kill or wait.
    """
    hows: dict[str, str] = {}
    (here / "stub.py").write_text(textwrap.dedent(STUB))
    (here / "several_stubs.py").write_text(SEVERAL)

    def command(job):
        lifeline = [sys.executable, "-m", "imgen.sweeping.lifeline", str(job.grace)]
        if len(job.runs) == 1:
            return [*lifeline, "stub", job.runs[0].folder, hows.get(job.name, "fine"), "train"]
        each = [word for run in job.runs for word in (run.folder, run.log, hows.get(run.name, "fine"))]
        return [*lifeline, "several_stubs", *each, "train"]

    monkeypatch.setattr(tasks, "command", command)
    monkeypatch.setenv("PYTHONPATH", str(here))
    return hows


@pytest.fixture
def points(tiny, plugins):
    """Points of the tiny recipe: `points("dim=4,8", seeds=(0, 1))`."""

    def make(*texts: str, **given):
        grids = [[axes.axis(text) for text in texts]]
        return grid.points(find("tiny.yaml", plugins), plugins, **({"grids": grids} | given))

    return make


@pytest.fixture
def places(here):
    """The folder of a sweep, as it is when the sweep begins."""
    (here / "out/logs").mkdir(parents=True)
    return folder.Places(here / "out")
