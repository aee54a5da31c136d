"""The loop: resumed equals uninterrupted, divergence is told, previews show the same latents."""

from __future__ import annotations

import signal
import threading
import time
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from imgen import images
from imgen.errors import Diverged, RecipeError, WeightsError
from imgen.model import read_model
from imgen.train import checkpoint, run
from imgen.train.events import Finished, Logged, Previewed, Saved, Started
from imgen.train.noise import mix
from imgen.train.shapes import check_batch
from imgen.train.signals import Stopped, StopSignals


def state(trainer) -> dict[str, torch.Tensor]:
    """All that a run consists of: weights, buffers, optimizers, averages."""
    return {
        **{f"a/{name}": tensor.clone() for name, tensor in trainer.algorithm.state_dict().items()},
        **{f"o/{name}": tensor.clone() for name, tensor in checkpoint.slots(trainer.seats).items()},
        **{f"e/{name}": tensor.clone() for name, tensor in trainer.averaged.state_dict().items()},
    }


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def fit(trainer) -> dict[str, torch.Tensor]:
    trainer.fit(StopSignals())
    return state(trainer)


@pytest.mark.parametrize("stop_at", range(7))
def test_a_run_that_was_stopped_equals_one_that_was_not(stop_at, trainer, stopping):
    whole = fit(trainer("whole"))
    first = trainer("cut")
    with pytest.raises(Stopped):
        first.fit(stopping(first, stop_at))
    again = trainer("cut")
    assert again.step == stop_at + 1
    assert same(state(first), state(again)), "what was loaded is what was saved"
    assert same(fit(again), whole)


def test_two_runs_of_a_seed_are_equal_and_of_another_are_not(trainer):
    one = fit(trainer("one"))
    assert same(one, fit(trainer("two")))
    assert not same(one, fit(trainer("three", seed=1)))


def test_how_often_things_are_shown_changes_nothing(trainer):
    one = fit(trainer("one"))
    assert same(one, fit(trainer("two", log_every=3, preview_every=2, save_every=5, resident="never", workers=3)))


def test_a_longer_run_begins_as_a_shorter_one(trainer):
    fit(trainer("run", steps=5))
    assert same(fit(trainer("run", steps=8)), fit(trainer("whole", steps=8)))


def test_a_restart_is_part_of_resuming(trainer, game, stopping):
    whole = fit(trainer("whole", algorithm=game(restarts_at=5)))
    assert not same(whole, fit(trainer("plain")))
    first = trainer("cut", algorithm=game(restarts_at=5))
    with pytest.raises(Stopped):
        first.fit(stopping(first, 4))
    assert same(fit(trainer("cut", algorithm=game(restarts_at=5))), whole)


def test_what_a_step_ends_with_belongs_to_the_weights_it_led_to(trainer):
    done = trainer()
    done.fit(StopSignals())
    assert torch.equal(done.algorithm.size, done.algorithm.d.weight.norm())


def test_a_milestone_is_kept_whatever_else_is_removed(trainer, game):
    """As it was when the run passed it."""
    marked = game()
    marked.named = {3: "warm"}
    short, long = trainer("short", steps=3), trainer("long", algorithm=marked, save_every=100, keep_last=1)
    short.fit(StopSignals())
    long.fit(StopSignals())
    assert [path.name for path in checkpoint.steps(long.run)] == ["step-00000003", "step-00000008"]
    kept = checkpoint.named(long.run)["warm"]
    assert run.weights_at(long.run, "warm").parent == kept
    assert (kept / checkpoint.WEIGHTS).read_bytes() == (short.run / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("number", "status", "says"),
    [(signal.SIGTERM, 75, "ended by SIGTERM; step 4 is saved"), (signal.SIGINT, 130, "interrupted; step 4 is saved")],
)
def test_a_signal_saves_and_says_so(number, status, says, trainer, heard, stopping):
    made = trainer(listeners=[heard], save_every=100)
    with pytest.raises(Stopped, match=says) as caught:
        made.fit(stopping(made, 3, number))
    assert caught.value.exit_status == status
    assert [event.step for event in heard.of(Saved)] == [4]
    assert checkpoint.latest(made.run).step == 4


