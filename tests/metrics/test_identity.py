"""The area under the ROC curve by hand, and generators of which the identity metric must tell the truth."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from imgen.data.shapes import PATTERNS, REACH, SHAPES, SIZES, TURN, Factors, Shapes, render, shapes
from imgen.errors import DataError
from imgen.metrics.identity import auc, auc_interval, drawn_identity, spread


class Draws(nn.Module):
    """A generator without weights that draws what its codes say, its faults chosen.

    still: observation factors that never vary; leaks: the observation code sets the hue, too.
    """

    def __init__(self, still: tuple[str, ...] = (), leaks: bool = False, turned_codes: bool = False) -> None:
        super().__init__()
        self.codes = {"observation": 5, "identity": 3} if turned_codes else {"identity": 3, "observation": 5}
        self.still, self.leaks = still, leaks

    def draw(self, code: str, n: int, generator: torch.Generator | None = None) -> Tensor:
        return torch.rand(n, self.codes[code], generator=generator) * 2 - 1

    def forward(self, z: Tensor) -> Tensor:
        parts = dict(zip(self.codes, z.split(list(self.codes.values()), dim=1), strict=True))
        who, seen = ((parts[code] + 1) / 2 for code in ("identity", "observation"))
        x, y, rotation, size, background = (
            torch.full_like(column, 0.5) if name in self.still else column
            for name, column in zip(("x", "y", "rotation", "size", "background"), seen.unbind(1), strict=True)
        )
        factors = Factors(
            shape=(who[:, 0] * len(SHAPES)).long().clamp_max(len(SHAPES) - 1),
            hue=(seen if self.leaks else who)[:, 1] * 2 * math.pi,
            pattern=(who[:, 2] * len(PATTERNS)).long().clamp_max(len(PATTERNS) - 1),
            x=(2 * x - 1) * REACH,
            y=(2 * y - 1) * REACH,
            rotation=(2 * rotation - 1) * TURN,
            size=SIZES[0] + size * (SIZES[1] - SIZES[0]),
            background=background,
        )
        return render(factors, 32) / 127.5 - 1


@pytest.fixture(scope="module")
def data() -> Shapes:
    return shapes(identities=60, photos=8)


def measure(data: object, model: nn.Module, seed: int = 0) -> dict[str, float]:
    evaluation = SimpleNamespace(model=model, dataset=data, device=torch.device("cpu"), seed=seed)
    return drawn_identity(pairs=120, identities=40, observations=6)(evaluation)


def test_auc_by_hand() -> None:
    # Of the six comparisons 1<2, 1<4, 3<4 are right, 4=4 is a tie, 3>2 and 4>2 are wrong.
    assert auc(np.array([1.0, 3.0, 4.0]), np.array([2.0, 4.0])) == pytest.approx(3.5 / 6)
    assert auc(np.array([0.0, 1.0]), np.array([2.0, 3.0])) == 1
    assert auc(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 0
    assert auc(np.ones(5), np.ones(3)) == 0.5


def test_auc_equals_the_count_over_all_pairs() -> None:
    rng = np.random.default_rng(0)
    same, different = rng.integers(0, 8, 50).astype(float), rng.integers(2, 12, 70).astype(float)
    less, equal = same[:, None] < different, same[:, None] == different
    assert auc(same, different) == pytest.approx((less + equal / 2).mean())


@pytest.mark.parametrize("same", [[], [math.nan, 1.0]])
def test_auc_refuses_what_has_no_answer(same: list[float]) -> None:
    with pytest.raises(ValueError, match="distances of both kinds"):
        auc(np.array(same), np.ones(3))


def test_the_interval_holds_the_auc_and_narrows_with_more_pairs() -> None:
    rng = np.random.default_rng(0)
    same, different = rng.normal(0, 1, 2000), rng.normal(1, 1, 2000)
    low, high = auc_interval(same, different, rng)
    assert low < auc(same, different) < high < low + 0.05
    few_low, few_high = auc_interval(same[:100], different[:100], rng)
    assert few_high - few_low > 2 * (high - low)


def test_spread_by_hand() -> None:
    nan = math.nan
    # First factor: variances 2 and 0, mean 1. Second: 8 and one lone value. Third: nobody shows it twice.
    factors = np.array([[[1.0, 0.0, nan], [3.0, 4.0, nan]], [[5.0, nan, nan], [5.0, 7.0, 2.0]]])
    assert spread(factors) == pytest.approx([1, math.sqrt(8), nan], nan_ok=True)


@pytest.mark.parametrize("turned_codes", [False, True])
def test_a_perfect_generator_gets_full_marks(data: Shapes, turned_codes: bool) -> None:
    figures = measure(data, Draws(turned_codes=turned_codes))
    assert figures["identity_auc"] > 0.99
    assert figures["identity_auc_low"] <= figures["identity_auc"] <= figures["identity_auc_high"]
    assert figures["observation_ratio"] > 0.93
    for name in ("x", "y", "rotation", "size", "background"):
        assert figures[f"observation_{name}"] == pytest.approx(1, abs=0.15)


def test_a_collapse_of_one_factor_is_seen(data: Shapes) -> None:
    figures = measure(data, Draws(still=("size",)))
    assert figures["observation_size"] < 0.1
    assert figures["observation_x"] > 0.85
    assert figures["observation_ratio"] == pytest.approx(0.8, abs=0.07)


def test_a_collapse_of_all_observations_is_seen(data: Shapes) -> None:
    figures = measure(data, Draws(still=("x", "y", "rotation", "size", "background")))
    assert figures["identity_auc"] > 0.99
    assert figures["observation_ratio"] < 0.01


def test_a_leak_of_the_identity_into_the_observation_is_seen(data: Shapes) -> None:
    assert measure(data, Draws(leaks=True))["identity_auc"] < 0.9


def test_a_generator_that_shows_nothing_scores_nothing(data: Shapes) -> None:
    class Nothing(Draws):
        def forward(self, z: Tensor) -> Tensor:
            return torch.zeros(len(z), 3, 32, 32)

    figures = measure(data, Nothing())
    assert figures["identity_auc"] == 0.5
    assert figures["observation_ratio"] < 0.01


def test_the_figures_follow_from_the_seed_and_leave_the_model_as_it_was(data: Shapes) -> None:
    model = Draws().train()
    first = measure(data, model, seed=5)
    assert model.training
    assert measure(data, model, seed=5) == first
    assert measure(data, model, seed=6) != first


def test_other_data_or_models_are_refused(data: Shapes) -> None:
    with pytest.raises(DataError, match="needs the data set 'shapes'"):
        measure(object(), Draws())
    model = Draws()
    model.codes = {"noise": 100}
    with pytest.raises(DataError, match="a code 'identity' and another"):
        measure(data, model)
