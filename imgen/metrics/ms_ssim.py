"""Multi-scale structural similarity, in float64, of pictures as small as 4 pixels.

Source: Wang, Simoncelli, Bovik, "Multi-scale structural similarity for image quality assessment", 2003. That each
scale's window shrinks with the picture is how it came to be taken of 64x64 pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from imgen.images import from_float

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW, SIGMA = 11, 1.5
RANGE, K1, K2 = 255.0, 0.01, 0.03
SMALLEST = 4
"""Pixels of the shorter side at the coarsest scale: 64x64 pictures have all five."""
CHUNK = 250
"""Pairs whose pictures are in memory at once."""

RULES = ("per_pair", "batch")
"""How pairs become one number: `per_pair` and `batch` below."""
PROTOCOL = (
    f"MS-SSIM: weights {', '.join(map(str, WEIGHTS))}, K1 {K1}, K2 {K2}, range 255, 8-bit values; Gaussian window of "
    f"{WINDOW} taps, sigma {SIGMA}, both shrunk in proportion where a side is shorter, valid places only; 2x2 means "
    "between scales; contrast and structure of every scale, luminance of the coarsest; mean over channels and places. "
    "per_pair: terms below 0 become 0, the product over scales of each pair, the mean over pairs. batch: the mean over "
    "pairs of each term, then the product"
)


def scales_of(height: int, width: int) -> int:
    """How many scales pictures of this size have, at most five: none with a side under 4 pixels, but always one."""
    shorter = min(height, width)
    return max(1, min(len(WEIGHTS), int(math.log2(max(shorter, 1) / SMALLEST)) + 1 if shorter >= SMALLEST else 1))


def weights_of(scales: int) -> Tensor:
    """The weights of the first so many scales, which sum to 1: for all five those that are published.

    Fewer are the first of the five, divided by their sum.
    """
    weights = torch.tensor(WEIGHTS, dtype=torch.float64)
    return weights if scales == len(WEIGHTS) else weights[:scales] / weights[:scales].sum()


def terms(x: Tensor, y: Tensor) -> Tensor:
    """The term of every scale for each pair: contrast and structure, and at the coarsest the whole of SSIM.

    Each is the mean over channels and valid places, and can be negative.

    Shapes: x, y: (N, C, H, W) in [0, 255] -> float64 (N, scales).
    Raises: `ValueError` where they are not of one shape.
    """
    if x.shape != y.shape or x.dim() != 4:
        raise ValueError(f"pairs need pictures (N, C, H, W) of one shape, not {tuple(x.shape)} and {tuple(y.shape)}")
    x, y = x.double(), y.double()
    scales = scales_of(*x.shape[2:])
    found = []
    for scale in range(scales):
        if scale:
            x, y = avg_pool2d(x, 2), avg_pool2d(y, 2)
        luminance, structure = _maps(x, y)
        coarsest = scale == scales - 1
        found.append((luminance * structure if coarsest else structure).flatten(1).mean(dim=1))
    return torch.stack(found, dim=1)


def per_pair(found: Tensor) -> float:
    """The mean over pairs of the MS-SSIM of each, negative terms counting as 0. Shapes: found: (N, scales)."""
    return float((found.clamp_min(0) ** weights_of(found.shape[1])).prod(dim=1).mean())


def batch(found: Tensor) -> float:
    """The product over scales of the terms' means over all pairs, a negative mean counting as 0.

    Shapes: found: (N, scales).
    """
    return float((found.mean(dim=0).clamp_min(0) ** weights_of(found.shape[1])).prod())


def diversity(found: Tensor) -> dict[str, float]:
    """1 - MS-SSIM of pairs by both rules. Shapes: found: (N, scales), as of `terms`."""
    return {"per_pair": 1 - per_pair(found), "batch": 1 - batch(found)}


def eight_bit(images: Tensor) -> Tensor:
    """Pictures in [-1, 1] as the file would hold them: float64 whole numbers from 0 to 255. Same shape."""
    return from_float(images).double()


def terms_of(pairs: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """`terms` of pairs that come in parts, each of pictures in [-1, 1]. Shapes: -> (N, scales)."""
    return torch.cat([terms(eight_bit(x), eight_bit(y)).cpu() for x, y in pairs])


def _maps(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Luminance, and contrast with structure, at every valid place: two maps (N, C, h, w)."""
    blur = _blur(x)
    mean_x, mean_y = blur(x), blur(y)
    variances = blur(x * x) - mean_x**2 + blur(y * y) - mean_y**2
    covariance = blur(x * y) - mean_x * mean_y
    small, smaller = (K2 * RANGE) ** 2, (K1 * RANGE) ** 2
    luminance = (2 * mean_x * mean_y + smaller) / (mean_x**2 + mean_y**2 + smaller)
    return luminance, (2 * covariance + small) / (variances + small)


def _blur(like: Tensor) -> Callable[[Tensor], Tensor]:
    """The Gaussian window at all valid places of pictures like these, as two products of matrices."""
    height, width = like.shape[2:]
    taps = min(WINDOW, height, width)
    down, across = (_filter(side, taps).to(like.device) for side in (height, width))
    return lambda maps: down @ maps @ across.T


@lru_cache(maxsize=16)
def _filter(side: int, taps: int) -> Tensor:
    """A Gaussian at every place where it fits: (side - taps + 1, side)."""
    at = torch.arange(taps, dtype=torch.float64) - (taps - 1) / 2
    window = torch.exp(-(at**2) / (2 * (SIGMA * taps / WINDOW) ** 2))
    rows = torch.zeros(side - taps + 1, side, dtype=torch.float64)
    for place in range(len(rows)):
        rows[place, place : place + taps] = window / window.sum()
    return rows
