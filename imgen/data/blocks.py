"""Pictures of solids that are made of blocks: a small renderer with one camera and one light."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

BLOCK = 11
"""Numbers of a block: its lower rectangle (x, X, y, Y, z), its upper one (x, X, y, Y, z), and its tone."""
ELEVATION = math.radians(22)
DISTANCE = 5.0
"""From the middle to the camera, where a picture shows about -1 to 1 in the middle's depth."""
LIGHT = np.array([-0.45, 0.75, 0.55]) / math.sqrt(0.45**2 + 0.75**2 + 0.55**2)
"""Towards the light: right, up and to the camera. It stays with the camera, so a side darkens as it turns away."""
AMBIENT = 0.42
GROUND, SHADOW = 0.93, 0.80
_FINER = 4  # supersampling on either axis
_CHUNK = 256
_NEXT = 1e-6  # blocks that touch count as apart

# Corners of the lower rectangle, then of the upper one, as columns of a block.
_CORNERS = np.array(
    [[0, 2, 4], [1, 2, 4], [1, 3, 4], [0, 3, 4], [5, 7, 9], [6, 7, 9], [6, 8, 9], [5, 8, 9]],
)
# Front, back, right, left, top, bottom: corners against the clock for who looks at the face from outside.
_FACES = np.array([[3, 2, 6, 7], [1, 0, 4, 5], [2, 1, 5, 6], [0, 3, 7, 4], [7, 6, 5, 4], [0, 1, 2, 3]])


def render(blocks: NDArray[np.float64], azimuth: NDArray[np.float64], size: int) -> Tensor:
    """Grey pictures, antialiased: uint8 (N, 1, size, size).

    A block lies between two rectangles, one above the other, and is light where its tone is. x is to the right, y
    to the viewer and z up, at azimuth 0; a positive azimuth turns the front to the right. Blocks of one solid must be
    apart on some axis, or touch: then each of them hides another or is hidden by it, and they can be painted in order.

    Shapes: blocks: (N, blocks, 11), see `BLOCK`; a block without height is not drawn. azimuth: (N,).
    Units: lengths in about half a picture width, azimuth in degrees, tones from 0 to 1.
    """
    pictures = np.empty((len(blocks), 1, size, size), np.uint8)
    for start in range(0, len(blocks), _CHUNK):
        some, turn = blocks[start : start + _CHUNK], np.radians(azimuth[start : start + _CHUNK])
        outlines, tones = _faces(some, turn, size * _FINER)
        order = _far_to_near(some, turn)
        shadows = _faces(_footprint(some), turn, size * _FINER)[0][:, 0, 4]
        for row in range(len(some)):
            painted = _paint(outlines[row, order[row]], tones[row, order[row]], shadows[row], size)
            pictures[start + row, 0] = np.asarray(painted)
    return torch.from_numpy(pictures)


def project(points: NDArray[np.float64], turn: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points as the camera has them, and where the picture shows them.

    Shapes: points: (N, ..., 3), turn: (N,) radians -> (N, ..., 3) right, up, to the camera; (N, ..., 2) right, up.
    """
    cos, sin = (each.reshape(-1, *[1] * (points.ndim - 2)) for each in (np.cos(turn), np.sin(turn)))
    x, y, z = np.moveaxis(points, -1, 0)
    right, forward = x * cos + y * sin, y * cos - x * sin
    up = z * math.cos(ELEVATION) - forward * math.sin(ELEVATION)
    near = z * math.sin(ELEVATION) + forward * math.cos(ELEVATION)
    scale = DISTANCE / (DISTANCE - near)
    return np.stack([right, up, near], axis=-1), np.stack([right * scale, up * scale], axis=-1)


def _faces(
    blocks: NDArray[np.float64], turn: NDArray[np.float64], pixels: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Outlines (N, blocks, 6, 4, 2) in pixels, right and down, and tones (N, blocks, 6): negative where unseen."""
    corners = blocks[..., _CORNERS]
    space, flat = project(corners, turn)
    space, flat = space[..., _FACES, :], flat[..., _FACES, :]
    # Across the diagonals, as two corners of a face may be one.
    normal = np.cross(space[..., 2, :] - space[..., 0, :], space[..., 3, :] - space[..., 1, :])
    length = np.linalg.norm(normal, axis=-1)
    lit = (normal @ LIGHT) / np.maximum(length, 1e-12)
    first, second = flat[..., 2, :] - flat[..., 0, :], flat[..., 3, :] - flat[..., 1, :]
    area = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
    tones = blocks[..., None, 10] * (AMBIENT + (1 - AMBIENT) * np.maximum(lit, 0))
    seen = (area > 0) & (blocks[..., None, 9] > blocks[..., None, 4])
    outlines = (np.stack([flat[..., 0], -flat[..., 1]], axis=-1) + 1) * (pixels / 2) - 0.5
    return outlines, np.where(seen, tones, -1)


def _far_to_near(blocks: NDArray[np.float64], turn: NDArray[np.float64]) -> NDArray[np.int64]:
    """The order in which the blocks of each picture are painted, (N, blocks)."""
    corners = blocks[..., _CORNERS]
    low, high = corners.min(axis=-2), corners.max(axis=-2)
    flat, up = DISTANCE * math.cos(ELEVATION), np.full(len(turn), DISTANCE * math.sin(ELEVATION))
    camera = np.stack([-flat * np.sin(turn), flat * np.cos(turn), up], axis=-1)[:, None, None]
    # Where a plane parts i (below) from j (above), whoever is on the camera's side hides the other.
    parted = high[:, :, None] <= low[:, None] + _NEXT
    above = camera > low[:, None]
    hides = (parted & above).any(-1).transpose(0, 2, 1) | (parted & ~above).any(-1)  # i hides j
    before = hides.transpose(0, 2, 1) & ~hides  # i is painted before j; if both or neither hides, it does not matter
    order = np.empty(blocks.shape[:2], np.int64)
    waiting = np.ones(blocks.shape[:2], bool)
    rows = np.arange(len(blocks))
    for place in range(blocks.shape[1]):
        held = (before & waiting[:, :, None]).any(axis=1)
        order[:, place] = np.argmax(np.where(waiting, 1 + ~held, 0), axis=1)
        waiting[rows, order[:, place]] = False
    return order


def _footprint(blocks: NDArray[np.float64]) -> NDArray[np.float64]:
    """A flat block below each solid, (N, 1, 11): its upper face is where the floor is in shadow."""
    low = np.minimum(blocks[..., :5], blocks[..., 5:10]).min(axis=1)
    high = np.maximum(blocks[..., :5], blocks[..., 5:10]).max(axis=1)
    floor = np.stack([low[:, 0], high[:, 1], low[:, 2], high[:, 3], low[:, 4]], axis=-1)
    return np.concatenate([floor, floor, np.ones((len(blocks), 1))], axis=-1)[:, None]


def _paint(
    outlines: NDArray[np.float64], tones: NDArray[np.float64], shadow: NDArray[np.float64], size: int
) -> Image.Image:
    image = Image.new("L", (size * _FINER, size * _FINER), round(255 * GROUND))
    draw = ImageDraw.Draw(image)
    draw.polygon(shadow.ravel().tolist(), fill=round(255 * SHADOW))
    seen = tones >= 0
    for outline, tone in zip(outlines[seen].reshape(-1, 8).tolist(), tones[seen].tolist(), strict=True):
        draw.polygon(outline, fill=round(255 * min(tone, 1)))
    return image.reduce(_FINER)
