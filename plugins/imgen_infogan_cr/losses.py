"""Losses of the paper that the core has not: of codes, and of probabilities kept away from 0."""

from __future__ import annotations

import torch
from torch import Tensor

from imgen.losses.adversarial import AdversarialLoss

_LEAST = 1e-8


def clipped_logistic() -> AdversarialLoss:
    """Cross-entropy of probabilities to which 1e-8 is added, as the authors write it.

    The same as `logistic` in practice: with spectral norm scores stay small.
    """

    def surprise(score: Tensor) -> Tensor:
        return -(torch.sigmoid(score.float()) + _LEAST).log().mean()

    return AdversarialLoss(d=lambda real, fake: surprise(real) + surprise(-fake), g=surprise)


def accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Share of the items whose largest logit is their label's: (B, K), (B,) -> ()."""
    return (logits.argmax(dim=1) == labels).float().mean()
