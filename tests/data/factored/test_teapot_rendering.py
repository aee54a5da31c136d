"""Data sets of teapots made by many processes: stopped in every way, gone on with, and the same in the end."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from imgen.data import arrays
from imgen.data.factored.teapot import rendering
from imgen.data.factored.teapot.picture import render
from imgen.data.factored.teapot.rendering import METRIC, TRAIN, Interrupted, Plan, Unfinished, kept_in, make
from imgen.data.factored.teapot.scene import VARIANTS, published, scenes
from imgen.errors import DataError

PLAN = Plan(variant="turns", images=23, groups=1)

# The command line with blocks of a few pictures, so that it can be stopped between two.
QUICK = (
    "import sys; from imgen.data.factored.teapot import rendering; rendering.BLOCK = 20; from imgen.cli import main; "
)
QUICK += "sys.exit(main(sys.argv[1:]))"


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(rendering, "BLOCK", 10)


def both(folder: Path) -> tuple[bytes, bytes]:
    return (folder / TRAIN).read_bytes(), (folder / METRIC).read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """`PLAN`, made in one go by this process."""
    folder = tmp_path_factory.mktemp("teapots") / "whole"
    make(folder, PLAN)
    return folder


def test_files_hold_what_the_published_ones_do(whole):
    train, groups, labels = published(VARIANTS["turns"], 23, 1, 1)
    with np.load(whole / TRAIN, allow_pickle=False) as file:
        assert sorted(file) == ["imgs", "latents"]
        assert file["imgs"].shape == (23, 64, 64, 3)
        assert file["imgs"].dtype == np.uint8
        assert file["latents"].dtype == np.float64
        np.testing.assert_array_equal(file["latents"], train)
        np.testing.assert_array_equal(file["imgs"], render(scenes(VARIANTS["turns"], train)))
    with np.load(whole / METRIC, allow_pickle=False) as file:
        assert sorted(file) == ["imgs", "labels"]
        assert file["imgs"].shape == (1, 100, 64, 64, 3)
        assert file["labels"].dtype == np.int32
        np.testing.assert_array_equal(file["labels"], labels)
        np.testing.assert_array_equal(file["imgs"][0], render(scenes(VARIANTS["turns"], groups[0])))
    assert not kept_in(whole).exists()


def test_two_processes_and_other_blocks_make_the_same_bytes(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(rendering, "BLOCK", 7)
    told = []
    before = os.environ.get("OMP_NUM_THREADS")
    paths = make(tmp_path / "out", PLAN, processes=2, told=lambda done, total: told.append((done, total)))
    assert paths == (tmp_path / "out" / TRAIN, tmp_path / "out" / METRIC)
    assert both(tmp_path / "out") == both(whole)
    assert told[0] == (0, 123)
    assert told[-1] == (123, 123)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert os.environ.get("OMP_NUM_THREADS") == before


def test_floats_are_the_published_kind(tmp_path, whole):
    make(tmp_path / "out", Plan(variant="turns", images=23, groups=1, floats=True))
    for name in (TRAIN, METRIC):
        pictures = arrays.read(tmp_path / "out" / name, "imgs")
        assert pictures.dtype == np.float64
        assert pictures.min() >= 0
        assert pictures.max() == 1
        np.testing.assert_array_equal(np.rint(pictures * 255), arrays.read(whole / name, "imgs"))


class Stop(Exception):
    pass


@pytest.mark.parametrize("blocks", [1, 2, 3, 9, 13])
def test_going_on_makes_the_same_bytes(blocks, whole, tmp_path):
    calls = []

    def stop(done: int, total: int) -> None:
        calls.append(done)
        if len(calls) == blocks + 1:
            raise Stop

    with pytest.raises(Stop):
        make(tmp_path / "out", PLAN, told=stop)
    assert not (tmp_path / "out").exists(), "what is there is whole"
    stopped_at = calls[-1]
    calls.clear()
    make(tmp_path / "out", PLAN, told=lambda done, total: calls.append(done))
    assert calls[0] == stopped_at > 0, "nothing is drawn twice"
    assert both(tmp_path / "out") == both(whole)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_damaged_block_is_drawn_again(whole, tmp_path):
    with pytest.raises(Stop):
        make(tmp_path / "out", PLAN, told=lambda done, total: _raise(Stop) if done == 30 - 7 else None)
    blocks = sorted(kept_in(tmp_path / "out").rglob("*.npy"))
    assert len(blocks) == 3
    blocks[0].write_bytes(blocks[0].read_bytes()[:-1])
    blocks[1].write_bytes(b"no array")
    make(tmp_path / "out", PLAN)
    assert both(tmp_path / "out") == both(whole)


def _raise(kind: type[BaseException]) -> None:
    raise kind


def test_a_process_that_dies_ends_in_one_line_and_can_be_gone_on_with(whole, tmp_path):
    def kill(done: int, total: int) -> None:
        if done:
            os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)

    with pytest.raises(Unfinished) as told:
        make(tmp_path / "out", PLAN, processes=2, told=kill)
    assert told.value.exit_status == 1
    assert "was killed" in str(told.value)
    assert "of 123 pictures are kept: start the same command again" in str(told.value)
    assert "\n" not in str(told.value)
    make(tmp_path / "out", PLAN, processes=2)
    assert both(tmp_path / "out") == both(whole)


@pytest.mark.parametrize("at", ["block", "train file", "metric file"])
def test_a_full_disk_ends_in_one_line_and_can_be_gone_on_with(at, whole, tmp_path, monkeypatch):
    real_npy, real_npz, written = arrays.write_npy, arrays.write_npz, []

    def npy(path: Path, *rest) -> None:
        written.append(path)
        if at == "block" and len(written) == 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        real_npy(path, *rest)

    def npz(path: Path, *rest, **more) -> None:
        if at.split()[0] in str(path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        real_npz(path, *rest, **more)

    monkeypatch.setattr(arrays, "write_npy", npy)
    monkeypatch.setattr(arrays, "write_npz", npz)
    with pytest.raises(Unfinished) as told:
        make(tmp_path / "out", PLAN)
    kept = 23 if at == "block" else 123
    assert f"No space left on device; {kept} of 123 pictures are kept" in str(told.value)
    assert told.value.exit_status == 1
    monkeypatch.undo()
    monkeypatch.setattr(rendering, "BLOCK", 10)
    again = []
    make(tmp_path / "out", PLAN, told=lambda done, total: again.append(done))
    assert again[0] == kept
    assert both(tmp_path / "out") == both(whole)


def test_interrupting_tells_how_far_it_came(tmp_path, whole):
    with pytest.raises(Interrupted, match="interrupted; 20 of 123 pictures are kept: start the same command") as told:
        make(tmp_path / "out", PLAN, told=lambda done, total: _raise(KeyboardInterrupt) if done == 20 else None)
    assert told.value.exit_status == 130
    make(tmp_path / "out", PLAN)
    assert both(tmp_path / "out") == both(whole)


def test_another_data_set_in_the_same_place_is_refused(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(Interrupted):
        make(out, PLAN, told=lambda done, total: _raise(KeyboardInterrupt))
    others = (
        Plan(variant="lights", images=23, groups=1),
        Plan(variant="turns", images=24, groups=1),
        Plan(variant="turns", images=23, groups=2),
        Plan(variant="turns", images=23, groups=1, seed=2),
        Plan(variant="turns", images=23, groups=1, floats=True),
        Plan(variant="turns", images=23, groups=1, version=99),
    )
    for other in others:
        with pytest.raises(DataError, match=r"unfinished there \(variant turns, 23 images, 1 groups, seed 1\)"):
            make(out, other)
    (kept_in(out) / "plan.json").write_text(json.dumps({"something": "else"}))
    with pytest.raises(DataError, match="unfinished there"):
        make(out, PLAN)
    assert not out.exists()
    make(out, Plan(variant="turns", images=3, groups=0, seed=2), overwrite=True)
    assert (out / TRAIN).exists()


def test_what_is_there_is_replaced_only_on_demand_and_nothing_else_with_it(tmp_path, whole):
    out = tmp_path / "out"
    out.mkdir()
    make(out, PLAN)  # an empty folder is no data
    (out / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="exists already; name another folder, or replace its data with --overwrite"):
        make(out, PLAN)
    make(out, Plan(variant="colours", images=2, groups=0), overwrite=True)
    assert arrays.contents(out / TRAIN)["latents"].shape == (2, 5)
    assert not (out / METRIC).exists(), "groups of other data do not stay behind"
    assert (out / "notes.txt").read_text() == "mine"
    make(out, PLAN, overwrite=True)
    assert both(out) == both(whole)
    (tmp_path / "file").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(DataError, match="file: "):
            make(tmp_path / "file", PLAN, overwrite=overwrite)
    assert (tmp_path / "file").read_text() == "mine"


def wait_for(found, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_command_goes_on_where_it_was(how, process, here, cli, monkeypatch):
    words = ("data", "make", "teapots", "out", "--variant", "B", "--images", "600", "--groups", "0", "--processes", "2")
    running = process("-c", QUICK, *words)
    kept = here / ".out.unfinished"
    wait_for(lambda: len(list(kept.rglob("*.npy"))) >= 2)
    children = _children(running.pid)
    assert len(children) >= 2
    for pid in children if how == signal.SIGINT else ():
        os.kill(pid, how)  # as Ctrl-C in a terminal does, to all of them
    running.send_signal(how)
    _, err = running.communicate(timeout=60)
    if how == signal.SIGINT:
        assert running.returncode == 130, err
        assert "Traceback" not in err
        last = err.splitlines()[-1]
        assert last.startswith("imgen: out: interrupted; ")
        assert last.endswith("of 600 pictures are kept: start the same command again")
    wait_for(lambda: not any(Path(f"/proc/{child}").exists() for child in children))
    done = len(list(kept.rglob("*.npy")))
    assert 2 <= done < 30
    monkeypatch.setattr(rendering, "BLOCK", 20)
    said = cli(*words[:-1], "1", "--json")
    assert said.status == 0, said.err
    assert f"going on: {20 * done} of 600 pictures are there" in said.lines[0]
    told = json.loads(said.out)
    assert told["drawn"] == 600 - 20 * done
    train, _, _ = published(VARIANTS["turns"], 600, 0, 1)
    shown = arrays.read(here / "out" / TRAIN, "imgs")
    some = np.arange(0, 600, 29)
    np.testing.assert_array_equal(shown[some], render(scenes(VARIANTS["turns"], train[some])))


def test_a_second_interrupt_does_not_leave_the_command_hanging(process, here):
    words = (
        "data",
        "make",
        "teapots",
        "out",
        "--variant",
        "B",
        "--images",
        "2000",
        "--groups",
        "0",
        "--processes",
        "2",
    )
    running = process("-c", QUICK, *words)
    wait_for(lambda: len(list((here / ".out.unfinished").rglob("*.npy"))) >= 2)
    children = _children(running.pid)
    running.send_signal(signal.SIGINT)
    time.sleep(0.002)  # while processes are being told to end
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=30)
    assert running.returncode == 130, err
    wait_for(lambda: not any(Path(f"/proc/{child}").exists() for child in children))


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_the_command_tells_what_it_made(cli, here):
    said = cli("data", "make", "teapots", "--variant", "c", "--images", "3", "--groups", "1", "--processes", "1")
    assert said.status == 0, said.err
    assert said.out.splitlines() == [f"teapots-C/{TRAIN}", f"teapots-C/{METRIC}"]
    assert said.lines[-1].startswith("drew 103 pictures, ")
    again = cli("data", "make", "teapots", "--variant", "lights", "--images", "3", "--groups", "1")
    assert again.status == 2
    assert again.lines == [
        "imgen: teapots-C: exists already; name another folder, or replace its data with --overwrite"
    ]
    said = cli("data", "make", "teapots", "other", "--variant", "A", "--images", "2", "--groups", "0", "--json")
    told = json.loads(said.out)
    assert told["paths"] == [f"other/{TRAIN}"]
    assert (told["variant"], told["pictures"], told["drawn"]) == ("colours", 2, 2)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--variant", "D"), "there is no variant 'D'"),
        (("--images", "0"), "--images"),
        (("--processes", "0"), "--processes"),
        (("--seed", "-1"), "--seed"),
    ],
)
def test_wrong_requests_are_refused_in_one_line(words, told, cli, here):
    said = cli("data", "make", "teapots", "out", *words)
    assert said.status == 2
    assert len(said.lines) == 1
    assert told in said.err
    assert not list(here.iterdir())
