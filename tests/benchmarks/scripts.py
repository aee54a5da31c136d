"""Benchmarks run by tests: in this process, which has imported torch already."""

from __future__ import annotations

import io
import os
import runpy
import sys
from contextlib import chdir, redirect_stdout
from pathlib import Path
from unittest import mock

HERE = Path(__file__).parent


def run(script: str, *options: str, cwd: Path) -> str:
    """What `python tests/benchmarks/SCRIPT OPTION ...` prints in a folder."""
    told, path = io.StringIO(), str(HERE / script)
    given, found = (
        mock.patch.object(sys, "argv", [path, *options]),
        mock.patch.object(sys, "path", [str(HERE), *sys.path]),
    )
    with chdir(cwd), redirect_stdout(told), mock.patch.dict(os.environ), given, found:
        runpy.run_path(path, run_name="__main__")
    return told.getvalue()
