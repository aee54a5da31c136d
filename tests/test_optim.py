"""Optimizers, against moves worked out by hand."""

from __future__ import annotations

import pytest
import torch

from imgen.optim import adam, rmsprop


def moved(factory, gradients: list[float]) -> list[float]:
    """Where a weight that starts at 1 goes."""
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = factory([weight])
    places = []
    for gradient in gradients:
        weight.grad = torch.full((1,), gradient)
        optimizer.step()
        places.append(weight.item())
    return places


def test_adam_moves_as_the_paper_says():
    beta1, beta2, lr, m, v, place, wanted = 0.5, 0.999, 0.1, 0.0, 0.0, 1.0, []
    gradients = [2.0, -1.0, 0.5]
    for t, gradient in enumerate(gradients, 1):
        m, v = beta1 * m + (1 - beta1) * gradient, beta2 * v + (1 - beta2) * gradient**2
        place -= lr * (m / (1 - beta1**t)) / ((v / (1 - beta2**t)) ** 0.5 + 1e-8)
        wanted.append(place)
    assert moved(adam(lr), gradients) == pytest.approx(wanted, rel=1e-5)


def test_adam_takes_betas_and_decay():
    (group,) = adam(0.1, betas=(0.9, 0.99), eps=1e-6, weight_decay=0.2)(
        [torch.nn.Parameter(torch.ones(1))]
    ).param_groups
    assert (group["betas"], group["eps"], group["weight_decay"], group["fused"]) == ((0.9, 0.99), 1e-6, 0.2, True)


def test_rmsprop_moves_as_the_paper_says():
    mean, place, wanted = 0.0, 1.0, []
    gradients = [2.0, -1.0, 0.5]
    for gradient in gradients:
        mean = 0.9 * mean + 0.1 * gradient**2
        place -= 0.01 * gradient / (mean**0.5 + 1e-10)
        wanted.append(place)
    assert moved(rmsprop(0.01), gradients) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("factory", [adam(0.1), rmsprop(0.1)])
def test_the_state_of_every_optimizer_is_tensors(factory):
    """Else a checkpoint would lose it."""
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = factory([weight])
    weight.grad = torch.ones(3)
    optimizer.step()
    assert all(isinstance(value, torch.Tensor) for value in optimizer.state[weight].values())
