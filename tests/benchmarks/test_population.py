"""What a population costs can be measured; the figures mean nothing at this size."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import scripts

RUN = subprocess.run


def brief(command: list[str], **settings: object) -> subprocess.CompletedProcess[str]:
    """One run by itself and one process of two are real; the others would be as the first."""
    out = Path(command[command.index("--out") + 1]) if "--out" in command else None
    if out is None or out.parent.name != "apart":
        return RUN(command, **settings)
    out.mkdir()
    (out / "events.jsonl").write_text('{"event": "finished", "seconds": 0.25}\n')
    return subprocess.CompletedProcess(command, 0)


def test_population_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess, "run", brief)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0})
    small = ["-s", "dataset.points=200", "-s", "dataset.n_test=20", "--json", "told.json"]
    sizes = ["--recipe", "discogan_toy", "--runs", "2", "--steps", "2", "--rounds", "1"]
    shown = scripts.run("population.py", *sizes, *small, cwd=tmp_path)
    assert all(f"\n{way} " in shown for way in ("one alone", "in one process", "in processes of their own"))
    assert "discogan_toy, 2 runs of 2 steps on cpu" in shown and "seed 0" in shown
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["runs"] == 2 and all(each[0]["seconds"] > 0 for each in told["ways"].values())
    assert told["ways"]["in processes of their own"][0]["training"] == 0.5, "two, one after the other on one core"
    assert [path.name for path in tmp_path.iterdir()] == ["told.json"]
