"""StarGAN, the baseline: its networks, its losses made by hand, what is done about unknown labels, and its edits."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from imgen.data.drawn_attributes import drawn_attributes
from imgen.data.spec import Attribute, DataSpec
from imgen.losses.adversarial import hinge, wasserstein
from imgen.model import Way
from imgen.testing import check_algorithm, check_model, check_settings
from imgen.train.play import Eager, House, take_seats
from imgen_sggan.stargan.algorithm import StarGanGame
from imgen_sggan.stargan.networks import Discriminator, Generator, StarGan, encoded

HAIR = Attribute("hair", ("Black_Hair", "Blond_Hair", "Brown_Hair"))
MALE, YOUNG = Attribute("male", ("not Male", "Male")), Attribute("young", ("not Young", "Young"))
PAPER = DataSpec(image=(3, 128, 128), attributes=(HAIR, MALE, YOUNG))
MIXED = DataSpec(image=(3, 16, 16), attributes=(MALE, Attribute("sky", ("day", "night")), HAIR))
TINY = {"width": 4, "d_width": 4, "blocks": 1}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def game(data=MIXED, **settings):
    return StarGanGame(data, **{**TINY, "flip": False, **settings})


def batch(labels=((0, 1, 2), (1, 0, 0), (1, 1, 1), (0, 0, 2)), target=None):
    labels = torch.tensor(labels)
    pictures = torch.rand(len(labels), 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    target = labels.flip(0).clamp(min=0) if target is None else torch.tensor(target)
    return {"images": pictures, "attributes": labels, "target": target}


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_networks_have_the_parameters_of_the_paper():
    """Hair in three colours, sex and age make the paper's five channels."""
    with torch.device("meta"):
        assert count(Generator(PAPER, width=64, blocks=6)) == 8_430_528
        d = Discriminator(PAPER, width=64, levels=None)
        assert count(d) == 44_762_048
        scores, logits = d(torch.empty(2, 3, 128, 128))
    assert scores.shape == (2, 4), "a map of 2x2 patches"
    assert [tuple(each.shape) for each in logits] == [(2, 3), (2, 2), (2, 2)]


@pytest.mark.parametrize(("size", "levels", "left"), [((32, 32), None, 4), ((16, 32), None, 8), ((48, 48), None, 9)])
def test_the_discriminator_has_as_many_levels_as_lead_to_two_by_two(size, levels, left):
    d = Discriminator(DataSpec(image=(3, *size), attributes=(MALE,)), width=2, levels=levels)
    assert d(torch.zeros(1, 3, *size))[0].shape == (1, left)


def test_what_does_not_fit_is_told():
    with pytest.raises(ValueError, match=r"multiples of 4, not 18x16; change dataset\.size"):
        StarGan(DataSpec(image=(3, 16, 18), attributes=(MALE,)))
    with pytest.raises(ValueError, match="5 levels leave nothing of pictures of 16x16; take fewer levels, or null"):
        StarGan(MIXED, levels=5)
    with pytest.raises(ValueError, match="edits need a data set with attributes"):
        StarGan(DataSpec(image=(3, 16, 16)))


def test_a_binary_attribute_is_one_channel_and_others_have_one_for_each_value():
    told = encoded(torch.tensor([[1, 0, 2], [0, 1, 0]]), MIXED.attributes)
    assert told.tolist() == [[1, 1, 0, 0, 0, 1], [0, 0, 1, 1, 0, 0]]
    assert Generator(MIXED, width=4, blocks=0).layers[0].in_channels == 3 + 6
    assert Discriminator(MIXED, width=4, levels=None).teller.out_channels == 6


def test_the_generator_hears_every_label():
    g = Generator(MIXED, width=4, blocks=1)
    image = torch.rand(1, 3, 16, 16) * 2 - 1
    made = [g(image, torch.tensor([labels])) for labels in ([0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 2])]
    assert len({tuple(each.flatten().tolist()) for each in made}) == 5
    assert all(each.abs().max() <= 1 for each in made)


