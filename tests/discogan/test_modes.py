"""The points of the toy, its metric by hand, and its picture."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from imgen.binding import check, settings_of
from imgen.errors import DataError
from imgen.model import Way
from imgen.testing.datasets import check_dataset
from imgen_discogan.toy.metric import collisions, coverage, quality
from imgen_discogan.toy.metric import toy_modes as metric
from imgen_discogan.toy.modes import Modes, five_modes, nearest, ten_modes, toy_modes


@pytest.fixture(scope="module")
def data() -> Modes:
    return toy_modes(points=3000, n_test=1000)


def test_the_modes_stand_where_they_should() -> None:
    five, ten = five_modes(), ten_modes()
    assert five.shape == (5, 2) and ten.shape == (10, 2)
    assert five[0].tolist() == pytest.approx([0, -2])
    assert five[1].tolist() == pytest.approx([-2 + 2 * math.cos(math.radians(72)), -2 + 2 * math.sin(math.radians(72))])
    assert ten[0].tolist() == pytest.approx([2, 4], abs=1e-6)
    assert ten[3].tolist() == pytest.approx([0, 2], abs=1e-6)
    assert ten[9].tolist() == pytest.approx([4, 2], abs=1e-6)
    assert torch.allclose((five + 2).norm(dim=1), torch.tensor(2.0))
    assert torch.allclose((ten - 2).norm(dim=1), torch.tensor(2.0))


def test_the_points_lie_around_the_modes_each_as_likely(data: Modes) -> None:
    check_dataset(data)
    for name, modes in data.modes.items():
        points = data.columns[name]
        assert points.dtype == torch.float32 and points.shape == (3000, 2)
        mode = nearest(points, modes)
        away = points - modes[mode]
        assert away.std(dim=0).tolist() == pytest.approx([0.1, 0.1], rel=0.05)
        shares = torch.bincount(mode, minlength=len(modes)) / 3000
        assert shares.tolist() == pytest.approx([1 / len(modes)] * len(modes), rel=0.25)
        assert torch.equal(nearest(data.test[name], modes), data.test_mode[name])


def test_the_points_follow_from_the_seed_and_tests_are_others(data: Modes) -> None:
    again, other = toy_modes(points=3000, n_test=10), toy_modes(points=3000, n_test=10, seed=1)
    assert torch.equal(again.columns["a"], data.columns["a"])
    assert not torch.equal(other.columns["a"], data.columns["a"])
    assert not torch.equal(data.columns["a"][:10] - five_modes()[0], again.test["a"] - five_modes()[0])


def test_the_sizes_and_the_settings_are_what_was_asked() -> None:
    made = toy_modes(points=7, n_test=3, sigma=0.5, size=64)
    assert made.spec.image == (3, 64, 64) and made.spec.vector == 2 and made.spec.domains == ("five modes", "ten modes")
    assert made.columns["b"].shape == (7, 2) and made.test["b"].shape == (3, 2) and made.sigma == 0.5
    for factory in (toy_modes, metric):
        assert all(setting.meaning for setting in settings_of(factory).values())
    assert check(toy_modes, {"sigma": 0.0})[1]


def test_coverage_and_quality_by_hand() -> None:
    targets = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    # Of 200 points 150 are at the first mode and 2, exactly 1 %, within 0.3 of the second; one is near the third,
    # which is too few, and the rest is nowhere.
    points = torch.full((200, 2), 5.0)
    points[:150] = 0.0
    points[150:152] = torch.tensor([10.29, 0.0])
    points[152] = torch.tensor([0.0, 10.0])
    assert coverage(points, targets, 0.1) == 2
    assert quality(points, targets, 0.1) == pytest.approx(153 / 200)
    # At a smaller sigma the second mode is missed.
    assert coverage(points, targets, 0.09) == 1
    assert coverage(torch.full((5, 2), math.nan), targets, 0.1) == 0


def test_collisions_by_hand() -> None:
    targets = torch.tensor([[0.0, 0.0], [10.0, 0.0], [20.0, 0.0]])
    source = torch.arange(3).repeat_interleave(100)
    points = targets[source].clone()
    assert collisions(points, source, targets) == 0
    points[:4] = targets[1]  # 4 % of the first go to the second's: not yet shared
    assert collisions(points, source, targets) == 0
    points[:5] = targets[1] + 1
    assert collisions(points, source, targets) == 1
    assert collisions(torch.zeros(300, 2), source, targets) == 3


class Moves(nn.Module):
    """Sends a point of the k-th mode to target 2 k, or to 2 k or 2 k + 1 by where it lies; exact on the way back."""

    def __init__(self, both: bool = True, back: bool = True, still: bool = False) -> None:
        super().__init__()
        self.both, self.still = both, still
        ways = [Way("five modes", "ten modes"), Way("ten modes", "five modes")]
        self.ways, self.multiple = ways[: 1 + back], 1

    def translate(self, points: Tensor, way: Way) -> Tensor:
        assert not self.training and not torch.is_grad_enabled()
        five, ten = five_modes(), ten_modes()
        if way.target == "five modes":
            mode = nearest(points, ten)
            return five[mode // 2] + points - ten[mode]
        if self.still:
            return torch.zeros_like(points)
        mode = nearest(points, five)
        away = points - five[mode]
        return ten[2 * mode + (away[:, 0] > 0) * self.both] + away


def measure(data: object, model: nn.Module, **settings: int) -> dict[str, float]:
    evaluation = SimpleNamespace(model=model, dataset=data, device=torch.device("cpu"), seed=0)
    return metric(**settings)(evaluation)  # type: ignore[arg-type]


def test_a_perfect_model_reaches_every_mode(data: Modes) -> None:
    model = Moves().train()
    told = measure(data, model)
    assert told.pop("quality") == pytest.approx(math.exp(-0.5 * 0) - math.exp(-4.5), abs=0.01)
    assert told.pop("cycle_error") < 1e-10
    assert told == {"coverage": 10, "collisions": 0}
    assert model.training


def test_a_one_way_model_and_a_still_one_are_seen(data: Modes) -> None:
    told = measure(data, Moves(both=False, back=False), samples=500)
    assert told["coverage"] == 5 and told["collisions"] == 0 and "cycle_error" not in told
    told = measure(data, Moves(still=True))
    assert told["coverage"] == 0 and told["collisions"] == 10 and told["quality"] == 0
    # All come back to one place, so the error is that to the points themselves.
    home = Moves().eval()
    with torch.no_grad():
        place = home.translate(torch.zeros(1, 2), home.ways[1])
    assert told["cycle_error"] == pytest.approx(float((data.test["a"] - place).square().mean()), rel=1e-5)


def test_other_data_or_models_are_refused(data: Modes) -> None:
    with pytest.raises(DataError, match="needs the data set 'toy-modes'"):
        measure(SimpleNamespace(), Moves())
    model = Moves()
    model.ways = [Way("ten modes", "five modes")]
    with pytest.raises(DataError, match="translates 'five modes' to 'ten modes'"):
        measure(data, model)
