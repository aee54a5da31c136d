"""The benchmark of the scores runs, and every score comes to what its formula does; its seconds mean nothing here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import scripts

TINY = ["--groups", "40", "--group-size", "10", "--rows", "1500", "--pictures", "100", "--rounds", "1"]


def run(*options: str, cwd: Path) -> str:
    return scripts.run("disentanglement.py", *TINY, *options, cwd=cwd)


def test_all_scores_are_those_of_their_formulas(tmp_path):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    told = json.loads(run("--json", "--skip-memory", cwd=tmp_path))
    scores = [one for name, one in told.items() if name not in ("machine", "sizes")]
    assert len(scores) == 8
    assert all(one["seconds"] > 0 and one["times_as_fast"] > 0 for one in scores)
    assert "seed 0" in told["machine"]
    assert told["sizes"]["rows"] == 1500
    assert not list(tmp_path.iterdir())


def test_the_largest_memory_is_told(tmp_path):
    command = [sys.executable, str(scripts.HERE / "disentanglement.py"), *TINY, "--alone", "MIG"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert 0.05 < float(ran.stdout) < 4, f"[GiB] {ran.stderr}"
