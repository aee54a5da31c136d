"""Turns compiled: equal to eager ones within rounding, resumed to the bit, and played eagerly where that cannot be.

Most of it needs no compiler: the graph that was recorded runs by itself, operation after operation.
"""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
import torch
from torch import nn

from imgen.algorithm import Algorithm, Player, turn
from imgen.build import build
from imgen.errors import Miswritten
from imgen.losses.penalty import gradient_penalty
from imgen.optim import adam
from imgen.recipe import Part, Recipe
from imgen.train import checkpoint, tracing
from imgen.train.compiling import Compiled
from imgen.train.play import Eager, House, take_seats
from imgen.train.signals import Stopped, StopSignals
from imgen.train_settings import TrainSettings

CPU = torch.device("cpu")


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """Compiled code of these tests alone, compiled in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path_factory.mktemp("compiled")))
        patch.setenv("TORCHINDUCTOR_COMPILE_THREADS", "1")
        yield


@pytest.fixture
def uncompiled(monkeypatch):
    """Recorded graphs run as they are; counts them."""
    graphs = []

    def run(graph, inputs, options):
        graphs.append(graph)
        return graph

    monkeypatch.setattr(tracing, "compiled", run)
    return graphs


class Critic(nn.Sequential):
    """It can start afresh."""

    def __init__(self, hidden=(5,)) -> None:
        layers = [layer for width in hidden for layer in (nn.Linear(48, width), nn.Tanh())]
        super().__init__(*layers, nn.Linear(hidden[-1] if hidden else 48, 1))

    def reset_parameters(self):
        for layer in self:
            if isinstance(layer, nn.Linear):
                layer.reset_parameters()


class Steep(Algorithm):
    """A critic that pays for steep scores, and counts what it saw; what it does else is up to the test."""

    def __init__(self, **odd) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.model, self.d = nn.Linear(2, 48), Critic()
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self.register_buffer("k", torch.ones(()))
        self.register_buffer("evidence", torch.zeros(()))
        self.weight, self.odd, self.loose, self.count = 10.0, odd, torch.ones(3), 0

    def players(self):
        return {"d": Player([self.d], adam(1e-2)), "g": Player([self.model], adam(1e-2))}

    def turns(self, step):
        return [self.judge, self.forge]

    def restarts(self, step):
        return ["d"] if step == 2 else ()

    @turn("d", second_order=True)
    def judge(self, batch):
        real = batch["images"].flatten(1)
        fake = self.model(torch.randn(len(real), 2))
        rough = gradient_penalty(self.d, real, fake)
        self.seen.add_(1)
        return {"d": self.d(fake).mean() - self.d(real).mean() + self.weight * rough}, {"rough": rough}

    @turn("g")
    def forge(self, batch):
        score = -self.d(self.model(torch.randn(len(batch["images"]), 2))).mean() * self.k
        if "reads" in self.odd and score > 1e9:
            score = score * 2
        if "loose" in self.odd:
            score = score * self.loose.sum()
        if "writes" in self.odd:
            self.k.add_(1)
        if "replaces" in self.odd:
            # Beside the loss: no result of this turn would tell.
            told = {"evidence": score.detach().clone(), "kept": score.detach().clone(), "count": self.count + 1}
            setattr(self, self.odd["replaces"], told[self.odd["replaces"]])
        return {"g": score}, {}


def batches(number, items=4):
    noise = torch.Generator().manual_seed(7)
    return [{"images": torch.randn(items, 3, 4, 4, generator=noise)} for _ in range(number)]


def played(way, game, name="judge", steps=3):
    """Losses of some plays; noise follows from the step."""
    seats, told = take_seats(game), []
    for step, batch in enumerate(batches(steps)):
        torch.manual_seed(step)
        told.append(House(way).play(getattr(game, name), batch, game, seats))
    return told


def alike(one, other, bound=1e-5):
    """Whether two games, or their states, are."""
    mine, theirs = (each.state_dict() if isinstance(each, nn.Module) else each for each in (one, other))
    return mine.keys() == theirs.keys() and all(
        torch.allclose(each, theirs[name], rtol=bound, atol=bound) for name, each in mine.items()
    )


class Plain(Steep):
    """Few kernels: each of them takes the compiler half a second."""

    def __init__(self) -> None:
        super().__init__()
        self.d = Critic(hidden=())

    def turns(self, step):
        return [self.judge]


def test_a_compiled_run_learns_as_an_eager_one_and_resumes_to_the_bit(trainer, monkeypatch):
    """By the real compiler: noise, a gradient penalty, a buffer, and a player that starts afresh."""
    from torch._inductor import cpu_vec_isa

    # Which vectors the processor has takes the compiler ten seconds to find out; it needs none.
    monkeypatch.setattr(cpu_vec_isa, "valid_vec_isa_list", list)
    runs, said, ends = [], [], []
    plain = tracing.compiled
    monkeypatch.setattr(tracing, "compiled", lambda *given: runs.append(plain(*given)) or runs[-1])
    for play in ("eager", "compiled"):
        run = trainer(play, algorithm=Plain(), play=play, steps=4, save_every=1, keep_last=9, say=said.append)
        run.fit(StopSignals())
        ends.append(run.algorithm.state_dict())
    assert len(runs) == 2, "the self-test and a turn"
    assert alike(*ends, 1e-4) and ends[1]["seen"] == 4
    (run.run / "model.safetensors").unlink()
    for step in (3, 4):
        shutil.rmtree(checkpoint.folder(run.run, step))
    resumed = trainer("compiled", algorithm=Plain(), play="compiled", steps=4, say=said.append)
    assert resumed.step == 2
    resumed.fit(StopSignals())
    assert len(runs) == 4 and said == []
    assert all(torch.equal(each, ends[1][name]) for name, each in resumed.algorithm.state_dict().items())


SHIPPED = {
    "sddcgan smooth": ({"dim": 4, "objective": "wgan-gp", "w_r1": 1.0}, {"name": "shapes", "k": 2}),
    "sdbegan": ({"d_identity": 3, "d_observation": 2, "hidden": 4}, {"name": "shapes", "k": 2}),
    "infogan-cr": ({"arch": "sprites", "num_codes": 3, "dim": 4, "cr_start": 2.0}, {"name": "drawn-sprites"}),
    "factor-vae": ({"num_codes": 3, "dim": 4, "hidden": 4}, {"name": "drawn-sprites"}),
}
DATA = {
    "shapes": {"identities": 6, "photos": 4, "size": 16},
    "drawn-sprites": {"size": 32, "positions": 2},
}


@pytest.mark.parametrize("case", SHIPPED)
def test_every_turn_of_a_paper_is_recorded_and_gives_what_the_eager_one_gives(case, trainer, plugins, uncompiled):
    settings, data = SHIPPED[case]
    recipe = Recipe(
        case, Part(case.split()[0], settings), Part(data["name"], DATA[data["name"]] | data), TrainSettings()
    )
    said, ends = [], []
    for play in ("eager", "compiled"):
        torch.manual_seed(1)
        built = build(recipe, plugins)
        given = {"algorithm": built.algorithm, "dataset": built.dataset, "channels_last": False}
        run = trainer(f"{case} {play}", play=play, say=said.append, **given)
        for step in range(2):
            run._play_step(step)
        ends.append(run.algorithm.state_dict())
    assert said == [] and len(uncompiled) > 1
    assert all(torch.equal(each, ends[1][name]) for name, each in ends[0].items())


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        ("reads", "turn 'forge' is played eagerly, not compiled: "),
        ("loose", "turn 'forge' is played eagerly, not compiled: it works on a tensor that is no parameter, no buffer"),
    ],
)
def test_a_turn_that_is_no_function_of_its_tensors_is_played_eagerly(odd, why, uncompiled):
    said, one, other = [], Steep(**{odd: True}), Steep(**{odd: True})
    played(Eager(CPU), one, "forge")
    way = Compiled(CPU, say=said.append)
    played(way, other, "forge")
    assert len(said) == 1 and said[0].startswith(why) and "\n" not in said[0]
    assert alike(one, other, 0), "as if nobody had tried"
    played(way, other)
    assert len(said) == 1 and len(uncompiled) == 2, "other turns are compiled"


@pytest.mark.parametrize("what", ["evidence", "kept", "count"])
def test_a_turn_that_replaces_what_it_should_write_is_played_eagerly(what, uncompiled):
    """A buffer, a tensor that is none, a number: the graph would leave it as it was when recorded."""
    said, one, other = [], Steep(replaces=what), Steep(replaces=what)
    played(Eager(CPU), one, "forge")
    played(Compiled(CPU, say=said.append), other, "forge")
    (line,) = said
    assert f"not compiled: it replaces '{what}'; " in line
    assert alike(one, other, 0) and getattr(one, what) == getattr(other, what)


def test_a_turn_that_comes_out_wrong_is_played_eagerly(monkeypatch):
    """The first play is compared; what it gave is eager's, and buffers have moved once."""

    def wrong(graph, inputs, options):
        return lambda *given: [each * (1.5 if each.dim() == 2 and len(inputs) > 2 else 1) for each in graph(*given)]

    monkeypatch.setattr(tracing, "compiled", wrong)
    said, one, other = [], Steep(), Steep()
    played(Eager(CPU), one)
    played(Compiled(CPU, say=said.append), other)
    assert len(said) == 1 and "the gradient of 'd' differs from the eager one by 0.5" in said[0]
    assert alike(one, other, 0) and other.seen == 3


