"""Twice the size and a convolution, in one."""

from __future__ import annotations

import torch
from torch.nn.functional import conv2d, interpolate

from imgen.nn.doubling import DoublingConv2d


def test_it_is_nearest_neighbours_and_then_a_convolution_borders_and_gradients_included():
    torch.manual_seed(0)
    layer = DoublingConv2d(3, 5).double()
    small = torch.randn(2, 3, 6, 7, dtype=torch.float64, requires_grad=True)
    in_one = layer(small)
    after = conv2d(interpolate(small, scale_factor=2), layer.weight, layer.bias, padding=1)
    assert in_one.shape == (2, 5, 12, 14)
    assert torch.allclose(in_one, after, rtol=1e-12, atol=1e-12)
    asked = [small, layer.weight, layer.bias]
    for one, other in zip(*(torch.autograd.grad(made.pow(3).sum(), asked) for made in (in_one, after)), strict=True):
        assert one.abs().max() > 0.1
        assert torch.allclose(one, other, rtol=1e-10, atol=1e-10)


def test_without_a_bias():
    layer = DoublingConv2d(2, 2, bias=False)
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
    assert not layer(torch.zeros(1, 2, 2, 2)).any()
