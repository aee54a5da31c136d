"""What a population costs can be measured; the figures mean nothing at this size."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_population_runs(tmp_path):
    sizes = ["--runs", "2", "--steps", "2", "--rounds", "1"]
    small = ["-s", "dataset.points=200", "-s", "dataset.n_test=20", "--json", "told.json"]
    script = Path(__file__).with_name("population.py")
    argv = [sys.executable, str(script), "--recipe", "discogan_toy", *sizes, *small]
    ran = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert ran.returncode == 0, ran.stderr
    assert all(f"\n{way} " in ran.stdout for way in ("one alone", "in one process", "in processes of their own"))
    assert "discogan_toy, 2 runs of 2 steps on cpu" in ran.stdout and "seed 0" in ran.stdout
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["runs"] == 2 and all(each[0]["seconds"] > 0 for each in told["ways"].values())
    assert [path.name for path in tmp_path.iterdir()] == ["told.json"]
