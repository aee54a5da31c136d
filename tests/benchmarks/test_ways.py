"""Losses of several ways are trained, drawn and kept; the figures mean nothing at this size."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from imgen.errors import RecipeError

sys.path.insert(0, str(Path(__file__).parent))
import ways


def test_bf16_beside_two_eager_runs(tmp_path, capsys):
    asked = ["discogan_toy", "--steps", "4", "--seeds", "2", "--ways", "bf16", "--device", "cpu", "--no-scores"]
    ways.main([*asked, "--out", str(tmp_path)])
    shown = capsys.readouterr().out
    assert "seeds apart" in shown and "discogan_toy: translate/g" in shown
    told = json.loads((tmp_path / "ways.json").read_text())
    found = told["recipes"]["discogan_toy"]
    assert told["ways"] == ["bf16"] and found["runs"].keys() == {"eager, seed 0", "eager, seed 1", "bf16"}
    curves = {way: run["curves"]["translate/g"] for way, run in found["runs"].items()}
    assert all([step for step, _ in curve] == [1, 2, 3, 4] for curve in curves.values())
    first = curves.pop("eager, seed 0")
    assert all(curve != first for curve in curves.values()), "they round otherwise, or start otherwise"
    share = next(float(row[2]) for row in found["losses"] if row[0].endswith("translate/g"))
    apart = {way: ways.apart(first, curve) for way, curve in curves.items()}
    assert share == pytest.approx(apart["bf16"] / apart["eager, seed 1"], abs=1e-3)
    assert Image.open(tmp_path / "ways.png").size == Image.open(tmp_path / "discogan_toy.png").size


def test_a_way_that_is_none_is_told_before_anything_is_trained(tmp_path):
    with pytest.raises(RecipeError, match="no way 'bf32'; there are bf16, compiled"):
        ways.main(["discogan_toy", "--ways", "bf32", "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()
