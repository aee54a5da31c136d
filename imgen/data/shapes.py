"""Identities that imgen draws itself, so that tests and first steps download nothing.

The identity of a picture is its shape, hue and pattern; the observation is position, rotation, size and background.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import torch
from annotated_types import Ge, Le

from imgen.data.people import People, are_among
from imgen.data.spec import DataSpec
from imgen.data.tuples import Tuples
from imgen.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

SHAPES = ("disc", "square", "triangle", "star", "heart", "cross")
PATTERNS = ("plain", "core", "halves", "bands")
MARK = (0.97, 0.97, 0.97)
"""The colour of every pattern: without a hue of its own, so that the hue of a picture is the identity's."""
GROUNDS = ((0.11, 0.13, 0.20), (0.53, 0.51, 0.48))
"""The ends of the ramp of backgrounds, from night to stone: muted, and darker than any identity."""
LIGHTNESS, CHROMA = 0.58, 0.40
REACH = 0.10
TURN = math.radians(30)
"""Every shape is itself again after 72 degrees or more, so a turn of 30 either way can be read back."""
SIZES = (0.21, 0.30)
ROUNDING = math.radians(5)
_ANGLES = 2048
_CHUNK = 1024


@dataclass(frozen=True)
class Factors:
    """What pictures show, one entry a picture.

    Shapes: every field (N,); `shape` and `pattern` are int64 indices of `SHAPES` and `PATTERNS`, the others float32.
    Units: hue and rotation in radians; x, y (of the middle, from the picture's middle, right and down positive) and
    size (radius of the disc of equal area) in picture widths; background from 0 (night) to 1 (stone).
    """

    shape: Tensor
    hue: Tensor
    pattern: Tensor
    x: Tensor
    y: Tensor
    rotation: Tensor
    size: Tensor
    background: Tensor

    def __getitem__(self, rows: Tensor | slice) -> Factors:
        """The factors of some pictures."""
        return Factors(*(getattr(self, field.name)[rows] for field in fields(self)))

    def __len__(self) -> int:
        return len(self.shape)


