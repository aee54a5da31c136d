"""Where a step goes: the trace and its table."""

from __future__ import annotations

import gzip
import json

import pytest
import torch

from imgen.train import profiling
from imgen.train.events import Profiled
from imgen.train.listeners import Console
from imgen.train.profiling import Profile
from imgen.train.signals import Stopped, StopSignals

CPU = torch.device("cpu")


def test_a_run_tells_where_its_steps_go(trainer, capfd):
    events: list = []
    made = trainer(steps=12, listeners=[events.append], profile=True)
    made.fit(StopSignals())
    (told,) = [event for event in events if isinstance(event, Profiled)]
    assert (told.step, told.path) == (12, made.run / "profile")
    lines = (told.path / "table.txt").read_text().splitlines()
    assert told.table == lines
    parts = {line.rsplit(maxsplit=3)[0].strip(): float(line.split()[-2]) for line in lines[2 : lines.index("")]}
    turns = [f"{turn}: {part}" for turn in ("both", "forge") for part in ("losses and gradients", "move")]
    assert {"data", "prepare", *turns, "meters", "conclude", "average"} <= parts.keys()
    whole = float(lines[0].split()[0])
    assert sum(parts.values()) == pytest.approx(whole, rel=0.05), "they are all there is"
    assert any(line.startswith("aten::native_batch_norm") for line in lines)
    trace = json.loads(gzip.decompress((told.path / "trace.json.gz").read_bytes()))
    steps = [event for event in trace["traceEvents"] if event.get("name") == "imgen: average"]
    assert len(steps) == 11, "one warms up where there are so few"
    Console()(told)
    assert capfd.readouterr().err.endswith(
        "\n".join([*lines, f"{told.path}: the trace, for https://ui.perfetto.dev, "]) + "and this table\n"
    )


@pytest.mark.parametrize(
    ("begin", "steps", "first", "last"),
    [(0, 1000, 5, 20), (40, 1000, 45, 60), (0, 12, 1, 12), (0, 18, 3, 18), (0, 2, 1, 2), (7, 8, 8, 8), (8, 8, 9, 8)],
)
def test_steps_that_are_traced(tmp_path, begin, steps, first, last):
    profile = Profile(tmp_path, CPU, begin, steps)
    assert (profile.first, profile.last) == (first, last)


def test_a_run_of_one_step_has_nothing_to_trace(tmp_path):
    profile = Profile(tmp_path / "profile", CPU, 7, 8)
    assert not profile.stepped(8)
    assert not (tmp_path / "profile").exists()


def test_parts_cost_nothing_where_nobody_asked():
    assert profiling.part("data") is profiling.part("meters")


def test_a_run_that_ends_within_its_trace_leaves_none_running(trainer, stopping):
    made = trainer(steps=12, profile=True)
    with pytest.raises(Stopped), stopping(made, 4) as stop:
        made.fit(stop)
    assert profiling.part("data") is profiling.part("meters")
    assert not torch.autograd._profiler_enabled()
    assert not (made.run / "profile").exists()