def test_a_turn_that_writes_what_its_loss_hangs_on_is_refused_as_it_is_when_eager(uncompiled):
    """Never does the backward pass use the new value in silence."""
    for way in (Eager(CPU), Compiled(CPU, say=lambda told: None)):
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            played(way, Steep(writes=True), "forge")


def test_a_fault_of_the_turn_is_told_as_it_is_when_eager(uncompiled):
    class Faulty(Steep):
        @turn("g")
        def forge(self, batch):
            return {"g": self.model.weight.detach().sum()}, {}

    with pytest.raises(Miswritten, match="the loss of 'g' is cut off from its networks"):
        played(Compiled(CPU, say=lambda told: None), Faulty(), "forge")


def test_who_interrupts_a_compiler_is_heard(monkeypatch):
    def interrupted(graph, inputs, options):
        raise Stopped("interrupted", 130)

    monkeypatch.setattr(tracing, "compiled", interrupted)
    said = []
    with pytest.raises(Stopped):
        played(Compiled(CPU, say=said.append), Steep())
    assert said == []


def test_plain_numbers_of_an_algorithm_may_change_now_and_then(uncompiled):
    said, one, other = [], Steep(), Steep()
    ways = {"eager": (Eager(CPU), one), "compiled": (Compiled(CPU, say=said.append), other)}
    for weight in (10.0, 1.0, 10.0):
        for way, game in ways.values():
            game.weight = weight
            played(way, game)
    assert alike(one, other, 0) and said == [] and len(uncompiled) == 3, "the self-test, and one for each weight"
    for weight in range(20, 25):
        for way, game in ways.values():
            game.weight = float(weight)
            played(way, game)
    assert alike(one, other, 0)
    (line,) = said
    assert line.endswith("its batches or the plain values that it reads are of more than 4 kinds")


