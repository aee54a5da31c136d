"""Turns as CUDA graphs, on a GPU: captured training is eager training, and what cannot be captured does no harm.

pytest tests/train/test_graphs_gpu.py -m gpu -n 0
"""

from __future__ import annotations

import os
from contextlib import contextmanager

import pytest
import torch

from imgen.algorithm import turn
from imgen.build import build
from imgen.train.cuda_graphs import CudaGraphs
from imgen.train.events import Logged
from imgen.train.graphs import REHEARSALS, Captured, Unrecordable
from imgen.train.play import Derived, Eager, House, take_seats
from imgen.train.signals import StopSignals
from imgen.train.trainer import Trainer
from tests.test_recipes import RECIPES, named, small  # noqa: F401
from tests.train.conftest import Game

pytestmark = pytest.mark.gpu
# Products of cuBLAS are the same each time with workspaces of a fixed size alone; read when it is first used.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
GPU = torch.device("cuda")


@pytest.fixture(autouse=True)
def _same_kernels():
    """Kernels that add in a fixed order, where there are such."""
    before = torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = before


@pytest.fixture
def trained(small, plugins, here):  # noqa: F811
    """Trains a small recipe: what was logged, the state in the end, and what was said."""

    def train(path, run, **settings):
        built = build(small(path, **{"tf32": False, "precision": "fp32", **settings}), plugins)
        logged, said = [], []
        trainer = Trainer(
            built.algorithm,
            built.dataset,
            built.recipe.train,
            here / run,
            config=built.config,
            device="cuda",
            listeners=[lambda event: logged.append(event.values) if isinstance(event, Logged) else None],
            say=said.append,
        )
        torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = False, True
        trainer.fit(StopSignals())
        return logged, {key: value.clone() for key, value in trainer.algorithm.state_dict().items()}, said

    return train


def equal(one, other):
    """Bit for bit, in every value that was logged and in the end."""
    return one[0] == other[0] and all(torch.equal(value, other[1][key]) for key, value in one[1].items())


