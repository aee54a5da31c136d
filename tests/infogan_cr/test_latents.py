"""Latents: members side by side, what a guess of codes costs, and pairs that share one code."""

from __future__ import annotations

import math

import pytest
import torch

from imgen_infogan_cr.latents import Gaussian, Latent, Uniform, codes_and_noise


@pytest.fixture
def latent():
    """The latent of dSprites: five codes and five coordinates of noise."""
    return Latent(codes_and_noise(5, 5))


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_codes_stand_before_noise(latent):
    assert list(latent.members) == ["code1", "code2", "code3", "code4", "code5", "noise"]
    assert (latent.size, latent.d_codes, latent.codes) == (10, 5, [f"code{n}" for n in range(1, 6)])
    assert list(Latent(codes_and_noise(2, 0)).members) == ["code1", "code2"]
    with pytest.raises(ValueError, match="before noise"):
        Latent({"noise": Uniform(is_code=False), "code": Uniform()})


def test_uniform_and_gaussian_members_have_their_moments():
    mixed = Latent({"a": Uniform(low=2, high=4), "b": Gaussian(size=2, mean=-1, scale=3), "c": Uniform(is_code=False)})
    z = mixed.sample(40_000)
    assert z.shape == (40_000, 4)
    assert z[:, 0].min() >= 2 and z[:, 0].max() < 4 and z[:, 3].abs().max() <= 1
    assert z.mean(0).tolist() == pytest.approx([3, -1, -1, 0], abs=0.06)
    assert z.std(0).tolist() == pytest.approx([2 / 12**0.5, 3, 3, 2 / 12**0.5], rel=0.02)
    for name, column in (("a", 0), ("b", 1)):
        drawn = mixed.draw(name, 40_000, torch.Generator().manual_seed(1))
        assert float(drawn[:, 0].mean()) == pytest.approx(float(z[:, column].mean()), abs=0.07)
        assert float(drawn[:, 0].std()) == pytest.approx(float(z[:, column].std()), rel=0.03)
    assert torch.corrcoef(z.T).fill_diagonal_(0).abs().max() < 0.03, "members are independent"


@pytest.mark.parametrize(("codes", "constant"), [(5, 4.594693), (2, 1.837877)])
def test_the_constant_of_the_codes_surprise(codes, constant):
    latent = Latent(codes_and_noise(codes, 3))
    z = latent.sample(7)
    assert float(latent.surprise(z[:, :codes], z)) == pytest.approx(constant, abs=1e-6)


def test_the_codes_surprise_is_half_the_squared_error_summed_over_codes(latent):
    z = latent.sample(2)
    guess = z[:, :5].clone()
    guess[0, 0] += 2
    guess[1, 4] -= 1
    # Half of 4 and of 1, a mean over two rows.
    assert float(latent.surprise(guess, z)) == pytest.approx(4.594693 + (2 + 0.5) / 2, abs=1e-6)


def test_the_surprise_of_a_code_with_another_spread():
    latent = Latent({"code": Uniform(spread=0.5)})
    z = torch.tensor([[0.25]])
    wanted = 0.5 * (0.75 / 0.5) ** 2 + math.log(0.5) + 0.5 * math.log(2 * math.pi)
    assert float(latent.surprise(torch.tensor([[1.0]]), z)) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("gap", [0.0, 0.7, 1.9, 2.0])
def test_a_pair_shares_noise_and_one_code_and_no_other(gap, latent):
    which, first, second = latent.pair(4000, torch.tensor(gap))
    assert which.min() == 0 and which.max() == 4
    assert torch.bincount(which).tolist() == pytest.approx([800] * 5, rel=0.15)
    assert torch.equal(first[:, 5:], second[:, 5:]), "noise never varies inside a pair"
    apart = (first[:, :5] - second[:, :5]).abs()
    shared = torch.nn.functional.one_hot(which, 5).bool()
    assert (apart[shared] == 0).all()
    assert (apart[~shared] >= gap - 1e-6).all() and (apart[~shared] > 0).all()
    assert first.abs().max() <= 1 and second.abs().max() <= 1
    if gap < 2:  # at the widest all values are ties, and ties go one way
        larger = (first > second)[:, :5][~shared].float().mean()
        assert float(larger) == pytest.approx(0.5, abs=0.03), "neither half has the larger values"


def test_without_a_gap_the_two_values_are_independent_and_uniform(latent):
    which, first, second = latent.pair(20_000, torch.tensor(0.0))
    free = which != 0
    a, b = first[free, 0], second[free, 0]
    assert float(torch.corrcoef(torch.stack([a, b]))[0, 1]) == pytest.approx(0, abs=0.03)
    for values in (a, b, first[~free, 0]):
        assert torch.histc(values, 4, -1, 1).div(len(values)).tolist() == pytest.approx([0.25] * 4, abs=0.02)


def test_a_wide_gap_leaves_values_near_the_ends(latent):
    which, first, _ = latent.pair(1000, torch.tensor(1.9))
    assert (first[which != 2, 2].abs() >= 0.9 - 1e-6).all()
    assert (first[which == 2, 2].abs() < 0.9).any(), "the shared code is anywhere"


def test_codes_of_several_coordinates_are_shared_whole():
    latent = Latent({"a": Uniform(size=2), "b": Uniform(size=3), "noise": Uniform(size=1, is_code=False)})
    which, first, second = latent.pair(200, torch.tensor(0.1))
    same = first == second
    assert torch.equal(same[:, :2].all(1), which == 0) and torch.equal(same[:, 2:5].all(1), which == 1)
    assert not same[which == 0, 2:5].any() and same[:, 5].all()


def test_pairs_follow_from_the_seed(latent):
    torch.manual_seed(4)
    one = latent.pair(8, torch.tensor(0.3))
    torch.manual_seed(4)
    assert all(torch.equal(a, b) for a, b in zip(one, latent.pair(8, torch.tensor(0.3)), strict=True))


def test_a_traversal_moves_one_member_through_its_span():
    latent = Latent({"a": Uniform(), "b": Gaussian(mean=1, scale=2), "noise": Uniform(size=2, is_code=False)})
    base = torch.tensor([0.1, 0.2, 0.3, 0.4])
    rows = latent.traversals(base, 5)
    assert rows.shape == (3, 5, 4)
    assert rows[0, :, 0].tolist() == pytest.approx([-1, -0.5, 0, 0.5, 1])
    assert rows[1, :, 1].tolist() == pytest.approx([-3, -1, 1, 3, 5])
    assert rows[2, :, 2].tolist() == rows[2, :, 3].tolist() == pytest.approx([-1, -0.5, 0, 0.5, 1])
    assert torch.equal(rows[0, :, 1:], base[1:].expand(5, -1)), "all else stays"
    assert torch.equal(base, torch.tensor([0.1, 0.2, 0.3, 0.4]))
