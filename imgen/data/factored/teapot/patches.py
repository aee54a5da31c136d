"""The control points of the Utah teapot: what turns about its axis, and what is alike on both sides of it.

Source: Martin Newell's data set (University of Utah, 1975), in the proportions that became usual: its height divided by
1.3, and with a bottom. Up is z, the spout points to x. Of each part the least is told that gives all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ARC = 0.56
"""How far the inner control points of a quarter of a circle reach, in radii."""
KNOB = 0.45 / 0.8
"""The same at the widest circle of the lid's knob, which alone is a little less round."""

Ring = tuple[float, float]
"""Radius and height of a circle about the axis."""
Section = tuple[float, float, float, float, float]
"""A cut through a tube: x and z of its inner point, x and z of its outer point, and half its breadth."""

RIM: Sequence[Ring] = ((1.4, 2.4), (1.3375, 2.53125), (1.4375, 2.53125), (1.5, 2.4))
SHOULDER: Sequence[Ring] = ((1.5, 2.4), (1.75, 1.875), (2, 1.35), (2, 0.9))
BELLY: Sequence[Ring] = ((2, 0.9), (2, 0.45), (1.5, 0.225), (1.5, 0.15))
BOTTOM: Sequence[Ring] = ((1.5, 0.15), (1.5, 0.075), (1.425, 0), (0, 0))
LID_KNOB: Sequence[Ring] = ((0, 3.15), (0.8, 3.15), (0, 2.85), (0.2, 2.7))
LID: Sequence[Ring] = ((0.2, 2.7), (0.4, 2.55), (1.3, 2.55), (1.3, 2.4))

HANDLE: Sequence[Section] = (
    (-1.6, 2.025, -1.5, 2.25, 0.3),
    (-2.3, 2.025, -2.5, 2.25, 0.3),
    (-2.7, 2.025, -3, 2.25, 0.3),
    (-2.7, 1.8, -3, 1.8, 0.3),
    (-2.7, 1.575, -3, 1.35, 0.3),
    (-2.5, 1.125, -2.65, 0.9375, 0.3),
    (-2, 0.9, -1.9, 0.6, 0.3),
)
SPOUT: Sequence[Section] = (
    (1.7, 1.425, 1.7, 0.6, 0.66),
    (2.6, 1.425, 3.1, 0.825, 0.66),
    (2.3, 2.1, 2.4, 2.025, 0.25),
    (2.7, 2.4, 3.3, 2.4, 0.25),
    (2.8, 2.475, 3.525, 2.49375, 0.25),
    (2.9, 2.475, 3.45, 2.5125, 0.15),
    (2.8, 2.4, 3.2, 2.4, 0.15),
)


def parts() -> dict[str, NDArray[np.float64]]:
    """The patches of each part that is one surface: (patches, 4, 4, 3).

    Down the rows and along the columns of a patch, the cross product of the two directions points outwards.
    """
    pot = [_turned(rings) for rings in (RIM, SHOULDER, BELLY, BOTTOM)]
    return {
        "pot": np.concatenate(pot),
        "handle": np.concatenate([_tube(HANDLE[:4]), _tube(HANDLE[3:])]),
        "spout": np.concatenate([_tube(SPOUT[:4]), _tube(SPOUT[3:])]),
        "lid": np.concatenate([_turned(LID_KNOB, (ARC, KNOB, ARC, ARC)), _turned(LID)]),
    }


def _turned(rings: Sequence[Ring], arcs: Sequence[float] = (ARC,) * 4) -> NDArray[np.float64]:
    """Four quarters of a turn about the axis, (4, 4, 4, 3)."""
    circles = zip(rings, arcs, strict=True)
    quarter = np.array([[(r, 0, z), (r, arc * r, z), (arc * r, r, z), (0, r, z)] for (r, z), arc in circles])
    x, y, z = np.moveaxis(quarter, -1, 0)
    return np.stack([np.stack(turned, -1) for turned in ((x, y, z), (-y, x, z), (-x, -y, z), (y, -x, z))])


def _tube(sections: Sequence[Section]) -> NDArray[np.float64]:
    """Both sides of a tube, (2, 4, 4, 3): from the inner point to the outer, and back."""
    side = np.array([[(x, 0, z), (x, w, z), (u, w, v), (u, 0, v)] for x, z, u, v, w in sections])
    return np.stack([side, side[:, ::-1] * (1, -1, 1)])
