"""Drawn identities, and the oracle that reads them back."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d, pad

from imgen.data.shapes import PATTERNS, REACH, SHAPES, SIZES, TURN, Factors, Shapes, colour, ground, render, shapes
from imgen.data.shapes_oracle import OBSERVATIONS, Reading, identity_distance, read
from imgen.errors import DataError
from imgen.metrics.identity import auc


@pytest.fixture(scope="module")
def drawn() -> Shapes:
    return shapes(identities=200, photos=6, seed=3)


@pytest.fixture(scope="module")
def reading(drawn: Shapes) -> Reading:
    return read(drawn.columns["images"])


def turned(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The smaller angle between two, in degrees."""
    return ((a - b + math.pi) % (2 * math.pi) - math.pi).abs().rad2deg()


def spoilt(pictures: torch.Tensor) -> torch.Tensor:
    """As a generator might make them: floats, blurred over 3x3 pixels, with noise."""
    soft = avg_pool2d(pad(pictures.float() / 127.5 - 1, (1, 1, 1, 1), "replicate"), 3, 1)
    return soft + 0.08 * torch.randn(soft.shape, generator=torch.Generator().manual_seed(0))


def pair_auc(data: Shapes, seen: Reading) -> float:
    points = seen.identity().view(-1, 6, seen.identity().shape[1])
    rng = np.random.default_rng(0)
    a = rng.integers(len(points), size=2000)
    b = (a + rng.integers(1, len(points), size=2000)) % len(points)
    near = identity_distance(points[:, :3].flatten(0, 1), points[:, 3:].flatten(0, 1))
    return auc(near.numpy(), identity_distance(points[a, 0], points[b, 1]).numpy())


def one(**given: float) -> Factors:
    """The factors of one picture: a red plain disc in the middle, but for what is given."""
    usual = {"shape": 0, "hue": 0.0, "pattern": 0, "x": 0, "y": 0, "rotation": 0, "size": 0.22, "background": 0.0}
    told = {**usual, **given}
    return Factors(*(torch.tensor([told[n]], dtype=torch.int64 if n in ("shape", "pattern") else None) for n in told))


def test_a_disc_covers_what_it_should() -> None:
    picture = render(one(size=0.25), 64)[0].float()
    assert picture[:, 32, 32].tolist() == [round(255 * c) for c in colour(torch.zeros(1))[0].tolist()]
    assert picture[:, 0, 0].tolist() == [round(255 * c) for c in ground(torch.zeros(1))[0].tolist()]
    red, paper = picture[0, 32, 32], picture[0, 0, 0]
    area = ((picture[0] - paper) / (red - paper)).sum() / 64**2
    assert area == pytest.approx(math.pi * 0.25**2, rel=0.005)
    assert len(picture[0].unique()) > 10, "the outline is antialiased"


@pytest.mark.parametrize("shape", range(len(SHAPES)))
def test_every_shape_has_the_same_area_and_its_centroid_in_the_middle(shape: int) -> None:
    picture = render(one(shape=shape, rotation=0.3, size=0.22), 96)[0, 0].double()
    share = (picture - picture[0, 0]) / (picture[48, 48] - picture[0, 0])
    assert share.sum() / 96**2 == pytest.approx(math.pi * 0.22**2, rel=0.03)
    axis = (torch.arange(96, dtype=torch.float64) + 0.5) / 96 - 0.5
    for side in (0, 1):
        assert (share.sum(side) @ axis / share.sum()).abs() < 0.004


def test_patterns_differ_where_they_should() -> None:
    middle = [render(one(pattern=p), 64)[0, :, 32, 32].min() for p in range(4)]
    below = [render(one(pattern=p), 64)[0, :, 42, 32].min() for p in range(4)]
    right = [render(one(pattern=p), 64)[0, :, 31, 39].min() for p in range(4)]
    white = {"plain": (False, False), "core": (True, False), "halves": (True, True), "bands": (True, True)}
    for p, name in enumerate(PATTERNS):
        assert (middle[p] > 200, below[p] > 200) == white[name]
    assert [value > 200 for value in right] == [False, False, False, False]


def test_the_factors_stay_in_their_ranges_and_fill_them(drawn: Shapes) -> None:
    factors = drawn.factors
    for values, low, high in (
        (factors.x, -REACH, REACH),
        (factors.y, -REACH, REACH),
        (factors.rotation, -TURN, TURN),
        (factors.size, *SIZES),
        (factors.background, 0, 1),
        (factors.hue, 0, 2 * math.pi),
    ):
        assert low <= values.min() < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < values.max() <= high
    assert sorted(factors.shape.unique().tolist()) == list(range(len(SHAPES)))
    assert sorted(factors.pattern.unique().tolist()) == list(range(len(PATTERNS)))


