"""The real process, killed at random moments and started again, ends where an uninterrupted one does, bit for bit."""

from __future__ import annotations

import json
import random
import signal
from pathlib import Path

import pytest

WHAT = ("algorithm.safetensors", "optim.safetensors", "ema.safetensors")


def final(run: Path) -> dict[str, bytes]:
    """What the last checkpoint and the weights file hold."""
    last = sorted((run / "checkpoints").iterdir())[-1]
    return {name: (last / name).read_bytes() for name in WHAT} | {"": (run / "model.safetensors").read_bytes()}


def leftovers(run: Path) -> list[str]:
    """Temporary files and folders."""
    return [str(path) for path in run.rglob("*") if path.name.startswith(".") and path.name != ".lock"]


@pytest.fixture
def killed(process):
    """Starts a command and kills it once it has told of so many steps (or of none); gives status and last words."""

    def run(argv, number: signal.Signals, steps: int):
        running = process("-m", "imgen", "train", *argv)
        seen = 0
        for line in running.stderr:
            seen += line.startswith("step ")
            if seen >= steps and line.startswith(("step ", "run ")):
                break
        running.send_signal(number)
        _, err = running.communicate(timeout=60)
        return running.returncode, err

    return run


@pytest.fixture(scope="module")
def uninterrupted():
    """The end of a run that nobody killed, by its name, for all tests of this module."""
    return {}


ARGV = ("tiny.yaml", "--steps", "40", "--save-every", "5", "--preview-every", "20", "--keep-last", "2")
STATUS = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 75, signal.SIGINT: 130}


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_random_moments(seed, tiny, killed, real_cli, here, uninterrupted):
    """SIGKILL, SIGTERM and SIGINT in an order and at moments that the seed chooses."""
    rng = random.Random(seed)
    numbers = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT]
    rng.shuffle(numbers)
    run = here / "runs/tiny-0001"
    for number in numbers:
        status, err = killed(ARGV, number, steps=rng.randrange(1, 12))
        assert status == STATUS[number], err
        if number is not signal.SIGKILL:
            last = err.splitlines()[-1]
            assert "is saved in runs/tiny-0001; the same command goes on from there" in last
            step = int(last.partition("step ")[2].split()[0].replace(",", ""))
            assert (run / f"checkpoints/step-{step:08d}/state.json").is_file()
    said = real_cli("train", *ARGV)
    assert said.status == 0, said.err
    assert "resuming at step" in said.err
    assert [path.name for path in (here / "runs").iterdir()] == ["tiny-0001"], "the same command took up the same run"
    assert leftovers(run) == []
    told = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    assert [line["step"] for line in told if line["event"] == "logged"] == list(range(1, 41)), "one history"
    if not uninterrupted:
        assert real_cli("train", *ARGV, "--out", "whole").status == 0
        uninterrupted.update(final(here / "whole"))
    assert final(run) == uninterrupted


def test_killed_before_the_first_step(tiny, killed, real_cli, here):
    for number in STATUS:
        status, err = killed(("tiny.yaml", "--steps", "40"), number, steps=0)
        assert status == STATUS[number] and "Traceback" not in err, err
    said = real_cli("train", "tiny.yaml", "--steps", "40", PYTHONPROFILEIMPORTTIME="1")
    assert said.status == 0, said.err
    assert len(list((here / "runs").iterdir())) == 1 and leftovers(here / "runs") == []
    loaded = {line.rpartition("|")[2].strip() for line in said.lines if line.startswith("import time:")}
    assert "torch.optim" in loaded and "torch._dynamo" not in loaded, "nothing is compiled, and no start waits for it"


def test_real_faces_at_the_papers_size(killed, real_cli, here, shared_data):
    """SD-DCGAN's own recipe on photos, small batches: killed once, bit-equal."""
    root = shared_data("celeba_identity64")
    argv = ("recipes/sddcgan.yaml", "--root", root, "--max-identities", "20", "--batch", "1", "--steps", "10")
    argv = (*argv, "--save-every", "4", "--log-every", "1", "--tensorboard", "false", "--preview-every", "0")
    status, err = killed(argv, signal.SIGKILL, steps=5)
    assert status == -signal.SIGKILL, err
    said = real_cli("train", *argv)
    assert said.status == 0 and "resuming at step" in said.err, said.err
    assert real_cli("train", *argv, "--out", "whole").status == 0
    assert final(here / "runs/sddcgan-0001") == final(here / "whole")
    assert leftovers(here) == []
