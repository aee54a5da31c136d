"""`imgen select`: runs on the command line, what is told of them, and the link to the best."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imgen.errors import DataError
from imgen.model import read_config, write_model
from imgen.selecting import best
from imgen.selecting.shelf import Shelf

FEW = ["--groups", "4", "--group-size", "6", "--free", "30"]
ALL = ["runs/poor", "runs/half", "runs/good"]


def told(said):
    assert said.status == 0, said.err
    return json.loads(said.out)


def test_the_best_comes_first(cli, runs):
    said = cli("select", *ALL, *FEW)
    assert (said.status, said.err) == (0, "")
    head, *rows = [line.split() for line in said.out.splitlines()]
    assert head == ["RANK", "RUN", "SCORE", "OWN", "ALGORITHM", "SEED", "READS", "MAKES"]
    assert rows[0] == ["1", "good", "0.667", "1.000", "toys", "2"]
    assert rows[1] == ["2", "poor", "0.583", "0.333", "toys", "0", "first"]
    assert rows[2] == ["3", "half", "0.583", "0.667", "toys", "1", "half", "half"]


def test_one_json_object(cli, runs):
    found = told(cli("select", *ALL, *FEW, "--json"))
    assert [each["name"] for each in found["models"]] == ["good", "poor", "half"]
    first = found["models"][0]
    assert first["score"] == pytest.approx(2 / 3)
    assert (first["rank"], first["run"], first["seed"], first["step"]) == (1, "runs/good", 2, 1)
    assert first["weights"] == "runs/good/model.safetensors"
    assert found["names"] == ["poor", "half", "good"], "matrices are in the order that was given"
    assert found["pairs"][2] == pytest.approx([1, 2 / 3, 1])
    assert np.array(found["alike"]) == pytest.approx(np.array(found["alike"]).T)
    assert found["settings"] == {"groups per code": 4, "group size": 6, "free": 30, "seed": 0, "batch": 256}
    assert (found["rows"], found["columns"], found["paths"]) == ("codes read by", "pictures made by", [])
    again = told(cli("select", *reversed(ALL), *FEW, "--json", "--batch", "5"))
    assert {each["name"]: each["score"] for each in again["models"]} == {
        each["name"]: each["score"] for each in found["models"]
    }


def test_what_was_measured_is_shown_and_not_used(cli, runs):
    from imgen.metrics import Measured, records
    from imgen.metrics.records import Record

    for run, value in (("runs/poor", 0.9), ("runs/good", 0.1)):
        for step in (1, 2):
            record = Record.of("score-of-mine", {}, [Measured(values={"score": value / step})], [0])
            records.append(Path(run), records.Record(**{**vars(record), "step": step}))
    head, *rows = [line.split() for line in cli("select", *ALL, *FEW).out.splitlines()]
    assert head[-1] == "SCORE-OF-MINE/SCORE"
    assert rows[0][1] == "good" and rows[0][-1] == "0.1000", "of the step of the weights"
    assert told(cli("select", *ALL, *FEW, "--json"))["models"][1]["measured"] == {"score-of-mine/score": 0.9}


def test_a_folder_stands_for_the_finished_runs_in_it(cli, make_run, runs):
    make_run("runs/sweep/a/1")
    make_run("runs/sweep/2", finished=False)
    make_run("runs/mute", kind="makes")
    said = cli("select", "runs", *FEW, "--json")
    assert sorted(told(said)["names"]) == ["1", "good", "half", "poor"]
    assert "passing over runs/sweep/2: not finished; name it to take it as it is" in said.lines
    assert sum("passing over" in line for line in said.lines) == 2
    assert any("runs/mute/model.safetensors: its model 'makes' reads no codes" in line for line in said.lines)
    named = told(cli("select", "runs/sweep/2", "runs/good", *FEW, "--json"))
    assert named["models"][0]["weights"].endswith("step-00000001/ema.safetensors")


def test_checkpoints_files_and_names_that_tell_apart(cli, make_run, runs):
    make_run("other/good")
    words = ["runs/good@last", "other/good", "runs/good/model.safetensors", "runs/good"]
    said = cli("select", *words, *FEW, "--json")
    assert told(said)["names"] == ["good@1", "other/good", "runs/good"]
    assert said.lines == ["runs/good: is runs/good/model.safetensors, which counts once"]


@pytest.mark.parametrize("method", ["udr-lasso", "udr-spearman"])
def test_udr(method, cli, make_run, runs):
    make_run("runs/better", reads="turned")
    make_run("runs/best")
    found = told(cli("select", "runs", "--method", method, "--pictures", "300", "--json"))
    assert {each["name"] for each in found["models"][:3]} == {"good", "better", "best"}
    assert found["method"] == method and found["settings"]["pictures"] == 300
    assert "made by the models" in found["notes"][0] and "dataset" in found["notes"][0]
    assert found["models"][0]["informative codes"] == 3


def test_udr_looks_at_the_data_of_the_runs(cli, make_run):
    for name in "ab":
        file = make_run(f"runs/{name}", image=(1, 24, 24)) / "recipe.yaml"
        file.write_text(
            "algorithm:\n  name: sddcgan\n"
            "dataset:\n  name: drawn-sprites\n  size: 24\n  positions: 4\ntrain:\n  steps: 1\n"
        )
    found = told(cli("select", "runs", "--method", "udr-spearman", "--pictures", "50", "--json"))
    assert found["notes"] == ["pictures are those of the runs' data"]
    assert found["settings"]["pictures"] == 50
    everything = told(cli("select", "runs", "--method", "udr-spearman", "--json"))
    assert everything["settings"]["pictures"] == 96, "of which there are no more"


def test_notes_say_what_keeps_scores_from_comparing(cli, make_run):
    make_run("runs/a", about="cats")
    make_run("runs/b", about="dogs", called="ab")
    said = cli("select", "runs", *FEW)
    assert said.lines == [
        "note: models have 2 or 3 codes: with fewer of them a vote is more often right by chance, so scores of the "
        "ones and the others do not quite compare",
        "note: two models always score alike; three or more tell which to take",
        "note: models were trained on different data",
    ]


@pytest.mark.parametrize(("method", "module"), [("udr-lasso", "sklearn.linear_model"), ("udr-spearman", "scipy.stats")])
def test_udr_says_which_package_it_needs(method, module, cli, runs, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    said = cli("select", *ALL, "--method", method, "--pictures", "20")
    package = module.partition(".")[0]
    assert (said.status, said.out) == (2, "")
    assert said.lines == [f"imgen: --method {method} needs the package '{package}': pip install 'imgen[metrics]'"]


# ---- what is written ----


def test_a_map_and_all_figures(cli, runs):
    said = cli("select", *ALL, *FEW, "--out", "told")
    assert said.out.splitlines()[-2:] == ["told/heat.png", "told/select.json"]
    kept = json.loads(Path("told/select.json").read_text())
    asked = told(cli("select", *ALL, *FEW, "--json", "--out", "told/alone.png"))
    assert asked.pop("paths") == ["told/alone.png"]
    assert kept == asked
    with Image.open("told/alone.png") as alone, Image.open("told/heat.png") as heat:
        assert np.array_equal(np.asarray(alone), np.asarray(heat))


def test_a_link_to_the_best(cli, runs):
    said = cli("select", *ALL, *FEW, "--best-link", "runs/best")
    assert said.lines[-1] == "runs/best leads to runs/good"
    assert Path("runs/best").is_symlink() and str(Path("runs/best").readlink()) == "good"
    sampled = cli("sample", "runs/best", "-n", "2")
    assert sampled.status == 0 and sampled.out == "samples/good-2-seed0.png\n"
    again = cli("select", "runs/poor", "runs/half", *FEW, "--best-link", "runs/best", "--json")
    assert json.loads(again.out)["best_link"] == "runs/best"
    assert str(Path("runs/best").readlink()) == "poor"
    assert sorted(told(cli("select", "runs", *FEW, "--json"))["names"]) == ["good", "half", "poor"]


def test_a_link_to_a_checkpoint(cli, runs):
    said = cli("select", "runs/good@last", "runs/half", *FEW, "--best-link", "deep/best")
    assert said.status == 0
    target = "../runs/good/checkpoints/step-00000001/ema.safetensors"
    assert str(Path("deep/best").readlink()) == target
    assert cli("sample", "deep/best", "-n", "2").out == "samples/good@1-2-seed0.png\n"


@pytest.mark.parametrize("kind", ["file", "folder", "run"])
def test_only_a_link_is_replaced(kind, cli, runs, tree):
    if kind == "file":
        Path("best").write_text("mine")
    elif kind == "folder":
        Path("best").mkdir()
    link = "runs/half" if kind == "run" else "best"
    before = tree(Path())
    said = cli("select", *ALL, *FEW, "--best-link", link)
    what = "file" if kind == "file" else "folder"
    assert (said.status, said.out) == (2, "")
    assert said.err == f"imgen: {link}: is a {what}, and only a link is ever replaced; give --best-link another name\n"
    assert tree(Path()) == before


def test_links_are_made_at_once_and_leave_nothing_behind(here, monkeypatch):
    Path("a").mkdir()
    best.point(Path("runs/best"), Path("a"))
    assert str(Path("runs/best").readlink()) == "../a"
    Path("a").rmdir()
    best.check(Path("runs/best"))  # one that leads nowhere is a link as well
    Path("b").mkdir()

    def broken(self, target):
        raise OSError("full")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", broken)
        with pytest.raises(OSError, match="full"):
            best.point(Path("runs/best"), Path("b"))
    assert [path.name for path in Path("runs").iterdir()] == ["best"]
    assert str(Path("runs/best").readlink()) == "../a"
    with pytest.raises(DataError, match="is a folder"):
        best.point(Path("b"), Path("b"))


# ---- what is refused ----


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["runs/good"], "imgen: selecting compares models with one another, and runs/good/model.safetensors is one; "
         "give two or more"),
        (["runs/good", "runs/nowhere"], "imgen: runs/nowhere: no such file or run; give a run folder, a "
         "model.safetensors, or user/name on the Hub"),
        (["empty"], "imgen: empty: no run, and none in it; give run folders, or a folder of runs"),
        (["runs/good", "runs/good@never"], "imgen: runs/good@never: this run keeps no such checkpoint; it has last, 1"),
        (["runs/good", "runs/poor", "--pictures", "5"],
         "imgen select: --pictures goes with --method udr-lasso or udr-spearman (see `imgen select --help`)"),
        (["runs/good", "runs/poor", "--method", "udr-lasso", "--group-size", "5"],
         "imgen select: --group-size goes with --method model-centrality (see `imgen select --help`)"),
        (["runs/good", "runs/poor", "--out", "map.jpg"],
         "imgen select: --out map.jpg: give a file that ends in .png, or a folder (see `imgen select --help`)"),
        (["runs/good", "runs/poor", "--out", "plain"],
         "imgen select: --out plain: is a file; give one that ends in .png, or a folder (see `imgen select --help`)"),
    ],
)  # fmt: skip
def test_wrong_requests(words, error, cli, runs):
    Path("empty").mkdir()
    Path("plain").write_text("")
    said = cli("select", *words)
    assert (said.status, said.out, said.err) == (2, "", error + "\n")


def test_every_model_that_does_not_fit_is_named(cli, make_run, runs):
    make_run("runs/mute", kind="makes")
    make_run("runs/blind", kind="encodes")
    make_run("runs/foreign", called="xy")
    said = cli("select", "runs/good", "runs/mute", "runs/blind", "runs/foreign")
    assert said.status == 2
    assert said.lines == [
        "imgen: runs/mute/model.safetensors: its model 'makes' reads no codes from pictures; give models that make "
        "and read them",
        "imgen: runs/blind/model.safetensors: its model 'encodes' makes no pictures from codes; give models that do, "
        "and read them",
        "imgen: runs/foreign/model.safetensors: its model 'reads' reads none of the codes that it makes pictures from "
        "(a, b, c, noise), but others (x, y)",
    ]


@pytest.mark.parametrize("method", ["model-centrality", "udr-spearman"])
def test_a_model_that_went_astray(method, cli, runs):
    pytest.importorskip("scipy.stats", reason="SciPy is not installed")
    few = [*(FEW if method == "model-centrality" else ["--pictures", "30"]), "--method", method]
    weights = Path("runs/poor/model.safetensors")
    without = told(cli("select", "runs/half", "runs/good", *few, "--json"))
    write_model(weights, read_config(weights), {"factor": torch.tensor(float("nan"))})
    said = cli("select", *ALL, *few)
    wrong = f"{weights}: its pictures are not numbers"
    assert (said.status, said.err) == (2, f"imgen: {wrong}, as after training that went astray; leave it out\n")
    said = cli("select", "runs", *few, "--json")
    assert f"passing over {wrong}" in said.lines
    assert dict(zip(told(said)["names"], told(said)["scores"], strict=True)) == dict(
        zip(without["names"], without["scores"], strict=True)
    )


def test_pictures_of_other_shapes(cli, make_run, runs):
    make_run("runs/large", image=(1, 6, 6))
    make_run("runs/coloured", image=(3, 3, 3))
    said = cli("select", "runs/good", "runs/large", "runs/coloured")
    assert said.status == 2
    assert said.lines == [
        "imgen: runs/large/model.safetensors: its pictures are 6x6 in 1 channel, those of "
        "runs/good/model.safetensors 3x3 in 1 channel; give models of the same pictures",
        "imgen: runs/coloured/model.safetensors: its pictures are 3x3 in 3 channels, those of "
        "runs/good/model.safetensors 3x3 in 1 channel; give models of the same pictures",
    ]


def test_a_run_without_weights(cli, make_run, runs):
    make_run("runs/fresh", weights=False)
    said = cli("select", "runs/good", "runs/fresh")
    assert said.lines == ["imgen: runs/fresh: this run has no checkpoint yet; let it reach one"]
    assert (said.status, said.out) == (2, "")


# ---- memory ----


def test_only_so_many_models_stay_loaded(here):
    files = [Path(name) for name in "abc"]
    for file in files:
        file.write_bytes(bytes(10))
    loads: list[str] = []

    def load(file: Path) -> str:
        loads.append(file.name)
        return file.name.upper()

    shelf = Shelf(files, load, room=25)
    assert [shelf[place] for place in (0, 1, 0, 2, 0, 1)] == ["A", "B", "A", "C", "A", "B"]
    assert loads == ["a", "b", "c", "b"], "the one that was used last stays"
    assert len(shelf) == 3 and list(Shelf(files, load)) == ["A", "B", "C"]
    assert Shelf(files, load, room=1)[2] == "C", "one is loaded, however large"
