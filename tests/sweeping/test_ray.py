"""Real runs on a real Ray: of the command's own, and on a cluster of two machines that this machine plays."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import pytest

from imgen.errors import ImgenError
from imgen.sweeping.clusters import check_room
from imgen.sweeping.pool import sweep_up
from imgen.train import run

pytest.importorskip("ray")

CLUSTER = """\
import logging, sys
import ray
from ray.cluster_utils import Cluster
logging.getLogger("ray").setLevel(logging.CRITICAL)
home = {"temp_dir": sys.argv[1]}
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, **home})
cluster.add_node(num_cpus=1)
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""

RECIPE_CHANGES = ("-s", "train.steps=60", "-s", "train.save_every=10", "-s", "train.log_every=5")
GRID = ("--grid", "dim=4,8", "--grid", "lr_g=1e-3,2e-3", "--seeds", "2")
SWEEP = ("sweep", "tiny.yaml", *GRID, *RECIPE_CHANGES, "--out", "out")


def trainings(out: Path) -> dict[str, int]:
    """The processes that train runs of a sweep, by the runs' names."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode().split("\0")
            at_home = path.with_name("cwd").readlink() == out.parent
        except OSError:
            continue
        if at_home and "imgen.sweeping.lifeline" in words:
            found[Path(words[words.index("--out") + 1]).name] = int(path.parent.name)
    return found


def until(condition, seconds: float = 100):
    """Wait for something to be so, and give it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"not so within {seconds} seconds")


@pytest.fixture
def cluster(here):
    """The address of a cluster of two machines with a core each."""
    home = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
    script = here / "cluster.py"
    script.write_text(CLUSTER)
    # Its own secret, and no home folder's.
    os.environ["RAY_AUTH_MODE"] = "disabled"
    env = os.environ | {"RAY_USAGE_STATS_ENABLED": "0"}
    playing = subprocess.Popen(
        [sys.executable, script, home],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=env,
        cwd=here,
    )
    try:
        yield lambda: playing.stdout.readline().strip()
    finally:
        playing.communicate(timeout=60)
        del os.environ["RAY_AUTH_MODE"]
        shutil.rmtree(home, ignore_errors=True)


def test_a_sweep_that_is_killed_interrupted_and_continued_elsewhere(tiny, process, real_cli, cli, here, cluster):
    """One run made to fail, one training killed, the sweep killed; on a cluster ended by Ctrl-C, and continued."""
    out, bad = here / "out", "dim=4_lr_g=0.001_seed=0"
    (out / bad).mkdir(parents=True)
    said = cli(*SWEEP)
    assert said.status == 2 and "not empty and not a sweep" in said.err
    (out / bad).rmdir()

    def attempts() -> list[str]:
        path = out / "attempts.jsonl"
        return path.read_text().splitlines() if path.exists() else []

    # A Ray of its own: a training is killed, then the whole sweep.
    began = process("-m", "imgen", *SWEEP)
    until(lambda: (out / "sweep.json").exists() or began.poll() is not None)
    (out / bad).mkdir()
    (out / bad / "notes.txt").write_text("not a run")
    name, number = until(lambda: next(iter(trainings(out).items()), None) if began.poll() is None else ("", 0))
    until(lambda: (out / name / "events.jsonl").exists() or name == bad)
    if name == bad:
        name, number = until(lambda: next(((n, p) for n, p in trainings(out).items() if n != bad), None))
    os.kill(number, signal.SIGKILL)
    until(lambda: any('"killed by SIGKILL"' in line for line in attempts()))
    until(lambda: trainings(out))
    began.kill()
    began.communicate()
    until(lambda: not trainings(out), 60)

    # On the cluster: Ctrl-C lets the runs save.
    address, before = cluster(), len(attempts())
    assert address
    again = process("-m", "imgen", *SWEEP, "--address", address)
    until(lambda: trainings(out) or again.poll() is not None)
    again.send_signal(signal.SIGINT)
    _, err = again.communicate(timeout=120)
    assert again.returncode == 130 and "Traceback" not in err, err
    assert "the same command goes on with out" in err.splitlines()[-1]
    assert not trainings(out)

    # Continued, with both seeds in a process: one fails as it must, the rest is complete, and none was begun anew.
    said = real_cli(*SWEEP, "--address", address, "--seeds-per-process", "3", "--json")
    assert said.status == 1 and said.err == "", said.err
    told = json.loads(said.out)
    runs = {each["name"]: each for each in told["runs"]}
    reasons = {each["name"]: each["reason"] for each in told["runs"]}
    assert told["counts"] == {"running": 0, "failed": 1, "unfinished": 0, "waiting": 0, "done": 7}, reasons
    assert runs[bad]["status"] == 2 and "is not empty and not a run" in runs[bad]["reason"]
    assert runs[bad]["last_lines"] and runs[bad]["model"] is None
    for each in runs.values():
        if each["name"] != bad:
            assert run.is_complete(Path(each["folder"]), 60) and Path(each["model"]).is_file()
            assert (each["step"], each["steps"], each["status"]) == (60, 60, 0)
    assert runs[name]["attempts"] >= 2
    assert len(list((out / "logs").glob("*.process.log"))) >= 1, "at least the refused one shared a process"
    assert "--- ended with status 2 after " in (out / f"logs/{bad}.log").read_text()
    assert runs[name]["settings"].keys() == {"algorithm.dim", "algorithm.lr_g", "train.seed"}
    # Two attempts overlapped, which on machines of one core each takes two machines.
    spans = sorted(_span(line) for line in attempts()[before:] if "seed=0" in line)  # with the other in its process
    assert any(later[0] < earlier[1] - 0.1 for earlier, later in itertools.pairwise(spans)), spans

    said = cli(*SWEEP, "--skip-failed")
    assert said.status == 1 and "8 runs: 1 failed, 7 done" in said.err and "is not empty and not a run" in said.err