def test_real_signals_are_heard_and_handlers_put_back():
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with StopSignals() as stop, stop.between_steps():
        signal.raise_signal(signal.SIGINT)
        assert stop.asked is signal.SIGINT
        with pytest.raises(Stopped, match="interrupted"):
            signal.raise_signal(signal.SIGINT)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    with StopSignals() as stop, stop.between_steps():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert stop.asked is signal.SIGTERM


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_outside_the_loop_a_signal_ends_at_once(number, status):
    with StopSignals(), pytest.raises(Stopped) as caught:
        signal.raise_signal(number)
    assert caught.value.exit_status == status


def test_signals_are_left_alone_outside_the_main_thread():
    before = signal.getsignal(signal.SIGTERM)

    def work():
        with StopSignals():
            pass

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(
    ("breaks_at", "good"), [(1, "there is no checkpoint yet"), (5, "the last good checkpoint is of step 4")]
)
def test_divergence_says_step_turn_loss_and_the_last_good_checkpoint(breaks_at, good, trainer, game, heard):
    made = trainer(algorithm=game(breaks_at=breaks_at), listeners=[heard], log_every=100)
    with pytest.raises(Diverged) as caught:
        made.fit(StopSignals())
    told = str(caught.value)
    assert f"step {breaks_at}: turn 'forge': loss 'g' is not a finite number; {good}" in told
    assert "\n" not in told and caught.value.exit_status == 1
    assert checkpoint.newest_step(made.run) == (4 if breaks_at == 5 else None), "no bad state was saved"
    assert not heard.of(Finished) and not (made.run / "model.safetensors").exists()


def test_divergence_is_no_way_to_save_on_a_signal(trainer, game, stopping):
    made = trainer(algorithm=game(breaks_at=3), log_every=100, save_every=100)
    with pytest.raises(Diverged):
        made.fit(stopping(made, 3))
    assert checkpoint.latest(made.run) is None


def test_beats(trainer, heard):
    made = trainer(listeners=[heard], steps=7, log_every=2, preview_every=3, save_every=4)
    made.fit(StopSignals())
    assert [event.step for event in heard.of(Started)] == [0]
    assert [event.step for event in heard.of(Logged)] == [2, 4, 6, 7]
    assert [event.step for event in heard.of(Previewed)] == [3, 6, 7]
    assert [event.step for event in heard.of(Saved)] == [4, 7]
    assert isinstance(heard[-1], Finished)
    first = heard.of(Logged)[0]
    assert set(first.values) == {"both/d", "both/g", "both/gap", "forge/g"}
    assert first.rate > 0 and first.left > 0
    assert all(event.path.is_file() for event in heard.of(Previewed))


