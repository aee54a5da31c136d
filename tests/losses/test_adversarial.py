"""Hand-computed values and gradients."""

from __future__ import annotations

import math

import pytest
import torch

from imgen.losses import adversarial

REAL, FAKE = torch.tensor([2.0, -1.0]), torch.tensor([0.5, -3.0])


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


VALUES = {
    "logistic": (
        (softplus(-2) + softplus(1)) / 2 + (softplus(0.5) + softplus(-3)) / 2,
        (softplus(-0.5) + softplus(3)) / 2,
    ),
    "least_squares": ((1 + 4) / 2 + (0.25 + 9) / 2, (0.25 + 16) / 2),
    "wasserstein": (-1.25 - 0.5, 1.25),
    "hinge": ((0 + 2) / 2 + (1.5 + 0) / 2, 1.25),
}


@pytest.mark.parametrize("name", VALUES)
def test_hand_computed(name):
    loss = getattr(adversarial, name)()
    d, g = VALUES[name]
    assert loss.d(REAL, FAKE).item() == pytest.approx(d, rel=1e-6)
    assert loss.g(FAKE).item() == pytest.approx(g, rel=1e-6)
    assert loss.d(REAL[:, None], FAKE[:, None]).shape == (), "scores of any shape"


@pytest.mark.parametrize("name", VALUES)
def test_gradients(name):
    loss = getattr(adversarial, name)()
    real, fake = REAL.double().requires_grad_(), FAKE.double().requires_grad_()
    assert torch.autograd.gradcheck(loss.d, (real, fake))
    assert torch.autograd.gradcheck(loss.g, (fake,))


@pytest.mark.parametrize("name", VALUES)
def test_the_discriminator_gains_by_telling_apart_and_the_generator_by_fooling(name):
    loss = getattr(adversarial, name)()
    real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
    by_real, by_fake = torch.autograd.grad(loss.d(real, fake), (real, fake))
    assert by_real.sum() < 0 or name == "least_squares"
    (by_fooling,) = torch.autograd.grad(loss.g(fake), fake)
    assert (by_fooling < 0).all()
    assert by_fake[0] > 0


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("score", [1e4, -1e4])
def test_extreme_scores_stay_finite(name, score):
    loss = getattr(adversarial, name)()
    scores = torch.full((2,), score, requires_grad=True)
    for value in (loss.d(scores, scores), loss.g(scores)):
        assert value.isfinite() and torch.autograd.grad(value, scores)[0].isfinite().all()


def test_every_loss_is_registered_under_its_name(plugins):
    for name in VALUES:
        assert isinstance(plugins.build("losses", name.replace("_", "-")), adversarial.AdversarialLoss)
