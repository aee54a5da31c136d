"""Batch norm with the statistics of the whole batch, where several processes have a share of it each.

`torch.nn.SyncBatchNorm` knows neither CPUs nor gradients of gradients, and replaces layers by its own kind.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode

from imgen import dist


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """As `torch.nn.functional.batch_norm`, which it is where a process is alone or does not train.

    Shapes: input: (B, C, ...), as many items in every process.
    """
    if not training or dist.parts() == 1:
        return F.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
    with torch.no_grad():
        mean, variance = _statistics(input)
        if running_mean is not None and running_var is not None:
            items = _items(input)
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            running_var.lerp_((variance * (items / (items - 1))).to(running_var.dtype), momentum)
    return _Normalised.apply(input, weight, bias, mean, variance, eps)


def norms_of_whole_batch(network: nn.Module) -> None:
    """Let every batch norm within a network, of whatever kind, have the statistics of the whole batch while it trains.

    In place: layers, parameters and buffers are the same objects under the same names.
    """
    for layer in network.modules():
        kind: Any = type(layer)
        if issubclass(kind, _BatchNorm) and not issubclass(kind, nn.SyncBatchNorm | _Shared):
            layer.__class__ = _shared(kind)


class _Shared:
    """Marks layers that are seen to already."""


@cache
def _shared(kind: Any) -> Any:
    """A kind of layer whose batch norm, however its code calls it, is of the whole batch."""

    def forward(self: _BatchNorm, *args: Any, **settings: Any) -> Tensor:
        if dist.parts() == 1:
            return kind.forward(self, *args, **settings)
        with _OfWholeBatch():
            return kind.forward(self, *args, **settings)

    return type(kind.__name__, (kind, _Shared), {"forward": forward, "__module__": kind.__module__})


class _OfWholeBatch(TorchFunctionMode):
    """Turns torch's batch norm into ours."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return (batch_norm if func is F.batch_norm else func)(*args, **(kwargs or {}))


class _Normalised(torch.autograd.Function):
    """Items minus their mean, divided by their deviation, with gain and bias.

    Source: the gradient is that of Ioffe and Szegedy, Batch Normalization, 2015, section 3, with both of its means over
    the batch taken over all processes, in one message.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        mean: Tensor,
        variance: Tensor,
        eps: float,
    ) -> Tensor:
        ctx.save_for_backward(x, weight, mean, variance)
        ctx.eps, ctx.bias = eps, None if bias is None else bias.dtype
        return F.batch_norm(x, mean, variance, weight, bias, training=False, eps=eps)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, variance = ctx.saved_tensors
        if torch.is_grad_enabled():
            # A gradient of this gradient: it also passes through the statistics.
            mean, variance = _statistics(x)
        wide, over = mean.dtype, _places(x)
        grad = grads[0].to(wide)
        scale = (variance + ctx.eps).rsqrt()
        normal = (x.to(wide) - _column(mean, x)) * _column(scale, x)
        of_weight, of_bias = (grad * normal).sum(over), grad.sum(over)
        of_x = None
        if ctx.needs_input_grad[0]:
            along, mean_grad = dist.total(torch.stack([of_weight, of_bias])) / _items(x)
            slope = scale if weight is None else scale * weight
            of_x = (grad - _column(mean_grad, x) - normal * _column(along, x)) * _column(slope, x)
            of_x = of_x.to(x.dtype)
        return (
            of_x,
            None if weight is None else of_weight.to(weight.dtype),
            None if ctx.bias is None else of_bias.to(ctx.bias),
            None,
            None,
            None,
        )


def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel over the whole batch, in float32 or better."""
    variance, mean = torch.var_mean(x.to(torch.promote_types(x.dtype, torch.float32)), _places(x), correction=0)
    # Not by the mean of squares, which leaves nothing of a variance that is small beside the mean.
    means, variances = dist.stacked(torch.stack([mean, variance])).unbind(1)
    mean = means.mean(0)
    return mean, variances.mean(0) + (means - mean).square().mean(0)


def _places(x: Tensor) -> list[int]:
    """All dimensions but the channels'."""
    return [place for place in range(x.dim()) if place != 1]


def _items(x: Tensor) -> int:
    """How many values a channel has in the whole batch."""
    return dist.parts() * x.numel() // x.shape[1]


def _column(of_channels: Tensor, x: Tensor) -> Tensor:
    return of_channels.view(1, -1, *[1] * (x.dim() - 2))