def test_the_loss_of_the_discriminator_made_by_hand():
    made, given = game(), batch()
    d, g = made.model.d, made.model.g
    torch.manual_seed(7)
    losses, told = made.judge_smoothly(given)
    real, fake = given["images"], g(given["images"], given["target"])
    adv = d.scores(fake).mean() - d.scores(real).mean()
    logits = made.model.d.teller(d.trunk(real)).flatten(1)
    male, sky, hair = logits[:, :1], logits[:, 1:3], logits[:, 3:]
    labels = given["attributes"]
    known = F.binary_cross_entropy_with_logits(male[:, 0], labels[:, 0].float())
    known = known + F.cross_entropy(sky, labels[:, 1]) + F.cross_entropy(hair, labels[:, 2])
    torch.manual_seed(7)
    mix = torch.rand(4, 1, 1, 1)
    between = (real + mix * (fake - real)).detach().requires_grad_()
    (slope,) = torch.autograd.grad(d.scores(between).sum(), between)
    rough = ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()
    assert told["adv_d"].item() == pytest.approx(adv.item(), abs=1e-6)
    assert told["class"].item() == pytest.approx(known.item(), rel=1e-5)
    assert told["penalty"].item() == pytest.approx(rough.item(), rel=1e-4)
    assert losses["d"].item() == pytest.approx((adv + known + 10 * rough).item(), rel=1e-4)


def test_the_loss_of_the_generator_made_by_hand():
    made, given = game(w_class=2.0), batch()
    losses, told = made.edit(given)
    g, d = made.model.g, made.model.d
    fake = g(given["images"], given["target"])
    logits = d.teller(d.trunk(fake)).flatten(1)
    aim = F.binary_cross_entropy_with_logits(logits[:, 0], given["target"][:, 0].float())
    aim = aim + F.cross_entropy(logits[:, 1:3], given["target"][:, 1])
    aim = aim + F.cross_entropy(logits[:, 3:], given["target"][:, 2])
    rec = F.l1_loss(g(fake, given["attributes"]), given["images"])
    wanted = -d.scores(fake).mean() + 2 * aim + 10 * rec
    assert told["rec"].item() == pytest.approx(rec.item(), rel=1e-5)
    assert losses["g"].item() == pytest.approx(wanted.item(), rel=1e-5)


@pytest.mark.parametrize(("loss", "other"), [(wasserstein(), {}), (hinge(), {"w_gp": 0.0, "w_r1": 2.0})])
def test_the_adversarial_loss_and_the_penalty_can_be_chosen(loss, other):
    made, given = game(loss=loss, **other), batch()
    torch.manual_seed(3)
    total, told = made.turns(0)[0](given)
    real = given["images"].clone().requires_grad_()
    scores = made.model.d.scores(real), made.model.d.scores(made.model.g(given["images"], given["target"]))
    assert told["adv_d"].item() == pytest.approx(loss.d(*scores).item(), rel=1e-5, abs=1e-6)
    if other:
        (slope,) = torch.autograd.grad(scores[0].sum(), real)
        assert told["r1"].item() == pytest.approx(slope.square().sum((1, 2, 3)).mean().item(), rel=1e-4)
        wanted = told["adv_d"] + told["class"] + told["r1"]
        assert total["d"].item() == pytest.approx(wanted.item(), rel=1e-5)


def test_what_is_not_known_has_no_part_in_the_class_loss():
    made = game()
    whole = batch(((0, 1, 2), (1, 0, 0)))
    more = batch(((0, 1, 2), (1, 0, 0), (-1, -1, -1)))
    assert made.judge(more)[1]["class"].item() == pytest.approx(made.judge(whole)[1]["class"].item(), rel=1e-5)
    none = batch(((-1, -1, -1), (-1, -1, -1)))
    losses, told = made.judge(none)
    assert told["class"].item() == 0 and losses["d"].isfinite()
    grads = torch.autograd.grad(losses["d"], list(made.model.d.trunk.parameters()))
    assert all(grad.isfinite().all() for grad in grads)
    part = batch(((0, -1, -1), (-1, -1, 0)))
    logits = made.model.d(part["images"])[1]
    wanted = F.cross_entropy(logits[0][:1], torch.tensor([0])) + F.cross_entropy(logits[2][1:], torch.tensor([0]))
    assert made.judge(part)[1]["class"].item() == pytest.approx(wanted.item(), rel=1e-5)