def _span(line: str) -> tuple[float, float]:
    """When an attempt began and ended."""
    told = json.loads(line)
    end = datetime.fromisoformat(told["time"]).timestamp()
    return end - told["seconds"], end


def test_a_signal_while_ray_starts_ends_the_command(tiny, process, here):
    began = process("-m", "imgen", *SWEEP)
    until(lambda: (here / "out/.lock").exists() or began.poll() is not None)
    time.sleep(1.5)
    began.terminate()
    _, err = began.communicate(timeout=60)
    assert began.returncode == 75 and "Traceback" not in err, err
    assert "ended by SIGTERM; nothing was begun" in err.splitlines()[-1] and not (here / "out").exists()


def test_what_a_killed_command_left_behind_goes(here):
    for name in ("imgen-ray-dead", "imgen-ray-live", "imgen-ray-new", "other"):
        (here / name).mkdir()
    for name in ("imgen-ray-dead", "imgen-ray-live", "other"):
        (here / name / ".lock").touch()
    with (here / "imgen-ray-live/.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        sweep_up(here)
    assert {path.name for path in here.iterdir()} == {"imgen-ray-live", "imgen-ray-new", "other"}


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        ((3, 0, None), "--cpus-per-run 3: no machine has that much; the largest has 2"),
        ((1, 0.25, None), "--gpus-per-run 0.25: no machine has that much; the largest has 0"),
        ((1, 0, 9 * 2**30), "--memory-per-run 9.0G: no machine has that much; the largest has 8.0G"),
        ((2, 0, 6 * 2**30), "no one machine has"),
    ],
)
def test_more_than_any_machine_has(asked, what):
    nodes = [{"CPU": 2, "memory": 4 * 2**30}, {"CPU": 1, "memory": 8 * 2**30}]
    check_room(nodes, 2, 0, None)
    with pytest.raises(ImgenError, match=what):
        check_room(nodes, *asked)


@pytest.mark.parametrize(
    ("argv", "what"),
    [
        (("--address", "127.0.0.1:1"), "--address 127.0.0.1:1: nobody answers there: Connection refused"),
        (("--address", "ray://127.0.0.1:1"), "nobody answers there"),
        (("--address", ""), "write it as auto, HOST:PORT"),
        (("--address", "somewhere"), "write it as auto, HOST:PORT or ray://HOST:PORT"),
    ],
)
def test_an_address_without_a_cluster(argv, what, cli, tiny, here, tree):
    before = tree(here)
    began = time.monotonic()
    said = cli(*SWEEP, *argv)
    assert said.status == 2 and what in said.lines[-1] and "Traceback" not in said.err
    assert time.monotonic() - began < 15
    assert tree(here) == before
