"""Optimizers that the trainer builds later, once the parameters are on their device."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

OptimizerFactory = Callable[[Sequence[nn.Parameter]], Optimizer]


def _uncompiled(kind: type[Optimizer]) -> Callable[..., Optimizer]:
    """The optimizer without its hooks for `torch.compile`, which import the whole compiler when they are first called.

    That takes as long as importing torch itself, and nothing here is compiled. Moves and state are the same.
    """
    methods: dict[str, Any] = {name: inspect.unwrap(getattr(kind, name)) for name in ("add_param_group", "zero_grad")}
    # What torch wraps a step in turns gradients off, too.
    methods["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), methods)


Adam = _uncompiled(torch.optim.Adam)
"""Torch's own, for what is trained outside of the trainer."""

_RMSprop = _uncompiled(torch.optim.RMSprop)


def adam(
    lr: float, betas: tuple[float, float] = (0.5, 0.999), eps: float = 1e-8, weight_decay: float = 0.0
) -> OptimizerFactory:
    """Adam in one fused kernel. `betas` default to the values of DCGAN, which nearly every GAN took over."""
    return lambda parameters: Adam(parameters, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=True)


def rmsprop(lr: float, alpha: float = 0.9, eps: float = 1e-10) -> OptimizerFactory:
    """RMSProp with TensorFlow's decay, the one that the LSGAN and WGAN codes ran with.

    Source: TensorFlow starts the mean square at 1 and adds eps inside the root; here it starts at 0 and eps stands
    outside, so the first few dozen steps are longer.
    """
    return lambda parameters: _RMSprop(parameters, lr=lr, alpha=alpha, eps=eps, foreach=True)
