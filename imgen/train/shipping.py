"""The model as it ships: averaged weights, and running statistics that belong to those very weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from imgen.algorithm import Algorithm, Batch
from imgen.train.ema import Averaged

BATCHES = 8


@contextmanager
def shipping(algorithm: Algorithm, averaged: Averaged, batch: Callable[[int], Batch]) -> Iterator[nn.Module]:
    """The model in evaluation mode, as `Averaged.swapped` gives it; afterwards it is as it was, bit for bit.

    Where the algorithm says how its model is shown real inputs (`settle`), batch norm's statistics are measured anew:
    those kept while training belong to the weights of many steps, and in deep networks such errors add up.
    batch: gives the batch of a step.
    """
    norms = [module for module in algorithm.model.modules() if isinstance(module, _BatchNorm)]
    if not norms or type(algorithm).settle is Algorithm.settle:
        with averaged.swapped() as model:
            yield model
        return
    kept: list[tuple[Tensor, Tensor]] = [(each, each.clone()) for norm in norms for each in norm.buffers()]
    try:
        with averaged.swapped() as model:
            _measure(algorithm, norms, batch)
            yield model.eval()
    finally:
        for buffer, value in kept:
            buffer.copy_(value)


def _measure(algorithm: Algorithm, norms: list[_BatchNorm], batch: Callable[[int], Batch]) -> None:
    """Plain means over a few batches."""
    momenta = [norm.momentum for norm in norms]
    algorithm.model.train()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    for step in range(BATCHES):
        algorithm.settle(batch(step))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
