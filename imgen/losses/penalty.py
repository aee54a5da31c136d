"""Penalties on a discriminator's gradient with respect to what it sees."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from imgen.nn.precision import full_precision

Score = Callable[[Tensor], Tensor]


def gradient_penalty(score: Score, real: Tensor, fake: Tensor) -> Tensor:
    """How far the gradient's norm is from 1, squared, at points between real and fake.

    Shapes: `real`, `fake`: (B, ...), an item being a picture or a whole tuple of them: one norm and one mixing
    factor for each item. `score` gives (B,) or (B, 1).
    Source: Gulrajani et al., Improved Training of Wasserstein GANs, 2017, equation 3.
    """
    mix = torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device, dtype=real.dtype)
    between = torch.lerp(real, fake.detach().to(real.dtype), mix).requires_grad_()
    return (_gradient(score, between).norm(dim=1) - 1).square().mean()


def r1(score: Score, real: Tensor) -> Tensor:
    """The squared norm of the gradient at the real items; weigh it by gamma / 2.

    Shapes: as in `gradient_penalty`.
    Source: Mescheder et al., Which Training Methods for GANs do actually Converge?, 2018, equation 9.
    """
    return _gradient(score, real.detach().requires_grad_()).square().sum(dim=1).mean()


def _gradient(score: Score, items: Tensor) -> Tensor:
    """Gradient of the summed scores, flattened for each item, (B, ...) -> (B, D), in float32 or better."""
    with full_precision(items):
        (gradient,) = torch.autograd.grad(score(items).sum(), items, create_graph=True)
    return gradient.flatten(1).to(torch.promote_types(gradient.dtype, torch.float32))
