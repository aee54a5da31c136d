"""Small sprites: what varies is what was asked for, and a picture can be asked for by its factors."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from imgen.data.factored.drawn_sprites import drawn_sprites
from imgen.data.factors import Factored
from imgen.data.loader import Loader
from imgen.data.spec import Factor
from imgen.errors import DataError
from imgen.testing import check_dataset


def test_three_factors_by_default():
    data = drawn_sprites()
    assert isinstance(data, Factored)
    assert data.spec.factors == (Factor("scale", 6), Factor("position x", 16), Factor("position y", 16))
    assert data.spec.image == (1, 32, 32) and data.columns["images"].shape == (1536, 1, 32, 32)
    assert data.factors_of(np.array([0, 1, 16, 256, 1535])).tolist() == [
        [0.5, 0, 0],
        [0.5, 0, pytest.approx(1 / 15)],
        [0.5, pytest.approx(1 / 15), 0],
        [0.6, 0, 0],
        [1, 1, 1],
    ]


def test_all_five():
    data = drawn_sprites(size=16, shapes=3, scales=2, orientations=4, positions=3)
    assert [(factor.name, factor.size) for factor in data.spec.factors] == [
        ("shape", 3),
        ("scale", 2),
        ("orientation", 4),
        ("position x", 3),
        ("position y", 3),
    ]
    assert [factor.ordered for factor in data.spec.factors] == [False, True, True, True, True]
    assert data.factors_of(np.array([3 * 2 * 4 * 9 - 1])).tolist() == [[2, 1, pytest.approx(1.5 * math.pi), 1, 1]]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"size": 16, "positions": 4, "scales": 1},
        {"size": 17, "shapes": 3, "orientations": 5, "positions": 3},
        {"positions": 1, "orientations": 7, "scales": 1},
    ],
)
def test_it_keeps_its_contract(settings):
    check_dataset(drawn_sprites(**settings))


@pytest.mark.parametrize("settings", [{}, {"shapes": 3, "orientations": 6, "positions": 4}, {"orientations": 4}])
def test_no_two_pictures_are_alike(settings):
    every = drawn_sprites(**settings).columns["images"].decode_all(2)
    # A square alone goes round a quarter; among others it must repeat itself.
    alike = len(every) - len(torch.unique(every.flatten(1), dim=0))
    assert alike == (6 * 16 * (6 - 3) + 6 * 16 * 3 if settings.get("shapes") else 0)


def test_batches_are_drawn_as_they_are_fetched():
    data = drawn_sprites(positions=4)
    device = torch.device("cpu")
    for resident in ("always", "never"):
        loader = Loader(data, batch=8, seed=3, device=device, resident=resident, workers=2)
        assert loader.resident == (resident == "always")
        rows = loader.rows(5)["images"]
        assert torch.equal(loader.batch(5)["images"], data.show(data.factors_of(rows)))
        loader.close()


def test_nothing_that_varies():
    with pytest.raises(DataError, match="nothing varies"):
        drawn_sprites(scales=1, positions=1)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([[0.55, 0, 0]], "0.55 is no value of the factor 'scale'; it has 6 from 0.5 to 1"),
        ([[0.5, 0, math.nan]], "nan is no value of the factor 'position y'"),
        ([[0.5, -1 / 15, 0]], "no value of the factor 'position x'"),
        ([[0.5, 0]], "a picture has 3: scale, position x, position y"),
        ([0.5, 0, 0], "a picture has 3"),
    ],
)
def test_values_that_are_none(values, told):
    data = drawn_sprites()
    for ask in (data.show, data.places):
        with pytest.raises(DataError, match=told):
            ask(np.array(values))


def test_values_may_have_been_kept_in_32_bits():
    data = drawn_sprites(orientations=40, shapes=3)
    rows = np.arange(0, data.grid.rows, 97)
    assert np.array_equal(data.grid.rows_of(data.factors_of(rows).astype("f4").astype("f8")), rows)
