"""ModelCentrality, against what is known by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from imgen.data.spec import DataSpec, Factor
from imgen.selecting.centrality import Plan, both_ways, centrality, cross_scores, free_of
from imgen.selecting.ranking import by_centrality
from imgen.selecting.reading import BLOCK, Work, astray, draws, fixable, fixed, latents, pictures, read

CPU = torch.device("cpu")
PLAN = Plan(groups=6, size=8, free=40)
THIRD = 1 / 3
BY_HAND = [[1, 2 * THIRD, 1], [2 * THIRD] * 3, [THIRD] * 3]
"""Who reads all codes is right wherever they are to be seen. Half of them: the third is anybody's guess, and its votes
are outvoted. One code for all: of codes that are equal the first wins every group, and is right in one of three."""


def scores_of(models, plan=PLAN):
    return cross_scores(models, (1, 1, 3), plan, CPU)


def test_a_matrix_by_hand_and_its_medoid(three):
    found = scores_of(three)
    assert found == pytest.approx(np.array(BY_HAND), abs=1e-12)
    alike = both_ways(found)
    assert (alike == alike.T).all()
    # good-half 2/3, good-poor (1 + 1/3)/2, half-poor (2/3 + 1/3)/2; the diagonal does not count.
    assert centrality(alike) == pytest.approx([2 * THIRD, 7 / 12, 7 / 12])


def test_names_and_signs_of_codes_do_not_matter(model):
    turned = model(makes="turned", reads="turned")
    assert scores_of([model(), turned]) == pytest.approx(np.ones((2, 2)))


@pytest.mark.parametrize("order", [[2, 0, 1], [1, 2, 0]])
@pytest.mark.parametrize("blur", [0.0, 0.8])
def test_another_order_of_models_is_another_order_of_scores(order, blur, model):
    models = [model(), model(makes="half", blur=blur), model(reads="half", blur=blur / 2)]
    there, then = scores_of(models), scores_of([models[place] for place in order])
    assert (there[np.ix_(order, order)] == then).all()


def test_a_further_model_changes_no_entry(model):
    models = [model(blur=0.8), model(reads="half", blur=0.7), model(makes="half")]
    assert (scores_of(models)[:2, :2] == scores_of(models[:2])).all()


def test_all_follows_from_the_seed(model):
    models = [model(blur=0.8), model(blur=1.2)]
    first, again, other = (scores_of(models, Plan(6, 8, 40, seed)) for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).any()


@pytest.mark.parametrize("batch", [1, 7, 64, 10_000])
def test_the_batch_changes_nothing(batch, model):
    models = [model(blur=0.8), model(makes="half", reads="half", blur=0.7), model()]
    expected = scores_of(models, Plan(6, 8, 90))
    seen = type(models[0]).batches
    seen.clear()
    assert (scores_of(models, Plan(6, 8, 90, batch=batch)) == expected).all()
    assert max(seen) <= max(batch, BLOCK)


def test_pictures_come_in_parts_that_fit(model, monkeypatch):
    models = [model(blur=0.8), model(reads="half")]
    whole = scores_of(models, Plan(6, 8, 200))
    monkeypatch.setattr("imgen.selecting.reading._ROOM", 64 * 12)
    z = latents(models[0], 200, 0, "free")
    assert [len(part) for part in pictures(models[0], z, Work(CPU))] == [64, 64, 64, 8]
    assert (scores_of(models, Plan(6, 8, 200)) == whole).all()


def test_an_encoder_with_a_distribution_is_drawn_from(model):
    still, drawn = model(), model(blur=0.5)
    assert not draws(still, (1, 1, 3), CPU) and draws(drawn, (1, 1, 3), CPU)
    # So blurred that no code can be seen to stand still: chance, which is above a third where votes judge themselves.
    lost = scores_of([still, model(blur=500.0)], Plan(40, 8, 200))
    assert lost[0, 1] == 1 and lost[1, 0] < 0.6


def test_what_is_no_number_is_found(model):
    blind, astray_maker = model(), model()
    blind.encode = lambda images, generator=None: images[:, 0, 0] / 0
    astray_maker.factor.fill_(torch.inf)
    assert [astray(each, CPU) for each in (model(blur=0.5), blind, astray_maker)] == ["", "codes", "pictures"]


def test_blocks_have_noise_of_their_own(model):
    shown = torch.zeros(3 * BLOCK, 1, 1, 3)
    codes = read(model(blur=1.0), shown, 0, Work(CPU), sampled=True, purpose="x")
    assert len(np.unique(codes)) == codes.size
    later = read(model(blur=1.0), shown[BLOCK:], BLOCK, Work(CPU), sampled=True, purpose="x")
    assert (later == codes[BLOCK:]).all()
    assert (read(model(blur=1.0), shown, 0, Work(CPU), sampled=True, purpose="y") != codes).all()


def test_groups_share_the_whole_of_one_code_in_turn():
    drawn = {
        "a": torch.arange(12.0)[:, None],
        "b": torch.arange(24.0).view(12, 2),
        "noise": torch.arange(12.0)[:, None],
    }
    held = fixed(drawn, ["a", "b"], 3)
    assert held["a"][:, 0].tolist() == [0, 0, 0, 3, 4, 5, 6, 6, 6, 9, 10, 11]
    assert held["b"].view(4, 3, 2)[1].tolist() == [[6, 7]] * 3
    assert held["b"].view(4, 3, 2)[0].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert (held["noise"] == drawn["noise"]).all()
    assert drawn["a"][1] == 1, "what was drawn stays as it is"


def test_only_codes_that_are_read_are_held(model):
    assert fixable(model()) == ["a", "b", "c"]
    assert fixable(model(called="cxa")) == ["a", "c"]
    assert fixable(torch.nn.Identity()) == []
    found = scores_of([model(called="cxa"), model(called="cxa")])
    assert found == pytest.approx(np.ones((2, 2))), "two codes held in turn are told apart"


def test_codes_of_several_coordinates_are_held_as_one(model):
    assert scores_of([model(size=3), model()]) == pytest.approx(np.ones((2, 2)))


def test_a_code_that_never_varies_wins_every_vote(model):
    dead = model()
    dead.factor.zero_()
    found = scores_of([model(), dead])
    assert found == pytest.approx(np.array([[1, THIRD], [1, THIRD]]))


def test_how_many_free_pictures():
    sprites = tuple(Factor(name, size) for name, size in zip("abcde", (3, 6, 40, 32, 32), strict=True))
    small, angles = (Factor("x", 6), Factor("y", 16)), (Factor("x", 0), Factor("y", 5))
    specs = {name: DataSpec(image=(1, 8, 8), factors=each) for name, each in [("s", small), ("d", sprites)]}
    unknown = DataSpec(image=(1, 8, 8), factors=angles), DataSpec(image=(1, 8, 8))
    assert free_of([specs["d"]]) == 73_728
    assert free_of([specs["s"]]) == 1000
    assert free_of([specs["s"], specs["d"], *unknown]) == 73_728
    assert free_of(unknown) == 20_000


def test_a_ranking_names_the_medoid(three):
    told = by_centrality(["good", "half", "poor"], three, (1, 1, 3), PLAN, CPU)
    assert told.order == [0, 1, 2], "of equals the one that was given first"
    assert told.each["own"] == pytest.approx([1, 2 * THIRD, THIRD])
    assert told.to_json()["settings"] == {
        "groups per code": 6,
        "group size": 8,
        "free": 40,
        "seed": 0,
        "batch": 256,
    }
    assert not told.notes
    some = by_centrality(["a", "b"], [three[0], type(three[0])(DataSpec(image=(1, 1, 3)), called="ab").eval()],
                         (1, 1, 3), PLAN, CPU)  # fmt: skip
    assert "2 or 3 codes" in some.notes[0]


def test_work_tells_how_far_it_is(three):
    from imgen.data.pictures import progress

    seen = []
    token = progress.set(lambda done, total: seen.append((done, total)))
    try:
        scores_of(three)
    finally:
        progress.reset(token)
    whole = 3 * 3 * (40 + 3 * 6 * 8)
    assert seen[-1] == (whole, whole)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
