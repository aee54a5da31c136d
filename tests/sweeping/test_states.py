"""How far runs are, as the disk has it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imgen.errors import RecipeError
from imgen.sweeping import folder, states
from imgen.sweeping.states import Attempt
from imgen.train import run


def checkpoint(path: Path, step: int) -> None:
    """A complete checkpoint without weights."""
    (path / f"checkpoints/step-{step:08d}").mkdir(parents=True)
    (path / f"checkpoints/step-{step:08d}/state.json").write_text(json.dumps({"step": step, "files": {}}))


@pytest.fixture
def read(places, points):
    """The state of the only point."""
    (point,) = points("dim=4")

    def state() -> states.State:
        return states.read(places, point, states.journal(places))

    state.point, state.folder = point, places.run(point.name)  # type: ignore[attr-defined]
    return state


def test_a_run_from_nothing_to_its_end(places, read):
    assert read().state == "waiting" and read().steps == 4
    read.folder.mkdir()
    assert read().state == "waiting", "a folder that exists is no run that is complete"
    run.store_recipe(read.folder, read.point.recipe)
    checkpoint(read.folder, 2)
    assert read().told() == "unfinished at step 2"
    with run.held(read.folder):
        assert read().state == "running"
    states.note(places, Attempt("dim=4", "failed", 1, 2.5, "there", "because"))
    assert read().told() == "failed (because)"
    assert (read().status, read().seconds, read().attempts, read().where) == (1, 2.5, 1, "there")
    states.note(places, Attempt("dim=4", "again", -9, 0.0))
    assert read().told() == "unfinished at step 2", "it was to be started again"
    states.note(places, Attempt("dim=4", "ended", 75, 1.0))
    assert read().told() == "unfinished at step 2" and read().attempts == 3
    checkpoint(read.folder, 4)
    for name in ("model.safetensors", "README.md"):
        assert read().state == "unfinished"
        (read.folder / name).touch()
    assert (read().state, read().status, read().seconds) == ("done", 0, 3.5)


def test_a_journal_that_a_kill_cut_off(places):
    states.note(places, Attempt("a", "done", 0, 1.0))
    with places.attempts.open("a") as file:
        file.write('{"run": "a", "how"')
    assert [each.how for each in states.journal(places)["a"]] == ["done"]


def test_how_far_a_run_is_that_is_at_work(places):
    path = places.run("a")
    assert states.progress(path) == (0, None, 0, 0)
    path.mkdir()
    lines = [{"event": "started", "step": 3, "steps": 9}]
    (path / "events.jsonl").write_text(json.dumps(lines[0]) + "\n")
    assert states.progress(path) == (3, 9, 0, 0)
    lines += [
        {"event": "logged", "step": step, "rate": 2.0, "left": 9 - step, "values": "x" * 400} for step in range(99)
    ]
    (path / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"event": "log')
    assert states.progress(path) == (98, 9, 2.0, -89)


def described(points, **changes):
    told = {"reference": "tiny.yaml", "title": "tiny", "base": {"train": {"batch": 4}}, "grids": [], "seeds": ()}
    return {**told, "points": points, **changes}


def test_a_sweep_grows(places, points):
    out = places.out
    assert folder.read(out / "absent") is None
    first = points("dim=4,8")
    folder.write(out, None, **described(first))
    told = folder.read(out)
    assert set(told["runs"]) == {"dim=4", "dim=8"} and places.recipe("dim=4").is_file()
    before = (out / "sweep.json").stat().st_ino
    folder.write(out, told, **described(first))
    assert (out / "sweep.json").stat().st_ino == before, "the same command writes nothing new"
    more = points("dim=8,16", "batch=2,4", known=folder.names(told))
    folder.write(out, told, **described(more, seeds=(1,)))
    assert set(folder.read(out)["runs"]) == {"dim=4", "dim=8", "dim=8_batch=2", "dim=16_batch=2", "dim=16_batch=4"}
    assert len(folder.read(out)["asked"]) == 2


def test_another_recipe_is_refused(places, points):
    folder.write(places.out, None, **described(points("dim=4")))
    told = folder.read(places.out)
    folder.refuse_changes(places.out, told, {"train": {"batch": 4, "steps": 99}})
    with pytest.raises(RecipeError, match=r"holds a sweep of another recipe \(train.batch: 4 -> 5\)"):
        folder.refuse_changes(places.out, told, {"train": {"batch": 5}})


def test_a_folder_that_is_something_else(here):
    (here / "file").touch()
    with pytest.raises(RecipeError, match="file: a file; give the folder of a sweep"):
        folder.read(Path("file"))
    (here / "full").mkdir()
    (here / "full/notes.txt").touch()
    with pytest.raises(RecipeError, match="full: is not empty and not a sweep"):
        folder.read(Path("full"))
    for text in ("", "{}", "[]", '{"schema": "imgen.sweep/1", "runs": {"a": 3}}', '{"schema": "imgen.sweep/9"}'):
        (here / "full/sweep.json").write_text(text)
        with pytest.raises(RecipeError, match=r"sweep.json: damaged, or of another version"):
            folder.read(Path("full"))


def test_two_commands_in_one_folder(here):
    out = here / "deep/out"
    told = r"another sweep is at work in this folder \(process \d+ on "
    with folder.held(out), pytest.raises(RecipeError, match=told):
        folder.held(out).__enter__()
    assert not (here / "deep").exists(), "nothing came of it"
    with folder.held(out):
        (out / "sweep.json").touch()
    assert out.is_dir()
