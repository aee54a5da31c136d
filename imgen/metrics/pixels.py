"""How alike pictures are, by their pixels alone: pure functions, no network."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d

MOST_PSNR = 100.0
"""What equal pictures get [dB]; without an end their mean would be infinite."""
SSIM_SIDE = 11
"""Sides from which SSIM has an answer: those of its window [pixels]."""
SCALES = 3
"""Pictures are halved so often, and compared each time: noise and shifts of a pixel are no diversity."""


def unit(images: Tensor) -> Tensor:
    """[-1, 1] to [0, 1]."""
    return (images + 1) / 2


def l1(x: Tensor, y: Tensor) -> Tensor:
    """Mean absolute difference of each pair, in the unit of the pixels. Shapes: x, y: (N, C, H, W) -> (N,)."""
    return (x - y).abs().flatten(1).double().mean(dim=1)


def mse(x: Tensor, y: Tensor) -> Tensor:
    """Mean squared difference of each pair. Shapes: x, y: (N, C, H, W) -> (N,)."""
    return (x - y).flatten(1).double().square().mean(dim=1)


def psnr(x: Tensor, y: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each pair of pictures in [0, 1], at most 100 [dB].

    Shapes: x, y: (N, C, H, W) -> (N,).
    """
    return (-10 * mse(x, y).log10()).clamp_max(MOST_PSNR)


def ssim(x: Tensor, y: Tensor) -> Tensor:
    """Structural similarity of each pair of pictures in [0, 1]: 1 for equal ones.

    A Gaussian window of 11 pixels, sigma 1.5, only where it lies within the picture; K1 = 0.01, K2 = 0.03; variances
    weighted by the window, without a correction for its size; the mean over places and channels.

    Shapes: x, y: (N, C, H, W), H and W from 11 -> (N,).
    Source: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment", 2004, equation 13.
    """
    channels = x.shape[1]
    ramp = torch.arange(SSIM_SIDE, dtype=torch.float64) - SSIM_SIDE // 2
    bell = torch.exp(-ramp.square() / (2 * 1.5**2))
    bell = (bell / bell.sum()).to(x.device).expand(channels, 1, -1)

    def blur(images: Tensor) -> Tensor:
        return conv2d(conv2d(images, bell[:, :, :, None], groups=channels), bell[:, :, None, :], groups=channels)

    x, y = x.double(), y.double()
    mean_x, mean_y = blur(x), blur(y)
    variances = blur(x * x) - mean_x**2 + blur(y * y) - mean_y**2
    covariance = blur(x * y) - mean_x * mean_y
    small, smaller = 0.03**2, 0.01**2
    alike = (2 * mean_x * mean_y + smaller) * (2 * covariance + small)
    return (alike / ((mean_x**2 + mean_y**2 + smaller) * (variances + small))).flatten(1).mean(dim=1)


def scales(images: Tensor) -> list[Tensor]:
    """Pictures at 1/2, 1/4 and 1/8 of their size, those that have a pixel: rows whose distance is the RMS difference.

    Shapes: images: (N, C, H, W) -> float64 (N, D) each.
    """
    reduced = [images.float()]
    # Blocks of 2x2 means of 2x2 are those of 4x4: each scale costs a quarter of the one before.
    while len(reduced) <= SCALES and min(reduced[-1].shape[2:]) > 1:
        reduced.append(avg_pool2d(reduced[-1], 2))
    # In double, as distances between many rows come from inner products, which lose what is nearly equal.
    rows = [each.flatten(1).double() for each in reduced[1:] or reduced]
    return [each / math.sqrt(each.shape[1]) for each in rows]


def distance(x: Tensor, y: Tensor) -> Tensor:
    """The mean over `scales` of the RMS difference of each pair. Shapes: x, y: (N, C, H, W) -> (N,)."""
    apart = [(a - b).norm(dim=1) for a, b in zip(scales(x), scales(y), strict=True)]
    return torch.stack(apart).mean(dim=0)


def distances(x: Tensor, y: Tensor) -> Tensor:
    """`distance` of every picture from every other. Shapes: x: (N, C, H, W), y: (M, C, H, W) -> (N, M)."""
    apart = [torch.cdist(a, b) for a, b in zip(scales(x), scales(y), strict=True)]
    return torch.stack(apart).mean(dim=0)


def diversity(images: Tensor) -> float:
    """The mean `distance` over all pairs of two pictures. Shapes: images: (N, C, H, W), N from 2."""
    n = len(images)
    apart = distances(images, images)
    # The diagonal is 0 but for rounding, which would show where a model has collapsed.
    return float(apart.triu(1).sum()) / (n * (n - 1) / 2)


def correlation(x: Tensor, y: Tensor) -> float:
    """Pearson's r over the rows in which neither is NaN; 0 where these are fewer than 3, or one of them is constant.

    Shapes: x, y: (N,).
    """
    both = ~(x.isnan() | y.isnan())
    x, y = x[both].double(), y[both].double()
    if len(x) < 3 or (x == x[0]).all() or (y == y[0]).all():
        return 0.0
    x, y = x - x.mean(), y - y.mean()
    return float((x @ y / (x.norm() * y.norm())).clamp(-1, 1).nan_to_num(0))
