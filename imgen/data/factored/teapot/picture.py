"""Pictures of the teapot: projected, lit and averaged over samples."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from imgen.data.factored.teapot.mesh import Mesh, teapot
from imgen.data.factored.teapot.raster import SAMPLES, rasterise
from imgen.data.factored.teapot.scene import DISTANCE, FOCAL, SIZE, Scenes

if TYPE_CHECKING:
    from numpy.typing import NDArray

AMBIENT, DIFFUSE = 0.5, 0.9
"""Light from everywhere, and from the one direction at its strongest."""


def render(scenes: Scenes, mesh: Mesh | None = None) -> NDArray[np.uint8]:
    """The pictures, (n, `SIZE`, `SIZE`, 3): before white, smooth at their edges, without shadows or highlights.

    Both sides of a surface are lit as its outside is: what is seen of the inside through the gap around the lid, or in
    the spout, has at least the ambient light.
    """
    mesh = mesh or teapot()
    _keep_memory()
    pictures = np.empty((len(scenes), SIZE, SIZE, 3), np.uint8)
    for picture, turn, light, colour in zip(pictures, scenes.turns, scenes.lights, scenes.colours, strict=True):
        x, y, near = project(turn, mesh.vertices)
        seen = rasterise(x, y, near, brightness(light, mesh.normals), mesh.triangles, SIZE)
        pixel = seen.sample // (SAMPLES * SIZE) * SIZE + seen.sample % SIZE
        for channel in range(3):
            # What a sample sees is darker than white by so much, where it sees anything.
            darker = 1 - np.minimum(seen.value * colour[channel], 1)
            lost = np.bincount(pixel, darker, minlength=SIZE * SIZE).reshape(SIZE, SIZE)
            picture[:, :, channel] = np.rint(255 - lost * (255 / SAMPLES))
    return pictures


def project(
    turn: NDArray[np.float64], points: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Where points of the teapot's own frame (V, 3) are seen: x and y [pixels], and 1 over their depth [1/units]."""
    x, y, z = (_dot(axis, points) for axis in turn)
    near = 1 / (z + DISTANCE)
    return SIZE / 2 + FOCAL * x * near, SIZE / 2 + FOCAL * y * near, near


def brightness(light: NDArray[np.float64], normals: NDArray[np.float64]) -> NDArray[np.float64]:
    """By how much surfaces with these normals (V, 3) multiply their colour: (V,), from 0.5 to 1.4."""
    return AMBIENT + DIFFUSE * np.maximum(_dot(light, normals), 0)


@cache
def _keep_memory() -> None:
    """Has the C library keep what is freed for what comes next.

    It hands memory back and fetches it anew, page by page, for every array of a picture, until it has seen a large
    array come and go: without this, pictures take nearly twice as long.
    """
    np.empty(30 * 2**20, np.uint8)


def _dot(vector: NDArray[np.float64], vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    # Term by term: the order in which a product of matrices adds depends on their sizes and on the processor.
    x, y, z = vectors.T
    return vector[0] * x + vector[1] * y + vector[2] * z
