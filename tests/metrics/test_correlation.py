"""Which code follows which factor."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from imgen.data.factored.drawn_sprites import drawn_sprites
from imgen.data.shapes import shapes
from imgen.errors import DataError
from imgen.metrics import Evaluation
from imgen.metrics.correlation import best_and_gap, factor_correlation, squared_correlations


def test_squared_correlations_by_hand():
    x = np.array([0.0, 1.0, 2.0, 3.0])
    codes = np.stack([3 - 2 * x, np.array([1.0, -1.0, -1.0, 1.0]), np.full(4, 5.0)], axis=1)
    factors = np.stack([x, np.array([0.0, 0.0, 1.0, 1.0]), np.zeros(4)], axis=1)
    # Along the line 1; x against the step: covariance 1/2, variances 5/4 and 1/4, so 4/5.
    wanted = [[1, 0.8, 0], [0, 0, 0], [0, 0, 0]]
    assert np.allclose(squared_correlations(codes, factors), wanted)


def test_best_and_gap_by_hand():
    assert best_and_gap(np.array([[0.9, 0.1], [0.2, 0.5], [0.3, 0.4]])) == pytest.approx((0.7, (0.6 + 0.1) / 2))
    assert best_and_gap(np.array([[0.9, 0.1]])) == pytest.approx((0.5, 0.5))


class Reads(nn.Module):
    """Reads size and place of a bright sprite, in the middle of turned axes where asked."""

    encodes = ("a", "b", "c")

    def __init__(self, turned: bool) -> None:
        super().__init__()
        self.turned = turned

    def encode(self, images, generator=None):
        light = (images[:, 0] + 1) / 2
        mass = light.sum((1, 2))
        at = torch.arange(images.shape[-1], dtype=torch.float32)
        x, y = (light.sum(1) @ at) / mass, (light.sum(2) @ at) / mass
        return torch.stack([mass.sqrt(), x + y, x - y] if self.turned else [mass.sqrt(), x, y], dim=1)


def measured(model, dataset):
    factory = factor_correlation(pictures=400)
    return factory(Evaluation(model=model, dataset=dataset, device=torch.device("cpu"), seed=0))


def test_codes_along_the_factors_and_across_them():
    data = drawn_sprites(size=16)
    straight, turned = measured(Reads(turned=False), data), measured(Reads(turned=True), data)
    assert straight["best"] > 0.98 and straight["gap"] > 0.95
    assert set(straight) == {"best", "gap", "scale", "position x", "position y"}
    assert turned["scale"] > 0.98 and 0.4 < turned["position x"] < 0.6, "half of each is in either code"
    assert turned["gap"] < 0.45


def test_kinds_are_left_out():
    told = measured(Reads(turned=False), drawn_sprites(size=16, shapes=3))
    assert set(told) == {"best", "gap", "scale", "position x", "position y"}


def test_data_and_models_that_do_not_fit():
    with pytest.raises(DataError, match="nothing is known of the factors"):
        measured(Reads(turned=False), shapes(identities=2, photos=2, size=16))
    with pytest.raises(DataError, match="reads no codes"):
        measured(nn.Identity(), drawn_sprites(size=16))
    only_kinds = drawn_sprites(size=16, shapes=3, scales=1, positions=1)
    with pytest.raises(DataError, match="none of the factors"):
        measured(Reads(turned=False), only_kinds)
