"""What a discriminator can learn of attributes from pictures that nobody labelled."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from imgen import whole_batch
from imgen.data.labels import UNKNOWN

_NOISE = 0.05
_REACH = 1 / 8
_HOLE = 1 / 8


def masked_class_loss(logits: Sequence[Tensor], labels: Tensor) -> Tensor:
    """Cross-entropy of each attribute over the pictures whose value is known, (attributes,): 0 where none is.

    Shapes: logits: (B, values) each; labels: (B, attributes), UNKNOWN where nothing is known.
    Source: the authors' code: the sum over known ones, divided by their number or by 1.
    """
    known = (labels != UNKNOWN).sum(dim=0)
    sums = [
        F.cross_entropy(told.float(), labels[:, place], ignore_index=UNKNOWN, reduction="sum")
        for place, told in enumerate(logits)
    ]
    return whole_batch.ratio(torch.stack(sums), known)


def filled(labels: Tensor, logits: Sequence[Tensor]) -> list[Tensor]:
    """How likely each value is, (B, values) for each attribute: certain where it is known, else as the logits say."""
    shares = []
    for place, told in enumerate(logits):
        known = labels[:, place, None] != UNKNOWN
        certain = labels[:, place, None] == torch.arange(told.shape[1], device=labels.device)
        shares.append(torch.where(known, certain, told.float().softmax(dim=1)).detach())
    return shares


def of_values(scores: Tensor, logits: Sequence[Tensor], labels: Tensor) -> list[Tensor]:
    """Scores of pictures together with their value of each attribute in turn, (B, places) each.

    The value's logit is what it adds; where it is not known, the logits as far as they are believed.
    Source: Miyato and Koyama, cGANs with Projection Discriminator, 2018, equation 3.
    """
    shares = filled(labels, logits)
    return [scores + (share * told).sum(dim=1, keepdim=True) for share, told in zip(shares, logits, strict=True)]


def agreement(logits: Sequence[Tensor], disturbed: Sequence[Tensor]) -> Tensor:
    """How far what is told of pictures changes when they are disturbed: squared difference of probabilities.

    Source: the consistency of semi-supervised learning, as in SemiStarGAN, 2018.
    """
    apart = [
        (now.float().softmax(dim=1) - then.float().softmax(dim=1).detach()).square().mean()
        for then, now in zip(logits, disturbed, strict=True)
    ]
    return torch.stack(apart).mean()


def pseudo_labels(logits: Sequence[Tensor], labels: Tensor, threshold: float) -> Tensor:
    """Labels for what is not known, (B, attributes): the likeliest value where it is at least so likely, else UNKNOWN.

    What is known stays unknown here: it has a loss of its own.
    """
    columns = []
    for place, told in enumerate(logits):
        chance, value = told.float().softmax(dim=1).max(dim=1)
        sure = (labels[:, place] == UNKNOWN) & (chance >= threshold)
        columns.append(value.masked_fill(~sure, UNKNOWN))
    return torch.stack(columns, dim=1).detach()


def disturbed(images: Tensor) -> Tensor:
    """Pictures moved by up to an eighth, with noise, and with a square of grey somewhere: the same attributes."""
    n, _, height, width = images.shape
    device = images.device
    reach = max(1, round(min(height, width) * _REACH))
    rows, columns = (
        (torch.arange(side, device=device) + torch.randint(-reach, reach + 1, (n, 1), device=device)).clamp(0, side - 1)
        for side in (height, width)
    )
    item = torch.arange(n, device=device)[:, None, None]
    moved = images.movedim(1, 3)[item, rows[:, :, None], columns[:, None, :]].movedim(3, 1)
    hole = max(1, round(min(height, width) * _HOLE))
    inside = []
    for side in (height, width):
        start = torch.randint(0, side - hole + 1, (n, 1), device=device)
        place = torch.arange(side, device=device)
        inside.append((place >= start) & (place < start + hole))
    hidden = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    return (moved + _NOISE * torch.randn_like(moved)).masked_fill(hidden, 0)
