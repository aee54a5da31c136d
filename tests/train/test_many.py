"""Runs side by side in one process: each is what it is alone, whatever becomes of the others."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from imgen.data.residents import are_there, resident
from imgen.errors import Diverged
from imgen.train import many
from imgen.train.signals import Stopped

SEEDS = (3, 5, 8)


def steps_of(make, stop):
    """A run that is built when its first turn comes."""
    trainer = make()
    yield None
    yield from trainer.going(stop)


def together(runs, *, device="cpu"):
    """Train runs by name in one process; gives the errors by which they ended."""
    became = {}
    stop = many.Signals()
    with stop:
        entrants = [many.Entrant(name, steps_of(make, stop)) for name, make in runs.items()]
        many.train(entrants, device, stop, became.__setitem__)
    return became


def weights(run: Path) -> dict[str, bytes]:
    """All files of a run's models and states."""
    return {str(path.relative_to(run)): path.read_bytes() for path in sorted(run.rglob("*.safetensors"))}


@pytest.fixture
def runs(trainer, game):
    """Makes runs of the game with some seeds: `runs("many", 3, 5)`; settings by name."""

    def make(folder, *seeds, games=None, **settings):
        def one(seed):
            torch.manual_seed(seed)
            algorithm = type(game())(**(games or {}).get(seed, {}))
            return trainer(f"{folder}-{seed}", algorithm=algorithm, seed=seed, **settings)

        return {f"{folder}-{seed}": lambda seed=seed: one(seed) for seed in seeds}

    return make


def test_each_is_bit_for_bit_what_it_is_alone(runs, tmp_path):
    settings = {"preview_every": 3, "games": {5: {"restarts_at": 4}}}
    assert together(runs("many", *SEEDS, **settings)) == {f"many-{seed}": None for seed in SEEDS}
    for seed in SEEDS:
        assert together(runs("alone", seed, **settings)) == {f"alone-{seed}": None}
        alone = weights(tmp_path / f"alone-{seed}")
        assert alone == weights(tmp_path / f"many-{seed}") and "model.safetensors" in alone
        sheets = [(tmp_path / f"{name}-{seed}/previews/step-00000003.png").read_bytes() for name in ("alone", "many")]
        assert sheets[0] == sheets[1]
    assert weights(tmp_path / "many-3") != weights(tmp_path / "many-5")


def test_one_that_diverges_ends_alone(runs, tmp_path):
    became = together(runs("many", *SEEDS, games={5: {"breaks_at": 3}}))
    assert isinstance(became["many-5"], Diverged) and "step 3: turn 'forge'" in str(became["many-5"])
    assert became["many-5"].__traceback__ is None, "it would hold the networks"
    assert became["many-3"] is became["many-8"] is None
    assert not (tmp_path / "many-5/model.safetensors").exists()
    together(runs("alone", 3, 8))
    assert all(weights(tmp_path / f"alone-{seed}") == weights(tmp_path / f"many-{seed}") for seed in (3, 8))


def test_one_that_cannot_be_built_ends_alone(runs, tmp_path):
    def broken():
        raise OSError("no such disk")

    became = together(runs("many", 3) | {"broken": broken} | runs("many", 5))
    assert isinstance(became["broken"], OSError) and became["many-3"] is became["many-5"] is None
    assert list(became) == ["broken", "many-3", "many-5"]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_signal_saves_all_and_they_go_on_as_if_there_had_been_none(runs, tmp_path, number, status):
    made = runs("many", *SEEDS, games={5: {"breaks_at": 0}}, save_every=100)

    def stopped():
        algorithm_of = made["many-8"]()
        prepare = algorithm_of.algorithm.prepare
        algorithm_of.algorithm.prepare = lambda step: (prepare(step), step == 2 and os.kill(os.getpid(), number))
        return algorithm_of

    became = together({**made, "many-8": stopped})
    assert isinstance(became.pop("many-5"), Diverged)
    assert {name: error.exit_status for name, error in became.items()} == {"many-3": status, "many-8": status}
    assert "step 4 is saved" in str(became["many-3"]), "it had its third step already"
    assert "step 3 is saved" in str(became["many-8"])
    assert together(runs("many", 3, 8, save_every=100)) == {"many-3": None, "many-8": None}
    together(runs("alone", 3, 8, save_every=100))
    for seed in (3, 8):
        whole = [tmp_path / f"{name}-{seed}/model.safetensors" for name in ("alone", "many")]
        assert whole[0].read_bytes() == whole[1].read_bytes()