def test_only_pictures_with_all_labels_are_made_again():
    made = game()
    part = batch(((0, 1, 2), (1, -1, 0), (1, 1, 1), (-1, -1, -1)))
    fake = made.model.g(part["images"], part["target"])
    rows = torch.tensor([0, 2])
    wanted = F.l1_loss(made.model.g(fake[rows], part["attributes"][rows]), part["images"][rows])
    assert made.edit(part)[1]["rec"].item() == pytest.approx(wanted.item(), rel=1e-5)
    assert made.edit(batch(((-1, 1, 0), (0, -1, 1))))[1]["rec"].item() == 0


def test_guessed_labels_are_those_of_the_discriminator_where_none_is_known():
    made = game(reconstruct="guessed")
    part = batch(((0, 1, 2), (1, -1, 0), (-1, -1, -1)))
    guess = torch.stack([told.argmax(1) for told in made.model.d(part["images"])[1]], 1)
    source = torch.where(part["attributes"] == -1, guess, part["attributes"])
    fake = made.model.g(part["images"], part["target"])
    wanted = F.l1_loss(made.model.g(fake, source), part["images"])
    assert made.edit(part)[1]["rec"].item() == pytest.approx(wanted.item(), rel=1e-5)


def test_targets_are_labels_of_the_batch_and_random_where_unknown():
    made = game()
    labels = torch.tensor([[0, 1, 2], [1, 0, 0], [1, 1, 1], [0, 0, 2]] * 8)
    target = made.share({"images": torch.zeros(32, 3, 16, 16), "attributes": labels})["target"]
    assert sorted(map(tuple, target.tolist())) == sorted(map(tuple, labels.tolist()))
    assert not torch.equal(target, labels)
    unknown = torch.full((600, 3), -1)
    unknown[:, 0] = 1
    target = made.share({"images": torch.zeros(600, 3, 16, 16), "attributes": unknown})["target"]
    assert (target[:, 0] == 1).all()
    assert target[:, 1].bincount().min() > 240 and target[:, 2].bincount().min() > 150
    assert len(target[:, 2].bincount()) == 3


def test_half_of_the_pictures_are_mirrored_where_asked():
    given = {"images": torch.rand(64, 3, 16, 16), "attributes": torch.zeros(64, 3, dtype=torch.long)}
    assert "images" not in game().share(given)
    seen = game(flip=True).share(given)["images"]
    pairs = list(zip(seen, given["images"], strict=True))
    turned = torch.tensor([torch.equal(one, other.flip(2)) for one, other in pairs])
    same = torch.tensor([torch.equal(one, other) for one, other in pairs])
    assert (turned ^ same).all() and 12 < turned.sum() < 52


def test_the_generator_moves_at_every_fifth_step():
    made = game()
    assert [step for step in range(25) if made.edit in made.turns(step)] == [4, 9, 14, 19, 24]
    assert all(made.turns(step)[0] == made.judge_smoothly for step in range(25))
    simple = game(w_gp=0.0, n_critic=1)
    assert simple.turns(0) == [simple.judge, simple.edit]


def test_the_learning_rate_falls_over_the_last_half():
    pace = game().players()["g"].schedule
    assert [pace(step) for step in (0, 100_000, 150_000, 200_000)] == [1, 1, 0.5, 0]
    assert take_seats(game())["d"].rates == [1e-4]


