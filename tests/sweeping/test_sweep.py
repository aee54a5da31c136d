"""What `imgen sweep` says without any training: dry runs, wrong requests, a Ray that is not there."""

from __future__ import annotations

import json
import sys

import pytest

from imgen.sweeping import folder

GRID = ("--grid", "dim=4,8", "--seeds", "2")


def test_a_dry_run_lists_the_runs_and_writes_nothing(cli, tiny, here, tree):
    before = tree(here)
    said = cli("sweep", "tiny.yaml", *GRID, "--dry-run")
    assert said.status == 0 and said.lines == ["sweep runs/sweeps/tiny: 4 runs, 4 of them to train"]
    assert said.out.splitlines()[1].split() == ["dim=4_seed=0", "waiting", "trained"]
    told = json.loads(cli("sweep", "tiny.yaml", *GRID, "--dry-run", "--json").out)
    assert told["counts"]["waiting"] == 4 and told["sweep"] == "runs/sweeps/tiny"
    assert told["runs"][3] == {
        "name": "dim=8_seed=1",
        "settings": {"algorithm.dim": 8, "train.seed": 1},
        "seed": 1,
        "folder": "runs/sweeps/tiny/dim=8_seed=1",
        "state": "waiting",
        "step": 0,
        "steps": 4,
        "status": None,
        "reason": "",
        "model": None,
        "seconds": 0,
        "attempts": 0,
        "where": "",
        "log": None,
        "last_lines": [],
        "action": "trained",
        "process": 4,
    }
    assert tree(here) == before


def test_a_dry_run_tells_which_runs_share_a_process(cli, tiny, here):
    argv = ("sweep", "tiny.yaml", "--grid", "dim=4,8", "--seeds", "3", "--seeds-per-process", "2", "--dry-run")
    said = cli(*argv)
    assert said.lines == ["sweep runs/sweeps/tiny: 6 runs, 6 of them to train in 4 processes"]
    one = cli("sweep", "tiny.yaml", "--seeds", "2", "--seeds-per-process", "2", "--dry-run")
    assert one.lines == ["sweep runs/sweeps/tiny: 2 runs, 2 of them to train in 1 process"]
    rows = [line.split() for line in said.out.splitlines()]
    assert rows[0][-2:] == ["IN", "PROCESS"] and [row[-1] for row in rows[1:]] == ["1", "1", "2", "3", "3", "4"]
    told = json.loads(cli(*argv, "--json").out)
    assert [run["process"] for run in told["runs"]] == [1, 1, 2, 3, 3, 4]


@pytest.mark.parametrize(
    ("argv", "what"),
    [
        (("--grid", "dmi=4,8"), "this recipe has no setting 'dmi'; did you mean 'dim'"),
        (("--grid", "dim=4,x"), "dim must be a whole number >= 1, not 'x'"),
        (("--grid", "dim="), "--grid dim=: has no values"),
        (("--seeds", "0"), "--seeds 0: give how many"),
        (("--grids", "absent.yaml"), "--grids absent.yaml: cannot be read: No such file"),
        (("--out", "tiny.yaml"), "tiny.yaml: a file; give the folder of a sweep"),
        (("--out", "."), "is not empty and not a sweep"),
        (("-s", "dim"), "-s dim: write it as -s KEY=VALUE"),
        (("-s", "dmi=3"), "-s dmi=3: this recipe has no setting 'dmi'"),
        (("--gpus-per-run", "1.5"), "--gpus-per-run 1.5: a part of one GPU, such as 0.25, or a whole number"),
        (("--memory-per-run", "many"), "'many' is no such amount; write it as 500M or 4G"),
        (("--timeout", "0"), "'0' is no such amount; write it as 90, 30m or 2h"),
        (("--env", "A"), "--env A: write it as --env NAME=VALUE"),
        (("--max-parallel", "0"), "0 is not in the range x>=1"),
        (("--seeds", "2", "--seeds-per-process", "0"), "0 is not in the range 1<=x<=256"),
        (
            ("--seeds", "2", "--seeds-per-process", "2", "--gpus-per-run", "2"),
            "--seeds-per-process 2: the runs of a process share one GPU, so --gpus-per-run cannot be 2; give 1 or",
        ),
        (("--grid", "dim=4,8", "--seeds-per-process", "3"), "no two runs of this sweep differ in their seeds alone"),
    ],
)
def test_wrong_requests(argv, what, cli, tiny, here, tree):
    before = tree(here)
    said = cli("sweep", "tiny.yaml", *argv)
    assert said.status == 2 and len(said.lines) == 1 and what in said.err
    assert tree(here) == before


def test_no_such_recipe(cli, here):
    said = cli("sweep", "quickstrat", "--seeds", "2")
    assert said.status == 2 and "did you mean 'quickstart'" in said.err


def test_all_errors_at_once(cli, tiny):
    said = cli("sweep", "tiny.yaml", "--grid", "dim=4,x", "--grid", "batch=0,y", "--grid", "what=3")
    assert said.status == 2 and len(said.lines) == 4


def test_without_ray(cli, tiny, here, tree, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    before = tree(here)
    said = cli("sweep", "tiny.yaml", *GRID)
    assert said.status == 2
    assert said.lines[-1] == "imgen: imgen sweep needs the package 'ray': pip install 'imgen[sweep]'"
    assert tree(here) == before


def test_another_command_is_at_work(cli, tiny, here):
    with folder.held(here / "runs/sweeps/tiny"):
        said = cli("sweep", "tiny.yaml", *GRID)
    assert said.status == 2 and "another sweep is at work in this folder" in said.lines[-1]


def test_amounts():
    from imgen.commands.sweep import DURATION, SIZE

    assert [DURATION.convert(text, None, None) for text in ("90", "30m", "1.5h", "2d", 5.0)] == [
        90,
        1800,
        5400,
        172800,
        5,
    ]
    assert [SIZE.convert(text, None, None) for text in ("500M", "4G", "4GiB", "1.5g", "1024")] == [
        *(500 * 2**20, 4 * 2**30, 4 * 2**30, 1.5 * 2**30),
        1024,
    ]


def test_help_imports_neither_ray_nor_torch(process):
    code = "import sys\nfrom imgen.cli import main\nassert main(['sweep', '--help']) == 0\n"
    running = process("-c", code + "assert not {'ray', 'torch', 'numpy', 'pydantic'} & set(sys.modules)")
    out, err = running.communicate(timeout=60)
    assert running.returncode == 0, err
    assert "--gpus-per-run" in out
