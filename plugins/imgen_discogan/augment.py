"""Random changes of pictures, drawn on their device."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

REACH = 1 / 8


def jitter(images: Tensor) -> Tensor:
    """Pictures in [0, 1] with other brightness, saturation and contrast, and moved; gradients pass through.

    Source: Zhao et al., Differentiable Augmentation for Data-Efficient GAN Training, 2020: its policies `color` and
    `translation`, with their ranges: brightness by 0.25 of [0, 1] either way, saturation 0 to 2, contrast 0.5 to 1.5,
    and an eighth of the picture either way, black coming in.
    """

    def drawn(low: float, high: float) -> Tensor:
        return torch.rand(len(images), 1, 1, 1, device=images.device) * (high - low) + low

    images = images + drawn(-0.25, 0.25)
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * drawn(0, 2)
    middle = images.mean((1, 2, 3), keepdim=True)
    return _moved(middle + (images - middle) * drawn(0.5, 1.5))


def _moved(images: Tensor) -> Tensor:
    """Each picture moved by whole pixels."""
    n, _, height, width = images.shape
    down, right = (round(side * REACH) for side in (height, width))
    shares = torch.rand(2, n, 1, device=images.device) * 2 - 1
    rows, columns = (
        torch.arange(side, device=images.device) + (share * reach).round().long() + reach
        for side, share, reach in zip((height, width), shares, (down, right), strict=True)
    )
    padded = F.pad(images, (right, right, down, down)).movedim(1, 3)
    item = torch.arange(n, device=images.device)[:, None, None]
    return padded[item, rows[:, :, None], columns[:, None, :]].movedim(3, 1)
