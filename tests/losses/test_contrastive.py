"""The contrastive loss by hand."""

from __future__ import annotations

import math

import pytest
import torch

from imgen.losses.contrastive import nt_xent


def test_two_pairs_by_hand():
    """Partners are equal, the others at right angles: each row has e^(1/T) against two of e^0."""
    one = torch.tensor([[2.0, 0.0], [0.0, 3.0]])
    loss, nearest = nt_xent(one, one / 7, temperature=0.5)
    assert float(loss) == pytest.approx(-math.log(math.exp(2) / (math.exp(2) + 2)))
    assert float(nearest) == 1


def test_rows_that_are_all_alike_know_nothing():
    loss, _ = nt_xent(torch.ones(4, 3), torch.ones(4, 3), temperature=0.1)
    assert float(loss) == pytest.approx(math.log(7))


def test_partners_that_are_farthest():
    one = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    loss, nearest = nt_xent(one, -one, temperature=1.0)
    assert float(loss) == pytest.approx(-math.log(math.exp(-1) / (math.exp(-1) + math.exp(1) + math.exp(-1))))
    assert float(nearest) == 0


def test_a_loop_over_the_definition_says_the_same():
    one, other = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows = torch.cat([one, other])
    rows = rows / rows.norm(dim=1, keepdim=True)
    told = 0.0
    for i in range(10):
        partner = (i + 5) % 10
        others = sum(math.exp(float(rows[i] @ rows[j]) / 0.3) for j in range(10) if j != i)
        told -= math.log(math.exp(float(rows[i] @ rows[partner]) / 0.3) / others) / 10
    assert float(nt_xent(one, other, 0.3)[0]) == pytest.approx(told, rel=1e-5)


def test_the_gradient_flows_to_both():
    one, other = (torch.randn(3, 4, requires_grad=True) for _ in range(2))
    nt_xent(one, other, 0.1)[0].backward()
    assert one.grad.abs().sum() > 0 and other.grad.abs().sum() > 0
