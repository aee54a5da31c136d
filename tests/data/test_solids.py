"""Drawn solids: the renderer, the two domains, and that a view can be read."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
import torch

from imgen.data.blocks import DISTANCE, ELEVATION, GROUND, SHADOW, project, render
from imgen.data.loader import Loader
from imgen.data.solids import KINDS, TRAITS, individual, solids
from imgen.testing.datasets import check_dataset


def block(*box: float, tone: float = 0.5) -> np.ndarray:
    """An upright block (x, X, y, Y, z, Z)."""
    x0, x1, y0, y1, z0, z1 = box
    return np.array([x0, x1, y0, y1, z0, x0, x1, y0, y1, z1, tone])


def picture(*blocks: np.ndarray, azimuth: float = 0.0, size: int = 64) -> np.ndarray:
    return render(np.stack(blocks)[None], np.array([azimuth]), size)[0, 0].numpy().astype(float)


def test_points_land_where_trigonometry_puts_them() -> None:
    points = np.array([[[1.0, 0, 0], [0, 1, 0], [0, 0, 1]]])
    space, flat = project(points, np.array([0.0]))
    s, c = math.sin(ELEVATION), math.cos(ELEVATION)
    np.testing.assert_allclose(space[0], [[1, 0, 0], [0, -s, c], [0, c, s]], atol=1e-12)
    np.testing.assert_allclose(flat[0, 1], [0, -s * DISTANCE / (DISTANCE - c)])
    # A quarter to the right: the front points right, and what was right points away.
    space, _ = project(points, np.array([math.pi / 2]))
    np.testing.assert_allclose(space[0, :2], [[0, s, -c], [1, 0, 0]], atol=1e-12)


def test_a_cube_shows_its_front_and_top_and_is_its_own_mirror_image() -> None:
    seen = picture(block(-0.4, 0.4, -0.4, 0.4, -0.4, 0.4))
    assert seen[1, 1] == round(255 * GROUND)
    assert seen[38, 32] != seen[18, 32], "the front and the top are not equally lit"
    # The pixel grid may fall differently on either side of the middle.
    assert np.abs(seen - seen[:, ::-1]).mean() < 4
    assert seen[18, 32] > seen[38, 32], "the light is above"


def test_outlines_are_smooth_and_the_floor_is_shaded() -> None:
    seen = picture(block(-0.4, 0.4, -0.4, 0.4, -0.4, 0.4), block(0.8, 0.81, 0, 0.01, -0.4, -0.39), azimuth=20)
    assert len(np.unique(seen)) > 12
    assert (seen == round(255 * SHADOW)).sum() > 20


@pytest.mark.parametrize("azimuth", [-75.0, -20.0, 0.0, 35.0, 75.0])
def test_near_blocks_hide_far_ones_whatever_their_order(azimuth: float) -> None:
    near, far = block(-0.3, 0.3, 0.1, 0.5, -0.3, 0.3, tone=1.0), block(-0.1, 0.1, -0.5, 0.0, -0.3, -0.1, tone=0.0)
    one, other = picture(near, far, azimuth=azimuth), picture(far, near, azimuth=azimuth)
    np.testing.assert_array_equal(one, other)
    if azimuth == 0:
        assert (one > 40).all(), "the black block is wholly behind the white one"
    if abs(azimuth) == 75:
        assert (one < 40).any()


def test_a_block_without_height_is_not_drawn() -> None:
    solid, nothing = block(-0.3, 0.3, -0.3, 0.3, -0.3, 0.3), block(-0.1, 0.1, 0.3, 0.31, 0, 0, tone=0.0)
    np.testing.assert_array_equal(picture(solid, nothing), picture(solid, block(-0.1, 0.1, 0.3, 0.31, 0, 0)))


@pytest.mark.parametrize("kind", list(KINDS))
def test_blocks_of_a_solid_are_apart_and_within_the_picture(kind: str) -> None:
    blocks = KINDS[kind](individual(300, [7, 0, 0]))
    corners = blocks[..., [[0, 2, 4], [1, 3, 4], [5, 7, 9], [6, 8, 9]]]
    low, high = corners.min(axis=-2), corners.max(axis=-2)
    apart = ((high[:, :, None] <= low[:, None] + 1e-6) | (high[:, None] <= low[:, :, None] + 1e-6)).any(-1)
    assert (apart | np.eye(blocks.shape[1], dtype=bool)).all()
    pictures = render(np.repeat(blocks[:40], 5, axis=0), np.tile(np.linspace(-75, 75, 5), 40), 64)[:, 0]
    edge = torch.cat([pictures[:, 0], pictures[:, -1], pictures[:, :, 0], pictures[:, :, -1]], dim=1)
    assert (edge >= round(255 * SHADOW)).all(), "only the floor reaches the edge"


def test_two_domains_with_the_azimuth_of_every_row() -> None:
    data = solids(individuals=3, n_test=2, size=16)
    check_dataset(data)
    assert data.unpaired
    assert data.spec.domains == ("car", "chair")
    assert data.spec.image == (3, 16, 16)
    for name in ("a", "b"):
        assert data.columns[name].shape == (33, 3, 16, 16)
        assert data.test[name].shape == (22, 3, 16, 16)
        assert data.azimuth[name].tolist() == [75, 60, 45, 30, 15, 0, -15, -30, -45, -60, -75] * 3
        assert data.test_azimuth[name].shape == (22,)
        assert (data.columns[name][:, :1] == data.columns[name]).all(), "grey, three times"
    assert solids(individuals=2, n_test=0, size=16, channels=1).columns["a"].shape == (22, 1, 16, 16)
    assert solids(individuals=2, n_test=0, size=16).test == {}
    assert data.report and data.report.lines() == ["66 images of 6 identities"]


def test_one_kind_in_both_domains_shows_different_individuals() -> None:
    data = solids(domain_A="chair", domain_B="chair", individuals=4, n_test=4, size=32)
    assert data.spec.domains == ("chair-a", "chair-b")
    firsts = [columns[name][::11].flatten(1) for columns in (data.columns, data.test) for name in ("a", "b")]
    assert len(torch.cat(firsts).unique(dim=0)) == 16


def test_an_individual_depends_on_the_seed_and_its_number_alone() -> None:
    some, more = solids(individuals=2, n_test=1, size=16, seed=5), solids(individuals=4, n_test=2, size=16, seed=5)
    for name in ("a", "b"):
        assert torch.equal(some.columns[name], more.columns[name][:22])
        assert torch.equal(some.test[name], more.test[name][:11])
    assert not torch.equal(some.columns["a"], solids(individuals=2, size=16, seed=6).columns["a"])


def test_continuous_azimuths_fill_the_range() -> None:
    data = solids(individuals=60, n_test=1, size=8, continuous=True)
    azimuth = data.azimuth["a"]
    assert -75 <= azimuth.min() < -70
    assert 70 < azimuth.max() <= 75
    assert len(azimuth.unique()) > 600
    assert not torch.equal(azimuth, data.azimuth["b"])
    assert torch.equal(azimuth[:22], solids(individuals=2, size=8, continuous=True).azimuth["a"])


@pytest.mark.parametrize("kind", list(KINDS))
def test_no_view_looks_like_another(kind: str) -> None:
    """The mean picture of each view is nearer to unseen individuals of it than that of any other view."""
    data = solids(domain_A=kind, individuals=40, n_test=20)
    views = data.columns["a"][:, 0].float().view(40, 11, -1).mean(dim=0)
    test = data.test["a"][:, 0].float().flatten(1)
    nearest = torch.cdist(test, views).argmin(dim=1).view(20, 11)
    off = (nearest - torch.arange(11)).abs()
    assert (off > 2).float().mean() < 0.02
    assert off.float().mean() < 0.6


def test_batches_are_drawn_from_each_domain_apart_even_where_a_domain_is_small() -> None:
    data = solids(individuals=2, n_test=0, size=8)
    loader = Loader(data, batch=30, seed=0, device=torch.device("cpu"))
    rows = loader.rows(0)
    loader.close()
    assert sorted(rows["a"][:22].tolist()) == list(range(22))
    assert rows["a"].tolist() != rows["b"].tolist()


def test_drawing_is_quick() -> None:
    start = time.process_time()
    assert solids(individuals=68, n_test=0).columns["a"].shape == (748, 3, 64, 64)
    assert time.process_time() - start < 5, "1,496 pictures take about 0.3 s of one core"


def test_traits_are_shares() -> None:
    assert individual(5, [0, 1, 1]).shape == (5, TRAITS)
