"""Step folders: whole or not at all, and the newest whole one found again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from imgen.algorithm import Player
from imgen.errors import WeightsError
from imgen.train import checkpoint
from imgen.train.play import Eager, House, take_seats


@pytest.fixture
def write(game, config, tmp_path):
    """Writes the checkpoint of a step into the run."""
    algorithm = game()
    seats = take_seats(algorithm)
    batch = {"images": torch.ones(4, 3, 4, 4), "z": torch.ones(4, 2)}
    House(Eager(torch.device("cpu"))).play(algorithm.both, batch, algorithm, seats)

    def write(step: int, name: str = "") -> Path:
        return checkpoint.write(
            tmp_path,
            step,
            algorithm=algorithm.state_dict(),
            averaged=algorithm.model.state_dict(),
            config=config,
            seats=seats,
            state={"algorithm": "game"},
            name=name,
        )

    write.algorithm, write.seats = algorithm, seats
    return write


def test_what_is_written_is_read_back_bit_for_bit(write, tmp_path, game):
    path = write(12)
    assert path == tmp_path / "checkpoints/step-00000012"
    assert {file.name for file in path.iterdir()} == {
        *("algorithm.safetensors", "ema.safetensors", "optim.safetensors", "state.json")
    }
    found = checkpoint.latest(tmp_path)
    assert (found.path, found.step, found.state["algorithm"]) == (path, 12, "game")
    for name, tensor in write.algorithm.state_dict().items():
        assert torch.equal(found.read("algorithm")[name], tensor)
    assert "d/d.weight/exp_avg" in found.read("optim")
    fresh = take_seats(game())
    checkpoint.restore_slots(fresh, found.read("optim"))
    again, before = checkpoint.slots(fresh), checkpoint.slots(write.seats)
    assert again.keys() == before.keys() and before
    assert all(torch.equal(again[key], before[key]) for key in before)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda slots: slots.pop("d/d.weight/exp_avg_sq"), "the slot d/d.weight/exp_avg_sq is lacking"),
        (lambda slots: slots.pop("d/d.weight/step"), "the slot d/d.weight/step is lacking"),
        (lambda slots: slots.update({"d/d.weight/step": torch.zeros(1)}), "must be one number"),
        (lambda slots: slots.update({"d/d.weight/exp_avg": torch.zeros(1)}), r"has the shape \(1,\), not \("),
        (lambda slots: slots.update({"d/d.weight/exp_avg": slots["d/d.weight/exp_avg"].int()}), "holds torch.int32"),
        (lambda slots: slots.update({"d/x/exp_avg": torch.zeros(1)}), "x"),
        (lambda slots: slots.update({"d": torch.zeros(1)}), "not enough values"),
    ],
)
def test_slots_that_an_optimizer_could_not_go_on_with(change, says, write, game):
    slots = dict(checkpoint.slots(write.seats))
    change(slots)
    with pytest.raises((KeyError, ValueError), match=says):
        checkpoint.restore_slots(take_seats(game()), slots)


def test_what_never_moved_has_no_slots_and_others_optimizers_are_not_asked(write, game):
    """A player that moves later has none yet, and an optimizer that wants a closure tells nothing of its slots."""
    slots = {key: value for key, value in checkpoint.slots(write.seats).items() if key.startswith("d/")}
    fresh = take_seats(game())
    checkpoint.restore_slots(fresh, slots)
    assert checkpoint.slots(fresh).keys() == slots.keys()
    fresh["d"].player = Player(fresh["d"].player.networks, torch.optim.LBFGS)
    checkpoint.restore_slots(fresh, {"d/d.weight/exp_avg": slots["d/d.weight/exp_avg"]})


def test_the_averaged_weights_are_a_weights_file(write, tmp_path, config):
    from imgen.model import read_config

    assert read_config(write(1) / "ema.safetensors") == config


def test_writing_a_step_again_leaves_it_alone(write):
    path = write(3)
    before = {file: file.stat().st_mtime_ns for file in path.iterdir()}
    assert write(3) == path
    assert before == {file: file.stat().st_mtime_ns for file in path.iterdir()}


def test_no_checkpoint_yet(tmp_path):
    assert checkpoint.latest(tmp_path) is None
    assert checkpoint.newest_step(tmp_path) is None
    assert checkpoint.steps(tmp_path) == []


class Killed(BaseException):
    """The process ends here."""


def test_a_kill_at_any_moment_of_writing_leaves_the_last_one(write, tmp_path, monkeypatch):
    """Every file and folder that is forced to disk, and the renaming, is a moment to be killed at."""
    write(1)
    moments = ["save_file", "write_model", "_force", "rename"]
    real = {name: getattr(checkpoint, name) for name in moments[:3]} | {"rename": Path.rename}
    calls: list[str] = []

    def fuse(name: str, left: list[int]):
        def call(*args, **kwargs):
            calls.append(name)
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return real[name](*args, **kwargs)

        return call

    moment = 0
    while True:
        left = [moment]
        with monkeypatch.context() as patch:
            for name in moments[:3]:
                patch.setattr(checkpoint, name, fuse(name, left))
            patch.setattr(Path, "rename", fuse("rename", left))
            calls.clear()
            try:
                write(2)
                break
            except Killed:
                pass
        renamed = calls[:-1].count("rename") == 1
        assert checkpoint.latest(tmp_path).step == (2 if renamed else 1), calls
        assert checkpoint.newest_step(tmp_path) == (2 if renamed else 1)
        if renamed:
            shutil.rmtree(checkpoint.folder(tmp_path, 2))
        moment += 1
    assert moment >= 9, "three files, four forced, one renaming and the folder of it"
    assert checkpoint.latest(tmp_path).step == 2
    assert [path.name for path in sorted((tmp_path / "checkpoints").iterdir())] == ["step-00000001", "step-00000002"]


@pytest.mark.parametrize("name", ["algorithm.safetensors", "optim.safetensors", "ema.safetensors", "state.json"])
@pytest.mark.parametrize("fault", ["truncated", "missing", "empty"])
def test_a_checkpoint_that_is_not_whole_is_passed_over(name, fault, write, tmp_path):
    write(1)
    file = write(2) / name
    if fault == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[: 0 if fault == "empty" else -1])
    assert checkpoint.latest(tmp_path).step == 1
    assert checkpoint.newest_step(tmp_path) == 1


@pytest.mark.parametrize(
    "state", ["[]", "{}", "3", '{"files": {}}', '{"files": 3, "step": 2}', '{"files": {}, "step": "x"}']
)
def test_a_foreign_state_is_passed_over(state, write, tmp_path):
    write(1)
    (write(2) / "state.json").write_text(state)
    assert checkpoint.latest(tmp_path).step == 1


@pytest.mark.parametrize("name", ["algorithm.safetensors", "optim.safetensors", "ema.safetensors"])
@pytest.mark.parametrize("place", [0, 40, -1])
def test_a_flipped_byte_is_refused_with_the_way_out(name, place, write, tmp_path):
    write(1)
    file = write(2) / name
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)
    with pytest.raises(WeightsError) as caught:
        checkpoint.latest(tmp_path)
    told = str(caught.value)
    assert told.startswith(f"{file}: damaged: ")
    assert f"remove {file.parent} to resume from the checkpoint before it" in told
    shutil.rmtree(file.parent)
    assert checkpoint.latest(tmp_path).step == 1


def test_pruning_keeps_the_newest_and_every_so_many_th(write, tmp_path):
    for step in (1, 2, 3, 4, 5, 6, 7):
        write(step)
    checkpoint.prune(tmp_path, keep_last=2, keep_every=3)
    assert [path.name for path in checkpoint.steps(tmp_path)] == [f"step-0000000{n}" for n in (3, 6, 7)]
    checkpoint.prune(tmp_path, keep_last=1, keep_every=0)
    assert [path.name for path in checkpoint.steps(tmp_path)] == ["step-00000007"]
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000007"]


def test_pruning_spares_what_bears_a_name(write, tmp_path):
    for step in (1, 2, 3):
        write(step, **({"name": "warm"} if step == 1 else {}))
    checkpoint.prune(tmp_path, keep_last=1, keep_every=0)
    assert [path.name for path in checkpoint.steps(tmp_path)] == ["step-00000001", "step-00000003"]
    assert checkpoint.named(tmp_path) == {"warm": checkpoint.folder(tmp_path, 1)}


def test_a_kill_while_pruning_leaves_nothing_that_looks_whole(write, tmp_path, monkeypatch):
    for step in (1, 2):
        write(step)

    def killed(*args, **kwargs):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.shutil, "rmtree", killed)
        with pytest.raises(Killed):
            checkpoint.prune(tmp_path, keep_last=1, keep_every=0)
    assert [path.name for path in checkpoint.steps(tmp_path)] == ["step-00000002"]
    checkpoint.clean(tmp_path)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000002"]


def test_what_a_kill_left_half_written_is_removed(write, tmp_path, trainer):
    write(1)
    (tmp_path / "previews").mkdir()
    kept = [tmp_path / "README.md", tmp_path / ".lock", tmp_path / "previews/step-00000001.png"]
    left = [tmp_path / ".README.md.12-abcd.part", tmp_path / "previews/.step-00000001.png.12-abcd.part"]
    for path in (*kept, *left):
        path.touch()
    (tmp_path / "checkpoints/.step-00000002.12.tmp").mkdir()
    trainer(".")
    assert all(path.exists() for path in kept) and not any(path.exists() for path in left)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000001"]


def test_the_state_is_plain_json_with_sums(write):
    told = json.loads((write(5) / "state.json").read_text())
    assert told["step"] == 5
    assert all(size > 0 and len(digest) == 64 for size, digest in told["files"].values())
