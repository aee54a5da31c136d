"""Turns on record: what is copied, recorded and replayed when, as on a GPU but by a tape of what the CPU does."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from imgen.algorithm import turn
from imgen.errors import RecipeError
from imgen.optim import adam
from imgen.testing.replaying import Tape
from imgen.train.graphs import REHEARSALS, Captured, Unrecordable
from imgen.train.play import Eager, House, restart, take_seats
from imgen.train.signals import StopSignals
from imgen.train.ways import way_of
from imgen.train_settings import TrainSettings

CPU = torch.device("cpu")


class Counted(Tape):
    """A tape that counts, and cannot record where it is told so."""

    def __init__(self, fails: str = "") -> None:
        self.rehearsed = self.recorded = self.replayed = 0
        self.fails = fails

    def rehearse(self, play):
        self.rehearsed += 1
        return super().rehearse(play)

    def record(self, play):
        self.recorded += 1
        if self.fails:
            raise Unrecordable(self.fails)
        record = super().record(play)
        plain = record.replay

        def replay():
            self.replayed += 1
            plain()

        record.replay = replay
        return record


@pytest.fixture
def captured():
    """A way, its tape and what it says: `captured(eager, fails=...)`."""

    def make(bf16=False, **tape):
        said, recorder = [], Counted(**tape)
        return Captured(Eager(CPU, bf16), recorder, said.append), recorder, said

    return make


def steps(algorithm, way, count, *, batch_of=None, between=lambda step, seats: None, clip=0.0):
    """Play steps as the trainer does; gives all that turns tell, and the state."""
    seats, house, told = take_seats(algorithm), House(way, clip), []
    for step in range(count):
        torch.manual_seed(step)
        between(step, seats)
        for seat in seats.values():
            seat.pace(step)
        batch = batch_of(step) if batch_of else {"images": torch.rand(4, 3, 4, 4), "unused": torch.rand(4)}
        with torch.no_grad():
            algorithm.prepare(step)
        batch |= algorithm.share(batch)
        for each in algorithm.turns(step):
            losses, values = house.play(each, batch, algorithm, seats)
            told.append({key: value.detach().clone() for key, value in {**losses, **values}.items()})
        with torch.no_grad():
            algorithm.conclude(step)
    return told, algorithm.state_dict()


def same(one, other):
    """Bit for bit."""
    assert len(one[0]) == len(other[0])
    for mine, theirs in zip((*one[0], one[1]), (*other[0], other[1]), strict=True):
        assert list(mine) == list(theirs) and all(torch.equal(mine[key], theirs[key]) for key in mine)


@pytest.mark.parametrize("play", [{}, {"clip": 0.01}])
def test_replayed_steps_are_eager_ones(game, captured, play):
    """Two movers in a turn, fresh batches and noise, rates that fall, entries that no turn uses."""
    way, tape, said = captured()
    same(steps(game(), Eager(CPU), 12, **play), steps(game(), way, 12, **play))
    # `both` is played in all twelve, `forge` in six of them; the play that records is replayed, too.
    assert (tape.rehearsed, tape.recorded, tape.replayed) == (2 * REHEARSALS, 2, 18 - 2 * REHEARSALS)
    assert not said


def test_restarts_and_a_state_that_is_loaded_need_no_new_record(game, captured):
    kept = {key: value.clone() for key, value in game().state_dict().items()}

    def between(algorithm):
        algorithm.d.reset_parameters = lambda d=algorithm.d: nn.Linear.reset_parameters(d)

        def change(step, seats):
            if step == 6:
                restart("d", seats)
            if step == 8:
                algorithm.load_state_dict(kept)

        return change

    way, tape, _ = captured()
    plain, mine = game(), game()
    same(steps(plain, Eager(CPU), 12, between=between(plain)), steps(mine, way, 12, between=between(mine)))
    assert tape.recorded == 2


@pytest.mark.parametrize("what", ["parameter", "buffer"])
def test_what_is_put_elsewhere_is_recorded_anew(game, captured, what):
    def between(algorithm):
        def change(step, seats):
            if step == 8 and what == "parameter":
                algorithm.d.weight.data = 2 * algorithm.d.weight.data
            if step == 8 and what == "buffer":
                algorithm.k = algorithm.k + 0.5

        return change

    way, tape, _ = captured()
    plain, mine = game(), game()
    same(steps(plain, Eager(CPU), 16, between=between(plain)), steps(mine, way, 16, between=between(mine)))
    assert tape.recorded == 4


def test_a_plain_number_that_changes_is_recorded_anew_and_told_of(game, captured):
    class Scaled(type(game())):
        def prepare(self, step):
            super().prepare(step)
            self.factor = 1.0 + step

        @turn("g")
        def forge(self, batch):
            return {"g": self.factor * super().forge(batch)[0]["g"]}, {}

    def made():
        torch.manual_seed(11)
        return Scaled()

    way, tape, said = captured()
    same(steps(made(), Eager(CPU), 12), steps(made(), way, 12))
    assert tape.recorded == 0
    assert said == [
        "turns are captured anew whenever a plain value of the algorithm changes; a buffer that is written in place "
        "is not"
    ]


def test_a_batch_is_copied_once_in_a_step_and_when_it_was_written(game, captured, monkeypatch):
    algorithm, copied = game(), []
    plain = torch._foreach_copy_
    monkeypatch.setattr(torch, "_foreach_copy_", lambda to, of: copied.append(len(of)) or plain(to, of))
    way, _, _ = captured()
    seats = take_seats(algorithm)
    batch = {"images": torch.rand(4, 3, 4, 4), "z": torch.rand(4, 2)}
    for each in (algorithm.both, algorithm.forge, algorithm.both):
        way.derive(each, batch, seats)
    assert copied == [2]
    batch["z"].mul_(2)
    way.derive(algorithm.both, batch, seats)
    way.derive(algorithm.both, {**batch, "images": torch.rand(4, 3, 4, 4)}, seats)
    assert copied == [2, 1, 1]


def test_what_comes_of_a_record_lasts(game, captured):
    """The same tensors at every play, in the order of the parameters, cut off from the networks."""
    algorithm = game()
    algorithm.conv = nn.Conv2d(3, 3, 3).to(memory_format=torch.channels_last)
    algorithm.players = lambda plain=algorithm.players: (
        plain() | {"d": type(plain()["d"])([algorithm.d, algorithm.conv], adam(1e-2))}
    )
    strided = turn("d")(lambda batch: ({"d": (algorithm.conv.weight.contiguous() * torch.rand(3, 3, 3, 3)).sum()}, {}))
    way, _, _ = captured()
    seats, found = take_seats(algorithm), []
    for _ in range(REHEARSALS + 3):
        derived = way.derive(strided, {"images": torch.rand(4, 3, 4, 4)}, seats)
        found.append(derived)
        assert not derived.losses["d"].requires_grad
        gradient = derived.gradients["d"]["conv.weight"]
        assert gradient.stride() == algorithm.conv.weight.stride() != gradient.contiguous().stride()
    assert not found[0].lasting and found[-1] is found[-2] is found[REHEARSALS] and found[-1].lasting


@pytest.mark.parametrize(("sizes", "recorded", "lines"), [(2, 3, 0), (6, 6, 1)])
def test_batches_of_other_shapes_have_records_of_their_own(game, captured, sizes, recorded, lines):
    """`both` is played with each of them, `forge` with every other one."""

    def batch_of(step):
        return {"images": torch.rand(4 + 2 * (step % sizes), 3, 4, 4)}

    way, tape, said = captured()
    same(steps(game(), Eager(CPU), 30, batch_of=batch_of), steps(game(), way, 30, batch_of=batch_of))
    assert tape.recorded == recorded
    told = "batches come in more than 4 shapes; turns with any further one are played eagerly"
    assert said == [told] * lines


def test_a_turn_that_cannot_be_captured_is_played_eagerly_for_good_and_told_of_once(game, captured):
    way, tape, said = captured(fails="it reads a value on the host")
    same(steps(game(), Eager(CPU), 12), steps(game(), way, 12))
    assert tape.recorded == 2 and not tape.replayed
    assert said == [
        f"turn '{name}' is played eagerly, as it cannot be captured: it reads a value on the host"
        for name in ("both", "forge")
    ]


def test_a_batch_that_hangs_on_networks_is_played_as_it_is(game, captured):
    algorithm = game()
    way, tape, said = captured()
    for _ in range(5):
        batch = {"images": torch.rand(4, 3, 4, 4), "z": algorithm.model.net[0].weight[:4]}
        derived = way.derive(algorithm.both, batch, take_seats(algorithm))
    assert derived.gradients["g"]["model.net.0.weight"].any() and not tape.recorded
    (line,) = said
    assert line.endswith("cannot be captured: 'z' of its batch hangs on networks; make it in the turn, or detach it")


def test_a_recording_leaves_noise_and_buffers_as_they_were(game):
    """A tape must do nothing while it records, or it would show nothing."""
    algorithm = game()
    before, noise = {key: value.clone() for key, value in algorithm.state_dict().items()}, torch.get_rng_state()
    batch = {"images": torch.rand(4, 3, 4, 4, generator=torch.Generator()), "z": torch.ones(4, 2)}
    record = Tape().record(lambda: Eager(CPU).derive(algorithm.both, batch, take_seats(algorithm)))
    assert all(torch.equal(value, before[key]) for key, value in algorithm.state_dict().items())
    assert torch.equal(noise, torch.get_rng_state())
    record.replay()
    assert not torch.equal(algorithm.model.net[1].running_mean, before["model.net.1.running_mean"])


def test_weights_are_cast_whenever_they_are_used(game, captured):
    """bf16: a cast that is kept would be of the weight as it was recorded."""
    way, _, _ = captured(bf16=True)
    caching = []
    algorithm = game()
    algorithm.model.register_forward_pre_hook(lambda *_: caching.append(torch.is_autocast_cache_enabled()))
    told, state = steps(algorithm, way, 12)
    assert caching and not any(caching) and torch.is_autocast_cache_enabled()
    assert told[-1]["g"] != told[-3]["g"] and all(value.isfinite().all() for value in state.values())


def test_a_run_that_is_resumed_ends_as_one_that_was_not(trainer, monkeypatch):
    """What was rehearsed and recorded is no part of a run's state."""
    monkeypatch.setattr("imgen.train.trainer.way_of", lambda *_: Captured(Eager(CPU), Tape()))
    whole = trainer("whole", steps=12)
    whole.fit(StopSignals())
    for count in (6, 12):
        halves = trainer("halves", steps=count)
        halves.fit(StopSignals())
    monkeypatch.undo()
    plain = trainer("plain", steps=12)
    plain.fit(StopSignals())
    for other in (halves, plain):
        assert all(
            torch.equal(value, other.algorithm.state_dict()[k]) for k, value in whole.algorithm.state_dict().items()
        )


def test_captured_is_refused_without_a_gpu(cli, tiny):
    with pytest.raises(RecipeError, match="need a CUDA device"):
        way_of(TrainSettings(play="captured"), CPU)
    assert isinstance(way_of(TrainSettings(play="auto"), CPU), Eager)
    said = cli("train", tiny, "-s", "train.play=captured", "--device", "cpu")
    assert said.status == 2 and said.lines == [
        "imgen: train.play=captured: CUDA graphs need a CUDA device, and this run is on 'cpu'; take auto, eager or "
        "compiled, or --device cuda"
    ]
    assert not (tiny.parent / "runs").exists()
