"""The helpers of these tests can be imported, and there is a Hub on this machine for the commands that share."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

_spec = importlib.util.spec_from_file_location("fixtures_of_the_hub", HERE.parent / "hub/conftest.py")
assert _spec is not None and _spec.loader is not None
_fixtures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_fixtures)

server, hub, waits, hub_environment = (
    getattr(_fixtures, name) for name in ("server", "hub", "waits", "hub_environment")
)