def test_noise_is_drawn_as_eagerly_after_a_recording(uncompiled):
    """Recording and comparing leave the generators where one play leaves them."""
    ends = []
    for way in (Eager(CPU), Compiled(CPU)):
        played(way, Steep(), steps=1)
        ends.append(torch.rand(3))
    assert torch.equal(*ends)


def test_without_a_compiler_training_goes_on(monkeypatch, tmp_path):
    import torch._inductor.config as config

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    said, one, other = [], Steep(), Steep()
    with config.patch({"cpp.cxx": ("/nowhere/c++",), "force_disable_caches": True}):
        played(Compiled(CPU, say=said.append), other)
    played(Eager(CPU), one)
    (line,) = said
    assert line.startswith("turns are played eagerly, as nothing can be compiled here: ") and "/nowhere/c++" in line
    assert alike(one, other, 0)


def test_where_another_process_cannot_compile_nobody_does(monkeypatch, uncompiled):
    asked, said = [], []
    monkeypatch.setattr("imgen.dist.any_true", lambda flag, device: asked.append(flag) or True)
    way, game = Compiled(CPU, say=said.append), Steep()
    for name in ("judge", "forge"):
        played(way, game, name)
    assert asked == [False] and len(uncompiled) == 1, "the self-test, and its outcome is shared once"
    assert said == ["turns are played eagerly, as nothing can be compiled in another process"]


def test_the_compiler_is_imported_only_where_it_is_asked_for():
    code = (
        "import sys, torch; from imgen.train.ways import way_of; from imgen.train_settings import TrainSettings;"
        "import imgen.train.compiling;"
        "way_of(TrainSettings(), torch.device('cpu'));"
        "sys.exit(any(name.startswith(('torch._dynamo', 'torch._inductor')) for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0
