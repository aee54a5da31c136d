"""Solids that imgen draws itself, seen from known azimuths: two domains that share nothing but the view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import torch
from annotated_types import Ge, Le

from imgen.data.blocks import render
from imgen.data.pictures import Report
from imgen.data.spec import DataSpec
from imgen.data.views import Views

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    Length = NDArray[np.float64] | float
    Lengths = tuple[Length, ...]

Kind = Literal["car", "chair"]

FARTHEST = 75.0
"""The views go from 75 degrees on one side of the front to 75 on the other: no solid repeats itself there."""
TRAITS = 8
"""Numbers from 0 to 1 that make an individual."""


def solids(
    *,
    domain_A: Kind = "car",
    domain_B: Kind = "chair",
    views: Annotated[int, Ge(2)] = 11,
    individuals: Annotated[int, Ge(1)] = 85,
    n_test: Annotated[int, Ge(0)] = 14,
    continuous: bool = False,
    size: Annotated[int, Ge(8), Le(512)] = 64,
    channels: Literal[1, 3] = 3,
    seed: Annotated[int, Ge(0)] = 0,
) -> Views:
    """Solids drawn by imgen from many sides: what two domains share is the azimuth, which no batch tells.

    Individuals differ in proportions and tone; no individual is in both domains, even where they show one kind.
    Rows go individual by individual. An individual is a function of the seed and its number alone.

    Settings:
        domain_A: what domain A shows
        domain_B: what domain B shows; the same kind gives other individuals of it
        views: pictures of each individual, evenly spaced from +75 to -75 degrees [pictures]
        individuals: individuals of each domain to train on [individuals]
        n_test: further individuals of each domain, held out [individuals]
        continuous: azimuths drawn evenly from that range, instead of evenly spaced
        size: width and height of a picture [pixels]
        channels: 3 repeats the grey pictures in three channels
        seed: the seed of all that is drawn
    """
    names = (domain_A, domain_B) if domain_A != domain_B else (f"{domain_A}-a", f"{domain_B}-b")
    spec = DataSpec(
        image=(channels, size, size),
        domains=names,
        about=f"drawn by imgen: {individuals:,} individuals of each of {names[0]} and {names[1]}, {views} views of "
        "each; free of any rights, and nobody's face",
    )
    pictures: dict[str, dict[str, Tensor]] = {"columns": {}, "test": {}}
    azimuths: dict[str, dict[str, Tensor]] = {"columns": {}, "test": {}}
    for domain, (name, kind) in enumerate((("a", domain_A), ("b", domain_B))):
        for part, (split, count) in enumerate((("columns", individuals), ("test", n_test))):
            if count:
                stream = [seed, domain, part]
                azimuth = draw_azimuths(count, views, continuous, stream)
                drawn = draw(kind, individual(count, stream), azimuth, size)
                pictures[split][name] = drawn.expand(-1, channels, -1, -1).contiguous()
                azimuths[split][name] = torch.from_numpy(azimuth.ravel()).float()
    return Views(
        spec=spec,
        columns=pictures["columns"],
        azimuth=azimuths["columns"],
        test=pictures["test"],
        test_azimuth=azimuths["test"],
        report=Report(images=2 * individuals * views, identities=2 * individuals),
        origin={"layout": "solids", "kinds": f"{domain_A}, {domain_B}"},
    )


def individual(count: int, stream: list[int]) -> NDArray[np.float64]:
    """What makes each of `count` individuals, (count, TRAITS) in [0, 1]: more of them change nothing of the first."""
    return np.random.default_rng([*stream, 0]).random((count, TRAITS))


def draw_azimuths(count: int, views: int, continuous: bool, stream: list[int]) -> NDArray[np.float64]:
    """The azimuths of all pictures, (count, views) degrees."""
    if continuous:
        return FARTHEST * (2 * np.random.default_rng([*stream, 1]).random((count, views)) - 1)
    return np.tile(np.linspace(FARTHEST, -FARTHEST, views), (count, 1))


def draw(kind: Kind, traits: NDArray[np.float64], azimuth: NDArray[np.float64], size: int) -> Tensor:
    """Pictures of individuals at their azimuths, row by row: (count, TRAITS), (count, views) -> (N, 1, size, size)."""
    blocks = KINDS[kind](traits)
    return render(np.repeat(blocks, azimuth.shape[1], axis=0), azimuth.ravel(), size)


def car_blocks(traits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cars, (count, blocks, 11): a body with lamps and a grille in front, a cabin of glass with a roof, four wheels."""
    t = traits.T
    half, long = _span(t[0], 0.36, 0.46), _span(t[1], 0.82, 1.0)
    floor, waist, top = _span(t[2], 0.12, 0.2), _span(t[3], 0.4, 0.52), _span(t[4], 0.68, 0.86)
    rear, nose = -long * _span(t[5], 0.65, 0.97), long * _span(t[6], 0.2, 0.45)
    tone, dark, glass, lamp = _span(t[7], 0.5, 1.1), 0.12, 0.22, 1.1
    slope = 0.55 * (top - waist)
    inset, roof = half - 0.12, top - 0.05
    parts = [
        _block((-half, half, -long, long, floor), (-half, half, -long, long * 0.99, waist), tone),
        _block((-half + 0.03, half - 0.03, rear, nose, waist), (-inset, inset, rear + 0.1, nose - slope, roof), glass),
        _block((-inset, inset, rear + 0.1, nose - slope, roof), (-inset, inset, rear + 0.1, nose - slope, top), tone),
        _block((-inset, inset, -0.8 * long, 0.85 * long, 0.04), (-inset, inset, -0.8 * long, 0.85 * long, floor), dark),
    ]
    for side in (-1, 1):
        x = _beside(side, half, half + 0.04)
        for middle in (-0.58 * long, 0.6 * long):
            wide, narrow, radius = 0.19, 0.1, 0.16
            low, high = (*x, middle - narrow, middle + narrow), (*x, middle - wide, middle + wide)
            parts.append(_block((*low, 0.0), (*high, radius), dark))
            parts.append(_block((*high, radius), (*low, 2 * radius), dark))
        parts.append(_panel(_beside(side, half - 0.16, half - 0.03), long, (waist - 0.15, waist - 0.04), lamp))
    parts.append(_panel((-half + 0.2, half - 0.2), long, (waist - 0.17, waist - 0.05), dark))
    return _centred(np.stack(parts, axis=1), 0.87)


