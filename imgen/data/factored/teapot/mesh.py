"""The teapot as triangles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from imgen.data.factored.teapot.patches import parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEGMENTS = 10
"""Parts into which each side of a patch is cut."""
SCALE = 0.035
"""World units in one unit of the control points: from the spout to the handle there are 0.225."""


@dataclass(frozen=True)
class Mesh:
    """Triangles with normals at their corners.

    Shapes: vertices and normals (V, 3); triangles (T, 3), which turn to the left when seen from outside.
    """

    vertices: NDArray[np.float64]
    normals: NDArray[np.float64]
    triangles: NDArray[np.int64]


@cache
def teapot(segments: int = SEGMENTS) -> Mesh:
    """The teapot in world units about the mean of its vertices; up is z, and the spout points to y.

    The mesh of the published pictures is another one, which may not be passed on: theirs and these look alike, and no
    picture is the same.
    """
    surfaces = [weld(*_cut(patches, segments)) for patches in parts().values()]
    offsets = np.cumsum([0, *(len(points) for points, _ in surfaces)])
    points = np.concatenate([points for points, _ in surfaces])
    triangles = np.concatenate([part + first for (_, part), first in zip(surfaces, offsets, strict=False)])
    points = np.stack([-points[:, 1], points[:, 0], points[:, 2]], axis=-1) * SCALE
    points -= points.mean(axis=0)
    return Mesh(points, normals_of(points, triangles), triangles)


def weld(points: NDArray[np.float64], triangles: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The same surface with one vertex in each place, without triangles that have no area."""
    _, first, place = np.unique((points * 1e6).round() + 0.0, axis=0, return_index=True, return_inverse=True)
    triangles = place.reshape(-1)[triangles]
    a, b, c = triangles.T
    return points[first], triangles[(a != b) & (b != c) & (c != a)]


def normals_of(points: NDArray[np.float64], triangles: NDArray[np.int64]) -> NDArray[np.float64]:
    """Of each vertex, from the triangles around it in proportion to their areas: (V, 3), each of length 1."""
    a, b, c = (points[corner] for corner in triangles.T)
    faces = np.cross(b - a, c - a)
    normals = np.zeros_like(points)
    for corner in triangles.T:
        np.add.at(normals, corner, faces)
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def _cut(patches: NDArray[np.float64], segments: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Points of all patches, and two triangles of each of their squares."""
    t = np.arange(segments + 1) / segments
    basis = np.stack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], axis=-1)
    points = np.einsum("ui,vj,pijk->puvk", basis, basis, patches)
    place = np.arange(points[..., 0].size).reshape(points.shape[:3])
    a, b, c, d = place[:, :-1, :-1], place[:, 1:, :-1], place[:, 1:, 1:], place[:, :-1, 1:]
    corners = np.stack([a, b, c, a, c, d], axis=-1)
    return points.reshape(-1, 3), corners.reshape(-1, 3)
