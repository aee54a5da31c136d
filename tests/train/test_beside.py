"""What is measured beside training: told in order, once, and never at the cost of the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from imgen.metrics import Measured
from imgen.metrics.records import Chosen, Record
from imgen.train import beside
from imgen.train.beside import Beside
from imgen.train.events import Evaluated, Finished, Started, Unmeasured
from imgen.train.signals import Stopped, StopSignals

MEASURER = '''\
"""Tells a number of each step, or does what a file says: hang, or die."""
import json, os, sys, time
run = sys.argv[1]
assert not {"RANK", "WORLD_SIZE", "MASTER_PORT", "TORCHELASTIC_RUN_ID"} & os.environ.keys()
record = json.load(open(run + "/record.json"))
for line in sys.stdin:
    step = int(line)
    assert os.path.exists(f"{run}/measuring/step-{step:08d}.safetensors")
    how = open(run + "/how").read().split()
    print(json.dumps({"metric": "first", "values": {"v": step / 3}, "record": record}), flush=True)
    if "idle" in how:
        open(run + "/how", "w").write("")
        print(json.dumps({"metric": "second", "values": {"v": 1.0}, "record": record}))
        print(json.dumps({"step": step, "done": ""}), flush=True)
        os.kill(os.getpid(), 9)
    if "die" in how:
        open(run + "/how", "w").write("")
        print('{"metric": "sec', end="", flush=True)
        os.kill(os.getpid(), 9)
    if "hang" in how:
        time.sleep(60)
    print(json.dumps({"metric": "second", "reason": "second: does not fit"}), flush=True)
    print(json.dumps({"step": step, "done": "not taken"}), flush=True)
'''


@pytest.fixture
def measurer(tmp_path_factory, monkeypatch):
    """In place of the process that measures, one that starts at once: `measurer(run, "die")`."""
    home = tmp_path_factory.mktemp("measurer")
    (home / "measurer.py").write_text(MEASURER)
    monkeypatch.setenv("PYTHONPATH", str(home))
    for name in ("RANK", "WORLD_SIZE", "MASTER_PORT", "TORCHELASTIC_RUN_ID"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setattr(beside, "MODULE", "measurer")

    def start(run: Path, how: str = "") -> None:
        run.mkdir(exist_ok=True)
        (run / "how").write_text(how)
        record = Record.of("first", {}, [Measured(values={"v": 1.0})], [0])
        (run / "record.json").write_text(json.dumps(record.to_json()))

    return start


@pytest.fixture
def measured(trainer, heard, measurer, tmp_path):
    """Makes a trainer whose metrics are taken beside it, at every other step."""

    def make(how: str = "", **settings):
        measurer(tmp_path / "run", how)
        given = {"measure_beside": "always", "measure_every": 2, "save_every": 2, "steps": 8}
        made = trainer(listeners=[heard], **given | settings)
        made.metrics = {name: Chosen(lambda evaluation: {"v": 0.0}, {}) for name in ("first", "second")}
        made.beside.metrics = tuple(made.metrics)
        return made

    return make


def told(heard) -> list[tuple[int, str, bool]]:
    return [(e.step, e.metric, isinstance(e, Evaluated)) for e in heard if isinstance(e, (Evaluated, Unmeasured))]


def test_the_end_waits_for_what_is_outstanding(measured, heard):
    made = measured()
    made.fit(StopSignals())
    assert told(heard) == [
        *((step, name, name == "first") for step in (2, 4, 6) for name in ("first", "second")),
        (8, "first", True),
        (8, "second", True),
    ], "the last ones are taken in place, when nobody waits"
    assert isinstance(heard[-1], Finished) and not (made.run / "measuring").exists()


def test_one_that_dies_costs_a_line_and_no_more(measured, heard):
    measured("die").fit(StopSignals())
    lost = heard.of(Unmeasured)[0]
    assert lost == Unmeasured(2, "second", "the process that measures ended by signal 9")
    assert told(heard)[:4] == [(2, "first", True), (2, "second", False), (4, "first", True), (4, "second", False)]
    assert heard.of(Unmeasured)[1].reason == "second: does not fit", "the next one is measured"


def test_one_that_dies_with_nothing_to_do_costs_nothing(tmp_path, measurer):
    measurer(tmp_path, "idle")
    made = Beside(tmp_path, torch.device("cpu"), ["first", "second"])
    made._folder.mkdir()
    heard = []
    for step in (2, 4):
        made._snapshot(step).write_bytes(b"")
        made.again(step)
        heard += made.wait(0)
        if step == 2:
            made._process.wait(60)
    made.close()
    assert [event.step for event in heard if isinstance(event, Evaluated)] == [2, 2, 4]
    assert [event.reason for event in heard if isinstance(event, Unmeasured)] == ["second: does not fit"]


def test_what_is_owed_is_measured_by_whoever_goes_on(measured, heard, stopping, measurer, tmp_path):
    """Nobody who is asked to end waits for it; what comes again is no longer owed."""
    made = measured("hang", steps=20)
    with pytest.raises(Stopped):
        made.fit(stopping(made, 2))
    assert told(heard) == [] and [path.name for path in (made.run / "measuring").iterdir()] == [
        "step-00000002.safetensors"
    ]
    (made.run / "measuring/step-00000008.safetensors").write_bytes(b"of a step that comes again")
    (made.run / "measuring/step-mine.safetensors").write_bytes(b"somebody's own")
    heard.clear()
    measured(steps=6).fit(StopSignals())
    assert heard.of(Started)[0].measuring == [2] and heard.of(Started)[0].step == 3
    assert [step for step, name, _ in told(heard) if name == "first"] == [2, 4, 6]


def test_training_waits_rather_than_owe_more_than_two(measured, heard, monkeypatch):
    made = measured("hang", steps=20)
    outstanding = []
    wait = made.beside.wait

    def waited(most, given_up=lambda: False):
        outstanding.append(len(made.beside._outstanding))
        if len(outstanding) == 3:
            (made.run / "how").write_text("")
            made.beside._process.kill()
        return wait(most, given_up)

    monkeypatch.setattr(made.beside, "wait", waited)
    made.fit(StopSignals())
    assert outstanding[:3] == [0, 1, 2] and max(outstanding) <= beside.MOST
    assert [step for step, name, _ in told(heard) if name == "first"] == list(range(2, 21, 2))


def test_its_own_end_is_clean(tmp_path, measurer):
    measurer(tmp_path, "hang")
    made = Beside(tmp_path, torch.device("cpu"), ["first"])
    made._folder.mkdir()
    made._snapshot(3).write_bytes(b"")
    made.again(3)
    process = made._process
    made.close()
    assert process.poll() is not None and made._snapshot(3).exists()
