"""`imgen runs`: runs side by side."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from imgen.metrics import Measured, records
from imgen.metrics.records import Record

RECIPE = """\
algorithm: {{name: game, rate: {rate}}}
dataset: {{name: shapes, size: 16}}
train: {{steps: 8, seed: {seed}}}
metrics:
- {{name: mine}}
"""


def measure(run: Path, step: int, *scores: float, metric: str = "mine", **more: float) -> None:
    told = [Measured(values={"score": score, **more}) for score in scores]
    records.append(run, replace(Record.of(metric, {}, told, list(range(len(told)))), step=step))


@pytest.fixture
def made(here: Path):
    def make(path: str, rate: float = 0.1, seed: int = 0, step: int = 0) -> Path:
        folder = here / path
        folder.mkdir(parents=True)
        (folder / "recipe.yaml").write_text(RECIPE.format(rate=rate, seed=seed))
        if step:
            state = folder / f"checkpoints/step-{step:08d}"
            state.mkdir(parents=True)
            (state / "state.json").write_text(json.dumps({"step": step, "files": {}}))
        return folder

    return make


def rows(said):
    assert said.status == 0, said.err
    head, *lines = (line.split("  ") for line in said.out.splitlines())
    return [[cell.strip() for cell in line if cell.strip()] for line in (head, *lines)]


def test_runs_are_listed_with_state_differences_and_numbers(made, cli):
    measure(made("runs/a", rate=0.1, step=8), 4, 0.25)
    measure(made("runs/b", rate=0.2, seed=5), 8, 1.0, 3.0)
    head, a, b = rows(cli("runs"))
    assert head == ["RUN", "ALGORITHM", "STEP", "STATE", "SEED", "RATE", "MINE/SCORE"]
    assert a == ["runs/a", "game", "8 of 8", "unfinished", "0", "0.1", "0.2500"]
    assert b == ["runs/b", "game", "0 of 8", "waiting", "5", "0.2", "2.0000 ± 1.4"]


def test_of_several_the_furthest_state_and_then_the_last_counts(made, cli):
    run = made("runs/a")
    for step, score in ((8, 0.8), (4, 0.4), (8, 0.9)):
        measure(run, step, score)
    assert rows(cli("runs", "runs", "-m", "mine"))[1][-1] == "0.9000"


def test_one_run_tells_all_of_its_numbers(made, cli):
    run = made("runs/a")
    measure(run, 8, 0.5, other=7.0)
    measure(run, 4, 0.25, metric="another")
    said = cli("runs", run)
    assert [line[:3] for line in rows(said)[1:]] == [
        ["another", "score", "0.2500"],
        ["mine", "score", "0.5000"],
        ["mine", "other", "7.0000"],
    ]
    assert cli("runs", made("runs/b")).lines[-1].startswith("nothing was measured")


def test_numbers_are_chosen_by_metric_value_family_and_pattern(made, cli):
    run = made("runs/a")
    made("runs/b")
    measure(run, 8, 0.5, metric="mig-one", other=7.0)
    measure(run, 8, 0.6, metric="mig-two", other=8.0)

    def heads(*words):
        return rows(cli("runs", *(part for word in words for part in ("-m", word))))[0][5:]

    assert heads("mig") == ["MIG-ONE/SCORE", "MIG-TWO/SCORE"]
    assert heads("mig-two/other", "mig-one") == ["MIG-TWO/OTHER", "MIG-ONE/SCORE"]
    assert heads("mig_*/o*") == ["MIG-ONE/OTHER", "MIG-TWO/OTHER"]
    said = cli("runs", "-m", "mag")
    assert said.status == 2 and "mag: of these runs nothing of the kind was measured" in said.err


def test_runs_are_ordered_by_a_number(made, cli):
    for name, score in (("a", 0.2), ("b", 0.9), ("c", 0.5)):
        measure(made(f"runs/{name}"), 8, score)
    made("runs/d")
    assert [line[0] for line in rows(cli("runs", "--sort", "mine"))[1:]] == ["runs/b", "runs/c", "runs/a", "runs/d"]


def test_an_order_that_means_nothing_is_one_line_that_names_it(made, cli):
    measure(made("runs/a"), 8, 0.5)
    said = cli("runs", "--sort", "mime")
    assert said.status == 2 and said.err.startswith("imgen: mime: of these runs nothing of the kind was measured")


def test_numbers_that_are_not_measured_alike_are_told(made, cli, here):
    """By other settings, on data that are not the run's, or by another protocol."""

    def measured(run, step, protocol="as it is", **more):
        record = Record.of("mine", {"pairs": more.pop("pairs", 9)}, [Measured(values={"score": 1.0})], [0])
        data = {"name": "shapes", "size": more.pop("size", 16)}
        records.append(run, replace(record, step=step, data=data, protocol=protocol))

    first, second = made("runs/a"), made("runs/b")
    measured(first, 8)
    measured(second, 8)
    assert "alike" not in cli("runs").err
    measured(first, 8, size=32)
    told = "mine: not all of it is measured alike: "
    assert cli("runs").lines[-1] == f"{told}dataset.size 32 or the run's own"
    assert cli("runs", first).lines[-1] == f"{told}dataset.size 32, not the run's own"
    measured(first, 9, pairs=3)
    assert cli("runs").lines[-1] == f"{told}pairs 3 or 9"
    assert f"{told}dataset.size 32 or the run's own; pairs" not in cli("runs", first).err
    said = cli("runs", first, "-m", "mine/score", "--plot", "curve.png")
    assert f"{told}pairs 9 or 3; dataset.size 32 or the run's own" in said.lines
    measured(first, 10)
    measured(second, 10, protocol="otherwise")
    assert cli("runs").lines[-1] == f"{told}their protocols differ"


