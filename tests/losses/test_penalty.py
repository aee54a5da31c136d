"""Penalties on gradients, against linear and quadratic critics whose gradients are known."""

from __future__ import annotations

import pytest
import torch

from imgen.losses.penalty import gradient_penalty, r1


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def items(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


@pytest.mark.parametrize("column", [False, True])
def test_of_a_linear_critic_it_is_the_norm_of_its_weights(column):
    weight = torch.full((2, 3), 0.5, dtype=torch.float64)

    def score(x):
        value = (x * weight).flatten(1).sum(1)
        return value[:, None] if column else value

    norm = weight.norm().item()
    assert gradient_penalty(score, items(4, 2, 3), items(4, 2, 3)).item() == pytest.approx((norm - 1) ** 2)
    assert r1(score, items(4, 2, 3)).item() == pytest.approx(norm**2)


def test_one_norm_for_each_item_whatever_its_shape():
    """A tuple of pictures is one item: two pictures of gradient norm 0.6 and 0.8 make one of norm 1."""
    scales = torch.tensor([0.6, 0.8], dtype=torch.float64).view(1, 2, 1)

    def score(x):
        return (x[:, :, :1] * scales).sum((1, 2))

    assert gradient_penalty(score, items(5, 2, 3), items(5, 2, 3)).item() == pytest.approx(0, abs=1e-12)


def test_between_real_and_fake_by_one_factor_an_item():
    seen = []

    def score(x):
        seen.append(x.detach())
        return x.flatten(1).sum(1)

    real, fake = torch.zeros(64, 2, 3, dtype=torch.float64), torch.ones(64, 2, 3, dtype=torch.float64)
    gradient_penalty(score, real, fake)
    (x,) = seen
    assert (x == x[:, :1, :1]).all(), "one factor for the whole item"
    assert x[:, 0, 0].min() >= 0 and x[:, 0, 0].max() <= 1
    assert x[:, 0, 0].std() > 0.2, "another for each"


def test_of_a_quadratic_critic():
    real = items(6, 4)
    assert r1(lambda x: x.square().sum(1), real).item() == pytest.approx((2 * real).square().sum(1).mean().item())


@pytest.mark.parametrize("penalty", ["wgan-gp", "r1"])
def test_the_critic_gets_the_right_second_gradient(penalty):
    real, fake = items(3, 2), items(3, 2)
    weight = items(2, 2).requires_grad_()

    def cost(weight):
        torch.manual_seed(1)

        def score(x):
            return (x @ weight).tanh().sum(1)

        return r1(score, real) if penalty == "r1" else gradient_penalty(score, real, fake)

    assert torch.autograd.gradcheck(cost, (weight,))


def test_the_generator_gets_none():
    fake = items(3, 2).requires_grad_()
    weight = items(2).requires_grad_()
    cost = gradient_penalty(lambda x: (x @ weight).square(), items(3, 2), fake)
    assert torch.autograd.grad(cost, fake, allow_unused=True) == (None,)


def test_fakes_may_come_in_half_precision():
    real, fake = torch.randn(3, 2), torch.randn(3, 2, dtype=torch.bfloat16)
    assert gradient_penalty(lambda x: x.sum(1), real, fake).item() == pytest.approx((2**0.5 - 1) ** 2, rel=1e-5)


def test_in_full_precision_under_autocast():
    weight = torch.full((4,), 1 / 3, requires_grad=True)
    kinds = []

    def score(x):
        value = x @ weight
        kinds.append(value.dtype)
        return value

    with torch.autocast("cpu", torch.bfloat16):
        assert r1(score, torch.randn(3, 4)).item() == pytest.approx(4 / 9, rel=1e-6)
    assert kinds == [torch.float32]
