"""Spectral norm: one power iteration a pass, one kept a step, gradients through it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from imgen_infogan_cr.spectral import SpectralConv2d, SpectralLinear, iterate, largest_singular_value


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_an_iteration_by_hand():
    # diag(3, 1) and u = (1, 1): v = (3, 1) / sqrt(10), W v = (9, 1) / sqrt(10), of norm sqrt(8.2).
    value, u = largest_singular_value(torch.diag(torch.tensor([3.0, 1.0])), torch.ones(2))
    assert float(value) == pytest.approx(8.2**0.5, abs=1e-6)
    assert u.tolist() == pytest.approx([9 / 82**0.5, 1 / 82**0.5], abs=1e-6)


@pytest.mark.parametrize("layer", [SpectralLinear(7, 5), SpectralConv2d(3, 5, 4, 2, 1)])
def test_after_many_iterations_the_norm_is_one(layer):
    with torch.no_grad():
        for _ in range(200):
            iterate(layer)
    matrix = layer.weight.detach().flatten(1)
    value, _ = largest_singular_value(layer.weight.detach(), layer.u)
    assert float(value) == pytest.approx(float(torch.linalg.matrix_norm(matrix, 2)), rel=1e-4)


def test_passes_do_not_move_the_stored_vector_but_start_from_it():
    layer = SpectralLinear(6, 4)
    kept, x = layer.u.clone(), torch.randn(3, 6)
    for _ in range(3):
        layer(x)
    assert torch.equal(layer.u, kept)
    trained = layer(x)
    assert torch.equal(layer.eval()(x), trained), "evaluation also goes one iteration on"
    sigma, u = largest_singular_value(layer.weight, kept)
    assert torch.allclose(trained, x @ layer.weight.T / sigma + layer.bias)
    with torch.no_grad():
        iterate(layer)
    assert torch.equal(layer.u, u) and not torch.allclose(layer(x), trained)


def test_a_head_of_one_unit_has_length_one_at_once():
    layer = SpectralLinear(9, 1)
    nn.init.zeros_(layer.bias)
    direction = layer.weight.detach()[0] / layer.weight.detach()[0].norm()
    assert layer(direction).item() == pytest.approx(1, abs=1e-6)


def test_the_bias_is_not_normalised():
    layer = SpectralConv2d(1, 2, 4, 2, 1)
    nn.init.constant_(layer.bias, 3.0)
    assert layer(torch.zeros(1, 1, 4, 4)).unique().tolist() == [3.0]


def test_gradients_flow_through_the_iteration():
    """They are those of finite differences of the whole expression, and not those with the vectors held fixed."""
    weight, u = torch.randn(4, 6, dtype=torch.float64, requires_grad=True), torch.randn(4, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda w: largest_singular_value(w, u)[0], (weight,))
    (through,) = torch.autograd.grad(largest_singular_value(weight, u)[0], weight)
    with torch.no_grad():
        v = torch.nn.functional.normalize(weight.mT @ u, dim=0)
        left = torch.nn.functional.normalize(weight @ v, dim=0)
    (detached,) = torch.autograd.grad(left @ weight @ v, weight)
    assert not torch.allclose(through, detached, rtol=1e-3)


def test_first_vectors_are_cut_normals():
    u = SpectralLinear(2, 5000).u
    assert u.abs().max() <= 2 and float(u.std()) == pytest.approx(0.88, abs=0.03)
    assert "u" in SpectralLinear(2, 3).state_dict(), "a resumed run goes on from it"
