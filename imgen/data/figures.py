"""Figures whose attributes have a few values each: shape, colour, pattern, border and ground, drawn with soft edges."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from imgen.data.spec import Attribute

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

Name = Literal["shape", "colour", "pattern", "border", "ground"]

ATTRIBUTES: dict[str, Attribute] = {
    name: Attribute(name, values)
    for name, values in {
        "shape": ("disc", "square"),
        "colour": ("red", "green", "blue"),
        "pattern": ("plain", "striped"),
        "border": ("not border", "border"),
        "ground": ("dark", "light"),
    }.items()
}
"""All that can be told of a figure. The first value of each is what is drawn where nobody asks for it."""

STRIPE = (0.97, 0.97, 0.95)
FRAME = (0.96, 0.76, 0.22)
GROUNDS = (((0.08, 0.10, 0.16), (0.22, 0.24, 0.31)), ((0.66, 0.65, 0.61), (0.80, 0.79, 0.75)))
"""Of dark and of light grounds the darkest and the lightest."""
LIGHTNESS, CHROMA = 0.47, 0.44
HUE_RANGE = math.radians(14)
"""How far the hue goes to either side of red, green or blue: far less than the 60 degrees to where they meet."""
REACH = 0.07
TURN = math.radians(12)
SIZES = (0.21, 0.26)
FRAME_WIDTH = 1 / 16
"""Of the picture: two pixels of 32. A figure at the end of its reach stays clear of it."""
STRIPE_PLACE, STRIPE_WIDTH = 0.4, 0.4
"""Two stripes, one above and one below the middle, with colour around both; in radii of the figure."""
_CORNER = 0.12
_CHUNK = 1024


@dataclass(frozen=True)
class Look:
    """What varies in pictures and no label tells, one entry a picture.

    Shapes: every field (N,). Units: x, y (of the middle, from the picture's middle, right and down positive) and size
    (radius of the disc of equal area) in picture widths; rotation and hue (from that of its name) in radians;
    brightness from 0 to 1 within what is called dark, or light.
    """

    x: Tensor
    y: Tensor
    rotation: Tensor
    size: Tensor
    hue: Tensor
    brightness: Tensor

    @classmethod
    def draw(cls, n: int, rng: np.random.Generator) -> Look:
        """n of them; the first of more are the same."""
        ends = ((-REACH, REACH), (-REACH, REACH), (-TURN, TURN), SIZES, (-HUE_RANGE, HUE_RANGE), (0.0, 1.0))
        columns = torch.from_numpy(rng.random((n, len(ends)))).float().T
        return cls(*(low + (high - low) * column for column, (low, high) in zip(columns, ends, strict=True)))

    def rows(self, rows: slice) -> Look:
        """Those of some pictures."""
        return Look(*(column[rows] for column in vars(self).values()))


def values(n: int, attributes: Sequence[Attribute], rng: np.random.Generator) -> NDArray[np.int64]:
    """What n pictures show, (N, A): after every so many pictures each combination of values has come equally often."""
    sizes = [len(attribute.values) for attribute in attributes]
    every = np.stack(np.unravel_index(np.arange(math.prod(sizes)), sizes), axis=1)
    # Round after round, so that more pictures change nothing of the first ones.
    rounds = [rng.permutation(len(every)) for _ in range(-(-n // len(every)))]
    return every[np.concatenate(rounds)[:n]].astype(np.int64)


def render(shown: NDArray[np.int64], attributes: Sequence[Attribute], look: Look, size: int) -> Tensor:
    """The pictures, uint8 (N, 3, size, size). shown: (N, A), the value of each of these attributes."""
    columns = {attribute.name: torch.from_numpy(shown[:, place]) for place, attribute in enumerate(attributes)}
    told = {name: columns.get(name, torch.zeros(len(shown), dtype=torch.long)) for name in ATTRIBUTES}
    pictures = torch.empty((len(shown), 3, size, size), dtype=torch.uint8)
    for start in range(0, len(shown), _CHUNK):
        rows = slice(start, start + _CHUNK)
        drawn = _draw({name: column[rows] for name, column in told.items()}, look.rows(rows), size)
        pictures[rows] = (drawn * 255).round().to(torch.uint8)
    return pictures


def hues(value: Tensor) -> Tensor:
    """The hue in the middle of each colour, in radians."""
    return value * (2 * math.pi / 3)


def _draw(told: dict[str, Tensor], look: Look, size: int) -> Tensor:
    cover, stripe = _figure(told["shape"], told["pattern"], look, size)
    grounds = torch.tensor(GROUNDS)[told["ground"]]
    picture = torch.lerp(grounds[:, 0], grounds[:, 1], look.brightness[:, None])[:, :, None, None]
    thirds = torch.arange(3) * (2 * math.pi / 3)
    paint = LIGHTNESS + CHROMA * torch.cos((hues(told["colour"]) + look.hue)[:, None] - thirds)
    figure = _over(paint[:, :, None, None], torch.tensor(STRIPE), stripe)
    picture = picture + cover[:, None] * (figure - picture)
    # From the middle of the frame's inner edge, a pixel wide.
    axis = (torch.arange(size) + 0.5).minimum(size - 0.5 - torch.arange(size))
    near = torch.minimum(axis[:, None], axis[None, :])
    frame = (FRAME_WIDTH * size - near + 0.5).clamp(0, 1) * told["border"][:, None, None]
    return _over(picture, torch.tensor(FRAME), frame)


def _over(picture: Tensor, colour: Tensor, share: Tensor) -> Tensor:
    return picture + share[:, None] * (colour[:, None, None] - picture)


def _figure(shape: Tensor, pattern: Tensor, look: Look, size: int) -> tuple[Tensor, Tensor]:
    """How much of each pixel the figure covers, and how much of that is a stripe, each (N, H, W) in [0, 1]."""
    axis = (torch.arange(size) + 0.5) / size - 0.5
    x, y, turn, scale = (column[:, None, None] for column in (look.x, look.y, look.rotation, look.size))
    cos, sin = torch.cos(turn) / scale, torch.sin(turn) / scale
    right, down = axis[None, None, :] - x, axis[None, :, None] - y
    across, along = right * cos + down * sin, down * cos - right * sin
    edge = 1 / (size * scale)
    disc = torch.hypot(across, along) - 1
    # The square has the area of the disc, but for its corners, which are a little round.
    side = math.sqrt(math.pi) / 2 - _CORNER
    over = torch.stack([across.abs() - side, along.abs() - side])
    square = over.clamp_min(0).norm(dim=0) + over.amax(0).clamp_max(0) - _CORNER
    cover = (0.5 - torch.where(shape[:, None, None] == 1, square, disc) / edge).clamp(0, 1)
    to_stripe = (along.abs() - STRIPE_PLACE).abs() - STRIPE_WIDTH / 2
    return cover, (0.5 - to_stripe / edge).clamp(0, 1) * pattern[:, None, None]
