"""The newest checkpoint, read by the first process and given to all: they may have no disk in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from imgen import dist
from imgen.algorithm import Algorithm
from imgen.errors import WeightsError
from imgen.train import checkpoint
from imgen.train.ema import Averaged
from imgen.train.play import Seat


@dataclass(frozen=True)
class Resumed:
    """Where a run goes on; owed: whether the metrics of that step are; before: how many processes trained until now."""

    step: int = 0
    owed: bool = False
    before: int | None = None


def resume(
    run: Path, algorithm: Algorithm, seats: Mapping[str, Seat], averaged: Averaged, device: torch.device
) -> Resumed:
    """Take up a run's newest checkpoint, if there is one, and share all that moves.

    Raises: `WeightsError`, in every process, where it is damaged or of another algorithm.
    """
    told: Resumed | WeightsError = Resumed()
    if dist.rank() == 0:
        try:
            told = _read(run, algorithm, seats, averaged)
        except WeightsError as error:
            told = error
    told = dist.agree(told)
    if isinstance(told, WeightsError):
        raise told
    if dist.world() > 1:
        dist.broadcast([*algorithm.parameters(), *algorithm.buffers(), *averaged.state_dict().values()])
        _share_slots(seats, device)
    return told


def _read(run: Path, algorithm: Algorithm, seats: Mapping[str, Seat], averaged: Averaged) -> Resumed:
    checkpoint.clean(run)
    saved = checkpoint.latest(run)
    if saved is None:
        return Resumed()
    try:
        algorithm.load_state_dict(saved.read("algorithm"))
        checkpoint.restore_slots(seats, saved.read("optim"))
        averaged.load_state_dict(saved.read("ema"))
    except (KeyError, RuntimeError, ValueError) as error:
        raise WeightsError(
            f"{saved.path}: does not fit this algorithm: {' '.join(str(error).split())[:300]}; "
            "it was written by other code or another recipe"
        ) from None
    before = saved.state.get("world")
    return Resumed(saved.step, saved.state.get("owed") is True, before if isinstance(before, int) else None)


def _share_slots(seats: Mapping[str, Seat], device: torch.device) -> None:
    """Give every process the first one's state of optimizers, which others may not even have yet."""
    own = {name: slot.to(device) for name, slot in checkpoint.slots(seats).items()}
    layout = dist.agree([(name, slot.shape, slot.dtype) for name, slot in own.items()])
    if dist.rank():
        own = {name: torch.empty(shape, dtype=dtype, device=device) for name, shape, dtype in layout}
    dist.broadcast(list(own.values()))
    if dist.rank():
        checkpoint.restore_slots(seats, own)
