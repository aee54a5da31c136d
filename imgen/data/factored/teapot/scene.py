"""What varies in pictures of the teapot: three scenes, their latent values, and where these put teapot and light."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from imgen.errors import DataError, near_miss

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Draws = Callable[[tuple[int, ...]], NDArray[np.float64]]

SIZE = 64
"""Height and width of a picture [pixels]."""
FOCAL = 105.0
"""Focal length [pixels]; the principal point is the middle of the picture."""
DISTANCE = 0.5
"""From the camera to the middle of the teapot [world units]."""
BLUE = (0.3, 0.5, 0.9)
"""The teapot's colour where it does not vary."""
GROUP = 100
"""Pictures of a group, in all of which one factor has one value."""

Name = Literal["colours", "turns", "lights"]


@dataclass(frozen=True)
class Span:
    """A factor and the interval of its values."""

    name: str
    low: float
    high: float


@dataclass(frozen=True)
class Variant:
    """One of the published scenes: the names of its letter and its factors, in order.

    groups: of the published metric data.
    """

    name: Name
    letter: str
    factors: tuple[Span, ...]

    @property
    def groups(self) -> int:
        """Groups of the published metric data: a hundred for each factor."""
        return 100 * len(self.factors)


_WHOLE, _HALF, _QUARTER = 2 * math.pi, math.pi, math.pi / 2
_TURNS = (Span("gamma", 0, _WHOLE), Span("beta", 0, _HALF), Span("alpha", 0, _WHOLE))
VARIANTS: dict[str, Variant] = {
    "colours": Variant(
        "colours",
        "A",
        (
            Span("azimuth", 0, _WHOLE),
            Span("elevation", 0, _QUARTER),
            *(Span(colour, 0, 1) for colour in ("red", "green", "blue")),
        ),
    ),
    "turns": Variant("turns", "B", _TURNS),
    "lights": Variant("lights", "C", (*_TURNS, Span("light_azimuth", 0, _WHOLE), Span("light_polar", 0, _HALF))),
}


def variant_of(text: str) -> Variant:
    """The variant of a name or of the letter that the paper's code suggests, whatever their case.

    Raises: `DataError` where there is none.
    """
    for variant in VARIANTS.values():
        if text.casefold() in (variant.name, variant.letter.casefold()):
            return variant
    known = [*VARIANTS, *(variant.letter for variant in VARIANTS.values())]
    raise DataError(f"teapots: there is no variant '{text}'{near_miss(text, known)}")


def draw(variant: Variant, count: int, rng: np.random.RandomState | np.random.Generator) -> NDArray[np.float64]:
    """Latent values of so many pictures, (count, K).

    A direction is uniform on the sphere: its angles are not. The order of what is drawn is that of the published data.
    """
    uniform, normal = rng.uniform, rng.normal
    first = uniform(0, _WHOLE, count)
    if variant.name == "colours":
        return np.column_stack([first, uniform(0, _QUARTER, count), uniform(0, 1, (count, 3))])
    polar, azimuth = _angles(normal(size=(count, 3)))
    if variant.name == "turns":
        return np.column_stack([first, polar, azimuth])
    light_polar, light_azimuth = _angles(normal(size=(count, 3)))
    return np.column_stack([first, polar, azimuth, light_azimuth, light_polar])


def published(
    variant: Variant, images: int, groups: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int32]]:
    """Latents (images, K), of groups (groups, `GROUP`, K), and which factor is one in each group, (groups,).

    With seed 1, and as many images as were published, these are the latents of the published pictures.
    """
    rng = np.random.RandomState(seed)
    train = draw(variant, images, rng)
    several = np.empty((groups, GROUP, len(variant.factors)))
    labels = (np.arange(groups) % len(variant.factors)).astype(np.int32)
    for group, label in zip(several, labels, strict=True):
        group[:] = draw(variant, GROUP, rng)
        group[:, label] = group[0, label]
    return train, several, labels


