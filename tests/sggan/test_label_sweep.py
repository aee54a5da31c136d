"""Many runs over ever more labels: each once, resumed where they stopped, in one table and one picture."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from imgen.errors import DataError
from imgen_sggan.label_sweep import Trial, measured, plot, trials

RECIPE = """\
algorithm: {name: sggan, width: 2, d_width: 2, blocks: 0, n_critic: 1}
dataset: {name: drawn-attributes, pictures: 48, n_test: 4, size: 16}
train: {steps: 1, batch: 2, tensorboard: false, threads: 1, preview_every: 0}
metrics: [{name: edit-accuracy, pictures: 4}]
"""


def test_every_count_comes_before_another_seed():
    told = trials(["a", "b"], [5, None], 2)
    assert [(each.recipe, each.labels, each.seed) for each in told[:4]] == [
        ("a", 5, 0),
        ("b", 5, 0),
        ("a", None, 0),
        ("b", None, 0),
    ]
    assert len(told) == 8 and told[4].seed == 1


def test_a_run_is_named_and_set_by_its_labels_and_its_seed(tmp_path):
    few, every = Trial("recipes/some.yaml", 5, 1), Trial("other", None, 0)
    assert few.folder(tmp_path) == tmp_path / "some-5-seed1" and every.folder(tmp_path) == tmp_path / "other-all-seed0"
    command = few.command(tmp_path, ["-s", "train.steps=3"])
    assert command[:2] == ["train", "recipes/some.yaml"] and command[-2:] == ["-s", "train.steps=3"]
    assert {"dataset.labels_per_value=5", "dataset.split_seed=1", "train.seed=1"} < set(command)
    assert "dataset.labels_per_value=null" in every.command(tmp_path, [])


def test_a_sweep_goes_on_where_it_stopped(cli, here):
    (here / "tiny.yaml").write_text(RECIPE)
    (here / "wide.yaml").write_text(RECIPE)

    def sweep(*more):
        return cli("sggan", "labels", "tiny.yaml", "wide.yaml", "--counts", "2, all", "--out", "out", *more)

    # The last run is refused: it has not got so many labels.
    said = cli("sggan", "labels", "tiny.yaml", "--counts", "2,1000", "--out", "out")
    assert said.status == 2 and "out/tiny-1000-seed0: ended with status 2; put right what" in said.err, said
    first = here / "out/tiny-2-seed0/model.safetensors"
    made, rows = first.stat().st_mtime_ns, json.loads((here / "out/labels.json").read_text())
    assert [(row["recipe"], row["labels"], row["seed"]) for row in rows] == [("tiny", 2, 0)]
    said = sweep()
    assert said.status == 0, said.err
    assert said.out.split() == ["out/labels.json", "out/edit_accuracy.png", "out/kept.png"]
    assert first.stat().st_mtime_ns == made, "a finished run is left alone"
    again = json.loads((here / "out/labels.json").read_text())
    assert again[0] == rows[0] and len(again) == 4 and 0 <= again[3]["edit_accuracy"] <= 1
    with Image.open(here / "out/kept.png") as image:
        assert image.size == (640, 420)


def test_means_and_their_ends_are_plotted(monkeypatch):
    drawn = {}
    monkeypatch.setattr("imgen.charts.lines", lambda series, **words: drawn.update(series) or words)
    rows = [
        {"recipe": "a", "labels": labels, "seed": seed, "edit_accuracy": value}
        for labels, seed, value in ((5, 0, 0.5), (None, 0, 0.9), (5, 1, 0.7))
    ]
    words = plot(rows, "edit_accuracy")
    assert drawn == {"a": [(5.0, pytest.approx(0.6), 0.5, 0.7), (50.0, 0.9, 0.9, 0.9)]}
    assert "(50: all)" in words["x_label"]


def test_what_was_not_measured_is_told(tmp_path):
    (tmp_path / "events.jsonl").write_text('{"event": "finished"}\n')
    with pytest.raises(DataError, match="nothing was measured by edit-accuracy"):
        measured(tmp_path)


@pytest.mark.parametrize("counts", ["5,few", "0", ",", "-3"])
def test_counts_that_are_none_are_refused(counts, cli):
    said = cli("sggan", "labels", "x", "--counts", counts)
    assert said.status == 2 and "--counts" in said.err and "Traceback" not in said.err
