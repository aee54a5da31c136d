"""Sprites are where they are said to be, and are those that were published."""

from __future__ import annotations

import numpy as np
import pytest

from imgen.data.factored.sprites import SHAPES, sprites

SCALES = np.linspace(0.5, 1, 6)
ANGLES = np.linspace(0, 2 * np.pi, 40)
PLACES = np.linspace(0, 1, 32)


def drawn(shape, scale, angle, x, y, **more):
    told = np.broadcast_arrays(shape, scale, angle, x, y)
    shape, *rest = (each.ravel() for each in told)
    return sprites(shape.astype(np.int64), *(each.astype(float) for each in rest), **more)


def test_at_most_twelve_pixels_differ_from_320_published_pictures(shared_data):
    with np.load(shared_data("metric_goldens/dsprites_reference_frames.npz")) as golden:
        shape, scale, angle, x, y = golden["latent_idx_shape_scale_orient_x_y"].T
        want = np.unpackbits(golden["packed"], axis=1).reshape(-1, 64, 64)
    got = drawn(shape, SCALES[scale], ANGLES[angle], PLACES[x], PLACES[y])
    assert len(got) == 320 and set(np.unique(got)) == {0, 255}
    assert ((got == 255) != want).sum() <= 12


@pytest.mark.parametrize(
    ("shape", "pixels"),
    [
        ("square", [100, 144, 196, 256, 324, 400]),
        ("ellipse", [76, 104, 144, 184, 228, 288]),
        ("heart", [58, 84, 108, 140, 182, 222]),
    ],
)
def test_pixels_of_published_sprites_in_the_corner(shape, pixels):
    corner = drawn(SHAPES.index(shape), SCALES, 0, 0, 0)
    assert (corner == 255).sum(axis=(1, 2)).tolist() == pixels


@pytest.mark.parametrize(
    ("shape", "pixels"),
    [
        ("square", [92.2, 132.8, 180.6, 235.9, 298.6, 368.7]),
        ("ellipse", [72.4, 104.2, 141.8, 185.2, 234.4, 289.4]),
        ("heart", [56.2, 80.9, 110.1, 143.8, 182.0, 224.7]),
    ],
)
def test_areas_over_all_angles(shape, pixels):
    angles, x = ANGLES[:, None], PLACES[None, ::5]
    mean = [
        (drawn(SHAPES.index(shape), scale, angles, x, x[:, ::-1]) == 255).sum(axis=(1, 2)).mean() for scale in SCALES
    ]
    assert np.allclose(mean, pixels, rtol=0.005)


def test_they_stay_within_the_published_frame():
    # A corner that points up reaches a pixel more where it is in the middle of one: at some places across.
    told = [each.ravel() for each in np.meshgrid(ANGLES, PLACES, [0.0, 1.0], indexing="ij")]
    for rows, (angle, x, y) in ((1, told), (2, (told[0], told[2], told[1]))):
        on = drawn([0], 1, angle, x, y).any(axis=(0, 3 - rows))
        assert np.flatnonzero(on)[[0, -1]].tolist() == [2, 61]


def test_right_is_x_down_is_y_and_it_turns_counter_clockwise():
    rows, columns = np.indices((64, 64)) + 0.5

    def middle(picture):
        return (columns * picture).sum() / picture.sum(), (rows * picture).sum() / picture.sum()

    assert middle(drawn(0, 1, 0, 0.75, 0.25)[0]) == pytest.approx((40, 24), abs=0.1)
    # The long axis of an ellipse that has turned a little goes from below on the left to above on the right.
    ellipse = drawn(1, 1, np.pi / 6, 0.5, 0.5)[0] > 0
    spread = ((columns - 32) * (rows - 32) * ellipse).sum()
    assert spread < 0
    # The tip of a heart is below.
    heart = drawn(2, 1, 0, 0.5, 0.5)[0] > 0
    assert heart[:32].any(axis=0).sum() > heart[36:].any(axis=0).sum()


def test_a_picture_does_not_depend_on_the_others():
    rng = np.random.default_rng(0)
    told = [rng.integers(0, 3, 300), *rng.random((4, 300))]
    told[1] = 0.5 + told[1] / 2
    every = drawn(*told)
    assert np.array_equal(every[7:9], drawn(*(each[7:9] for each in told)))
    assert np.array_equal(every[299:], drawn(*(each[299:] for each in told)))


@pytest.mark.parametrize("size", [16, 32, 96])
def test_other_sizes_are_in_proportion_and_edges_are_grey(size):
    told = ([0, 1, 2], 1.0, 0.3, 0.4, 0.6)
    cover = drawn(*told, size=size, samples=4).mean(axis=(1, 2)) / 255
    assert cover == pytest.approx((drawn(*told) / 255).mean(axis=(1, 2)), rel=0.06)
    assert len(np.unique(drawn(*told, size=size, samples=4))) > 8


def test_less_than_a_pixel_shows_in_grey():
    a, b = (drawn(0, 1, 0, x, 0.5, size=32, samples=4)[0].astype(float) for x in (0.5, 0.5 + 0.25 / 16))
    columns = np.arange(32)
    moved = ((b - a).sum(axis=0) * columns).sum() / a.sum()
    assert moved == pytest.approx(0.25, abs=0.02)
