"""Latents that follow from the seed and their place alone, and sheets that hold a part of them fixed."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from imgen import sampling
from imgen.errors import WeightsError
from imgen.images import from_float


class Two(nn.Module):
    """A generator with an identity, an observation and a third code; a picture is its latent."""

    codes = {"identity": 3, "observation": 2, "light": 1}  # noqa: RUF012

    def __init__(self):
        super().__init__()
        self.norm = nn.Conv2d(1, 8, 3)
        self.batches: list[int] = []

    def draw(self, code, n, generator=None):
        return torch.randn(n, self.codes[code], generator=generator)

    def forward(self, z):
        self.batches.append(len(z))
        return z.tanh().view(-1, 1, 2, 3)


@pytest.fixture
def model():
    return Two()


def test_a_draw_follows_from_seed_code_and_place(model):
    whole = sampling.draw(model, "identity", range(6), seed=3)
    assert torch.equal(sampling.draw(model, "identity", [4, 1], seed=3), whole[[4, 1]])
    assert torch.equal(sampling.draw(model, "identity", [2, 2], seed=3), whole[[2, 2]])
    assert len({tuple(row) for row in whole.tolist()}) == 6
    assert not torch.equal(sampling.draw(model, "identity", range(6), seed=4), whole)
    other = sampling.draw(model, "observation", range(6), seed=3)
    assert not torch.equal(other, whole[:, :2]), "codes are drawn apart"


def test_drawing_leaves_other_noise_alone(model):
    torch.manual_seed(0)
    wanted = torch.rand(3)
    torch.manual_seed(0)
    sampling.draw(model, "identity", range(3), seed=0)
    assert torch.equal(torch.rand(3), wanted)


def cells(model, rows, columns, fixed, seed=0):
    z = sampling.controlled(model, rows, columns, fixed, seed)
    assert z.shape == (rows, columns, 6)
    return z.split([3, 2, 1], dim=2)


def distinct(rows: torch.Tensor) -> int:
    return len({tuple(row) for row in rows.flatten(0, -2).tolist()})


@pytest.mark.parametrize(
    ("fixed", "identities", "observations"),
    [([], 12, 12), (["identity"], 3, 12), (["observation"], 12, 4), (["identity", "observation"], 3, 4)],
)
def test_rows_are_identities_and_columns_observations(fixed, identities, observations, model):
    identity, observation, light = cells(model, 3, 4, fixed)
    assert (distinct(identity), distinct(observation), distinct(light)) == (identities, observations, 12)
    if "identity" in fixed:
        assert (identity == identity[:, :1]).all()
    if "observation" in fixed:
        assert (observation == observation[:1]).all()


def test_more_columns_show_the_same_identities(model):
    narrow, wide = (cells(model, 3, columns, ["identity", "observation"]) for columns in (2, 5))
    assert torch.equal(narrow[0], wide[0][:, :2]) and torch.equal(narrow[1], wide[1][:, :2])


def test_between_two_identity_moves_down_and_observation_across(model):
    model.codes = {"observation": 2, "identity": 3}
    z = sampling.interpolated(model, 4, 4, seed=0)
    observation, identity = z.split([2, 3], dim=2)
    assert (identity == identity[:, :1]).all() and (observation == observation[:1]).all()
    ends = sampling.draw(model, "identity", [0, 1], 0)
    for row, weight in enumerate((0, 1 / 3, 2 / 3, 1)):
        assert torch.allclose(identity[row, 0], torch.lerp(*ends, weight), atol=1e-6)
    assert torch.equal(observation[0, 0], sampling.draw(model, "observation", [0], 0)[0])
    assert torch.equal(observation[0, -1], sampling.draw(model, "observation", [1], 0)[0])


def test_a_walk_keeps_identities_and_comes_back(model):
    model.codes = {"identity": 3, "observation": 2}
    z = sampling.walk(model, identities=3, stops=4, frames=32, seed=0)
    identity, observation = z.split([3, 2], dim=2)
    assert (identity == identity[:1]).all() and distinct(identity) == 3
    assert (observation == observation[:, :1]).all()
    keys = sampling.draw(model, "observation", range(4), 0)
    assert torch.allclose(observation[::8, 0], keys, atol=1e-6)
    steps = (observation[:, 0] - observation[:, 0].roll(1, 0)).norm(dim=1)
    assert steps.max() < 4 * steps.mean(), "no jump, from the last frame to the first neither"


@pytest.mark.parametrize("number", [1, 15, 16, 17, 40])
def test_every_forward_pass_has_the_same_size(number, model):
    z = torch.randn(number, 6)
    shown = sampling.pictures(model, z)
    assert torch.equal(shown, from_float(z.tanh().view(-1, 1, 2, 3)))
    assert set(model.batches) == {16}


@pytest.mark.parametrize("name", ["sddcgan", "sdbegan"])
def test_the_same_pictures_whatever_the_number(name, plugins):
    """Bit for bit, through real networks."""
    from imgen.data.spec import DataSpec

    torch.manual_seed(0)
    factory = plugins.registry("models").get(name).load()
    model = factory(DataSpec(image=(3, 16, 16), group=2)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    z = torch.cat([sampling.draw(model, code, range(21), 0) for code in model.codes], dim=1)
    whole = sampling.pictures(model, z)
    for start, stop in ((0, 1), (3, 20), (16, 21)):
        assert torch.equal(sampling.pictures(model, z[start:stop]), whole[start:stop])


def test_a_missing_code_is_told_with_those_there_are():
    sampling.need(["identity", "observation"], ["identity"], "m")
    sampling.need(["latent"], [], "m")
    with pytest.raises(WeightsError, match=r"m: this model has no code 'identity' .* only 'latent'"):
        sampling.need(["latent"], ["identity"], "m")
    with pytest.raises(WeightsError, match=r"m: .* cannot be sampled"):
        sampling.need([], [], "m")
