"""Several processes under `torchrun`: who am I, broadcast, an all-reduce, and sums that gradients pass through."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as td
from torch import Tensor

from imgen.errors import ImgenError

T = TypeVar("T")

ARRIVAL = timedelta(minutes=10)
"""How long processes wait for one another to arrive, all of which were started together."""
PATIENCE = timedelta(hours=12)
"""How long processes wait for one another: the first one measures alone, which may take hours. torchrun ends all of
them where one dies."""


def rank() -> int:
    """Number of this process, from 0."""
    return td.get_rank() if td.is_initialized() else 0


def world() -> int:
    """How many processes train together."""
    return td.get_world_size() if td.is_initialized() else 1


def join(device: str) -> str:
    """Join the other processes if `torchrun` started this one; gives the device of this process.

    Raises: `ImgenError` where they cannot be reached, or do not come.
    """
    if "RANK" not in os.environ or int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return device
    if device.startswith("cuda"):
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    if not td.is_initialized():
        rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        backend = "nccl" if device.startswith("cuda") else "gloo"
        where = f"{os.environ.get('MASTER_ADDR', '?')}:{os.environ.get('MASTER_PORT', '?')}"
        try:
            store = _meet(rank, world)
            td.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=PATIENCE)
        except (RuntimeError, ValueError, TimeoutError) as error:
            told = " ".join(str(error).split())[:200]
            raise ImgenError(
                f"process {rank} of {world} could not join the others at {where} ({told}); see to it that all of them "
                "are started, that MASTER_ADDR is the first machine's, and that MASTER_PORT is free there"
            ) from None
    return device


def _meet(rank: int, world: int) -> td.Store:
    """What processes tell each other their addresses by, once all of them are there."""
    store: td.Store = next(iter(td.rendezvous("env://", timeout=ARRIVAL)))[0]
    # The store may outlive processes that torchrun starts again: who was here before must not be called.
    attempt = f"imgen/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}/{world}"
    turn = (store.add(f"{attempt}/arrivals", 1) - 1) // world
    store = td.PrefixStore(f"{attempt}/{turn}", store)
    store.set(f"here/{rank}", "yes")
    end = time.monotonic() + ARRIVAL.total_seconds()
    while not store.check([f"here/{other}" for other in range(world)]):
        # No single long wait: no signal would be heard in it.
        if time.monotonic() > end:
            raise TimeoutError(f"the others did not come within {ARRIVAL.total_seconds() / 60:.0f} minutes")
        time.sleep(0.05)
    # Reading data may take one of them longer than the others.
    store.set_timeout(PATIENCE)
    return store


class Lost(ImgenError):
    """Another process is gone or out of reach."""

    exit_status = 1

    def __init__(self) -> None:
        """Nothing is known of why: the other one may have told."""
        super().__init__(
            "another of the processes that train together is gone or out of reach; see what it said; the same command "
            "goes on from the last checkpoint, if there is one"
        )


def is_lost(error: BaseException) -> bool:
    """Whether this error came because another process is gone or out of reach."""
    return isinstance(error, td.DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error).lower())


def leave() -> None:
    """Leave the group, if this process is in one."""
    if td.is_initialized():
        td.destroy_process_group()


def broadcast(tensors: Sequence[Tensor]) -> None:
    """Give every process the tensors of the first, in place."""
    if td.is_initialized():
        for tensor in tensors:
            # The sender's memory order may differ from ours: contiguous copies cross, values come back.
            copy = tensor.detach().contiguous()
            td.broadcast(copy, src=0)
            tensor.detach().copy_(copy)


def average(tensors: Sequence[Tensor]) -> None:
    """Average over all processes, in place, with a single all-reduce."""
    if not td.is_initialized() or not tensors:
        return
    wide = torch.float64 if any(tensor.dtype == torch.float64 for tensor in tensors) else torch.float32
    flat = torch.cat([tensor.detach().flatten().to(wide) for tensor in tensors])
    td.all_reduce(flat)
    flat /= world()
    for tensor, mean in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.detach().copy_(mean.view(tensor.shape))


def any_true(flag: bool, device: torch.device) -> bool:
    """Whether any process says so; all get the same answer."""
    if not td.is_initialized():
        return flag
    told = torch.tensor(float(flag), device=device)
    td.all_reduce(told, op=td.ReduceOp.MAX)
    return bool(told.item())


def least(value: int, device: torch.device) -> int:
    """The least of all processes' values."""
    if not td.is_initialized():
        return value
    told = torch.tensor(value, dtype=torch.int64, device=device)
    td.all_reduce(told, op=td.ReduceOp.MIN)
    return int(told.item())


def agree(value: T) -> T:
    """The first process's value, for all."""
    if not td.is_initialized():
        return value
    box = [value]
    td.broadcast_object_list(box, src=0)
    return box[0]


# ---- one batch over all processes ----

_sharing = False


@contextmanager
def sharing() -> Iterator[None]:
    """Within it all processes play the same step on their shares of one batch, so that turns may ask for all of it.

    Anywhere else, as in metrics, which the first process takes alone, nobody would answer: there a process's own batch
    is the whole one.
    """
    global _sharing
    before, _sharing = _sharing, world() > 1
    try:
        yield
    finally:
        _sharing = before


def parts() -> int:
    """How many processes share the batch that is being played: 1 outside of `sharing`."""
    return world() if _sharing else 1


def total(own: Tensor) -> Tensor:
    """The sum over the processes that share a batch; gradients of any order pass through.

    What comes back is that of the sum of all processes' losses. The trainer averages the gradients of parameters over
    processes, so that everybody moves along the gradient of the mean of their losses: a loss is right if its mean over
    processes is the whole batch's loss, whether each has a part of it or all have the same.
    """
    return _Total.apply(own) if parts() > 1 else own


def stacked(own: Tensor) -> Tensor:
    """Everybody's tensor, in the order of processes: (...) to (processes, ...); gradients as in `total`."""
    return _Stacked.apply(own[None]) if parts() > 1 else own[None]


def first_of(own: Tensor) -> Tensor:
    """The first process's tensor, for all that share a batch; no gradient passes through."""
    if parts() == 1:
        return own
    told = own.detach().clone(memory_format=torch.contiguous_format)
    td.broadcast(told, src=0)
    return told


# The backward of each is again one of them, so that gradients of gradients are right, too.


class _Total(torch.autograd.Function):
    """Sum over processes; what comes back is the sum, too."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        told = own.clone(memory_format=torch.contiguous_format)
        td.all_reduce(told)
        return told

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return _Total.apply(grads[0])


class _Stacked(torch.autograd.Function):
    """(1, ...) to (processes, ...); what comes back is the sum of what all send to this process's row."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        told = own.new_empty((world(), *own.shape[1:]))
        # The first name is of torch 2.13, which deprecates the second.
        gather = getattr(td, "all_gather_single", None) or td.all_gather_into_tensor
        gather(told, own.contiguous())
        return told

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return _SumOfRow.apply(grads[0])


class _SumOfRow(torch.autograd.Function):
    """(processes, ...) to (1, ...): the sum over processes of the row that is this one's."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        told = rows.new_empty((1, *rows.shape[1:]))
        scatter = getattr(td, "reduce_scatter_single", None) or td.reduce_scatter_tensor
        scatter(told, rows.contiguous())
        return told

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return _Stacked.apply(grads[0])
