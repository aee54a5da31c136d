"""Random changes of pictures, drawn on their device."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample


def mirrored(images: Tensor) -> Tensor:
    """Half of the pictures, chosen by chance, with left and right exchanged. Shapes: images: (B, C, H, W)."""
    chosen = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
    return torch.where(chosen, images.flip(3), images)


def cropped(images: Tensor, least: float) -> Tensor:
    """A part of each picture, at its full size: sides of `least` to all of the picture's own, in a place by chance.

    Resampled by bilinear interpolation. Shapes: images: (B, C, H, W).
    """
    share, across, down = torch.rand(3, len(images), device=images.device).unbind()
    share = least + (1 - least) * share
    left, zero = 1 - share, torch.zeros_like(share)
    rows = [share, zero, (2 * across - 1) * left, zero, share, (2 * down - 1) * left]
    grid = affine_grid(torch.stack(rows, dim=1).view(-1, 2, 3), list(images.shape), align_corners=False)
    return grid_sample(images, grid.to(images.dtype), mode="bilinear", padding_mode="border", align_corners=False)


def relit(images: Tensor, most: float) -> Tensor:
    """Each picture with another contrast and brightness: values times 1 - most to 1 + most, plus -most to most.

    Shapes: images: (B, C, H, W) in [-1, 1]; what leaves that interval is clipped.
    """
    contrast, brightness = (2 * torch.rand(2, len(images), 1, 1, 1, device=images.device) - 1).unbind()
    return (images * (1 + most * contrast) + most * brightness).clamp(-1, 1)