def chair_blocks(traits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Chairs, (count, blocks, 11): a seat on four legs, a back that leans, and arms on one of three."""
    t = traits.T
    half, deep = _span(t[0], 0.36, 0.5), _span(t[1], 0.36, 0.48)
    seat, high = _span(t[2], 0.5, 0.68), _span(t[3], 0.6, 0.85)
    thick, lean, leg = _span(t[4], 0.07, 0.14), _span(t[5], 0.0, 0.14), _span(t[4], 0.06, 0.1)
    tone = _span(t[7], 0.5, 1.1)
    wood, top = 0.75 * tone, seat + thick
    parts = [_block((-half, half, -deep, deep, seat), (-half, half, -deep, deep, top), tone)]
    back, rise = 0.09, np.full_like(half, 0.28)
    gap = np.where(t[6] * 2 % 1 < 0.5, 0.0, 0.16)
    lower, upper = top + gap, top + high
    leant = (-half, half, -deep - lean, -deep - lean + back, upper)
    parts.append(_block((-half, half, -deep, -deep + back, lower), leant, tone))
    for side in (-1, 1):
        x = _beside(side, half - leg, half)
        for y in ((-deep, -deep + leg), (deep - leg, deep)):
            parts.append(_block((*x, *y, 0.0), (*x, *y, seat), wood))
        parts.append(_block((*x, -deep, -deep + back, top), (*x, -deep, -deep + back, lower), wood))
        arm = np.where(t[6] < 1 / 3, rise, 0.0)
        x = _beside(side, half, half + 0.07)
        post = (*x, deep - 0.17, deep - 0.08)
        parts.append(_block((*post, seat), (*post, seat + arm), wood))
        rest = (*x, -deep, deep)
        parts.append(_block((*rest, seat + arm), (*rest, seat + arm + np.minimum(arm, 0.07)), wood))
    return _centred(np.stack(parts, axis=1), 0.94)


KINDS: dict[Kind, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {"car": car_blocks, "chair": chair_blocks}


def _span(share: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    return low + (high - low) * share


def _beside(side: int, inner: Length, outer: Length) -> Lengths:
    """From one distance to another, right (1) or left (-1) of the middle."""
    return (inner, outer) if side > 0 else (-outer, -inner)


def _block(lower: Lengths, upper: Lengths, tone: Length) -> NDArray[np.float64]:
    """One block of every individual, (count, 11), from numbers and columns."""
    return np.stack(np.broadcast_arrays(*lower, *upper, tone), axis=-1).astype(np.float64)


def _panel(x: Lengths, y: NDArray[np.float64], z: Lengths, tone: Length) -> NDArray[np.float64]:
    """A thin block on the front of a body that ends at y."""
    return _block((*x, y, y + 0.015, z[0]), (*x, y, y + 0.015, z[1]), tone)


def _centred(blocks: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """With the middle of each solid in the picture's, so that the camera turns around it."""
    heights = blocks[..., [4, 9]]
    middle = (heights.min(axis=(1, 2)) + heights.max(axis=(1, 2)))[:, None] / 2
    blocks[..., 4] -= middle
    blocks[..., 9] -= middle
    blocks[..., :10] *= scale
    return blocks
