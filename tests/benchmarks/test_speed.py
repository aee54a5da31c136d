"""The benchmark of training steps runs, and tells all that it promises; its figures mean nothing at these sizes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import speed
from apart import Alone
from plain import contests

TINY = ["--tiny", "--blocks", "2", "--steps", "1", "--side", "32"]

ALIKE = {"infogan_cr_drawn", "stargan_drawn", "sggan_drawn", "sggan_ages", "factor_vae_teapots"}
"""Their steps are those of other recipes of their papers, on other pictures."""


def test_a_recipe_of_each_kind(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(speed, "RECORDS", tmp_path / "records")
    speed.main(["--recipes", "quickstart,discogan_toy", *TINY, "--record", "--json", str(tmp_path / "all.json")])
    shown = capsys.readouterr().out
    assert "times as fast" in shown and "of peak" in shown and "seed 0" in shown and "judge " in shown
    told = json.loads((tmp_path / "all.json").read_text())
    assert told.keys() >= {"device", "cores", "threads", "torch", "date", "seed", "recipes"}
    for one in told["recipes"].values():
        assert one["imgen_seconds"] > 0 and one["plain_seconds"] > 0 and len(one["by_block"]) == 2
        assert one["turns"].keys() == {"judge", "forge"} or one["turns"].keys() == {"judge", "translate"}
        assert one["imgen_peak"] > 0 and one["plain_peak"] > 0 and one["flops"] > 0
        assert 0 < one["data_share"] < 1 and 0 < one["imgen_of_peak"] < 1
    (record,) = (tmp_path / "records").iterdir()
    assert json.loads(record.read_text()) == told and record.name.endswith("-cpu.json")


def test_sides_in_processes_of_their_own():
    args = speed.arguments(["--recipes", "discogan_toy", *TINY])
    with Alone("imgen", "discogan_toy", args) as alone:
        assert len(alone.play(2, 1)) == 2 and alone.resident > 2**20


def test_whoever_goes_first_changes():
    order = []

    def playing(name):
        return lambda rounds, warm: order.append(name) or [1.0] * rounds

    args = speed.arguments(["--blocks", "2", "--steps", "3"])
    args.cycle = 1
    taken = speed.interleaved({"imgen": playing("imgen"), "plain": playing("plain")}, args)
    assert order == ["imgen", "plain", "imgen", "plain", "plain", "imgen"]
    assert taken == {"imgen": [[1.0] * 3] * 2, "plain": [[1.0] * 3] * 2}


def test_ratios_are_of_blocks_side_by_side():
    """A machine that is three times slower in the second block says nothing of either side."""
    found = speed.compared({"imgen": [[1.0], [3.0], [1.0]], "plain": [[2.0], [6.0], [2.0]]})
    assert found["times_as_fast"] == 2 and found["by_block"] == [2, 2, 2]


def test_a_name_that_is_none_is_told(capsys):
    with pytest.raises(SystemExit):
        speed.main(["--recipes", "sddgan"])
    assert "no recipe 'sddgan'; there are " in capsys.readouterr().err


def test_every_recipe_is_there():
    recipes = {contest.recipe or name for name, contest in contests().items()}
    shipped = {path.stem for path in (Path(__file__).parents[2] / "recipes").glob("*.yaml")}
    assert recipes <= shipped
    assert shipped - recipes <= ALIKE, "a new recipe has a plain step beside it, or takes the steps of another one"
