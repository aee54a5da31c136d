"""Several real runs in one process, from their recipes to their cards, and what each log says in the end."""

from __future__ import annotations

import json
import signal
import time

import pytest

from imgen import build
from imgen.sweeping import several
from imgen.train import run

SEEDS = (0, 1, 2)
KEPT = ("model.safetensors", "checkpoints/step-00000004/optim.safetensors", "checkpoints/step-00000002/ema.safetensors")


@pytest.fixture
def recipes(tiny, here):
    """Writes the tiny recipe with each seed; gives the words for the program."""

    def write(*seeds, more=""):
        for seed in seeds:
            (here / f"r{seed}.yaml").write_text(tiny.read_text() + f"  seed: {seed}\n{more}")
        return [word for seed in seeds for word in (f"r{seed}.yaml", f"r{seed}", f"r{seed}.log")]

    return write


def test_each_run_has_its_own_folder_and_log_and_is_what_it_is_alone(recipes, cli, here, capsys, monkeypatch):
    made = []
    monkeypatch.setattr(several, "dataset_from", lambda *given: made.append(1) or build.dataset_from(*given))
    words = recipes(*SEEDS)
    assert several.main("cpu", *words) == 0 and len(made) == 1, "their data were made once"
    assert capsys.readouterr() == ("", "")
    for seed in SEEDS:
        said = cli("train", f"r{seed}.yaml", "--out", f"alone{seed}", "--device", "cpu")
        assert said.status == 0
        for name in KEPT:
            assert (here / f"r{seed}" / name).read_bytes() == (here / f"alone{seed}" / name).read_bytes()
        assert (here / f"r{seed}/recipe.yaml").read_text().count(f"seed: {seed}") >= 1
        assert (here / f"r{seed}/README.md").is_file() and run.is_complete(here / f"r{seed}")
        events = [json.loads(line) for line in (here / f"r{seed}/events.jsonl").read_text().splitlines()]
        assert [each["event"] for each in events].count("logged") == 4 and events[-1]["event"] == "finished"
        log = (here / f"r{seed}.log").read_text().splitlines()
        assert log[0] == f"run r{seed}" and sum(line.startswith("step ") for line in log) == 6
        assert log[-1].startswith("--- ended with status 0 after ")
    before = (here / "r1/model.safetensors").stat().st_mtime_ns
    assert several.main("cpu", *words) == 0
    assert "r1: complete already" in (here / "r1.log").read_text()
    assert (here / "r1/model.safetensors").stat().st_mtime_ns == before


def test_one_that_is_refused_ends_alone(recipes, here):
    words = recipes(0, 1)
    (here / "r0").mkdir()
    (here / "r0/notes.txt").touch()
    assert several.main("cpu", *words) == 2
    log = (here / "r0.log").read_text().splitlines()
    assert log[0] == "imgen: r0: is not empty and not a run; choose a new folder"
    assert log[1].startswith("--- ended with status 2 after ") and len(log) == 2
    assert run.is_complete(here / "r1") and not run.is_busy(here / "r1")


def test_runs_that_differ_in_more_than_their_seeds(recipes, here):
    words = recipes(0)
    words += recipes(1, more="  clip_grad: 1.0\n")
    assert several.main("cpu", *words) == 2
    for seed in (0, 1):
        told = "imgen: r1.yaml: differs from r0.yaml in more than its seed; train it alone"
        assert (here / f"r{seed}.log").read_text().splitlines()[0] == told


def test_what_the_device_cannot_do_is_refused_before_a_folder_is_made(recipes, here):
    words = recipes(0, 1, more="  play: captured\n")
    assert several.main("cpu", *words) == 2
    assert "imgen: train.play=captured: CUDA graphs need a CUDA device" in (here / "r1.log").read_text()
    assert not (here / "r0").exists() and not (here / "r1").exists()


def test_asked_to_end_all_save_and_go_on(recipes, process, here):
    words = recipes(0, 1, more="  keep_last: 2\n")
    for seed in (0, 1):
        path = here / f"r{seed}.yaml"
        path.write_text(
            path.read_text().replace("steps: 4", "steps: 100000").replace("save_every: 2", "save_every: 90000")
        )
    running = process("-m", "imgen.sweeping.several", "cpu", *words)
    end = time.monotonic() + 60
    while not all((here / f"r{seed}/events.jsonl").exists() for seed in (0, 1)):
        assert running.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    running.send_signal(signal.SIGTERM)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out, err) == (75, "", "")
    for seed in (0, 1):
        log = (here / f"r{seed}.log").read_text().splitlines()
        assert "imgen: ended by SIGTERM; step " in log[-2] and log[-1].startswith("--- ended with status 75 after ")
        assert len(list((here / f"r{seed}/checkpoints").iterdir())) == 1
