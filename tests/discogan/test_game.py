"""DiscoGAN's game: who moves when, what each loss is made of, and what never touches what."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from imgen.data.spec import DataSpec
from imgen.losses.adversarial import least_squares
from imgen.train.play import Eager, House, take_seats
from imgen_discogan.algorithm import DiscoGan
from imgen_discogan.augment import jitter

DATA = DataSpec(image=(3, 16, 16), domains=("square", "disc"))
POINTS = DataSpec(image=(3, 64, 64), domains=("five", "ten"), vector=2)
SMALL = {"width": 4, "d_width": 4, "levels": 3, "size_aware": True}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def game(**settings):
    return DiscoGan(DATA, **{**SMALL, **settings})


def batch(n=4):
    return {"a": torch.rand(n, 3, 16, 16) * 2 - 1, "b": torch.rand(n, 3, 16, 16) * 2 - 1}


def names(turns):
    return [turn.__name__ for turn in turns]


def test_one_step_of_the_discriminators_to_two_of_the_generators():
    made = game()
    assert [names(made.turns(step)) for step in range(7)] == [
        ["judge"],
        ["translate"],
        ["translate"],
        ["judge"],
        ["translate"],
        ["translate"],
        ["judge"],
    ]
    assert names(game(update_interval=0).turns(5)) == ["judge", "translate"]
    assert names(game(w_r1=1.0, d_norm="none").turns(3)) == ["judge_smoothly"]
    with pytest.raises(ValueError, match="generators never move"):
        game(update_interval=1)


def test_the_share_of_the_reconstruction_flips_at_its_step():
    made = game(curriculum=10)
    shares = []
    for step in (0, 9, 10, 11, 10_000):
        made.prepare(step)
        shares.append((made.w_game.item(), made.w_cycle.item()))
    early, late = pytest.approx((0.99, 0.01)), pytest.approx((0.5, 0.5))
    assert shares == [early, early, late, late, late]


def test_without_shares_the_terms_are_added_as_they_are():
    made = game(default_rate=None, w_rec=3.0)
    made.prepare(0)
    assert (made.w_game.item(), made.w_cycle.item()) == (1, 3)
    baseline = game(variant="gan")
    baseline.prepare(0)
    assert baseline.w_game.item() == 1, "the authors' baseline without a cycle has no share either"


def test_the_loss_of_the_generators_is_the_sum_of_its_terms():
    """Every term made by hand from the networks, as the authors' code weighs them."""
    made, drawn = game(norm="instance", d_norm="instance", starting_rate=0.2), batch()
    made.prepare(0)
    losses, told = made.translate(drawn)
    a, b = ((drawn[name] + 1) / 2 for name in ("a", "b"))
    ab, ba = made.model.ab, made.model.ba
    fake_a, fake_b = ba(b), ab(a)

    def adversarial(d, fake):
        return F.binary_cross_entropy_with_logits(d(fake)[0], torch.ones(len(fake), 1))

    def matching(d, real, fake):
        pairs = zip(d(real)[1], d(fake)[1], strict=True)
        return sum(((x.mean(0) - y.mean(0)) ** 2).mean() for x, y in pairs)

    adv = adversarial(made.d_a, fake_a) + adversarial(made.d_b, fake_b)
    fm = matching(made.d_a, a, fake_a) + matching(made.d_b, b, fake_b)
    rec = F.mse_loss(ba(fake_b), a) + F.mse_loss(ab(fake_a), b)
    assert torch.allclose(told["adv"], adv) and torch.allclose(told["fm"], fm)
    assert torch.allclose(told["rec_a"] + told["rec_b"], rec)
    assert torch.allclose(losses["g"], 0.8 * (0.1 * adv + 0.9 * fm) + 0.2 * rec)


def test_the_loss_of_the_discriminators_is_the_mean_of_its_two_terms():
    made, drawn = game(norm="instance", d_norm="instance"), batch()
    losses, _ = made.judge(drawn)
    a, b = ((drawn[name] + 1) / 2 for name in ("a", "b"))
    wanted = 0.0
    for d, real, fake in ((made.d_a, a, made.model.ba(b)), (made.d_b, b, made.model.ab(a))):
        wanted += 0.5 * F.binary_cross_entropy_with_logits(d(real)[0], torch.ones(4, 1))
        wanted += 0.5 * F.binary_cross_entropy_with_logits(d(fake)[0], torch.zeros(4, 1))
    assert torch.allclose(losses["d"], wanted)
    assert losses["d"].item() == pytest.approx(2 * math.log(2), abs=0.3)


def test_feature_matching_is_what_a_hinge_embedding_of_ones_gives():
    made, drawn = game(), batch(6)
    d = made.d_b
    real, fake = ((drawn[name] + 1) / 2 for name in ("a", "b"))
    wanted = 0.0
    for x, y in zip(d(real)[1], d(fake)[1], strict=True):
        apart = (x.mean(0) - y.mean(0)) ** 2
        wanted = wanted + F.hinge_embedding_loss(apart, torch.ones_like(apart))
    assert torch.allclose(made._fool(d, real, fake)[1], wanted)
    assert made._fool(d, real, real)[1] == 0
    assert made._fool(d, real, fake)[1] > 0


def test_poses_are_matched_without_the_first_features():
    every, deep = game(), game(matched="deep")
    deep.load_state_dict(every.state_dict())
    real, fake = torch.rand(4, 3, 16, 16), torch.rand(4, 3, 16, 16)
    fm_every, fm_deep = (made._fool(made.d_b, real, fake)[1] for made in (every, deep))
    assert 0 <= fm_deep < fm_every


