"""Where a step goes: the trace and its table."""

from __future__ import annotations

import gzip
import json

import pytest
import torch

from imgen.train import profiling
from imgen.train.profiling import Profile

CPU = torch.device("cpu")


def test_a_run_tells_where_its_steps_go(real_cli, tiny, here):
    said = real_cli("train", tiny, "--out", "run", "--steps", "12", "--profile")
    assert said.status == 0 and said.out == "run/model.safetensors\n"
    lines = (here / "run/profile/table.txt").read_text().splitlines()
    assert set(lines) <= set(said.err.splitlines()) and "USDT" not in said.err
    parts = {line.rsplit(maxsplit=3)[0].strip(): float(line.split()[-2]) for line in lines[2 : lines.index("")]}
    wanted = ["data", "prepare", "judge: losses and gradients", "judge: move", "meters", "forge: move", "average"]
    assert set(wanted) <= parts.keys()
    whole = float(lines[0].split()[0])
    assert sum(parts.values()) == pytest.approx(whole, rel=0.02), "they are all there is"
    assert any(line.startswith("aten::convolution_backward") for line in lines)
    trace = json.loads(gzip.decompress((here / "run/profile/trace.json.gz").read_bytes()))
    steps = [event for event in trace["traceEvents"] if event.get("name") == "imgen: average"]
    assert len(steps) == 11, "one warms up where there are so few"
    events = [json.loads(line) for line in (here / "run/events.jsonl").read_text().splitlines()]
    (profiled,) = [event for event in events if event["event"] == "profiled"]
    assert (profiled["step"], profiled["path"]) == (12, "profile")


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
