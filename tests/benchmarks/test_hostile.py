"""The benchmark of hostile repositories runs, and finds no fault in a few of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent / "hostile.py"


def test_hostile_runs(tmp_path):
    command = [sys.executable, str(SCRIPT), "--cases", "60", "--seed", "5"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "60 cases, seed 5: 0 faults" in ran.stdout and "memory grew by" in ran.stdout
    assert "refused: check trust.check_file (HubError)" in ran.stdout
    assert "used, and equal to the original" in ran.stdout
    assert not list(tmp_path.iterdir())
