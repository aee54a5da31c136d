"""The benchmark of several processes runs, and its estimate follows its own arithmetic."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def test_scaling_runs(tmp_path):
    tiny = ["--tiny", "--recipes", "quickstart", "--estimate", "quickstart", "--blocks", "1", "--steps", "1"]
    command = [sys.executable, str(Path(__file__).parent / "scaling.py"), *tiny]
    command += ["--step-ms", "10", "--json", "scaling.json"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert ran.returncode == 0, ran.stderr
    assert all(f"quickstart, {side} " in ran.stdout for side in ("1 process", "2 apart", "2 together"))
    assert "estimated, not measured" in ran.stdout and "seed 0" in ran.stdout
    found = json.loads((tmp_path / "scaling.json").read_text())
    said, many = found["messages"]["quickstart"], found["estimates"]["quickstart"]["64"]
    assert said["flat"] == 2 and said["flat bytes"] > 4 * said["parameters"], "gradients and buffers, in float32"
    whole = 2 * 63 / 64 * (said["flat bytes"] + said["others bytes"]) / 50e9 + (2 + said["others"]) * 60e-6
    assert many["seconds"] == pytest.approx(whole) and many["break-even"] == pytest.approx(9 * whole)
    assert many["efficiency"] == pytest.approx(0.01 / (0.01 + whole))
    assert many["efficiency"] <= many["efficiency with overlap"] < 1
