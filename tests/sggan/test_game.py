"""SG-GAN's game: who moves when, what each loss is made of, and what labels and heads have to do with it."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from imgen.data.spec import Attribute, DataSpec
from imgen.losses.adversarial import hinge, logistic
from imgen.train.play import Eager, House, take_seats
from imgen_sggan.algorithm import SgGan
from imgen_sggan.unlabelled import masked_class_loss

BINARY = DataSpec(
    image=(3, 16, 16), attributes=(Attribute("hat", ("not hat", "hat")), Attribute("hair", ("black", "blond")))
)
MIXED = DataSpec(
    image=(3, 16, 16), attributes=(Attribute("age", ("young", "middle", "old")), Attribute("hat", ("not hat", "hat")))
)
TINY = {"width": 4, "d_width": 4, "blocks": 1}
NEW = {"arch": "new", "scaling": "attribute", "idempotent": True, "edit_first": True, "w_class": 10.0}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def game(data=BINARY, **settings):
    made = SgGan(data, **{**TINY, **settings})
    # Larger first weights than the paper's, so that every term has something to say.
    for parameter in made.parameters():
        if parameter.dim() == 4:
            torch.nn.init.normal_(parameter, 0, 0.15)
    made.prepare(0)
    return made


def batch(n=4, labels=None):
    labels = torch.tensor(labels) if labels is not None else torch.randint(-1, 2, (n, 2))
    return {"images": torch.rand(len(labels), 3, 16, 16) * 2 - 1, "attributes": labels}


def names(turns):
    return [turn.__name__ for turn in turns]


def moves(made, steps):
    """The steps at which the generator moves."""
    return [step for step in range(steps) if "edit" in names(made.turns(step))]


def test_the_old_generator_moves_after_each_fifth_batch_and_the_new_one_before():
    assert moves(game(), 25) == [4, 9, 14, 19, 24]
    assert moves(game(edit_first=True), 25) == [0, 5, 10, 15, 20]
    assert moves(game(n_critic=1), 3) == [0, 1, 2]
    assert all(names(game().turns(step))[0] == "judge_smoothly" for step in range(5))
    assert names(game(w_gp=0.0).turns(4)) == ["judge", "edit"]


def test_learning_rates_fall_as_in_either_state():
    old = game().players()["g"].schedule
    assert [old(5 * t) for t in (0, 20_000, 30_000, 38_000, 39_999, 60_000)] == pytest.approx(
        [1, 1, 0.5, 0.1, 0.1, 0.1]
    )
    assert old(5 * 30_000 + 4) == old(5 * 30_000), "five batches of one iteration"
    new = game(decay_from=20_000, decay_over=180_000, decay_every=2000, decay_floor=0.0).players()["d"].schedule
    assert [new(t) for t in (20_000, 21_999, 22_000, 200_000)] == pytest.approx([1, 1, 0.98889, 0], abs=1e-5)


def test_players_have_learning_rates_of_their_own():
    seats = take_seats(game(lr=1e-4, d_lr=3e-4))
    assert (seats["g"].rates, seats["d"].rates) == ([1e-4], [3e-4])
    assert take_seats(game(lr=1e-4))["d"].rates == [1e-4]


@pytest.mark.parametrize("data", [BINARY, MIXED])
def test_the_old_loss_of_the_generator_is_the_sum_over_heads(data):
    """Made by hand from the networks, head by head."""
    made, drawn = game(data), batch()
    x, g, d = drawn["images"], made.model.g, made.model.d
    adv, aim, rec = [], [], []
    for k, attribute in enumerate(data.attributes):
        for v in range(len(attribute.values)):
            fake = g.edit(x, k, v)
            score, told = d(fake)
            adv.append(-score.mean())
            aim.append(F.cross_entropy(told[k], torch.full((4,), v)))
            others = [g.edit(g.edit(x, k, b), k, v) for b in range(len(attribute.values)) if b != v]
            rec += [(fake - again).abs().mean() for again in others]
    losses, told = made.edit(drawn)
    assert told["adv"].item() == pytest.approx(sum(adv).item(), rel=1e-5)
    assert told["aim"].item() == pytest.approx(sum(aim).item(), rel=1e-5)
    assert told["rec"].item() == pytest.approx((sum(rec) / len(rec)).item(), rel=1e-5)
    wanted = sum(adv) + sum(aim) + 10 * sum(rec) / len(rec)
    assert losses["g"].item() == pytest.approx(wanted.item(), rel=1e-5)


def test_the_new_loss_of_the_generator_is_the_mean_over_attributes():
    made, drawn = game(**NEW, loss=hinge()), batch()
    x, g, d = drawn["images"], made.model.g, made.model.d
    wanted = 0
    for k in range(2):
        a, b = g.edit(x, k, 0), g.edit(x, k, 1)
        for v, fake in ((0, a), (1, b)):
            score, told = d(fake)
            single = told[k][:, 1] - told[k][:, 0]
            wanted += -score.mean() + 10 * F.binary_cross_entropy_with_logits(single, torch.full((4,), float(v)))
            wanted += 10 * sum((fake - g.edit(each, k, v)).abs().mean() for each in (a, b))
    assert made.edit(drawn)[0]["g"].item() == pytest.approx((wanted / 2).item(), rel=1e-5)


@pytest.mark.parametrize("loss", [None, hinge(), logistic()])
def test_the_loss_of_the_discriminator_counts_real_scores_once_for_every_head(loss):
    made, drawn = game(w_gp=0.0, loss=loss), batch(labels=[[0, 1], [-1, 0], [-1, -1], [1, -1]])
    x, g, d = drawn["images"], made.model.g, made.model.d
    score, told = d(x)
    adv = sum(made.loss.d(score, d(g.edit(x, k, v))[0]) for k in range(2) for v in range(2))
    hat = F.cross_entropy(told[0][[0, 3]], torch.tensor([0, 1]))
    hair = F.cross_entropy(told[1][[0, 1]], torch.tensor([1, 0]))
    losses, shown = made.judge(drawn)
    assert shown["adv"].item() == pytest.approx(adv.item(), rel=1e-5)
    assert losses["d"].item() == pytest.approx((adv + hat + hair).item(), rel=1e-5)
    mean = game(**{**NEW, "arch": "old"}, w_gp=0.0, loss=loss)
    mean.load_state_dict(made.state_dict())
    assert mean.judge(drawn)[0]["d"].item() == pytest.approx(((adv + 10 * (hat + hair)) / 2).item(), rel=1e-5)


def test_the_penalty_is_that_of_every_head():
    """At one and the same point between real and edit, as a critic that is linear has one slope everywhere."""
    made, drawn = game(w_class=0.0), batch()
    d = made.model.d
    slope = torch.randn(3, 16, 16)
    slope = slope / slope.norm()
    d.scores = lambda x: (x * slope).flatten(1).sum(1, keepdim=True)
    assert made.judge_smoothly(drawn)[1]["penalty"].item() == pytest.approx(0, abs=1e-6)
    d.scores = lambda x: (3 * x * slope).flatten(1).sum(1, keepdim=True)
    assert made.judge_smoothly(drawn)[1]["penalty"].item() == pytest.approx(4 * (3 - 1) ** 2, rel=1e-4)
    for one in ({"penalised": "one"}, {"penalised": "one", "edited": "share"}, {"edited": "share"}):
        some = game(w_class=0.0, **one)
        some.model.d.scores = d.scores
        assert some.judge_smoothly(drawn)[1]["penalty"].item() == pytest.approx(16, rel=1e-4), "it stands for all"


def test_the_slope_of_several_places_is_that_of_their_sum():
    made, drawn = game(w_gp=0.0, w_r1=2.0), batch()
    x = drawn["images"].clone().requires_grad_()
    (slope,) = torch.autograd.grad(made.model.d(x)[0].sum(), x)
    losses, told = made.judge_smoothly(drawn)
    assert told["r1"].item() == pytest.approx(slope.flatten(1).square().sum(1).mean().item(), rel=1e-4)
    plain = made.judge(drawn)[0]["d"]
    assert losses["d"].item() == pytest.approx((plain + told["r1"]).item(), rel=1e-4), "gamma / 2"


def test_unlabelled_pictures_enter_every_loss_but_that_of_real_classes():
    made = game(w_gp=0.0)
    drawn = batch(labels=[[0, 1], [1, 0], [-1, -1], [-1, -1]])
    labelled = {name: each[:2] for name, each in drawn.items()}
    assert made.judge(drawn)[1]["class"].item() == pytest.approx(made.judge(labelled)[1]["class"].item(), rel=1e-5)
    none = {**drawn, "attributes": torch.full((4, 2), -1)}
    assert made.judge(none)[1]["class"].item() == 0
    assert made.edit(none)[1]["aim"].item() == made.edit(drawn)[1]["aim"].item(), "no label is needed to aim"
    seats = take_seats(made)
    House(Eager(torch.device("cpu"))).play(made.judge, none, made, seats)
    assert all(parameter.isfinite().all() for parameter in made.parameters())


def test_swapping_the_two_heads_of_an_attribute_changes_nothing():
    made, drawn = game(), batch()
    before = made.edit(drawn)[0]["g"].item()
    heads, teller = made.model.g.heads, made.model.d.teller
    heads[1][0], heads[1][1] = heads[1][1], heads[1][0]
    with torch.no_grad():
        for parameter in teller.parameters():
            parameter[2:4] = parameter[2:4].flip(0).clone()
    assert made.edit(drawn)[0]["g"].item() == pytest.approx(before, rel=1e-6)


def test_one_source_stands_for_all_of_them():
    """With two values there is one other; with three, each is the source of one, by chance."""
    made, drawn = game(), batch()
    one = game(sources="one")
    one.load_state_dict(made.state_dict())
    assert torch.equal(one.edit(drawn)[0]["g"], made.edit(drawn)[0]["g"])
    single = game(MIXED, sources="one")
    g, x = single.model.g, drawn["images"]

    def apart(k, source, target):
        fake = g.edits(x, k)
        return (g.edit(fake[:, source], k, target) - fake[:, target]).abs().mean().item()

    hat = apart(1, 0, 1) + apart(1, 1, 0)
    wanted = {(sum(apart(0, (v + shift) % 3, v) for v in range(3)) + hat) / 5 for shift in (1, 2)}
    told = {round(single.edit(drawn)[1]["rec"].item(), 5) for _ in range(20)}
    assert sorted(told) == pytest.approx(sorted(wanted), abs=2e-5), "to the next value, or to the one after"


def test_pictures_are_shared_out_among_the_attributes():
    made = game(MIXED, edited="share")
    edits = made._edits(batch(5, [[0, 0]] * 5)["images"]).made
    assert [each.shape[:2] for each in edits] == [(2, 3), (3, 2)]
    assert [each.shape[:2] for each in made._edits(batch(1, [[0, 0]])["images"]).made] == [(1, 3), (1, 2)]
    whole = game(MIXED)
    whole.load_state_dict(made.state_dict())
    images = batch(5, [[0, 0]] * 5)["images"]
    wanted = whole._edits(images).made
    made_ = made._edits(images).made
    assert torch.allclose(made_[0], wanted[0][:2], atol=1e-6) and torch.allclose(made_[1], wanted[1][2:], atol=1e-6)


def test_means_do_not_depend_on_how_many_heads_there_are():
    made, drawn = game(MIXED, scaling="mean"), batch()
    total = game(MIXED)
    total.load_state_dict(made.state_dict())
    mean, whole = made.edit(drawn)[1], total.edit(drawn)[1]
    assert whole["adv"].item() == pytest.approx(5 * mean["adv"].item(), rel=1e-5)
    assert whole["aim"].item() == pytest.approx(5 * mean["aim"].item(), rel=1e-5)


def test_a_picture_is_tied_to_the_value_that_it_has():
    made, drawn = game(w_tie=1.0), batch(labels=[[0, 1], [1, -1]])
    x, g = drawn["images"], made.model.g
    p = made.model.d(x[1:])[1][1].softmax(1)[0]

    def apart(row, k, v):
        return (x[row] - g.edit(x[row : row + 1], k, v)[0]).abs().mean()

    hat = (apart(0, 0, 0) + apart(1, 0, 1)) / 2
    hair = (apart(0, 1, 1) + p[0] * apart(1, 1, 0) + p[1] * apart(1, 1, 1)) / 2
    assert made.edit(drawn)[1]["tie"].item() == pytest.approx(((hat + hair) / 2).item(), rel=1e-4)


def test_edits_keep_what_is_told_of_the_other_attributes():
    made, drawn = game(w_keep=1.0, ramp=10), batch(labels=[[0, 1], [1, -1]])
    x, g, d = drawn["images"], made.model.g, made.model.d
    p = d(x[1:])[1][1].softmax(1)
    hair = torch.cat([torch.tensor([[0.0, 1.0]]), p])
    hat = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    wanted = [F.cross_entropy(d(g.edit(x, 0, v))[1][1], hair) for v in range(2)]
    wanted += [F.cross_entropy(d(g.edit(x, 1, v))[1][0], hat) for v in range(2)]
    losses, told = made.edit(drawn)
    assert told["keep"].item() == pytest.approx((sum(wanted) / 4).item(), rel=1e-4)
    made.prepare(5)
    more = made.edit(drawn)[0]["g"] - losses["g"]
    assert more.item() == pytest.approx(0.5 * told["keep"].item(), rel=1e-3), "it grows over ten steps"


def test_one_attribute_alone_has_nothing_to_keep():
    alone = DataSpec(image=(3, 16, 16), attributes=BINARY.attributes[:1])
    made, drawn = game(alone, w_keep=1.0), batch(labels=[[0], [1]])
    losses, told = made.edit(drawn)
    assert told["keep"].item() == 0 and losses["g"].isfinite()


def test_pseudo_labels_teach_what_nobody_labelled():
    made = game(w_gp=0.0, w_pseudo=1.0, threshold=0.0)
    drawn = batch(labels=[[-1, -1]] * 4)
    losses, told = made.judge(drawn)
    assert told["class"].item() == 0 and told["pseudo"].item() > 0
    assert losses["d"].item() == pytest.approx((told["adv"] + told["pseudo"]).item(), rel=1e-5)
    known = batch(labels=[[0, 1]] * 4)
    assert made.judge(known)[1]["pseudo"].item() == 0, "what is known needs none"
    strict = game(w_gp=0.0, w_pseudo=1.0, threshold=1.0)
    assert strict.judge(drawn)[1]["pseudo"].item() == 0


def test_previews_show_the_picture_and_every_head():
    made, drawn = game(MIXED), batch(10, [[0, 0]] * 10)
    sheet = made.preview(drawn)
    assert sheet.shape == (8, 6, 3, 16, 16)
    assert torch.equal(sheet[:, 0], drawn["images"][:8])
    assert torch.equal(sheet[:, 4], made.model.g.edit(drawn["images"][:8], 1, 0))


def test_half_of_the_pictures_are_mirrored_unless_that_is_switched_off():
    drawn = batch(20, [[0, 0]] * 20)
    shown = game().share(drawn)["images"]
    same = (shown == drawn["images"]).flatten(1).all(1)
    assert 0 < same.sum() < 20 and game(flip=False).share(drawn) == {}


def test_a_conditional_critic_judges_pictures_with_their_values():
    made, drawn = game(MIXED, conditional=True, w_gp=0.0, w_r1=2.0, loss=hinge()), batch(labels=[[0, 1], [2, -1]])
    x, g, d = drawn["images"], made.model.g, made.model.d
    score, told = d(x)
    p = told[1][1].softmax(0)
    real = torch.cat([score + torch.stack([told[0][0, 0], told[0][1, 2]])[:, None]])
    hat = torch.stack([told[1][0, 1], (p * told[1][1]).sum()])[:, None]
    real, fake, aimed = torch.cat([real, score + hat]), [], []
    for k, values in enumerate((3, 2)):
        for v in range(values):
            fake_score, fake_told = d(g.edit(x, k, v))
            fake.append(fake_score + fake_told[k][:, v : v + 1])
            aimed.append(F.cross_entropy(fake_told[k], torch.full((2,), v)))
    fake = torch.cat(fake)
    told = made.judge(drawn)[1]
    wanted = 5 * (F.relu(1 - real).mean() + F.relu(1 + fake).mean())
    assert told["adv"].item() == pytest.approx(wanted.item(), rel=1e-5)
    assert made.edit(drawn)[1]["adv"].item() == pytest.approx(5 * -fake.mean().item(), rel=1e-5)
    assert made.edit(drawn)[1]["aim"].item() == pytest.approx(sum(aimed).item(), rel=1e-5)
    steep, plain = made.judge_smoothly(drawn)[1]["r1"].item(), game(MIXED, w_gp=0.0, w_r1=2.0)
    plain.load_state_dict(made.state_dict())
    assert steep > 0 and steep != pytest.approx(plain.judge_smoothly(drawn)[1]["r1"].item(), rel=1e-3)
    with pytest.raises(ValueError, match="goes with w_r1 and not with w_gp; set w_gp to 0"):
        game(conditional=True)


def test_what_the_discriminator_sees_is_disturbed_where_that_is_asked_for(monkeypatch):
    seen = []
    monkeypatch.setattr("imgen_sggan.algorithm.disturbed", lambda x: seen.append(len(x)) or x)
    made, drawn = game(augment=True, w_r1=1.0), batch()
    plain = game(w_r1=1.0)
    plain.load_state_dict(made.state_dict())
    torch.manual_seed(1)
    losses = made.judge_smoothly(drawn)[0]["d"], made.edit(drawn)[0]["g"]
    assert seen == [20, 16, 4, 16], "real ones and edits, both penalties, and the edits of the generator's turn"
    torch.manual_seed(1)
    assert losses == (plain.judge_smoothly(drawn)[0]["d"], plain.edit(drawn)[0]["g"])
    assert len(seen) == 4


def test_the_masked_loss_is_the_one_that_the_game_uses():
    made, drawn = game(w_gp=0.0), batch()
    told = masked_class_loss(made.model.d(drawn["images"])[1], drawn["attributes"])
    assert made.judge(drawn)[1]["class"].item() == pytest.approx(told.sum().item(), rel=1e-5)
