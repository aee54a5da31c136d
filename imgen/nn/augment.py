"""Random changes of pictures, drawn on their device."""

from __future__ import annotations

import torch
from torch import Tensor


def mirrored(images: Tensor) -> Tensor:
    """Half of the pictures, chosen by chance, with left and right exchanged. Shapes: images: (B, C, H, W)."""
    chosen = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
    return torch.where(chosen, images.flip(3), images)
