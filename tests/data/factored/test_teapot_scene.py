"""Latents, as they were published, and where they put teapot, camera and light."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from imgen.data.factored.teapot.mesh import Mesh
from imgen.data.factored.teapot.picture import brightness, project, render
from imgen.data.factored.teapot.scene import VARIANTS, check, draw, published, scenes, variant_of
from imgen.errors import DataError

PI = math.pi
COLOURS, TURNS, LIGHTS = VARIANTS.values()
# The first rows of 200,000, and of the first metric group the first two.
FIRST = {
    "colours": [2.620226532717789, 0.9764748891212267, 0.8482812089018344, 0.3363723169923478, 0.48774290814544674],
    "turns": [2.620226532717789, 0.5870497135809019, 1.2941434278095143],
    "lights": [2.620226532717789, 0.5870497135809019, 1.2941434278095143, 3.9101127333254433, 1.5290509803744878],
}
SECOND_OF_GROUP = {
    "colours": [0.8689419713477952, 0.8418801959813073, 0.7164090409262469, 0.6654383657135491, 0.9322780393308789],
    "turns": [2.7348887702233315, 0.5255265112348788, 5.54939074711677],
    "lights": [5.168262988631342, 1.1633943313665949, 0.7670395424696711, 5.078366602216651, 0.9442003318540048],
}


def pixel(variant: str, latents: list[float], point: tuple[float, float, float]) -> list[float]:
    turn = scenes(VARIANTS[variant], np.array([latents])).turns[0]
    x, y, _ = project(turn, np.array([point]))
    return [float(x[0]), float(y[0])]


@pytest.mark.parametrize("name", list(VARIANTS))
def test_latents_are_those_of_the_published_data(name):
    variant = VARIANTS[name]
    train, groups, labels = published(variant, 200_000, 1, 1)
    np.testing.assert_allclose(train[0], FIRST[name], rtol=1e-12)
    assert groups.shape == (1, 100, len(variant.factors))
    np.testing.assert_allclose(groups[0, 1], SECOND_OF_GROUP[name], rtol=1e-9)
    assert labels.tolist() == [0]
    assert labels.dtype == np.int32


def test_latents_agree_with_those_that_the_authors_code_drew(shared_data):
    told = json.loads((shared_data("metric_goldens") / "goldens.json").read_text())["teapot_latents_seed1"]
    names = {
        "all_color_incomplete_up": COLOURS,
        "fixed_color_complete_up": TURNS,
        "fixed_color_complete_uniform_light": LIGHTS,
    }
    for name, variant in names.items():
        train, groups, _ = published(variant, 200_000, 1, 1)
        np.testing.assert_array_equal(train[:3], told[name]["train_first3"])
        np.testing.assert_array_equal(train[-1], told[name]["train_last"])
        np.testing.assert_array_equal(groups[0, :2], told[name]["metric_group0_first2"])


def test_one_factor_stays_in_each_group():
    _, groups, labels = published(TURNS, 10, 5, 3)
    assert labels.tolist() == [0, 1, 2, 0, 1]
    for group, label in zip(groups, labels, strict=True):
        assert [len(set(column)) == 1 for column in group.T] == [place == label for place in range(3)]
    assert [variant.groups for variant in VARIANTS.values()] == [500, 300, 500]


def test_directions_are_uniform_on_the_sphere():
    values = draw(LIGHTS, 40_000, np.random.default_rng(0))
    check(LIGHTS, values)
    for polar in (values[:, 1], values[:, 4]):
        assert abs(np.cos(polar).mean()) < 0.02
        assert abs((np.cos(polar) ** 2).mean() - 1 / 3) < 0.01
    for turn in (values[:, 0], values[:, 2], values[:, 3]):
        assert abs(turn.mean() - PI) < 0.05


@pytest.mark.parametrize("elevation", [0.0, 0.4, PI / 2])
def test_a_point_to_the_right_is_seen_there_from_any_height(elevation):
    assert pixel("colours", [0, elevation, 0, 0, 0], (0.1, 0, 0)) == pytest.approx([53, 32], abs=1e-9)


def test_points_are_seen_where_they_are_known_to_be():
    assert pixel("colours", [0, PI / 6, 0, 0, 0], (0, 0, 0.1)) == pytest.approx([32, 11.7927], abs=1e-4)
    assert pixel("colours", [0, PI / 3, 0, 0, 0], (0.05, -0.05, 0.08)) == pytest.approx([44.940, 32.854], abs=1e-3)
    # A quarter turn of azimuth takes what points away from the camera to its right.
    assert pixel("colours", [PI / 2, 0, 0, 0, 0], (0, 0.1, 0)) == pytest.approx([53, 32], abs=1e-9)


def test_rotations_go_one_after_another():
    # Rz(-alpha) Rx(beta) Rz(-gamma): y, turned to x by gamma, is left there by beta, and alpha takes it to -y.
    turn = scenes(TURNS, np.array([[PI / 2, 1.0, PI / 2]])).turns[0]
    np.testing.assert_allclose(turn @ [0, 1, 0], [0, 0, -1], atol=1e-12)
    # With beta alone z falls towards the camera, which stands at -y.
    turn = scenes(TURNS, np.array([[0, PI / 2, 0]])).turns[0]
    np.testing.assert_allclose(turn @ [0, 0, 1], [0, 0, -1], atol=1e-12)
    every = scenes(TURNS, draw(TURNS, 20, np.random.default_rng(1))).turns
    np.testing.assert_allclose(every @ every.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (20, 3, 3)), atol=1e-12)
    assert (np.linalg.det(every) > 0.99).all()


def test_light_comes_from_where_the_latents_say():
    light = scenes(LIGHTS, np.array([[0, 0, 0, 0, PI / 2], [0, 0, 0, PI / 2, PI / 2], [0, 0, 0, 1.0, 0]])).lights
    np.testing.assert_allclose(light, [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-12)
    # The light stays where it is when the teapot turns: in its own frame it turns the other way.
    turned = scenes(TURNS, np.array([[0, PI / 2, 0]])).lights[0]
    np.testing.assert_allclose(turned, [0, 1, 0], atol=1e-12)
    assert brightness(light[2], np.array([[0, 0, 1.0], [1, 0, 0], [0, 0, -1], [0, 0.8, 0.6]])) == pytest.approx(
        [1.4, 0.5, 0.5, 1.04]
    )


def test_a_wall_across_the_picture_has_the_colour_that_its_light_gives():
    wall = Mesh(
        np.array([[-1.0, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]]),
        np.tile([0.0, 0, 1.0], (4, 1)),
        np.array([[0, 1, 2], [0, 2, 3]]),
    )
    shown = render(scenes(COLOURS, np.array([[0, 0, 0.5, 0.25, 0.9]])), wall)
    # 0.9 times 1.4 is more than white, and stays at it.
    assert (shown == [178, 89, 255]).all(), "255 * 1.4 * 0.5 is 178.5, which goes to the even number"
    assert (
        render(scenes(TURNS, np.zeros((1, 3))), wall) == np.rint(255 * np.minimum(1.4 * np.array([0.3, 0.5, 0.9]), 1))
    ).all()


def test_the_teapot_is_before_white_and_wholly_in_the_picture():
    for variant in VARIANTS.values():
        latents = draw(variant, 40, np.random.default_rng(2))
        shown = render(scenes(variant, latents))
        assert (shown[:, [0, -1]] == 255).all()
        assert (shown[:, :, [0, -1]] == 255).all()
        covered = (shown != 255).any(axis=3).mean(axis=(1, 2))
        assert covered.min() > 0.08
        assert covered.max() < 0.35


def test_the_spout_points_away_then_right_and_the_top_is_lit():
    shown = render(scenes(COLOURS, np.array([[PI / 2, 0, 0.5, 0.5, 0.5], [3 * PI / 2, 0, 0.5, 0.5, 0.5]])))[..., 0]
    dark = shown < 255
    columns = np.flatnonzero(dark[0].any(axis=0))
    assert 44 <= columns[-1] - columns[0] + 1 <= 50
    # The spout's tip is thinner than the handle, and higher than the picture's middle.
    assert dark[0][:, columns[-1]].sum() < dark[0][:, columns[0]].sum()
    assert np.flatnonzero(dark[0][:, columns[-1]]).max() < 32
    # The other side is the mirror image, but for samples at the edges.
    assert (np.abs(shown[0, :, ::-1].astype(int) - shown[1]) > 60).mean() < 0.01
    middle = shown[0, :, 32][dark[0, :, 32]]
    assert middle[3:8].mean() > 1.15 * middle[-8:-3].mean(), "light falls from above"


@pytest.mark.parametrize("name", list(VARIANTS))
def test_a_picture_is_the_same_in_any_batch(name):
    variant = VARIANTS[name]
    latents = draw(variant, 7, np.random.default_rng(3))
    together = render(scenes(variant, latents))
    singly = np.concatenate([render(scenes(variant, latents[row : row + 1])) for row in range(7)])
    np.testing.assert_array_equal(together, singly)
    np.testing.assert_array_equal(together[2:5], render(scenes(variant, latents)[2:5]))


def test_variants_have_names_and_letters():
    assert [variant_of(text).letter for text in ("A", "b", "lights", "Turns")] == ["A", "B", "C", "B"]
    with pytest.raises(DataError, match="there is no variant 'D'"):
        variant_of("D")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([[7.0, 0, 0]], "gamma is 7; it is from 0 to 6.28319"),
        ([[0, -0.1, 0]], "beta is -0.1"),
        ([[0, 0, math.nan]], "alpha is nan"),
        ([[0, 0]], "one column for each of gamma, beta, alpha"),
        ([0, 0, 0], "one column for each"),
    ],
)
def test_values_outside_of_their_intervals_are_refused(values, told):
    with pytest.raises(DataError, match=told):
        scenes(TURNS, np.array(values, float))