@pytest.mark.parametrize(
    ("variant", "still"),
    [("discogan", set()), ("recongan", set()), ("gan", {"model.ba"})],
)
def test_which_networks_move(variant, still):
    made = game(variant=variant)
    before = {name: parameter.clone() for name, parameter in made.named_parameters()}
    seats, house = take_seats(made), House(Eager(torch.device("cpu")))
    for step in range(3):
        made.prepare(step)
        for turn in made.turns(step):
            house.play(turn, batch(), made, seats)
    moved = {name.rsplit(".", 3)[0] for name, p in made.named_parameters() if not torch.equal(p, before[name])}
    networks = {"model.ab", "model.ba", "d_b", *(["d_a"] if variant == "discogan" else [])}
    assert {".".join(name.split(".")[: 2 if name.startswith("model") else 1]) for name in moved} == networks - still


def test_a_step_of_one_side_leaves_the_other_as_it_is():
    made = game()
    seats, house = take_seats(made), House(Eager(torch.device("cpu")))
    for turn, mine in ((made.judge, "d_"), (made.translate, "model.")):
        made.prepare(0)
        before = {name: parameter.clone() for name, parameter in made.named_parameters()}
        house.play(turn, batch(), made, seats)
        changed = {name for name, parameter in made.named_parameters() if not torch.equal(parameter, before[name])}
        assert changed and all(name.startswith(mine) for name in changed)


def test_one_way_variants_rebuild_what_they_say():
    _, told = game(variant="recongan").translate(batch())
    assert set(told) == {"rec_a", "adv", "fm", "share"}
    _, told = game(variant="gan").translate(batch())
    assert set(told) == {"adv", "fm", "share"}


def test_other_terms():
    made, drawn = game(w_identity=0.5, distance="l1", default_rate=None, w_adv=0.0, w_fm=0.0, norm="instance"), batch()
    made.prepare(0)
    losses, told = made.translate(drawn)
    a, b = ((drawn[name] + 1) / 2 for name in ("a", "b"))
    still = F.l1_loss(made.model.ab(b), b) + F.l1_loss(made.model.ba(a), a)
    assert torch.allclose(told["still"], still)
    assert torch.allclose(losses["g"], told["rec_a"] + told["rec_b"] + 0.5 * still)


def test_a_chosen_loss_takes_the_place_of_the_authors():
    made, drawn = game(loss=least_squares(), w_judge=1.0, d_norm="instance", norm="instance"), batch()
    a, b = ((drawn[name] + 1) / 2 for name in ("a", "b"))
    wanted = 0.0
    for d, real, fake in ((made.d_a, a, made.model.ba(b)), (made.d_b, b, made.model.ab(a))):
        wanted += (d(real)[0] - 1).square().mean() + d(fake)[0].square().mean()
    assert torch.allclose(made.judge(drawn)[0]["d"], wanted)


def test_both_sides_move_with_the_authors_optimizer():
    made = game(lr=3e-4, weight_decay=1e-5, decay_from=10, decay_over=10)
    for seat in take_seats(made).values():
        (group,) = seat.optimizer.param_groups
        assert group["lr"] == 3e-4 and group["betas"] == (0.5, 0.999) and group["weight_decay"] == 1e-5
        seat.pace(15)
        assert group["lr"] == pytest.approx(1.5e-4)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"w_r1": 1.0}, "d_norm instance, spectral or none"),
        ({"size_aware": False}, "64x64 or more, not 16x16"),
        ({"levels": 5}, "multiples of 64"),
    ],
)
def test_settings_that_do_not_go_together(settings, says):
    with pytest.raises(ValueError, match=says):
        game(**settings)


def test_points_are_not_pictures():
    with pytest.raises(ValueError, match="vectors"):
        DiscoGan(POINTS, flip=True)
    made = DiscoGan(POINTS, hidden=8, update_interval=0, w_fm=0.0, default_rate=None)
    drawn = {"a": torch.randn(20, 2), "b": torch.randn(20, 2)}
    made.prepare(0)
    losses, told = made.translate(drawn)
    assert torch.allclose(losses["g"], 0.1 * told["adv"] + told["rec_a"] + told["rec_b"])
    with torch.no_grad():
        assert made.preview(drawn).shape == (1, 2, 3, 64, 64)
    alone = DiscoGan(POINTS, hidden=8, variant="gan")
    with torch.no_grad():
        assert alone.preview(drawn).shape == (1, 1, 3, 64, 64)


def test_the_preview_shows_there_and_back_of_both_domains():
    made, drawn = game(norm="instance").eval(), batch(10)
    with torch.no_grad():
        sheet = made.preview(drawn)
        there, back = made.model.ways
        ab = made.model.translate(drawn["a"][:8], there)
        ba = made.model.translate(drawn["b"][:8], back)
        wanted = [
            drawn["a"][:8],
            ab,
            made.model.translate(ab, back),
            drawn["b"][:8],
            ba,
            made.model.translate(ba, there),
        ]
    assert sheet.shape == (8, 6, 3, 16, 16)
    for column, pictures in enumerate(wanted):
        assert torch.equal(sheet[:, column], pictures)


def test_jitter_moves_and_recolours_and_lets_gradients_through():
    pictures = torch.rand(8, 3, 16, 16, requires_grad=True)
    changed = jitter(pictures)
    assert changed.shape == pictures.shape and not torch.allclose(changed, pictures)
    (gradient,) = torch.autograd.grad(changed.sum(), pictures)
    assert gradient.abs().sum() > 0
    # A single bright spot ends within an eighth of where it was.
    spot = torch.zeros(64, 1, 16, 16)
    spot[:, :, 8, 8] = 50
    places = nn.Flatten()(jitter(spot)).argmax(1)
    rows, columns = places // 16, places % 16
    assert (rows - 8).abs().max() == 2 and (columns - 8).abs().max() == 2 and len(set(places.tolist())) > 10
