"""The teapot's control points, and the triangles made of them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from imgen.data.factored.teapot.mesh import SCALE, Mesh, normals_of, teapot, weld
from imgen.data.factored.teapot.patches import parts


def edges(triangles: np.ndarray) -> Counter[tuple[int, int]]:
    """How often each edge is walked along, in that direction."""
    return Counter((int(a), int(b)) for pair in ((0, 1), (1, 2), (2, 0)) for a, b in triangles[:, pair])


def volume(mesh: Mesh) -> float:
    a, b, c = (mesh.vertices[corner] for corner in mesh.triangles.T)
    return float((np.cross(a, b) * c).sum() / 6)


def test_thirty_two_patches_have_the_published_control_points():
    patches = np.concatenate(list(parts().values()))
    assert patches.shape == (32, 4, 4, 3)
    points = np.unique(patches.reshape(-1, 3).round(6) + 0.0, axis=0)
    assert len(points) == 290
    listed = {tuple(point) for point in points.tolist()}
    # Some of each part, as they are listed: rim, body, handle, spout, the knob and the rest of the lid, bottom.
    assert listed >= {(1.4, -0.784, 2.4), (-0.805, 1.4375, 2.53125), (0.98, -1.75, 1.875), (2.0, 1.12, 0.45)}
    assert listed >= {(-1.6, -0.3, 2.025), (-2.65, 0.3, 0.9375), (-1.9, 0.0, 0.6), (3.1, 0.66, 0.825)}
    assert listed >= {(3.525, -0.25, 2.49375), (2.8, 0.15, 2.4), (0.8, -0.45, 3.15), (-0.112, 0.2, 2.7)}
    assert listed >= {(0.0, 0.0, 2.85), (0.728, 1.3, 2.4), (0.0, 0.0, 0.0), (-1.425, 0.798, 0.0), (0.84, 1.5, 0.15)}


@pytest.mark.parametrize(("segments", "count"), [(2, 240), (3, 552), (10, 6320), (20, 25440)])
def test_triangles_without_area_are_left_out(segments, count):
    mesh = teapot(segments)
    assert len(mesh.triangles) == count
    a, b, c = (mesh.vertices[corner] for corner in mesh.triangles.T)
    assert np.linalg.norm(np.cross(b - a, c - a), axis=1).min() > 0


def test_it_stands_upright_about_its_vertices_mean_with_the_spout_to_y():
    mesh = teapot()
    np.testing.assert_allclose(mesh.vertices.mean(axis=0), 0, atol=1e-12)
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    np.testing.assert_allclose(high - low, np.array([4, 3.434 + 3, 3.15]) * SCALE, atol=1e-4)
    assert 0.20 < high[1] - low[1] < 0.25
    tip = mesh.vertices[mesh.vertices[:, 1].argmax()]
    assert tip[2] > 0, "the spout's tip is high"
    knob = mesh.vertices[mesh.vertices[:, 2].argmax()]
    assert abs(knob[0]) < 1e-9, "the lid is on top"


def test_surfaces_are_whole_but_for_their_rims_and_turn_one_way():
    walked = edges(teapot().triangles)
    assert set(walked.values()) == {1}, "no edge is walked along twice in one direction"
    open_ended = sum((b, a) not in walked for a, b in walked)
    # The mouth of the pot and of the lid; both ends of the handle and of the spout: circles of 40 and of 20.
    assert open_ended == 2 * 40 + 4 * 20


def test_normals_point_outwards():
    mesh = teapot()
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1)
    assert volume(mesh) > 0
    highest, lowest = mesh.vertices[:, 2].argmax(), mesh.vertices[:, 2].argmin()
    np.testing.assert_allclose(mesh.normals[[highest, lowest]], [[0, 0, 1], [0, 0, -1]], atol=1e-6)
    for axis, end in ((0, 1), (0, -1), (1, 1), (1, -1)):
        far = (mesh.vertices[:, axis] * end).argmax()
        assert mesh.normals[far, axis] * end > 0.5


def test_every_part_alone_encloses_something_from_outside():
    for name, part in parts().items():
        from imgen.data.factored.teapot.mesh import _cut

        points, triangles = weld(*_cut(part, 6))
        points = points - points.mean(axis=0)
        assert volume(Mesh(points, points, triangles)) > 0, name


def test_normals_are_weighed_by_area():
    # A square of two triangles in the plane, and one upright triangle of half their area at one edge.
    points = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1]])
    normals = normals_of(points, np.array([[0, 1, 2], [0, 2, 3], [0, 4, 1]]))
    np.testing.assert_allclose(normals[0], np.array([0, 1, 2]) / np.sqrt(5))
    np.testing.assert_allclose(normals[2], [0, 0, 1])


def test_welding_joins_what_is_in_one_place_and_drops_what_has_no_area():
    points = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [-0.0, 0, 0], [1, 0, 1e-9]])
    welded, triangles = weld(points, np.array([[0, 1, 2], [3, 2, 4], [0, 3, 2]]))
    assert len(welded) == 3
    assert len(triangles) == 2
    assert {frozenset(map(tuple, welded[t].round(6).tolist())) for t in triangles} == {
        frozenset({(0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)})
    }