@pytest.mark.parametrize("path", RECIPES, ids=named)
def test_captured_training_is_eager_training(path, trained):
    """Twenty steps in float32. Bit for bit where eager training itself is; else within 0.1 % in the first ten steps."""
    eager, again = trained(path, "eager", play="eager"), trained(path, "again", play="eager")
    captured = trained(path, "captured", play="captured")
    assert captured[2] == [], "every shipped turn can be captured"
    if equal(eager, again):
        assert equal(eager, captured)
    for one, other in zip(eager[0][:10], captured[0][:10], strict=True):
        assert one == pytest.approx(other, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize(
    "path", [path for path in RECIPES if path.stem in ("sddcgan", "sggan", "infogan_cr")], ids=named
)
def test_in_bf16_they_agree_within_its_rounding(path, trained):
    """Captured turns cast a weight at each of its uses, eager ones once: gradients add up in float32 or in bf16."""
    eager, captured = (trained(path, way, play=way, precision="bf16") for way in ("eager", "captured"))
    for one, other in zip(eager[0][:8], captured[0][:8], strict=True):
        assert one == pytest.approx(other, rel=0.1, abs=0.1)
    assert captured[2] == []


@pytest.mark.parametrize(
    "path", [path for path in RECIPES if path.stem in ("sddcgan", "sggan", "infogan_cr")], ids=named
)
def test_a_captured_run_that_is_resumed_ends_as_one_that_was_not(path, trained):
    whole = trained(path, "whole", play="captured", steps=12)
    trained(path, "halves", play="captured", steps=6)
    halves = trained(path, "halves", play="captured", steps=12)
    assert all(torch.equal(value, halves[1][key]) for key, value in whole[1].items())


@contextmanager
def no_waiting():
    """Operations for which the host waits raise."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("path", RECIPES, ids=named)
def test_no_step_makes_the_host_wait(path, small, plugins, here):  # noqa: F811
    built = build(small(path, play="captured", steps=1000, log_every=1000), plugins)
    trainer = Trainer(
        built.algorithm, built.dataset, built.recipe.train, here / "run", config=built.config, device="cuda"
    )
    going = trainer.going(StopSignals())
    next(going)
    with no_waiting():
        for _ in range(14):
            next(going)
    trainer.loader.close()


class OnGpu(Game):
    """The small game, which draws where its batch is. reads: a value, on the host, in the turn `forge`."""

    reads = False

    def share(self, batch):
        return {"z": torch.randn(len(batch["images"]), 2, device=batch["images"].device)}

    @turn("g")
    def forge(self, batch):
        z = torch.randn(len(batch["images"]), 2, device=batch["images"].device)
        loss = self.model(z).square().mean() - self.d(self.model(z).flatten(1)).mean()
        if self.reads:
            loss = loss * (1 if loss.item() > -1e9 else 2)
        return {"g": loss}, {}


def played(way, count=14, *, reads=False):
    """Losses, offsets of the generator and the state after some steps."""
    torch.manual_seed(11)
    algorithm = OnGpu().to(GPU)
    algorithm.reads = reads
    seats, house, told = take_seats(algorithm), House(way), []
    for step in range(count):
        torch.cuda.manual_seed(step)
        for seat in seats.values():
            seat.pace(step)
        batch = {"images": torch.rand(4, 3, 4, 4, device=GPU)}
        with torch.no_grad():
            algorithm.prepare(step)
        batch |= algorithm.share(batch)
        for each in algorithm.turns(step):
            losses, _ = house.play(each, batch, algorithm, seats)
            told.append([*(loss.item() for loss in losses.values()), torch.cuda.default_generators[0].get_offset()])
        torch.rand(1, device=GPU)  # drawn eagerly, between graphs
    return told, {key: value.clone() for key, value in algorithm.state_dict().items()}


def test_seeds_and_offsets_are_honoured_by_every_replay():
    said = []
    eager, captured = played(Eager(GPU)), played(Captured(Eager(GPU), CudaGraphs(GPU), said.append))
    assert equal(eager, captured) and said == []
    assert len({tuple(each) for each in captured[0]}) == len(captured[0])


def test_a_turn_that_reads_a_value_is_played_eagerly_and_leaves_all_else_well():
    """`both` is captured before the capture of `forge` fails, and replayed after it."""
    said = []
    eager = played(Eager(GPU), reads=True)
    captured = played(Captured(Eager(GPU), CudaGraphs(GPU), said.append), reads=True)
    assert equal(eager, captured)
    (line,) = said
    assert line.startswith("turn 'forge' is played eagerly, as it cannot be captured: ")
    assert "(test_graphs_gpu.py:" in line
    assert torch.cuda.current_stream() == torch.cuda.default_stream()


def test_captures_after_one_that_failed_go_well():
    device = CudaGraphs(GPU)
    kept, source = torch.zeros(3, device=GPU), torch.ones(3, device=GPU)

    def good():
        kept.copy_(source + torch.rand(3, device=GPU))
        return Derived({}, {"kept": kept}, {})

    def bad():
        return Derived({}, {"kept": torch.full((), torch.rand(3, device=GPU).sum().item())}, {})

    before = device.record(good)
    torch.cuda.manual_seed(5)
    with pytest.raises(Unrecordable):
        device.record(bad)
    wanted = 1 + torch.rand(3, device=GPU)
    for record in (before, device.record(good)):
        torch.cuda.manual_seed(5)
        record.replay()
        assert torch.equal(kept, wanted)


def test_a_host_read_in_an_eager_turn_raises_where_waiting_is_watched():
    algorithm = OnGpu().to(GPU)
    algorithm.reads = True
    with no_waiting(), pytest.raises(RuntimeError, match="synchronizing"):
        Eager(GPU).derive(algorithm.forge, {"images": torch.rand(4, 3, 4, 4, device=GPU)}, take_seats(algorithm))


def test_a_restart_in_place_is_replayed():
    """New weights, a new optimizer, the same record."""
    from imgen.train.play import restart

    algorithm = OnGpu().to(GPU)
    algorithm.d.reset_parameters = lambda: algorithm.d.weight.fill_(0.25)
    way, seats = Captured(Eager(GPU), CudaGraphs(GPU)), take_seats(algorithm)
    batch = {"images": torch.rand(4, 3, 4, 4, device=GPU), "z": torch.rand(4, 2, device=GPU)}
    for _ in range(REHEARSALS + 1):
        before = way.derive(algorithm.both, batch, seats)
    restart("d", seats)
    after = way.derive(algorithm.both, batch, seats)
    assert after is before and after.lasting
    expected = Eager(GPU).derive(algorithm.both, batch, seats)
    assert torch.allclose(after.losses["d"], expected.losses["d"], rtol=1e-5)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="there is one GPU")
def test_noise_follows_from_the_seed_on_a_device_that_is_not_the_current_one():
    from imgen.train.noise import seed_noise

    other, drawn = torch.device("cuda:1"), []
    for _ in range(2):
        seed_noise(7, other)
        drawn.append(torch.rand(3, device=other))
    assert torch.equal(*drawn)
