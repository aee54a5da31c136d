"""The edits of a batch, and the terms of the game that are made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F

from imgen import whole_batch
from imgen_sggan.networks import Generator


@dataclass(frozen=True)
class Edits:
    """Edits of the pictures of a batch.

    made: for each attribute, edits to all of its values, (b, values, C, H, W); parts: which of the pictures they are
    of.
    """

    made: list[Tensor]
    parts: list[slice]

    @classmethod
    def of(cls, images: Tensor, generator: Generator, *, shared: bool) -> Edits:
        """Every picture in every attribute; shared: each in one of them, so that none goes without a picture."""
        features, count = generator.trunk(images), len(generator.heads)
        parts = [slice(0, len(images))] * count
        if shared:
            starts = [place * len(images) // count for place in range(count + 1)]
            parts = [slice(start, max(end, start + 1)) for start, end in pairwise(starts)]
        made = [generator.edits(images[part], place, features[part]) for place, part in enumerate(parts)]
        return cls(made, parts)

    def flat(self) -> Tensor:
        """All of them, one after another: (edits, C, H, W)."""
        return torch.cat([each.flatten(0, 1) for each in self.made])

    def by_attribute(self, told: Tensor) -> list[Tensor]:
        """What is told of `flat`, (edits, ...), parted by the attribute that was edited: (b, values, ...) each."""
        parted = told.split([len(each) * each.shape[1] for each in self.made])
        return [some.unflatten(0, each.shape[:2]) for some, each in zip(parted, self.made, strict=True)]

    def aimed(self, logits: Sequence[Tensor]) -> Tensor:
        """Of what is told of `flat`, the logit of the value that each edit is to show: (edits, 1).

        logits: (edits, values) for each attribute.
        """
        own = [self.by_attribute(each)[place] for place, each in enumerate(logits)]
        return torch.cat([each.diagonal(dim1=1, dim2=2).flatten() for each in own])[:, None]

    def with_originals(self, images: Tensor, *, one: bool) -> tuple[Tensor, Tensor]:
        """Edits, and beside each the picture that it is of. one: of each picture one, drawn by chance."""
        if not one:
            originals = [
                images[part][:, None].expand_as(each) for each, part in zip(self.made, self.parts, strict=True)
            ]
            return torch.cat([each.flatten(0, 1) for each in originals]), self.flat()
        made, parts = self.made, self.parts
        if parts[0] == parts[-1]:
            # All edits of a picture are one choice, whatever attribute they are of.
            made, parts = [torch.cat(made, dim=1)], parts[:1]
        chosen = []
        for each in made:
            place = torch.randint(each.shape[1], (len(each),), device=each.device)
            chosen.append(each[torch.arange(len(each), device=each.device), place])
        return torch.cat([images[part] for part in parts]), torch.cat(chosen)


def aim(told: Sequence[Tensor]) -> Tensor:
    """How surprising it is that edits show what they are to show: cross-entropy, the mean over all edits.

    told: for each attribute the logits of its own edits, (b, values, values).
    """
    sums = []
    for logits in told:
        target = torch.arange(logits.shape[1], device=logits.device).expand(len(logits), -1)
        sums.append(F.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="sum"))
    return torch.stack(sums).sum() / sum(len(logits) * logits.shape[1] for logits in told)


def made_again(edits: Edits, generator: Generator, *, one: bool, idempotent: bool) -> Tensor:
    """How far each edit is from the same edit of another edit of its attribute: (pairs,), means over pixels.

    Only the heads of one attribute are computed for each. one: of one other edit, drawn anew each time, in place of
    all; idempotent: of itself, too.
    Source: the authors' code. No picture is compared with the input, as nobody knows which head should give it.
    """
    every = edits.by_attribute(generator.trunk(edits.flat()))
    shifts: list[Tensor] | list[None] = [None] * len(every)
    if one:
        drawn = [torch.randint(1, each.shape[1], (), device=each.device) for each in edits.made]
        shifts = list(whole_batch.same(torch.stack(drawn)).unbind())
    apart = []
    for place, (each, seen, shift) in enumerate(zip(edits.made, every, shifts, strict=True)):
        values = each.shape[1]
        for value in range(values):
            start, features = (_sources(x, value, shift, idempotent) for x in (each, seen))
            again = generator.edit(start.flatten(0, 1), place, value, features.flatten(0, 1)).view_as(start)
            apart.append((again - each[:, value, None]).abs().transpose(0, 1).flatten(1).mean(dim=1))
    return torch.cat(apart)


def _sources(x: Tensor, value: int, shift: Tensor | None, idempotent: bool) -> Tensor:
    """What belongs to the edits that a value's edit is made again from: (b, values, ...) to (b, sources, ...)."""
    if shift is not None:
        return x.index_select(1, ((value + shift) % x.shape[1])[None])
    return x if idempotent else torch.cat([x[:, :value], x[:, value + 1 :]], dim=1)


def tie(images: Tensor, edits: Edits, shares: Sequence[Tensor]) -> Tensor:
    """How far the edit to the value that a picture has already is from the picture: mean absolute difference.

    shares: how likely each value is, (B, values) for each attribute; they are the weights of its edits.
    """
    apart = []
    for each, part, share in zip(edits.made, edits.parts, shares, strict=True):
        moved = (each - images[part][:, None]).abs().flatten(2).mean(dim=2)
        apart.append((share[part] * moved).sum(dim=1).mean())
    return torch.stack(apart).mean()


def keep(told: Sequence[Sequence[Tensor]], edits: Edits, shares: Sequence[Tensor]) -> Tensor:
    """Cross-entropy of what is told of edits in the other attributes, against what is known or told of the picture.

    told: [told attribute][edited attribute], logits (b, values of the edited, values of the told); shares: as in `tie`.
    """
    apart = [
        F.cross_entropy(logits.flatten(0, 1), share[edits.parts[edited], None].expand_as(logits).flatten(0, 1))
        for place, (share, by_edit) in enumerate(zip(shares, told, strict=True))
        for edited, logits in enumerate(by_edit)
        if edited != place
    ]
    # One attribute alone has no others.
    return torch.stack(apart).mean() if apart else told[0][0].sum() * 0