def test_the_part_of_the_time_that_is_waited_for_data_is_told(trainer, heard, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("imgen.train.trainer.time", SimpleNamespace(monotonic=lambda: now[0]))
    made = trainer(listeners=[heard], steps=4, log_every=2, save_every=100)
    made.loader._clock = lambda: now[0]

    def taking(seconds, work):
        def slow(*given):
            now[0] += seconds
            return work(*given)

        return slow

    made.loader._gather = taking(1.0, made.loader._gather)
    made.algorithm.conclude = taking(3.0, made.algorithm.conclude)
    made.fit(StopSignals())
    assert [event.wait for event in heard.of(Logged)] == [0.25, 0.25]
    assert {event.remedy for event in heard.of(Logged)} == {""}, "it is in memory"


def test_previews_come_from_the_same_latents_throughout_and_after_resuming(trainer, heard, monkeypatch, stopping):
    """Learning nothing, the sheets are equal; and they are those of a run that was resumed."""
    made = trainer("still", listeners=[heard], preview_every=2, steps=6)
    for seat in made.seats.values():
        seat.pace = lambda step, seat=seat: [group.update(lr=0.0) for group in seat.optimizer.param_groups]
    made.algorithm.model.net[1].momentum = 0.0
    made.fit(StopSignals())
    sheets = [event.sheet.tobytes() for event in heard.of(Previewed)]
    assert len(sheets) == 3 and len(set(sheets)) == 1
    fit(trainer("whole", preview_every=4))
    first = trainer("cut", preview_every=4)
    with pytest.raises(Stopped):
        first.fit(stopping(first, 5))
    fit(trainer("cut", preview_every=4))
    names = ["step-00000004.png", "step-00000008.png"]
    for name in names:
        whole, cut = (made.run.parent / run / "previews" / name for run in ("whole", "cut"))
        assert whole.read_bytes() == cut.read_bytes()


def test_what_ships_is_the_averaged_model_with_its_config(trainer, config):
    made = trainer()
    made.fit(StopSignals())
    found, tensors = read_model(made.run / "model.safetensors")
    assert found.origin == {**config.origin, "step": 8}
    assert (found.name, found.settings, found.data) == (config.name, config.settings, config.data)
    assert same(tensors, made.averaged.state_dict())
    assert not same(tensors, made.algorithm.model.state_dict())


def test_a_checkpoint_of_another_algorithm_is_refused(trainer, game):
    fit(trainer("run"))
    other = game()
    other.d = torch.nn.Linear(48, 2)
    with pytest.raises(WeightsError, match="does not fit this algorithm") as caught:
        trainer("run", algorithm=other)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_with_less_state_is_refused(trainer, game):
    fit(trainer("run"))
    other = game()
    other.register_buffer("new", torch.zeros(3))
    with pytest.raises(WeightsError, match="does not fit this algorithm"):
        trainer("run", algorithm=other)


def test_a_letter_is_one_size_wherever_it_stands():
    batch = {"a": torch.zeros(2, 3), "b": torch.zeros(2, 4)}
    check_batch(batch, {"a": "B C", "b": "B 4"}, "It")
    with pytest.raises(RecipeError, match="expects 'b'"):
        check_batch(batch, {"a": "B C", "b": "B C"}, "It")
    with pytest.raises(RecipeError, match="expects batches with 'c', but this data set gives a, b"):
        check_batch(batch, {"c": "B"}, "It")


def test_dots_leave_open_what_follows():
    check_batch({"a": torch.zeros(2, 3), "b": torch.zeros(2, 3, 4, 4)}, {"a": "B ...", "b": "B ..."}, "It")
    with pytest.raises(RecipeError, match="expects 'b'"):
        check_batch({"a": torch.zeros(2, 3), "b": torch.zeros(3, 3)}, {"a": "B ...", "b": "B ..."}, "It")


def test_previews_show_what_is_held_out(trainer, game, monkeypatch):
    held = torch.full((3, 3, 4, 4), 200, dtype=torch.uint8)
    plain = trainer("other").dataset
    dataset = SimpleNamespace(spec=plain.spec, columns=plain.columns, test={"images": held})
    made, shown = trainer(dataset=dataset, preview_every=4), []
    look = type(made.algorithm).preview
    monkeypatch.setattr(type(made.algorithm), "preview", lambda self, batch: shown.append(batch) or look(self, batch))
    fit(made)
    assert len(shown) == 2
    for batch in shown:
        assert torch.equal(batch["images"], images.to_float(held))
        assert len(batch["number"]) == 4, "what has none held out is shown as it was learnt from"


def test_channels_last_learns_the_same_and_is_kept_when_resumed(trainer, game):
    ends = []
    for name, asked in (("last", True), ("first", False)):
        for steps in (4, 8):
            torch.manual_seed(5)
            algorithm = game()
            algorithm.model.net.extend([nn.Unflatten(1, (3, 4, 4)), nn.Conv2d(3, 3, 3, padding=1)])
            made = trainer(name, channels_last=asked, algorithm=algorithm, steps=steps)
            assert made.step == steps - 4
            kernels = [
                each for each in (*algorithm.parameters(), *checkpoint.slots(made.seats).values()) if each.dim() == 4
            ]
            assert len(kernels) == (3 if made.step else 1), "with both slots of Adam"
            assert all(each.is_contiguous(memory_format=torch.channels_last) == asked for each in kernels)
            made.fit(StopSignals())
        ends.append(made.algorithm.model.net[-1].weight)
    assert torch.allclose(*ends, atol=1e-4)


def test_seeds_of_positions_differ():
    seeds = {mix(seed, rank, step) for seed in range(3) for rank in range(-3, 3) for step in range(50)}
    assert len(seeds) == 3 * 6 * 50
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_resuming_is_quick_on_the_eye(trainer, heard):
    """Time left is told from this process's own pace, not from the steps of the one before it."""
    fit(trainer("run", steps=4))
    made = trainer("run", steps=8, listeners=[heard])
    began = time.monotonic()
    made.fit(StopSignals())
    assert heard.of(Started)[0].step == 4
    assert heard.of(Logged)[0].step == 5
    assert heard.of(Finished)[0].seconds <= time.monotonic() - began