@dataclass(frozen=True)
class Scenes:
    """Where camera, teapot and light stand in each picture.

    Shapes: turns (n, 3, 3), from the teapot to the camera, whose x points right, y down and z forward; lights (n, 3),
    directions towards the light as the teapot sees it; colours (n, 3), in [0, 1].
    """

    turns: NDArray[np.float64]
    lights: NDArray[np.float64]
    colours: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.turns)

    def __getitem__(self, rows: slice) -> Scenes:
        """Some of them."""
        return Scenes(self.turns[rows], self.lights[rows], self.colours[rows])


def scenes(variant: Variant, latents: NDArray[np.float64]) -> Scenes:
    """The scenes of latent values (n, K).

    Raises: `DataError` where a value is none of its factor's.
    """
    check(variant, latents)
    count = len(latents)
    colours = np.tile(BLUE, (count, 1))
    above = np.tile([0.0, 0.0, 1.0], (count, 1))
    if variant.name == "colours":
        turned, seen, colours = _z(-latents[:, 0]), _camera(latents[:, 1]), latents[:, 2:].copy()
    else:
        gamma, beta, alpha = latents.T[:3]
        turned, seen = _product(_product(_z(-alpha), _x(beta)), _z(-gamma)), _camera(np.zeros(count))
    light = direction(latents[:, 3], latents[:, 4]) if variant.name == "lights" else above
    # Back into the teapot's own frame: it is the light that is turned, not every normal.
    towards = sum(turned[:, axis] * light[:, axis, None] for axis in range(3))
    return Scenes(_product(seen, turned), np.asarray(towards), colours)


def direction(azimuth: NDArray[np.float64], polar: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vectors, (n, 3): up where the polar angle is 0, towards -y at azimuth 0 and towards x at a quarter turn."""
    (ca, sa), (cp, sp) = _cos_sin(azimuth), _cos_sin(polar)
    return np.stack([sa * sp, -ca * sp, cp], axis=-1)


def check(variant: Variant, latents: NDArray[np.float64]) -> None:
    """Raises `DataError` where latents are not (n, K), or one is outside its factor's interval."""
    if latents.ndim != 2 or latents.shape[1] != len(variant.factors):
        names = ", ".join(span.name for span in variant.factors)
        raise DataError(f"teapots: factors {latents.shape}; there is one column for each of {names}")
    for column, span in zip(latents.T, variant.factors, strict=True):
        slack = 1e-6 * (span.high - span.low)  # for values that were kept as 32-bit floats meanwhile
        wrong = ~((column >= span.low - slack) & (column <= span.high + slack))
        if wrong.any():
            raise DataError(f"teapots: {span.name} is {column[wrong][0]:g}; it is from {span.low:g} to {span.high:.6g}")


def _angles(vectors: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Polar angle from z, and azimuth from y towards x in [0, 2 pi)."""
    x, y, z = (vectors / np.sqrt((vectors**2).sum(axis=1, keepdims=True))).T
    polar, azimuth = np.arctan(np.sqrt(x**2 + y**2) / z), np.arctan2(x, y)
    return np.where(polar < 0, polar + _HALF, polar), np.where(azimuth < 0, azimuth + _WHOLE, azimuth)


def _camera(elevation: NDArray[np.float64]) -> NDArray[np.float64]:
    c, s = _cos_sin(elevation)
    o, i = np.zeros_like(c), np.ones_like(c)
    return _matrix((i, o, o), (o, -s, -c), (o, c, -s))


def _x(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    c, s = _cos_sin(angle)
    o, i = np.zeros_like(c), np.ones_like(c)
    return _matrix((i, o, o), (o, c, -s), (o, s, c))


def _z(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    c, s = _cos_sin(angle)
    o, i = np.zeros_like(c), np.ones_like(c)
    return _matrix((c, -s, o), (s, c, o), (o, o, i))


def _cos_sin(angle: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    # One by one: an array's cosine may depend on its length and on the processor, and pictures must not.
    values = angle.tolist()
    return np.array([math.cos(each) for each in values]), np.array([math.sin(each) for each in values])


def _matrix(*lines: tuple[NDArray[np.float64], ...]) -> NDArray[np.float64]:
    return np.stack([np.stack(line, axis=-1) for line in lines], axis=-2)


def _product(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    # Term by term, for the same reason.
    return a[:, :, :1] * b[:, :1] + a[:, :, 1:2] * b[:, 1:2] + a[:, :, 2:] * b[:, 2:]
