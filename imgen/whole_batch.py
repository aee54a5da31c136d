"""What hangs on all items of a batch at once, where several processes have a share of it each.

Processes see `1 / parts()` of a batch and average their gradients. That equals one process with the whole batch where
a loss is a mean over items; a loss with anything else in it, such as the square of a mean, a mean over some of the
items, or a comparison of one item with all others, says so by these functions. They give back what they are given
where a process is alone. Gradients of any order pass through, sizes are fixed, and nothing waits for the host.

A loss is right if its mean over processes is the loss of the whole batch: each may have a part, or all the same.
Batch norm needs no care: while several processes train, its statistics are those of the whole batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from imgen import dist


def parts() -> int:
    """How many processes share the batch: 1 where one is alone, and outside of training steps."""
    return dist.parts()


def rows(own: Tensor) -> Tensor:
    """The rows of the whole batch, as one process would have them. Shapes: (b, ...) to (b * parts, ...)."""
    if parts() == 1:
        return own
    # Gradients that come back are sums over processes: not in half precision.
    wide = torch.promote_types(own.dtype, torch.float32) if own.is_floating_point() else own.dtype
    return dist.stacked(own.to(wide)).transpose(0, 1).flatten(0, 1).to(own.dtype)


def share(whole: Tensor) -> Tensor:
    """This process's rows of what all know, in the order of its own. Shapes: (b * parts, ...) to (b, ...)."""
    return whole if parts() == 1 else whole[dist.rank() :: parts()]


def mean(own: Tensor) -> Tensor:
    """The mean over the whole batch, of any shape, where `own` is that over a process's share."""
    return means([own])[0]


def means(own: Sequence[Tensor]) -> list[Tensor]:
    """The same of several, in one message."""
    if parts() == 1:
        return list(own)
    wide = torch.float64 if any(each.dtype == torch.float64 for each in own) else torch.float32
    flat = dist.total(torch.cat([each.flatten().to(wide) for each in own])) / parts()
    told = flat.split([each.numel() for each in own])
    return [mean.view(each.shape).to(each.dtype) for mean, each in zip(told, own, strict=True)]


def ratio(sums: Tensor, counts: Tensor) -> Tensor:
    """Sums over some items of the batch divided by how many those are, or by 1 where there are none.

    Each process gets its part: the mean of what they get is the ratio of the whole batch. No gradient passes through
    the counts. Shapes: sums, counts: alike.
    """
    if parts() == 1:
        return sums / counts.clamp(min=1)
    return sums * parts() / dist.total(counts.detach()).clamp(min=1)


def same(drawn: Tensor) -> Tensor:
    """What the first process has drawn, for all: a choice that holds for the whole batch."""
    return dist.first_of(drawn)