def test_pictures_of_one_identity_share_it_and_nothing_else(drawn: Shapes) -> None:
    for name in ("shape", "hue", "pattern"):
        values = getattr(drawn.factors, name).view(200, 6)
        assert (values == values[:, :1]).all()
    for name in OBSERVATIONS:
        assert (getattr(drawn.factors, name).view(200, 6).std(dim=1) > 0).all()
    assert drawn.identity.tolist() == [i for i in range(200) for _ in range(6)]
    assert drawn.identity.dtype == np.int64


def test_a_picture_is_a_function_of_the_seed_and_its_number_alone(drawn: Shapes) -> None:
    images = drawn.columns["images"].view(200, 6, 3, 32, 32)
    fewer = shapes(identities=7, photos=4, seed=3).columns["images"].view(7, 4, 3, 32, 32)
    assert torch.equal(images[:7, :4], fewer)
    other = shapes(identities=7, photos=4, seed=4).columns["images"].view(7, 4, 3, 32, 32)
    assert not torch.equal(other, fewer)


def test_items_are_tuples_of_one_identity(drawn: Shapes) -> None:
    rows = drawn.draw(64, np.random.default_rng(0))["images"]
    assert rows.shape == (64, 2)
    assert (drawn.identity[rows[:, 0]] == drawn.identity[rows[:, 1]]).all()
    assert (rows[:, 0] != rows[:, 1]).all()
    assert (drawn.draw(64, np.random.default_rng(0))["images"] == rows).all()
    assert drawn.spec.image == (3, 32, 32)
    assert drawn.spec.group == 2
    alone = shapes(identities=3, photos=1, k=1)
    assert alone.draw(5, np.random.default_rng(0))["images"].shape == (5,)


def test_too_few_photos_for_a_tuple_is_an_error() -> None:
    with pytest.raises(DataError, match="k=3 different pictures of one identity need photos=3 or more, not 2"):
        shapes(identities=5, photos=2, k=3)


def test_drawing_is_quick() -> None:
    start = time.process_time()
    assert shapes(identities=500, photos=10).columns["images"].shape == (5000, 3, 32, 32)
    assert time.process_time() - start < 5, "5,000 pictures take about 0.3 s of one core"


def test_the_oracle_reads_identities_back(drawn: Shapes, reading: Reading) -> None:
    factors = drawn.factors
    assert turned(reading.hue, factors.hue).max() < 2
    assert (reading.shape.argmax(1) == factors.shape).float().mean() > 0.995
    assert (reading.pattern.argmax(1) == factors.pattern).float().mean() > 0.995
    assert pair_auc(drawn, reading) > 0.998


def test_the_oracle_reads_observations_back(drawn: Shapes, reading: Reading) -> None:
    factors = drawn.factors
    for name, pixels in (("x", 0.3), ("y", 0.3), ("size", 0.2)):
        assert (getattr(reading, name) - getattr(factors, name)).abs().max() * 32 < pixels
    assert (reading.background - factors.background).abs().max() < 0.02
    has_rotation = (factors.shape != SHAPES.index("disc")) | (factors.pattern >= PATTERNS.index("halves"))
    assert torch.equal(~reading.rotation.isnan(), has_rotation)
    error = turned(reading.rotation, factors.rotation)[has_rotation]
    assert error.quantile(0.95) < 2
    assert reading.observation().shape == (1200, len(OBSERVATIONS))


def test_the_oracle_bears_blur_and_noise(drawn: Shapes) -> None:
    seen = read(spoilt(drawn.columns["images"]))
    assert turned(seen.hue, drawn.factors.hue).quantile(0.95) < 5
    assert (seen.shape.argmax(1) == drawn.factors.shape).float().mean() > 0.97
    assert (seen.pattern.argmax(1) == drawn.factors.pattern).float().mean() > 0.97
    assert (seen.x - drawn.factors.x).abs().quantile(0.95) * 32 < 0.5
    assert pair_auc(drawn, seen) > 0.99


@pytest.mark.parametrize("size", [16, 64])
def test_the_oracle_reads_other_sizes(size: int) -> None:
    data = shapes(identities=100, photos=6, size=size, seed=1)
    assert pair_auc(data, read(data.columns["images"])) > 0.99


@pytest.mark.parametrize("level", [-1.0, 0.0, 1.0])
def test_the_oracle_bears_empty_pictures(level: float) -> None:
    seen = read(torch.full((2, 3, 32, 32), level))
    assert seen.identity().isfinite().all()
    assert seen.observation()[:, [0, 1, 3, 4]].isfinite().all()


def test_distance_ignores_the_observation_and_sees_each_factor() -> None:
    start = one(shape=3, pattern=2, hue=1.0, rotation=0.0)
    moved = one(shape=3, pattern=2, hue=1.0, rotation=0.4, x=0.08, y=-0.06, size=0.19, background=0.9)
    others = [one(shape=1, pattern=2, hue=1.0), one(shape=3, pattern=0, hue=1.0), one(shape=3, pattern=2, hue=2.0)]
    points = read(torch.cat([render(f, 32) for f in (start, moved, *others)])).identity()
    distance = identity_distance(points[:1].expand(4, -1), points[1:])
    assert distance[0] < 0.15
    assert distance[1:].min() > 0.8
