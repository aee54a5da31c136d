"""Losses that bring what belongs together nearer than all else of a batch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from imgen import whole_batch
from imgen.nn.precision import full_precision


def nt_xent(one: Tensor, other: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """The normalised and temperature-scaled cross-entropy of pairs, and the share of rows whose partner is nearest.

    Each of the 2 B rows picks its partner from the 2 B - 1 others by cosine; the loss is the mean over both directions.
    Where several processes have a share of the batch each, their rows pick from those of all.

    Shapes: `one`, `other`: (B, D), rows of one place belonging together.
    Source: Chen, Kornblith, Norouzi, Hinton, "A simple framework for contrastive learning of visual representations",
    2020, equation 1.
    """
    with full_precision(one):
        rows = normalize(torch.cat([one, other]).float(), dim=1)
        # All first ones of the whole batch, then all others.
        every = whole_batch.rows(rows.unflatten(0, (2, -1)).transpose(0, 1)).transpose(0, 1).flatten(0, 1)
        logits = rows @ every.T / temperature
    places = torch.arange(len(every), device=rows.device)
    mine = whole_batch.share(places.view(2, -1).T).T.flatten()
    logits = logits.masked_fill(mine[:, None] == places, -torch.inf)
    partner = places.roll(len(every) // 2)[mine]
    return cross_entropy(logits, partner), (logits.argmax(dim=1) == partner).float().mean()
