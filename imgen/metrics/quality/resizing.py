"""Pictures at the size of a feature network: each way of resizing is a protocol, whose figures differ."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

Size = tuple[int, int]


def clean(images: Tensor, size: Size) -> Tensor:
    """Bicubic with antialiasing, each channel by itself in floating point, clipped to [0, 255] and never rounded.

    Source: Parmar, Zhang, Zhu, "On aliased resizing and surprising subtleties in GAN evaluation", 2022, section 3.
    """
    channels = images.flatten(0, 1).float().cpu().numpy()

    def one(channel: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Tensor:
        resized = Image.fromarray(channel).resize((size[1], size[0]), Image.Resampling.BICUBIC)
        return torch.from_numpy(np.array(resized, np.float32))

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        resized = torch.stack(list(pool.map(one, channels)))
    return resized.unflatten(0, images.shape[:2]).clamp_(0, 255)


def bilinear(images: Tensor, size: Size) -> Tensor:
    """Bilinear between the middles of pixels, without antialiasing: shrunk pictures alias."""
    return interpolate(images.float(), size=size, mode="bilinear", align_corners=False)


def tensorflow(images: Tensor, size: Size) -> Tensor:
    """Bilinear between the corners of pixels, without antialiasing, as TensorFlow 1 did it.

    This is what the reference network of the Fréchet distance has inside: place i of n is at i * (old / n), and the
    last pixels are repeated.
    """
    rows, columns = (_weights(old, new) for old, new in zip(images.shape[2:], size, strict=True))
    x = images.float()
    return rows.to(x.device) @ x @ columns.to(x.device).T


RESIZINGS: dict[str, Callable[[Tensor, Size], Tensor]] = {
    "clean": clean,
    "bilinear": bilinear,
    "tensorflow": tensorflow,
}
"""By name, pictures uint8 (N, C, H, W) to float32 (N, C, *size) in [0, 255]."""


def resized(images: Tensor, size: Size, resizing: str) -> Tensor:
    """Pictures uint8 (N, C, H, W) to float32 (N, C, *size) in [0, 255]; those of that size are left as they are."""
    return images.float() if tuple(images.shape[2:]) == size else RESIZINGS[resizing](images, size)


def _weights(old: int, new: int) -> Tensor:
    """How much of each old place every new one takes, (new, old)."""
    at = torch.arange(new, dtype=torch.float32) * (old / new)
    low = at.floor().long().clamp_max(old - 1)
    share = at - low
    weights = torch.zeros(new, old)
    rows = torch.arange(new)
    weights[rows, low] += 1 - share
    weights[rows, (low + 1).clamp_max(old - 1)] += share
    return weights