def test_players_own_a_network_each():
    made = game()
    assert made.players()["d"].networks == [made.model.d]
    assert made.players()["g"].networks == [made.model.g]


class Recorder(torch.nn.Module):
    """In place of a generator: notes what it is told."""

    def __init__(self):
        super().__init__()
        self.labels = []

    def forward(self, images, labels):
        self.labels.append(labels)
        return images


def test_an_edit_sets_its_label_and_leaves_what_is_told_of_the_others():
    model = StarGan(MIXED, **TINY)
    images = torch.rand(5, 3, 16, 16) * 2 - 1
    shown = torch.stack([shares.argmax(1) for shares in model.classify(images)], 1)
    model.g = Recorder()
    names = [(way.attribute, way.target) for way in model.ways]
    assert names == [(each.name, value) for each in MIXED.attributes for value in each.values]
    for way in model.ways:
        assert way.source is None
        model.translate(images, way)
        place = [each.name for each in MIXED.attributes].index(way.attribute)
        wanted = shown.clone()
        wanted[:, place] = MIXED.attributes[place].values.index(way.target)
        assert torch.equal(model.g.labels[-1], wanted)


def test_pictures_of_other_sizes_are_looked_at_in_the_size_of_training():
    model = StarGan(MIXED, **TINY).eval()
    images = torch.rand(3, 3, 16, 16) * 2 - 1
    large = F.interpolate(images, (32, 48), mode="nearest")
    assert torch.equal(model.told(large), model.told(F.interpolate(large, (16, 16), mode="bilinear", antialias=True)))
    made = model.translate(large, Way(None, "Blond_Hair", "hair"))
    assert made.shape == large.shape
    alone = torch.cat([model.translate(one, Way(None, "Blond_Hair", "hair")) for one in large.split(1)])
    assert torch.allclose(made, alone, atol=1e-5)


def test_the_preview_shows_each_value_of_each_attribute():
    made, given = game(), batch()
    sheet = made.preview(given)
    assert sheet.shape == (4, 1 + 7, 3, 16, 16)
    assert torch.equal(sheet[:, 0], given["images"])
    for column, way in enumerate(made.model.ways, 1):
        assert torch.allclose(sheet[:, column], made.model.translate(given["images"], way), atol=1e-6)


def test_models_keep_their_contract():
    check_settings(StarGan)
    check_model(StarGan(MIXED, **TINY), MIXED)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"reconstruct": "guessed", "flip": False, "loss": "hinge", "w_gp": 0.0, "w_r1": 1.0},
        {"w_gp": 0.0, "levels": 2, "decay_from": 1, "decay_over": 3},
    ],
)
@pytest.mark.parametrize("per_value", [None, 4])
def test_the_game_keeps_its_contract(settings, per_value):
    data = drawn_attributes(pictures=48, n_test=4, size=16, labels_per_value=per_value, sampler="balanced")
    check_algorithm("stargan", data, settings={**TINY, "n_critic": 2, **settings}, steps=4)


def test_a_few_steps_teach_the_heads_to_tell():
    """Labels reach the discriminator's heads in the order in which the model tells of them."""
    data = drawn_attributes(attributes=("ground", "border"), pictures=64, n_test=8, size=16)
    made = StarGanGame(data.spec, width=8, d_width=8, blocks=1, n_critic=2, lr=2e-3, w_gp=1.0, decay_over=0)
    seats, house = take_seats(made), House(Eager(torch.device("cpu")))
    images = torch.as_tensor(data.columns["images"]).float() / 127.5 - 1
    labels = torch.as_tensor(data.columns["attributes"])
    for step in range(120):
        rows = torch.randperm(64)[:16]
        drawn = {"images": images[rows], "attributes": labels[rows]}
        drawn |= made.share(drawn)
        for each in made.turns(step):
            house.play(each, drawn, made, seats)
    told = made.model.told(torch.as_tensor(data.test["images"]).float() / 127.5 - 1)
    assert (told == data.test["attributes"]).float().mean() > 0.9
