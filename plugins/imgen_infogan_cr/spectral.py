"""Layers whose weights are divided by their largest singular value, as the authors do it.

It differs from `torch.nn.utils.parametrizations.spectral_norm` in three ways: the stored vector is moved once a step
and not at every forward pass; each pass still goes one power iteration on from it, in evaluation, too; and gradients
flow through that iteration.

Source: Miyato et al., Spectral Normalization for Generative Adversarial Networks, 2018; the authors' code.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgen.nn.precision import full_precision

_LEAST = 1e-12


def _unit(vector: Tensor) -> Tensor:
    return vector / (vector.norm() + _LEAST)


def largest_singular_value(weight: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """An estimate by one power iteration, and where that came to.

    Shapes: weight: (out, ...), taken as a matrix (out, in); u: (out,) -> (), (out,).
    """
    with full_precision(weight):
        matrix = weight.flatten(1)
        v = _unit(matrix.mT @ u)
        image = matrix @ v
        u = _unit(image)
        return u @ image, u


class SpectralLinear(nn.Linear):
    """A dense layer of spectral norm one."""

    u: Tensor

    def __init__(self, d_in: int, d_out: int) -> None:
        super().__init__(d_in, d_out)
        self.register_buffer("u", nn.init.trunc_normal_(torch.empty(d_out)))

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight / largest_singular_value(self.weight, self.u)[0], self.bias)


class SpectralConv2d(nn.Conv2d):
    """A convolution whose kernel, seen as a matrix, has spectral norm one."""

    u: Tensor

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int, padding: int = 0) -> None:
        super().__init__(c_in, c_out, kernel, stride, padding)
        self.register_buffer("u", nn.init.trunc_normal_(torch.empty(c_out)))

    def forward(self, input: Tensor) -> Tensor:
        weight = self.weight / largest_singular_value(self.weight, self.u)[0]
        return F.conv2d(input, weight, self.bias, self.stride, self.padding)


def iterate(network: nn.Module) -> None:
    """Move the stored vector of every such layer on by one power iteration; once a step, after all have moved."""
    for layer in network.modules():
        if isinstance(layer, SpectralLinear | SpectralConv2d):
            layer.u.copy_(largest_singular_value(layer.weight, layer.u)[1])