class Shapes:
    """A drawn data set; `shapes` makes it."""

    def __init__(
        self,
        factors: Factors,
        identity: NDArray[np.int64],
        size: int,
        k: int,
        names: Sequence[str] = (),
        people: People = "all",
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """identity: (N,) who each picture shows; `factors`: what it shows, known because it was drawn.

        names: of the identities; left out, their numbers. people: which of those that `settings` of `shapes` draw.
        """
        self.identity_names = list(names) or [str(number) for number in range(int(identity.max()) + 1)]
        self.settings = settings or {}
        self.spec = DataSpec(
            image=(3, size, size),
            group=k,
            people=people,
            about=f"drawn by imgen: {int(identity.max()) + 1:,} identities (shape, hue, pattern) "
            f"in {len(identity):,} pictures; free of any rights, and nobody's face",
        )
        self.identity = identity
        self.factors = factors
        self.columns: Mapping[str, Tensor] = {"images": render(factors, size)}
        self._tuples = Tuples(identity, k)

    def among(self, people: People) -> Shapes:
        """The same settings with these people. Raises: `DataError` where there are none of them."""
        return shapes(**self.settings, people=people)

    def draw(self, n: int, rng: np.random.Generator) -> Mapping[str, NDArray[np.int64]]:
        """Rows of n tuples of distinct pictures of one identity: (n, group), or (n,) where the group is 1."""
        rows = self._tuples.draw(n, rng)
        return {"images": rows if self.spec.group > 1 else rows[:, 0]}


def shapes(
    *,
    identities: Annotated[int, Ge(1)] = 1000,
    photos: Annotated[int, Ge(1)] = 20,
    size: Annotated[int, Ge(8), Le(1024)] = 32,
    k: Annotated[int, Ge(1)] = 2,
    seed: Annotated[int, Ge(0)] = 0,
    people: People = "all",
) -> Shapes:
    """Identities drawn by imgen: a shape, a hue and a pattern, each seen in many positions and before many grounds.

    Picture j of identity i is a function of the seed alone, however many identities and photos there are.

    Settings:
        identities: how many identities are drawn [identities]
        photos: pictures of each identity [pictures]
        size: width and height of a picture [pixels]
        k: distinct pictures of one identity in one item [pictures]
        seed: the seed of all that is drawn
        people: all, or those of one part, by a hash of seed and number: train (half of them), embedding (30 %),
            validation or test (10 % each)

    Raises: `DataError` where k is more than `photos`, or nobody is in the part.
    """
    if k > photos:
        raise DataError(f"shapes: k={k} different pictures of one identity need photos={k} or more, not {photos}")
    settings = {"identities": identities, "photos": photos, "size": size, "k": k, "seed": seed}
    names = np.array([f"drawn-{seed}-{number}" for number in range(identities)])
    here = are_among(names, people)
    if not here.any():
        raise DataError(f"shapes: none of {identities} identities is among the people '{people}'; draw more")
    factors = draw_factors(identities, photos, seed)
    if not here.all():
        factors = factors[torch.from_numpy(np.repeat(here, photos))]
    identity = np.repeat(np.arange(here.sum(), dtype=np.int64), photos)
    return Shapes(factors, identity, size, k, names[here].tolist(), people, settings)


def draw_factors(identities: int, photos: int, seed: int) -> Factors:
    """Factors of all pictures, identity by identity: entry i * photos + j is picture j of identity i."""
    # One stream for the identities and one for every photo number, each filled identity by identity: a larger
    # count lengthens the streams and changes nothing that was there before.
    who = np.random.default_rng([seed, 0]).random((identities, 3))
    seen = np.stack([np.random.default_rng([seed, 1, j]).random((identities, 5)) for j in range(photos)], axis=1)
    shape, hue, pattern = (torch.from_numpy(np.repeat(column, photos)) for column in who.T)
    x, y, rotation, size, background = (torch.from_numpy(column).float() for column in seen.reshape(-1, 5).T)
    return Factors(
        shape=(shape * len(SHAPES)).long(),
        hue=(hue * 2 * math.pi).float(),
        pattern=(pattern * len(PATTERNS)).long(),
        x=(2 * x - 1) * REACH,
        y=(2 * y - 1) * REACH,
        rotation=(2 * rotation - 1) * TURN,
        size=SIZES[0] + (SIZES[1] - SIZES[0]) * size,
        background=background,
    )


def colour(hue: Tensor) -> Tensor:
    """Colours of one lightness and one chroma: (N,) radians -> (N, 3) in [0, 1].

    A circle in RGB around the greys, rather than HSV's hexagon: its angle is read back by two dot products.
    """
    thirds = torch.tensor([0.0, 1.0, 2.0]) * (2 * math.pi / 3)
    return LIGHTNESS + CHROMA * torch.cos(hue[:, None] - thirds)


def ground(background: Tensor) -> Tensor:
    """Colours of backgrounds: (N,) in [0, 1] -> (N, 3)."""
    night, stone = torch.tensor(GROUNDS)
    return night + background[:, None] * (stone - night)


def render(factors: Factors, size: int) -> Tensor:
    """The pictures, antialiased: uint8 (N, 3, size, size)."""
    pictures = torch.empty((len(factors), 3, size, size), dtype=torch.uint8)
    axis = (torch.arange(size) + 0.5) / size - 0.5
    for start in range(0, len(factors), _CHUNK):
        rows = slice(start, start + _CHUNK)
        some = factors[rows]
        u, v = (place[:, None, None] for place in (some.x, some.y))
        cover, mark = figure(some, axis[None, None, :] - u, axis[None, :, None] - v, 1 / size)
        paper, paint = (rgb[:, :, None, None] for rgb in (ground(some.background), colour(some.hue)))
        cover, mark = cover[:, None], mark[:, None]
        paint = paint + mark * (torch.tensor(MARK).view(1, 3, 1, 1) - paint)
        pictures[rows] = ((paper + cover * (paint - paper)) * 255).round().to(torch.uint8)
    return pictures


def figure(factors: Factors, x: Tensor, y: Tensor, pixel: float) -> tuple[Tensor, Tensor]:
    """How much of each point the shape covers, and how much of that is the pattern's mark, each (N, H, W) in [0, 1].

    x, y: points relative to the shape's middle, which broadcast to (N, H, W); pixel: width of an edge [same unit].
    """
    turn, scale = factors.rotation[:, None, None], factors.size[:, None, None]
    cos, sin = torch.cos(turn) / scale, torch.sin(turn) / scale
    across, down = x * cos + y * sin, y * cos - x * sin
    edge = pixel / scale
    reach, steepness = _outlines()
    radius = torch.hypot(across, down)
    index = ((torch.atan2(down, across) / (2 * math.pi)) % 1 * _ANGLES).long() % _ANGLES
    index += factors.shape[:, None, None] * _ANGLES
    distance = (radius - reach.take(index)) * steepness.take(index)
    cover = (0.5 - distance / edge).clamp(0, 1)
    # Signed distances to the mark: nowhere, a disc in the middle, the lower half, upright bands.
    to_mark = torch.full_like(radius, math.inf)
    to_band = ((across / 0.9 + 0.5) % 1 - 0.5).abs() * 0.9 - 0.225
    for pattern, inside in enumerate((None, radius - 0.5, -down.expand_as(radius), to_band)):
        if inside is not None:
            to_mark = torch.where(factors.pattern[:, None, None] == pattern, inside, to_mark)
    return cover, (0.5 - to_mark / edge).clamp(0, 1)


@cache
def _outlines() -> tuple[Tensor, Tensor]:
    """For every shape and angle (flattened) the radius of the outline, and the cosine of its slope against the circle.

    The cosine turns a distance along the ray into the distance to the outline, to first order.
    """
    reach = np.stack([_radii(outline) for outline in _curves()])
    slope = (np.roll(reach, -1, axis=1) - np.roll(reach, 1, axis=1)) / (4 * math.pi / _ANGLES)
    steepness = np.maximum(reach / np.hypot(reach, slope), 0.5)
    return torch.from_numpy(reach).float().flatten(), torch.from_numpy(steepness).float().flatten()


def _curves() -> list[NDArray[np.complex128]]:
    """Closed curves in the order of `SHAPES`, as complex numbers: right is real, down is imaginary."""
    t = np.linspace(0, 2 * math.pi, 4 * _ANGLES, endpoint=False)
    heart = 16 * np.sin(t) ** 3 - 1j * (13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    bar = 0.42
    arm = np.array([1 - bar * 1j, 1 + bar * 1j, bar + bar * 1j])
    return [
        np.exp(1j * t),
        _polygon(np.exp(0.25j * math.pi * np.arange(1, 8, 2))),
        _polygon(-1j * np.exp(2j * math.pi / 3 * np.arange(3))),
        _polygon(-1j * np.exp(0.2j * math.pi * np.arange(10)) * np.where(np.arange(10) % 2, 0.52, 1)),
        heart,
        _polygon((1j ** np.arange(4)[:, None] * arm).flatten()),
    ]


def _polygon(corners: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """The sides through the corners, as many points."""
    part = np.linspace(0, 1, _ANGLES, endpoint=False)
    return (corners[:, None] + part * (np.roll(corners, -1) - corners)[:, None]).flatten()


def _radii(curve: NDArray[np.complex128]) -> NDArray[np.float64]:
    """The curve as a radius at every angle, moved to its centroid and scaled to the area of the unit disc."""
    following = np.roll(curve, -1)
    wedge = (curve.conj() * following).imag / 2
    curve = curve - (wedge * (curve + following)).sum() / (3 * wedge.sum())
    angle = np.angle(curve) % (2 * math.pi)
    order = np.argsort(angle)
    at = (np.arange(_ANGLES) + 0.5) * (2 * math.pi / _ANGLES)
    radii = np.interp(at, angle[order], np.abs(curve)[order], period=2 * math.pi)
    # Corners are rounded a little: as pretty, and within the picture where a figure is large and far from its middle.
    waves = np.fft.rfft(radii)
    radii = np.fft.irfft(waves * np.exp(-((np.arange(len(waves)) * ROUNDING) ** 2) / 2), _ANGLES)
    return radii / math.sqrt((radii**2).mean())