def test_a_kill_loses_nothing_before_the_last_checkpoints(runs, tmp_path):
    class Killed(BaseException):
        """Nobody catches it, and nobody saves."""

    made = runs("many", 3, 5)

    def killed():
        trainer = made["many-5"]()
        prepare = trainer.algorithm.prepare

        def until(step):
            if step == 5:
                raise Killed
            prepare(step)

        trainer.algorithm.prepare = until
        return trainer

    with pytest.raises(Killed):
        together({**made, "many-5": killed})
    assert all((tmp_path / f"many-{seed}/checkpoints/step-00000004").is_dir() for seed in (3, 5))
    assert together(made) == {"many-3": None, "many-5": None}
    together(runs("alone", 3, 5))
    assert all(weights(tmp_path / f"alone-{seed}") == weights(tmp_path / f"many-{seed}") for seed in (3, 5))


def test_the_second_ctrl_c_ends_all_at_once(runs, tmp_path):
    made = runs("many", 3, 5, save_every=100)

    def stopped():
        trainer = made["many-3"]()
        trainer.algorithm.prepare = lambda step: [os.kill(os.getpid(), signal.SIGINT) for _ in range(2)]
        return trainer

    with pytest.raises(Stopped, match="the same command goes on"):
        together({**made, "many-3": stopped})
    assert not list(tmp_path.glob("*/checkpoints/*"))


def test_a_signal_while_they_are_built_ends_all_at_once(runs, tmp_path):
    with pytest.raises(Stopped, match="ended by SIGTERM"):
        together(runs("many", 3) | {"asked": lambda: os.kill(os.getpid(), signal.SIGTERM)})
    assert not list(tmp_path.glob("*/checkpoints/*"))


def test_turns_are_taken_evenly_and_each_within_its_own(runs):
    said = []

    def own(name):
        @contextmanager
        def around():
            said.append(name)
            yield

        return around

    stop = many.Signals()
    with stop:
        entrants = [
            many.Entrant(name, steps_of(make, stop), own(name)) for name, make in runs("many", 3, 5, steps=2).items()
        ]
        many.train(entrants, "cpu", stop, lambda name, error: said.append(f"{name} over"))
    once = ["many-3", "many-5"]
    assert said == [*once * 3, "many-3", "many-3 over", "many-5", "many-5 over"]


def test_noise_goes_on_where_a_run_left_off():
    """What is drawn outside of steps, as by metrics, follows from the run alone, too."""

    def drawing(seed, found):
        torch.manual_seed(seed)
        for _ in range(3):
            found.append(torch.rand(()).item())
            yield None

    alone, found = ([], []), ([], [])
    for seed in (0, 1):
        list(drawing(seed, alone[seed]))
    state, stop = torch.get_rng_state(), many.Signals()
    many.train(
        [many.Entrant(str(seed), drawing(seed, found[seed])) for seed in (0, 1)], "cpu", stop, lambda name, error: None
    )
    assert alone == found
    assert torch.equal(torch.get_rng_state(), state), "the process's own is as it was"


def test_a_column_is_on_a_device_once():
    class Column:
        made = 0

    def whole(column):
        column.made += 1
        return torch.zeros(3)

    column, cpu = Column(), torch.device("cpu")
    assert not are_there([column], cpu)
    first, second = resident(column, cpu, whole), resident(column, cpu, whole)
    assert first is second and column.made == 1 and are_there([column], cpu)
    del first, second
    assert not are_there([column], cpu), "nobody holds it any more"


@pytest.mark.gpu
def test_on_a_gpu_each_has_its_stream_and_its_noise():
    device, streams, found = torch.device("cuda"), [], {}

    def drawing(seed):
        torch.cuda.manual_seed(seed)
        for _ in range(3):
            streams.append(torch.cuda.current_stream().cuda_stream)
            found.setdefault(seed, []).append(torch.rand(4, device=device).cpu())
            yield None

    for seed in (0, 1):
        list(drawing(seed))
    alone, streams[:], before = dict(found), [], torch.cuda.get_rng_state()
    found.clear()
    stop, became = many.Signals(), {}
    many.train([many.Entrant(str(seed), drawing(seed)) for seed in (0, 1)], "cuda", stop, became.__setitem__)
    assert became == {"0": None, "1": None} and len(set(streams)) == 2
    assert all(torch.equal(one, other) for seed in (0, 1) for one, other in zip(alone[seed], found[seed], strict=True))
    assert torch.equal(torch.cuda.get_rng_state(), before)
