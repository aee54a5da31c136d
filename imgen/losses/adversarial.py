"""Adversarial losses: what the discriminator minimises, and what the generator does.

All take raw scores of any shape and give a scalar, the mean over the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class AdversarialLoss:
    """A pair of losses: `d(real, fake)` for the discriminator, `g(fake)` for the generator."""

    d: Callable[[Tensor, Tensor], Tensor]
    g: Callable[[Tensor], Tensor]


def logistic() -> AdversarialLoss:
    """Cross-entropy, the generator's side non-saturating.

    Source: Goodfellow et al., Generative Adversarial Nets, 2014, section 3.
    """
    return AdversarialLoss(
        d=lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean(),
        g=lambda fake: F.softplus(-fake).mean(),
    )


def least_squares() -> AdversarialLoss:
    """Squared distance of the scores to 1 for real and 0 for fake.

    Source: Mao et al., Least Squares Generative Adversarial Networks, 2017, equation 9 without its factors of 1/2.
    """
    return AdversarialLoss(
        d=lambda real, fake: (real - 1).square().mean() + fake.square().mean(),
        g=lambda fake: (fake - 1).square().mean(),
    )


def wasserstein() -> AdversarialLoss:
    """Difference of mean scores; the critic must be kept Lipschitz by clipping or a penalty.

    Source: Arjovsky et al., Wasserstein GAN, 2017, algorithm 1.
    """
    return AdversarialLoss(d=lambda real, fake: fake.mean() - real.mean(), g=lambda fake: -fake.mean())


def hinge() -> AdversarialLoss:
    """Margins of 1 around zero for the discriminator.

    Source: Lim and Ye, Geometric GAN, 2017, section 3.
    """
    return AdversarialLoss(
        d=lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(), g=lambda fake: -fake.mean()
    )
