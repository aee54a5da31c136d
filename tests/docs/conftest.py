"""The helpers of these tests can be imported, and there is a Hub on this machine for the commands that share."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

_spec = importlib.util.spec_from_file_location("fixtures_of_the_hub", HERE.parent / "hub/conftest.py")
assert _spec is not None and _spec.loader is not None
_fixtures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_fixtures)

server, hub, waits, hub_environment = (
    getattr(_fixtures, name) for name in ("server", "hub", "waits", "hub_environment")
)


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of what several pages need; its `recipes` are the shipped ones, made small."""
    from acted import small
    from written.pages import ROOT

    from imgen.plugins import installed

    folder = tmp_path_factory.mktemp("kept")
    small.write_recipes(ROOT / "recipes", folder / "recipes", installed())
    return folder


@pytest.fixture
def small_recipes(here: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Small recipes in the working folder, which are those that commands find."""
    from acted import small

    shutil.copytree(kept / "recipes", here / "recipes")
    # As a reader has it: one cache for all pages.
    monkeypatch.setenv("IMGEN_CACHE", str(kept / "cache"))
    small.take_small(monkeypatch, here / "recipes")
    return here / "recipes"
