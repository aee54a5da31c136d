"""The benchmark of captured turns says that it needs a GPU; what it measures of a side is measured on a CPU, too."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
import captured
from plain import contests


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_in_a_line(capsys):
    captured.main([])
    assert capsys.readouterr().out == "there is no GPU here, and CUDA graphs are of GPUs alone: nothing is measured\n"


def test_figures_of_two_sides():
    args = captured.arguments(["--device", "cpu", "--tiny", "--blocks", "2", "--steps", "1"])
    found = captured.measure("quickstart", contests()["quickstart"], args, ways=("eager", "auto"))
    assert found["times_as_fast"] > 0 and all(each["peak"] > 0 for each in found["memory"].values())
    assert found["seconds"].keys() == found["host_seconds"].keys() == {"eager", "auto"} and found["said"] == []
    table = captured.shown({"quickstart": found})
    assert table.startswith("recipe") and "\nquickstart " in table


@pytest.mark.gpu
def test_a_whole_table(tmp_path, capsys):
    captured.main(["--tiny", "--recipes", "quickstart", "--blocks", "2", "--steps", "1", "--json", str(tmp_path / "j")])
    assert "quickstart" in capsys.readouterr().out and (tmp_path / "j").stat().st_size
