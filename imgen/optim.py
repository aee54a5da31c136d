"""Optimizers that the trainer builds later, once the parameters are on their device."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.optim import Optimizer

OptimizerFactory = Callable[[Sequence[nn.Parameter]], Optimizer]


def adam(
    lr: float, betas: tuple[float, float] = (0.5, 0.999), eps: float = 1e-8, weight_decay: float = 0.0
) -> OptimizerFactory:
    """Adam in one fused kernel. `betas` default to the values of DCGAN, which nearly every GAN took over."""
    return lambda parameters: torch.optim.Adam(
        parameters, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=True
    )


def rmsprop(lr: float, alpha: float = 0.9, eps: float = 1e-10) -> OptimizerFactory:
    """RMSProp with TensorFlow's decay, the one that the LSGAN and WGAN codes ran with.

    Source: TensorFlow starts the mean square at 1 and adds eps inside the root; here it starts at 0 and eps stands
    outside, so the first few dozen steps are longer.
    """
    return lambda parameters: torch.optim.RMSprop(parameters, lr=lr, alpha=alpha, eps=eps, foreach=True)
