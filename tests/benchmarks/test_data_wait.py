"""The benchmark of what data costs runs, and no recipe lacks data; its figures mean nothing at these sizes."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from imgen.build import dataset_from
from imgen.data import pictures
from imgen.plugins import installed
from imgen.recipe import Draft, find

sys.path.insert(0, str(Path(__file__).parent))
import scripts

HERE = Path(__file__).parent


@pytest.fixture
def benchmark(monkeypatch):
    """The script as a module."""
    monkeypatch.syspath_prepend(HERE)
    return importlib.import_module("data_wait")


def test_it_runs(tmp_path, monkeypatch):
    """A resident set, and one that is mapped from its file, as the full one would be."""
    monkeypatch.setattr(pictures, "KEEP", pictures.KEEP)  # which the script changes
    tiny = ["--steps", "1", "--warm", "1", "--count", "8", "--batch", "2", "--json", "told.json"]
    shown = scripts.run("data_wait.py", "--recipes", "discogan_toy,infogan_cr_teapots", *tiny, cwd=tmp_path)
    assert "wait %" in shown and "threads" in shown and "seed 0" in shown
    toy, pots = json.loads((tmp_path / "told.json").read_text())["recipes"]
    assert (toy["way"], toy["batch"], toy["recipe_batch"], toy["beside"]) == ("resident", 2, 200, 0)
    assert (pots["data"], pots["way"]) == ("teapots", "mapped") and pots["beside"] > 0
    for told in (toy, pots):
        assert 0 < told["wait"] < told["step"] and 0 < told["wait_percent"] <= told["cost_percent"]


def test_every_recipe_has_data(benchmark, tmp_path, monkeypatch):
    """As large as its networks want it, and used as the full set would be."""
    monkeypatch.setattr(benchmark.pictures, "KEEP", 0)
    stand_in = benchmark._maker(tmp_path, SimpleNamespace(count=12, seed=0))
    plugins, ways = installed(), {}
    for name in benchmark.shipped():
        draft = Draft.read(find(name, plugins), plugins)
        kind = draft.content["dataset"]["name"]
        root, full = stand_in(kind) if kind in benchmark.STAND_INS else ("", 0)
        asked = SimpleNamespace(seed=0, threads=0, device="cpu", batch=0)
        recipe = benchmark.recipe_of(draft, name, root, asked)
        if root and kind not in ways and name != "embedding":  # whose part of so few people is empty
            ways[kind] = benchmark.way_of(dataset_from(recipe.dataset, plugins), full, "cpu")
    assert ways == {
        "identities": "mapped",
        "images": "resident",
        "attributes": "decoded",
        "attribute-domains": "decoded",
        "utkface-attributes": "resident",
        "teapots": "mapped",
    }
