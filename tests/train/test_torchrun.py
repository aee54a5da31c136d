"""Under the real `torchrun`: ended, killed, started again, and in the end what it would have been."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from imgen import dist
from imgen.errors import ImgenError, RecipeError
from imgen.metrics import records
from imgen.train import checkpoint, run
from imgen.train.launch import _began, launch
from imgen.train.signals import Agreed, StopSignals

RECIPE = """\
algorithm: {name: sddcgan, d_identity: 4, d_observation: 4, dim: 4, lr_g: 5e-3}
dataset: {name: shapes, identities: 6, photos: 4, size: 16}
train: {steps: 60, batch: 4, ema_half_life: 20, log_every: 1, preview_every: 0, save_every: 5, measure_every: 14}
metrics: [{name: kid, network: random, pictures: 8, subsets: 2, subset_size: 4}]
"""
COMMAND = ("train", "tiny.yaml", "-s", "train.tensorboard=false", "--out")
LAUNCHER = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--max-restarts", "2")
PAIRS = """\
import os, signal, sys
import imgen.train.trainer  # once for all that are forked
from imgen.cli import main
begun = {}
for folder, port, *more in [each.split(",") for each in sys.argv[1:]]:
    for rank in "01":
        child = os.fork()
        if not child:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.environ.update(RANK=rank, LOCAL_RANK=rank, WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
            sys.exit(main(["train", "tiny.yaml", "-s", "train.tensorboard=false", "--out", folder, *more]))
        begun[child] = folder
    last = folder
    signal.signal(signal.SIGTERM, lambda *_: [os.kill(child, 15) for child in begun if begun[child] == last])
ended = {}
for _ in begun:
    child, status = os.wait()
    ended.setdefault(begun[child], []).append(os.waitstatus_to_exitcode(status))
print(*sorted(ended.items()))
"""


def wait_for_step(folder: Path, step: int) -> None:
    """Until a run has a checkpoint of this step or a later one."""
    end = time.monotonic() + 240
    while (checkpoint.newest_step(folder) or 0) < step:
        assert time.monotonic() < end, "no checkpoint came"
        time.sleep(0.005)


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


def workers_of(launcher: int) -> dict[int, int]:
    """The processes that train for a launcher, by their rank."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            if f"PPid:\t{launcher}\n" in status.read_text():
                around = (status.parent / "environ").read_bytes().split(b"\0")
                ranks = [int(word[5:]) for word in around if word.startswith(b"RANK=")]
                found.update(dict.fromkeys(ranks, int(status.parent.name)))
        except OSError:
            continue
    return found


def told(folder: Path, kind: str) -> list[dict]:
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == kind]


def state(folder: Path) -> dict[str, torch.Tensor]:
    """All that a run came to: its weights, and its last checkpoint."""
    last = checkpoint.steps(folder)[-1]
    files = [folder / "model.safetensors", *last.glob("*.safetensors")]
    return {f"{file.name}/{key}": value for file in files for key, value in load_file(file).items()}


def test_what_was_ended_killed_and_started_again_equals_what_was_left_alone(here, process, cli):
    """The weights, the optimizers, what was logged and what was measured: beside training, and in place of it."""
    (here / "tiny.yaml").write_text(RECIPE)
    (here / "pairs.py").write_text(PAIRS)
    pairs = process("pairs.py", f"alone,{free_port()},-s,train.measure_beside=never", f"run,{free_port()}")
    wait_for_step(here / "run", 5)
    pairs.send_signal(signal.SIGTERM)
    out, err = pairs.communicate(timeout=240)
    assert set(out.splitlines()) == {"alone/model.safetensors", "('alone', [0, 0]) ('run', [75, 75])"}, err
    assert "is saved in run; the same command goes on from there" in err

    step = checkpoint.newest_step(here / "run") or 0
    killed = process(*LAUNCHER, "-m", "imgen", *COMMAND, "run")
    wait_for_step(here / "run", step + 1)
    os.kill(workers_of(killed.pid)[1], signal.SIGKILL)
    out, err = killed.communicate(timeout=240)
    assert killed.returncode == 0 and out == "run/model.safetensors\n", err
    assert err.count("resuming at step") == 2 and "Traceback" not in err and "unexpected" not in err, err

    one, other = state(here / "alone"), state(here / "run")
    assert one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())
    first, second = told(here / "alone", "logged"), told(here / "run", "logged")
    assert [line["step"] for line in second] == list(range(1, 61)), "one history"
    assert [line["values"] for line in first] == [line["values"] for line in second]
    taken = [[(e.step, e.metric, e.values) for e in records.read(here / name)] for name in ("alone", "run")]
    assert [step for step, _, _ in taken[0]] == [14, 28, 42, 56, 60]
    assert taken[0] == sorted(taken[1], key=lambda each: each[0]), "in a process of their own they are the same"
    assert len({str(values) for _, _, values in taken[0]}) > 3, "they can tell states apart"
    assert [line["step"] for line in told(here / "run", "evaluated")] == [step for step, _, _ in taken[1]]
    assert not (here / "run/measuring").exists() and not list((here / "run").rglob(".*.part"))

    said = cli("train", "tiny.yaml", "-s", "train.tensorboard=false", "--out", "run", "--steps", "61")
    assert said.status == 0 and "so far it was trained in 2 processes" in said.err


