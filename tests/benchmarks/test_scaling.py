"""The benchmark of several processes runs, and its estimate follows its own arithmetic."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import scaling


class Idle:
    """In place of a process that trains by itself: only those that train together are real."""

    process = SimpleNamespace(kill=lambda: None, communicate=lambda: None)

    def ask(self, steps: int) -> None:
        pass

    def hear(self) -> dict[str, float]:
        return {"seconds": 3600.0, "talk": 0.0}


def test_scaling_runs(tmp_path, capsys, monkeypatch):
    real = scaling.Worker
    monkeypatch.setattr(
        scaling, "Worker", lambda *who, **around: Idle() if around["WORLD_SIZE"] == "1" else real(*who, **around)
    )
    tiny = ["--tiny", "--recipes", "quickstart", "--estimate", "quickstart", "--blocks", "1", "--steps", "1"]
    scaling.main([*tiny, "--step-ms", "10", "--json", str(tmp_path / "scaling.json")])
    shown = capsys.readouterr().out
    assert all(f"quickstart, {side} " in shown for side in ("1 process", "2 apart", "2 together"))
    assert "estimated, not measured" in shown and "seed 0" in shown
    found = json.loads((tmp_path / "scaling.json").read_text())
    (two,) = found["measured"]
    assert 0 < two["seconds of talk a step"] < two["seconds a step"]["2 together"] < 3600
    assert two["efficiency"]["2 apart"] == 1 < two["efficiency"]["2 together"]
    said, many = found["messages"]["quickstart"], found["estimates"]["quickstart"]["64"]
    assert said["flat"] == 2 and said["flat bytes"] > 4 * said["parameters"], "gradients and buffers, in float32"
    whole = 2 * 63 / 64 * (said["flat bytes"] + said["others bytes"]) / 50e9 + (2 + said["others"]) * 60e-6
    assert many["seconds"] == pytest.approx(whole) and many["break-even"] == pytest.approx(9 * whole)
    assert many["efficiency"] == pytest.approx(0.01 / (0.01 + whole))
    assert many["efficiency"] <= many["efficiency with overlap"] < 1