def test_a_value_with_a_slash_in_its_name(made, cli):
    measure(made("runs/a"), 8, 0.5, **{"recall/left/eye": 0.25})
    assert rows(cli("runs", "-m", "mine/recall/left/eye"))[1][-1] == "0.2500"
    assert ["mine", "recall/left/eye", "0.2500"] in [line[:3] for line in rows(cli("runs", "runs/a"))]


def test_runs_in_folders_are_found_once_and_links_are_none(made, cli, here):
    made("runs/sweep/lr=1/a")
    made("runs/b")
    (here / "runs/best").symlink_to(here / "runs/b")
    assert [line[0] for line in rows(cli("runs", "runs", "runs/b"))[1:]] == ["runs/b", "runs/sweep/lr=1/a"]


def test_a_curve_is_drawn_of_one_number(made, cli, here):
    for name in ("a", "b"):
        run = made(f"runs/{name}")
        for step in (2, 4, 8):
            measure(run, step, step / 8, other=1.0)
    said = cli("runs", "--plot", "curve.png", "-m", "mine/score")
    assert said.status == 0 and said.lines[-1] == "curve.png: mine/score of 2 runs"
    picture = Image.open(here / "curve.png")
    assert len(picture.convert("RGB").getcolors(1 << 20)) > 20
    assert cli("runs", "--plot", "curve.png", "-m", "mine/*").status == 2
    assert cli("runs", "--plot", "curve.jpg").status == 2


def test_json_tells_all(made, cli):
    measure(made("runs/a"), 8, 0.5)
    (told,) = json.loads(cli("runs", "--json").out)
    assert (told["run"], told["state"], told["steps"]) == ("runs/a", "waiting", 8)
    assert told["settings"]["algorithm.rate"] == 0.1
    assert told["records"][0]["values"]["score"]["value"] == 0.5


def test_where_there_is_no_run_it_says_so(cli, here):
    said = cli("runs")
    assert said.status == 2 and said.lines == [
        "imgen: runs: no run, and none in it; give run folders, or a folder of runs"
    ]
    (here / "broken").mkdir()
    (here / "broken/recipe.yaml").write_bytes(b"\xff\xfe[")
    assert cli("runs", "broken").status == 0, "a broken recipe is a run of which little is known"
