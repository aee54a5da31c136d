"""Losses that bring what belongs together nearer than all else of a batch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from imgen.nn.precision import full_precision


def nt_xent(one: Tensor, other: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """The normalised and temperature-scaled cross-entropy of pairs, and the share of rows whose partner is nearest.

    Each of the 2 B rows picks its partner from the 2 B - 1 others by cosine; the loss is the mean over both directions.

    Shapes: `one`, `other`: (B, D), rows of one place belonging together.
    Source: Chen, Kornblith, Norouzi, Hinton, "A simple framework for contrastive learning of visual representations",
    2020, equation 1.
    """
    with full_precision(one):
        rows = normalize(torch.cat([one, other]).float(), dim=1)
        logits = rows @ rows.T / temperature
    itself = torch.eye(len(rows), dtype=torch.bool, device=rows.device)
    logits = logits.masked_fill(itself, -torch.inf)
    partner = torch.arange(len(rows), device=rows.device).roll(len(one))
    return cross_entropy(logits, partner), (logits.argmax(dim=1) == partner).float().mean()
