"""InfoGAN-CR's game: schedules, restarts, the kept snapshot, what is skipped, and every loss rebuilt by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from imgen import DataSpec
from imgen.algorithm import moves_of
from imgen.data.factored.drawn_sprites import drawn_sprites
from imgen.losses.adversarial import logistic
from imgen.model import ModelConfig
from imgen.train import checkpoint
from imgen.train.play import Eager, House, restart, take_seats
from imgen.train.run import weights_at
from imgen.train.signals import StopSignals
from imgen.train.trainer import Trainer
from imgen.train_settings import TrainSettings
from imgen_infogan_cr.algorithm import InfoGanCr
from imgen_infogan_cr.losses import clipped_logistic

DATA = DataSpec(image=(1, 16, 16))
TINY = {"num_codes": 3, "d_noise": 2, "dim": 4, "hidden": 8}
CPU = torch.device("cpu")


def make(**settings) -> InfoGanCr:
    torch.manual_seed(0)
    return InfoGanCr(DATA, **{**TINY, **settings})


def names(game, step: int) -> list[str]:
    return [turn.__name__ for turn in game.turns(step)]


def drawn(game, n: int = 6) -> dict:
    torch.manual_seed(1)
    batch = {"images": torch.rand(n, 1, 16, 16) * 2 - 1}
    return batch | game.share(batch)


def step_of(game, seats, step: int, batch=None) -> None:
    """What the trainer does in a step."""
    for name in game.restarts(step):
        restart(name, seats)
    with torch.no_grad():
        game.prepare(step)
    batch = batch or drawn(game)
    for turn in game.turns(step):
        House(Eager(CPU)).play(turn, batch, game, seats)
    with torch.no_grad():
        game.conclude(step)


# ---- order, schedules ----


def test_the_order_of_a_step():
    game = make(cr_every=5)
    assert names(game, 4) == ["judge", "forge", "forge"], "pairs do not matter yet"
    assert names(game, 5) == ["contrast", "judge", "forge_pairs", "forge_pairs"]
    assert names(make(cr_every=5, watch=True), 4) == ["observe", "judge", "forge", "forge"]
    assert names(make(cr_every=5, g_moves=1), 7) == ["contrast", "judge", "forge_pairs"]
    assert {turn: moves_of(turn).players for turn in game.turns(5)} == dict(
        zip(game.turns(5), [("cr",), ("d",), ("g",), ("g",)], strict=True)
    )


def test_everything_belongs_to_somebody():
    game = make()
    assert set(take_seats(game)) == {"g", "d", "cr"}
    owned = {name: sum(p.numel() for p in seat.parameters.values()) for name, seat in take_seats(game).items()}
    assert owned["g"] == sum(p.numel() for p in game.model.generator.parameters())
    assert owned["d"] == sum(p.numel() for n in (game.model.encoder, game.d_head) for p in n.parameters())


@pytest.mark.parametrize(
    ("settings", "coefficients", "gaps", "restarts"),
    [
        ({"cr_every": 3, "cr_increase": 2.0}, [0, 0, 0, 2, 2, 2, 2, 2], [0] * 8, [3]),
        (
            {"cr_every": 2, "cr_increase": 3.0, "gap_start": 1.9, "gap_decrease": 1.9, "gap_every": 5, "gap_times": 1},
            [0, 0, 3, 3, 3, 3, 3, 3],
            [1.9] * 5 + [0] * 3,
            [2, 5],
        ),
        (
            {"cr_every": 3, "cr_times": 2, "gap_start": 1.0, "gap_decrease": 0.8, "gap_every": 2, "gap_times": 2},
            [0, 0, 0, 2, 2, 2, 4, 4],
            [1.0, 1.0, 0.2, 0.2, 0, 0, 0, 0],
            [2, 3, 4, 6],
        ),
        ({"cr_every": 3, "cr_times": 0}, [0] * 8, [0] * 8, []),
        ({"cr_start": 1.0, "cr_every": 0}, [1] * 8, [0] * 8, []),
    ],
)
def test_schedules_of_weight_and_gap(settings, coefficients, gaps, restarts):
    game = make(**settings)
    seen = []
    for step in range(8):
        game.prepare(step)
        seen.append((float(game.w_cr), float(game.gap)))
    assert [w for w, _ in seen] == pytest.approx(coefficients)
    assert [gap for _, gap in seen] == pytest.approx(gaps, abs=1e-6)
    assert [step for step in range(8) if game.restarts(step)] == restarts


@pytest.mark.parametrize(
    ("settings", "steps", "batches", "last", "snapshot"),
    [
        # dSprites, teapots, CdSprites and CelebA: the authors number from 0, so theirs is one less.
        ({}, 28 * 11_520, 11_520, 322_559, 287_999),
        ({"cr_every": 50_000}, 40 * 3125, 3125, 124_999, 49_999),
        ({"cr_every": 216_000}, 8000 * 36, 36, 287_999, 215_999),
        ({"cr_every": 80_000}, 57 * 1582, 1582, 90_173, 79_999),
    ],
)
def test_the_authors_numbers_of_iterations(settings, steps, batches, last, snapshot):
    game = make(**settings)
    assert game.milestones() == {snapshot + 1: "infogan-modified"} and steps - 1 == last
    assert names(game, snapshot)[0] == "judge" and names(game, snapshot + 1)[0] == "contrast"
    assert game.restarts(snapshot + 1) and not game.restarts(snapshot)


def test_no_snapshot_where_there_is_nothing_before():
    assert not make(cr_start=1.0).milestones()
    assert not make(cr_times=0).milestones()
    assert not make(cr_every=0).milestones()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"prior": "gaussian"}, "needs prior uniform"),
        ({"prior": "gaussian", "watch": True}, "needs prior uniform"),
        ({"gap_start": 2.1}, "no two are more than 2 apart"),
        ({"num_codes": 1}, "num_codes 2 or more"),
    ],
)
def test_pairs_that_cannot_be_drawn_are_refused(settings, told):
    with pytest.raises(ValueError, match=told):
        make(**settings)
    if "gap_start" not in settings:
        make(**{**settings, "watch": False, "cr_times": 0})


# ---- a run ----


@pytest.fixture
def run(tmp_path):
    """Trains a game on drawn sprites: `run("name", steps=6)`."""

    def train(name: str, steps: int, **settings) -> Trainer:
        config = ModelConfig(name="infogan", settings=TINY, data=DATA, plugin="x", origin={})
        made = Trainer(
            make(**settings),
            drawn_sprites(size=16, positions=4),
            TrainSettings(
                steps=steps, batch=6, save_every=100, keep_last=1, workers=1, preview_every=0, ema_half_life=0
            ),
            tmp_path / name,
            config=config,
        )
        made.fit(StopSignals())
        return made

    return train


def test_the_snapshot_is_the_state_before_the_regulariser(run):
    """It is what an InfoGAN without it is after as many steps; and the run goes on past it."""
    whole, plain = run("whole", 7, cr_every=4), run("plain", 4, cr_times=0)
    kept = weights_at(whole.run, "infogan-modified").parent
    assert [path.name for path in checkpoint.steps(whole.run)] == ["step-00000004", "step-00000007"]
    assert kept == checkpoint.folder(whole.run, 4) and kept == weights_at(whole.run, "4").parent
    assert (kept / "ema.safetensors").read_bytes() == (plain.run / "model.safetensors").read_bytes()
    assert (whole.run / "model.safetensors").read_bytes() != (plain.run / "model.safetensors").read_bytes()


def test_skipping_pairs_changes_nothing_that_ships(run):
    """The authors train on pairs from the start, and forget it all when the regulariser begins."""
    quick, watched = run("quick", 3, cr_every=3), run("watched", 3, cr_every=3, watch=True)
    assert (quick.run / "model.safetensors").read_bytes() == (watched.run / "model.safetensors").read_bytes()
    one, other = quick.algorithm.cr.state_dict(), watched.algorithm.cr.state_dict()
    assert not all(torch.equal(one[name], other[name]) for name in one), "watched, it did learn"


def test_a_run_resumed_from_its_snapshot_ends_alike(run, tmp_path):
    """Its whole state is kept, not the model alone."""
    import shutil

    whole = run("whole", 7, cr_every=4)
    shutil.copytree(whole.run, tmp_path / "again")
    shutil.rmtree(checkpoint.folder(tmp_path / "again", 7))
    again = run("again", 7, cr_every=4)
    assert (again.run / "model.safetensors").read_bytes() == (whole.run / "model.safetensors").read_bytes()


# ---- restarts ----


def test_a_restart_resets_the_network_and_its_optimizer_and_nothing_else():
    game = make(cr_every=2)
    seats = take_seats(game)
    game.watch = True
    for step in range(2):
        step_of(game, seats, step)
    before = {name: value.clone() for name, value in game.state_dict().items()}
    optimizers = {name: seat.optimizer for name, seat in seats.items()}
    assert seats["cr"].optimizer.state
    (again,) = game.restarts(2)
    restart(again, seats)
    changed = {name for name, value in game.state_dict().items() if not torch.equal(value, before[name])}
    weights = {name for name in before if name.startswith("cr.") and not name.endswith(".u")}
    assert changed == weights, "vectors of spectral norm and all other players stay"
    assert not seats["cr"].optimizer.state and seats["cr"].optimizer is not optimizers["cr"]
    assert seats["g"].optimizer is optimizers["g"] and seats["d"].optimizer is optimizers["d"]


def test_after_a_restart_the_contrastive_discriminator_only_guesses():
    game = make(num_codes=5, cr_every=1)
    game.cr.reset_parameters()
    with torch.no_grad():
        losses, values = game.contrast(drawn(game, n=400))
    assert float(losses["cr"]) == pytest.approx(math.log(5), abs=0.02)
    assert float(values["accuracy"]) == pytest.approx(0.2, abs=0.08)


# ---- running statistics and power iterations ----


def passes(game) -> int:
    """How often batch norm of the generator has updated its running statistics."""
    return int(next(b for name, b in game.model.generator.named_buffers() if name.endswith("num_batches_tracked")))


@pytest.mark.parametrize(("settings", "updates"), [({}, 3), ({"watch": True}, 3), ({"cr_start": 1.0}, 9)])
def test_how_often_running_statistics_move_in_a_step(settings, updates):
    """Once for the discriminator and each move of the generator; with pairs twice more for every look at one."""
    game = make(**settings)
    step_of(game, take_seats(game), 0)
    assert passes(game) == updates


def test_the_halves_of_a_pair_are_two_batches_for_batch_norm():
    game = make(cr_start=1.0)
    batch = drawn(game)
    first, second = game._pictures_of_pairs(batch)
    assert torch.equal(first, game.model.generator(batch["first"]))
    together = game.model.generator(torch.cat([batch["first"], batch["second"]]))
    assert not torch.allclose(torch.cat([first, second]), together, atol=1e-4)


def test_watching_uses_running_statistics_and_leaves_them():
    game = make(watch=True)
    before = {name: value.clone() for name, value in game.model.generator.state_dict().items()}
    batch = drawn(game)
    watched = game.observe(batch)[0]["cr"]
    assert all(torch.equal(before[name], value) for name, value in game.model.generator.state_dict().items())
    assert game.model.generator.training
    assert not torch.equal(watched, game.contrast(batch)[0]["cr"])


def test_vectors_of_spectral_norm_move_once_a_step_after_everybody_has():
    game = make(cr_start=1.0)
    seats, batch = take_seats(game), drawn(game)
    vectors = {name: u.clone() for name, u in game.named_buffers() if name.endswith(".u")}
    game.prepare(0)
    for turn in game.turns(0):
        House(Eager(CPU)).play(turn, batch, game, seats)
        assert all(torch.equal(game.get_buffer(name), u) for name, u in vectors.items()), turn.__name__
    with torch.no_grad():
        game.conclude(0)
    for name, u in vectors.items():
        weight = game.get_parameter(name[:-1] + "weight").detach().flatten(1)
        wanted = F.normalize(weight @ F.normalize(weight.mT @ u, dim=0), dim=0)
        assert torch.allclose(game.get_buffer(name), wanted, atol=1e-6), name
    assert any(name.startswith("cr.") for name in vectors)


def test_before_the_regulariser_only_the_discriminators_vectors_move():
    game = make()
    vectors = {name: u.clone() for name, u in game.named_buffers() if name.endswith(".u")}
    step_of(game, take_seats(game), 0)
    moved = {name for name, u in vectors.items() if not torch.equal(game.get_buffer(name), u)}
    assert moved == {name for name in vectors if not name.startswith("cr.")}


# ---- losses by hand ----


def test_losses_of_every_turn_by_hand():
    game = make(w_info=0.3, cr_start=2.0, gap_start=0.4)
    game.prepare(0)
    batch = drawn(game)
    with torch.no_grad():
        losses = {turn.__name__: turn(batch)[0] for turn in (game.contrast, game.judge, game.forge, game.forge_pairs)}
        fake = game.model.generator(batch["z"])
        features = game.model.encoder(fake)
        chance = torch.sigmoid(game.d_head(features))
        real = torch.sigmoid(game.d_head(game.model.encoder(batch["images"])))
        miss = (game.model.encoder.head(features) - batch["z"][:, :3]).square().sum(1).mean() / 2
        info = 0.3 * (miss + 3 * 0.5 * math.log(2 * math.pi))
        logits = game.cr(game.model.generator(batch["first"]), game.model.generator(batch["second"]))
        contrast = -logits.log_softmax(1)[torch.arange(6), batch["which"]].mean()
    assert float(losses["contrast"]["cr"]) == pytest.approx(float(contrast), abs=1e-6)
    d = -real.log().mean() - (1 - chance).log().mean() + info
    assert float(losses["judge"]["d"]) == pytest.approx(float(d), abs=1e-5)
    g = -chance.log().mean() + info
    assert float(losses["forge"]["g"]) == pytest.approx(float(g), abs=1e-5)
    assert float(losses["forge_pairs"]["g"]) == pytest.approx(float(g + 2.0 * contrast), abs=1e-5)


def test_the_networks_see_pictures_from_zero_to_one_but_faces_as_they_are():
    data = DataSpec(image=(1, 16, 16))
    images = torch.rand(2, 1, 16, 16) * 2 - 1
    for arch, seen in (("sprites", (images + 1) / 2), ("teapots", (images + 1) / 2), ("faces", images)):
        game = InfoGanCr(data, arch=arch, **TINY)
        assert torch.equal(game.model.encoder(images), game.model.encoder.trunk(seen))
        assert torch.equal(game.cr(images, images), game.cr.layers(torch.cat([seen, seen], 1)))


def test_the_authors_way_of_writing_the_loss():
    real, fake = torch.tensor([2.0, -1.0]), torch.tensor([0.5, -3.0])
    clipped, plain = clipped_logistic(), logistic()
    assert float(clipped.d(real, fake)) == pytest.approx(float(plain.d(real, fake)), abs=1e-6)
    assert float(clipped.g(fake)) == pytest.approx(float(plain.g(fake)), abs=1e-6)
    assert float(clipped.g(torch.tensor([-1000.0]))) == pytest.approx(-math.log(1e-8), abs=1e-4)
    scores = torch.randn(5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s: clipped.d(s, -s).double(), (scores,), eps=1e-3, atol=1e-3)


def test_optimizers_are_the_authors():
    groups = {name: seat.optimizer.param_groups[0] for name, seat in take_seats(make()).items()}
    assert {name: group["lr"] for name, group in groups.items()} == {"g": 1e-3, "d": 2e-3, "cr": 2e-3}
    assert all(group["betas"] == (0.5, 0.999) and group["eps"] == 1e-8 for group in groups.values())


def test_a_preview_has_a_row_for_each_code_and_one_for_the_noise():
    game = make()
    sheet = game.preview(drawn(game))
    assert sheet.shape == (4, 10, 1, 16, 16)
    assert make(d_noise=0).preview(drawn(make(d_noise=0))).shape[0] == 3


def test_codes_are_read_by_the_head_of_the_discriminator():
    game = make()
    images = torch.rand(2, 1, 16, 16)
    assert torch.equal(game.model.encode(images), game.model.encoder.head(game.model.encoder(images)))
    assert isinstance(game.model.encoder.head, nn.Sequential)
