"""Instance normalisation is torch's, gradients of gradients included."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from imgen.nn.instance_norm import InstanceNorm2d

ORDERS = [torch.contiguous_format, torch.channels_last]


@pytest.fixture
def both():
    """Ours and torch's, with the same weights that are not those of the beginning."""
    ours, torchs = InstanceNorm2d(4).double(), nn.InstanceNorm2d(4, affine=True).double()
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.copy_(torch.tensor([0.5, -1.5, 2.0, 1.0]))
    torchs.load_state_dict(ours.state_dict())
    return ours, torchs


@pytest.mark.parametrize("order", ORDERS)
def test_it_is_torchs(both, order):
    torch.manual_seed(0)
    images = torch.randn(3, 4, 5, 6, dtype=torch.float64).to(memory_format=order).requires_grad_()
    told = []
    for norm in both:
        made = norm(images)
        (first,) = torch.autograd.grad(made.pow(3).sum(), images, create_graph=True)
        told.append(
            (made, first, *torch.autograd.grad(first.square().sum(), [images, *norm.parameters()], allow_unused=True))
        )
    ours, torchs = told
    assert ours[0].is_contiguous(memory_format=order), "the order of memory is kept"
    for one, other in zip(ours, torchs, strict=True):
        assert (one is None) == (other is None)
        assert one is None or torch.allclose(one, other, rtol=1e-9, atol=1e-9)


def test_what_torchs_takes_and_refuses_besides(both):
    ours, torchs = both
    alone = torch.randn(4, 5, 6, dtype=torch.float64)
    assert torch.allclose(ours(alone), torchs(alone))
    for norm in both:
        with pytest.raises(ValueError, match="more than 1 spatial element"):
            norm(torch.ones(2, 4, 1, 1, dtype=torch.float64))