def test_where_another_process_is_gone_it_is_said_in_a_line(cli, tiny, monkeypatch):
    def fit(self, stop):
        raise RuntimeError("[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:537] Connection closed by peer")

    monkeypatch.setattr("imgen.train.trainer.Trainer.fit", fit)
    said = cli("train", tiny)
    assert said.status == 1 and said.lines[-1].startswith("imgen: another of the processes that train together is gone")
    assert dist.is_lost(torch.distributed.DistBackendError("NCCL error")) and not dist.is_lost(RuntimeError("shape"))


@pytest.fixture
def launched(monkeypatch):
    """Makes this process one that `torchrun` started: `launched("name", again=1)`."""

    def start(name: str = "none", again: int = 0, host: str = "here", agent: int = 7, began: str = "100") -> None:
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", name)
        monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", str(again))
        monkeypatch.setattr("socket.gethostname", lambda: host)
        monkeypatch.setattr("os.getppid", lambda: agent)
        monkeypatch.setattr("imgen.train.launch._began", {agent: began}.get)

    return start


def test_a_launch_goes_on_with_its_own_run(tiny, launched, here, plugins, monkeypatch):
    from imgen.recipe import Draft

    recipe = Draft.read(tiny, plugins).check()

    def train(out=None, fresh=True) -> str:
        folder = run.open_for(recipe, out, fresh)
        with run.held(folder):
            return folder.name

    assert (train(), train()) == ("tiny-0001", "tiny-0002"), "no launcher: each --new is a new run"
    launched("mine")
    assert train() == "tiny-0003"
    launched("mine", again=1)
    assert train() == train(fresh=False) == "tiny-0003", "started again after a failure"
    launched("mine")
    assert train() == "tiny-0003", "started again as a machine came"
    launched("mine", again=1, host="there", agent=8)
    assert train() == "tiny-0003", "the first process moved to another machine"
    monkeypatch.setattr(run, "is_complete", lambda path, steps=None: True)
    assert train(fresh=False) == "tiny-0003", "what was complete when another process failed"
    launched("other")
    assert train() == "tiny-0004"
    launched(again=1, agent=9)
    assert train() == "tiny-0005", "nobody named it, and on this machine it is another"
    launched(again=1, host="there")
    assert train() == "tiny-0006", "nobody named it, and on another machine it may be another"
    launched(host="there", began="200")
    assert train() == "tiny-0007", "in containers, processes have the same number each time"
    assert (train(Path("mine")), train(Path("mine"))) == ("mine", "mine")
    launched("next")
    with pytest.raises(RecipeError, match="mine: holds a run already; choose another folder"):
        train(Path("mine"))


def test_who_started_this_process_began_before_it():
    own, parent = _began(os.getpid()), _began(os.getppid())
    assert own == _began(os.getpid()) and int(parent) <= int(own) and _began(2**31) == ""


def test_a_process_that_is_dying_is_waited_for(launched, tmp_path, monkeypatch):
    launched("mine")
    with run.held(tmp_path):
        assert json.loads((tmp_path / ".lock").read_text()) == launch() == {"id": "mine", "agent": "here 7 100"}
        launched("mine", again=1)
        began = time.monotonic()
        monkeypatch.setattr(run, "_GRACE", 0.15)
        with pytest.raises(RecipeError, match="another process is training this run"), run.held(tmp_path):
            pass
        assert time.monotonic() - began > 0.15
        launched("other", again=1)
        monkeypatch.setattr(run, "_GRACE", 1e9)
        with pytest.raises(RecipeError, match="another process is training this run"), run.held(tmp_path):
            pass
    (tmp_path / ".lock").write_text("[" * 99999)
    with run.held(tmp_path):
        pass


@pytest.mark.parametrize(
    ("around", "reason"),
    [
        ({}, "MASTER_ADDR expected, but not set"),
        ({"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "99999"}, "port must have value from 0 to 65535"),
        ({"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "free"}, "waiting for clients. 1/2 clients joined"),
        ({"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "taken"}, "EADDRINUSE"),
    ],
)
def test_processes_that_do_not_meet_are_told_in_a_line(around, reason, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = {"taken": taken.getsockname()[1], "free": free_port()}
        for name in ("MASTER_ADDR", "MASTER_PORT"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {"RANK": "0", "WORLD_SIZE": "2", **around}.items():
            monkeypatch.setenv(name, str(ports.get(value, value)))
        monkeypatch.setattr(dist, "ARRIVAL", timedelta(seconds=1))
        with pytest.raises(ImgenError, match="process 0 of 2 could not join the others at") as caught:
            dist.join("cpu")
    assert reason in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(("pace", "looks"), [(0.0, 3), (0.3, 8), (5.0, 20)])
def test_slow_steps_are_looked_at_more_often(pace, looks, monkeypatch):
    """Who has half a minute to save must not wait for ten steps of five seconds each."""
    clock, asked = [0.0], []
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    monkeypatch.setattr(dist, "world", lambda: 2)
    monkeypatch.setattr(dist, "least", lambda value, device: asked.append(value) or value)
    agreed = Agreed(0, 20, torch.device("cpu"))
    for step in range(1, 21):
        clock[0] += pace
        assert not agreed(StopSignals(), step)
    assert len(asked) == looks
