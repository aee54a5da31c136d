"""The benchmark of training steps runs, and tells all that it promises; its figures mean nothing at these sizes."""

from __future__ import annotations

import importlib
import io
import json
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
import asking
import speed
from apart import Alone
from contests import both, recipe_of
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
    assert told.keys() >= {"device", "cores", "threads", "imgen", "torch", "date", "seed", "recipes"}
    for one in told["recipes"].values():
        assert one["imgen_seconds"] > 0 and one["plain_seconds"] > 0 and len(one["by_block"]) == 2
        assert one["turns"].keys() == {"judge", "forge"} or one["turns"].keys() == {"judge", "translate"}
        assert one["imgen_peak"] > 0 and one["plain_peak"] > 0
        assert 0 < one["imgen_flops"] < one["plain_flops"], "whose backward pass also goes through who does not move"
        assert 0 < one["data_share"] < 1 and 0 < one["imgen_of_peak"] < 1
        for side in ("imgen", "plain"):
            rate = one[f"{side}_flops"] / one[f"{side}_seconds"]
            assert one[f"{side}_of_peak"] == pytest.approx(rate / one["matrix_rate"])
    (record,) = (tmp_path / "records").iterdir()
    assert json.loads(record.read_text()) == told and record.name.endswith("-cpu.json")


def test_a_side_plays_when_it_is_told_to(monkeypatch, capsys):
    alone = Alone("imgen", "discogan_toy", speed.arguments(["--recipes", "discogan_toy", *TINY]))
    monkeypatch.setattr(sys, "stdin", io.StringIO("2 1\n"))
    speed.main(alone.command[2:])
    ready, told = capsys.readouterr().out.splitlines()
    assert ready == "ready" and len(json.loads(told)["taken"]) == 2 and json.loads(told)["resident"] > 2**20


def test_a_process_is_told_to_play():
    """Of a stand-in, which need not import torch."""
    alone = Alone("imgen", "discogan_toy", speed.arguments(["--recipes", "discogan_toy", *TINY]))
    says = "print('ready', flush=True); print('{\"taken\": [' + input().replace(' ', ',') + '], \"resident\": 7}')"
    alone.command = [sys.executable, "-c", says]
    with alone:
        assert alone.play(2, 1) == [2, 1] and alone.resident == 7


def test_a_plain_step_finds_torch_as_it_comes(tmp_path, monkeypatch):
    """Also where a trainer has played before, as that of the recipe before it."""
    contest = contests()["discogan_toy"]
    recipe = recipe_of("discogan_toy", contest, torch.device("cpu"), seed=0, tiny=True)
    comes = torch.backends.cudnn.benchmark
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", not comes)
    ours, theirs = both(contest, recipe, torch.device("cpu"), tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with theirs.surroundings():
        assert torch.backends.cudnn.benchmark is comes
    with ours.surroundings():
        assert torch.backends.cudnn.benchmark is not comes
    ours.close()


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


@pytest.mark.parametrize("script", ["speed", "data_wait", "sampling", "scaling", "ways", "population"])
def test_a_recipe_that_is_none_is_told_in_a_line(script, tmp_path, monkeypatch, capsys):
    asked = {"ways": ["sddgan", "--out", str(tmp_path)], "population": ["--recipe", "sddgan"]}
    module = importlib.import_module(script)
    monkeypatch.setattr(sys, "argv", [f"{script}.py", *asked.get(script, ["--recipes", "sddgan"])])
    with pytest.raises(SystemExit) as ended:
        asking.plainly(module.main)
    told = capsys.readouterr()
    assert ended.value.code == 2 and not told.out and told.err.startswith(f"{script}.py: ")
    assert "'sddgan'" in told.err and told.err.count("\n") == 1


def test_every_recipe_is_there():
    recipes = {contest.recipe or name for name, contest in contests().items()}
    shipped = {path.stem for path in (Path(__file__).parents[2] / "recipes").glob("*.yaml")}
    assert recipes <= shipped
    assert shipped - recipes <= ALIKE, "a new recipe has a plain step beside it, or takes the steps of another one"
