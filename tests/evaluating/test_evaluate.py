"""`imgen evaluate`: what is measured, told and kept."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from imgen.metrics import records
from imgen.model import read_model


def told(said):
    assert said.status == 0, said.err
    return json.loads(said.out)


def values(record):
    return {name: value["value"] for name, value in record["values"].items()}


def test_the_numbers_of_training_come_out_again(run, cli):
    during = [record for record in records.read(run) if record.step == 4]
    (again,) = told(cli("evaluate", run, "--json"))["records"]
    assert again["settings"]["times"] == 2.0
    assert values(again)["weight"] == pytest.approx(during[0].values["weight"].value, rel=1e-6)


def test_what_was_measured_is_kept_with_all_that_it_depends_on(run, cli):
    before = len(records.read(run))
    said = told(cli("evaluate", run, "--metric", "tally-seed-one", "-s", "times=3", "--seed", "5", "--json"))
    kept = records.read(run)[before:]
    assert [each.to_json() for each in kept] == said["records"]
    (one,) = kept
    assert one.values["seed"].value == 36
    assert (one.metric, one.settings, one.seeds, one.step, one.during) == (
        "tally-seed-one",
        {"times": 3.0},
        [5],
        4,
        False,
    )
    assert (one.counts, one.protocol, one.notes) == ({"pictures": 1234}, "as it is", ["a note"])
    assert (one.weights, one.device, one.data["name"]) == ("model.safetensors", "cpu", "shapes")
    assert len(one.sha256) == 64 and {"imgen", "python", "torch", "numpy"} <= set(one.versions)
    assert one.details == {"matrix": [[1.0, None]]}


def test_a_number_is_the_same_whatever_was_measured_before(run, cli):
    alone = told(cli("evaluate", run, "--metric", "tally-seed-two", "--json"))["records"]
    after = told(cli("evaluate", run, "--metric", "tally-seed-one", "--metric", "tally-seed-two", "--json"))["records"]
    assert values(alone[0])["drawn"] == values(after[1])["drawn"]
    assert (values(alone[0])["taken"], values(after[1])["taken"]) == (1, 2), "what is made once is shared"


def test_repetitions_give_mean_and_standard_deviation(run, cli):
    (one,) = told(cli("evaluate", run, "-m", "tally-seed-one", "--repeat", "3", "--seed", "0", "--json"))["records"]
    seen = one["values"]["seed"]
    assert (seen["value"], seen["mean"], seen["std"], seen["each"]) == (7.0, 8.0, 1.0, [7.0, 8.0, 9.0])
    assert one["values"]["taken"]["each"] == [1, 1, 1], "every seed has its own"
    table = cli("evaluate", run, "-m", "tally-seed-one", "--repeat", "3", "--seed", "0")
    (line,) = (line for line in table.out.splitlines() if " seed " in line)
    assert line.split()[2:5] == ["8.0000", "1", "3"] and "1,234 pictures" in line
    assert "tally-seed-one: a note" in table.lines


def test_a_family_a_pattern_a_protocol(run, cli):
    def names(*words):
        return [record["metric"] for record in told(cli("evaluate", run, *words, "--json"))["records"]]

    assert names("-m", "tally-seed") == ["tally-seed-one", "tally-seed-two"]
    assert names("-m", "tally-*-one") == ["tally-seed-one", "tally-undefined-one"]
    assert names("-m", "tally", "--protocol", "two") == ["tally-seed-two"]
    assert names("-m", "tally-seed-two, tally_weight") == ["tally-seed-two", "tally-weight"]
    assert names("-m", "tally_weight", "-m", "tally-weight") == ["tally-weight"]


def test_what_a_pattern_means_and_does_not_fit_is_told_and_left_out(run, cli):
    said = told(cli("evaluate", run, "-m", "tally", "--json"))
    assert said["unmeasured"] == {
        "tally-unfit": "needs a third dimension",
        "tally-needy": "needs -s tally-needy.weights=...: a file",
    }
    assert len(said["records"]) == 4


def test_what_is_named_and_does_not_fit_is_an_error_but_the_rest_is_measured(run, cli):
    before = len(records.read(run))
    said = cli("evaluate", run, "-m", "tally-unfit", "-m", "tally-weight")
    assert said.status == 2
    assert "imgen: tally-unfit: needs a third dimension" in said.lines
    assert "tally-weight" in said.out and len(records.read(run)) == before + 1


def test_a_number_that_is_none_is_told_with_its_reason(run, cli):
    said = cli("evaluate", run, "-m", "tally-undefined-one")
    assert said.status == 0 and "undefined" in said.out
    assert "tally-undefined-one: code 3 never varies" in said.lines
    assert records.read(run)[-1].values["score"].value is None


def test_a_former_state_and_a_file_of_no_run(run, cli, here):
    (one,) = told(cli("evaluate", f"{run}@2", "-m", "tally-weight", "--json"))["records"]
    assert one["step"] == 2 and one["weights"] == "checkpoints/step-00000002/ema.safetensors"
    shutil.copy(run / "model.safetensors", here / "mine.safetensors")
    before = len(records.read(run))
    words = ["evaluate", "mine.safetensors", "-m", "tally-weight", "--dataset", "shapes", "-d", "size=16"]
    said = told(cli(*words, "--json"))
    assert said["file"] is None and len(records.read(run)) == before
    assert told(cli(*words, "--out", "kept/all.jsonl", "--json"))["file"] == "kept/all.jsonl"
    assert len((here / "kept/all.jsonl").read_text().splitlines()) == 1


def test_a_file_below_a_folder_with_a_recipe_is_of_no_run(run, cli, here):
    """Such as a model from elsewhere, in a project that has a recipe of its own."""
    (here / "recipe.yaml").write_text((run / "recipe.yaml").read_text())
    (here / "theirs").mkdir()
    shutil.copy(run / "model.safetensors", here / "theirs/model.safetensors")
    said = cli("evaluate", "theirs/model.safetensors", "-m", "tally-weight")
    assert said.status == 2 and "these weights are in no run" in said.err
    assert not (here / "metrics.jsonl").exists()


def test_left_out_the_newest_run_is_measured(run, cli):
    said = cli("evaluate")
    assert said.status == 0 and f"using {run}/model.safetensors" in said.lines


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["-m", "tally-wait"], "no metric is called 'tally-wait'; did you mean 'tally-weight'"),
        (
            ["-m", "tally-weight", "-s", "tmes=2"],
            "-s tmes=2: none of these metrics has a setting 'tmes'; did you mean 'times'?",
        ),
        (["-m", "tally-weight", "-s", "times=two"], "metric 'tally-weight': times must be a number, not 'two'"),
        (["-m", "tally-weight", "-s", "other.times=2"], "-s other.times=2: 'other' is not measured here"),
        (["-m", "tally-weight", "-s", "times"], "-s times: write it as -s KEY=VALUE"),
        (["-m", "tally-needy"], "metric 'tally-needy': needs the setting 'weights': a file"),
        (["-m", "tally", "--protocol", "three"], "--protocol three: none of tally-needy"),
        (["--protocol", "one"], "--protocol one: none of tally-weight is of it; those that are: tally-seed-one"),
        (["-m", "tally-weight", "-d", "sise=16"], "dataset 'shapes': has no setting 'sise'; did you mean 'size'?"),
        (["-m", "tally-weight", "-d", "size=32"], "this model was trained on pictures of 16x16 in 3 channels"),
        (["-m", "tally-weight", "--dataset", "shape"], "no dataset is called 'shape'; did you mean 'shapes'"),
        (["-m", "tally-weight", "--factors", "f.npz"], "--factors goes with a file of CODES"),
        (["-m", "tally-weight", "--repeat", "0"], "0 is not in the range"),
        (["-m", "tally-weight", "--out", "runs"], "is a directory"),
    ],
)
def test_wrong_requests_are_one_line_and_leave_the_run_alone(run, cli, tree, words, line):
    before = tree(run)
    said = cli("evaluate", run, *words)
    assert said.status == 2
    assert line in said.err and "Traceback" not in said.err
    assert len([each for each in said.lines if not each.startswith("measuring")]) == 1
    assert tree(run) == before


def test_where_nothing_can_be_kept_is_told_before_anything_is_measured(run, cli, tiny):
    said = cli("evaluate", run, "--out", tiny / "records.jsonl")
    assert said.status == 1 and not [line for line in said.lines if line.startswith("measuring")]
    assert cli("evaluate", run, "-m", "tally-unfit", "--out", "apart/records.jsonl").status == 2
    assert not Path("apart/records.jsonl").exists()


def test_a_recipe_without_metrics_asks_which(tallies, tiny, cli):
    assert cli("train", tiny, "--out", "plain").status == 0
    said = cli("evaluate", "plain")
    assert said.status == 2 and "which metric?" in said.err


def test_codes_need_factors(cli, here):
    said = cli("evaluate", "codes.npz", "-m", "mig")
    assert said.status == 2 and "codes.npz: what do its codes stand for? Give --factors FILE" in said.err


def test_metrics_on_a_beat_leave_training_as_it_is(run, cli, tiny):
    text = tiny.read_text()
    tiny.write_text(text.replace("measure_every: 2", "measure_every: 0"))
    assert cli("train", tiny, "--out", "without").status == 0
    with_beat, without = (read_model(Path(each) / "model.safetensors")[1] for each in (run, "without"))
    assert all((with_beat[name] == without[name]).all() for name in without)
    assert [record.step for record in records.read(run)] == [2, 4]
    assert [record.step for record in records.read(Path("without"))] == [4]
    assert all(record.during and record.data["name"] == "shapes" for record in records.read(run))
