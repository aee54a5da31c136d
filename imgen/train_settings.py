"""The section `train` of a recipe: settings that are the same for every algorithm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from imgen.binding import Count, NonNegative, Weight


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """How long, how fast and how often; the same for every algorithm.

    Settings:
        steps: length of the run [steps]
        epochs: length of the run in passes through the data, or its smaller domain, in place of steps; 0: steps counts
        batch: items in a batch, over all processes [items]
        seed: what noise, data order and first weights follow from
        play: how turns are computed: eager, compiled (torch.compile) or captured (CUDA graphs); auto is eager so far
        precision: bf16 is autocast; auto takes it where the device is a GPU that has it
        tf32: let float32 products on a GPU round their inputs to TF32
        channels_last: keep pictures and kernels in channels-last order; null: where that is faster on the device
        ema_half_life: half-life of the averaged weights that ship; 0 ships the last ones [images]
        clip_grad: largest norm of a player's gradient; 0 leaves it alone
        resident: keep the data on the device; auto does where it fits
        workers: threads that decode pictures; 0 takes the number of cores
        threads: threads that compute on a CPU; 0 takes the number of cores
        log_every: how often losses are read and shown [steps]
        preview_every: how often a sheet is drawn; 0 never [steps]
        measure_every: how often the recipe's metrics are taken; 0 at the end and at milestones alone [steps]
        measure_beside: take them in a process beside training, which goes on; auto does where several processes train
        save_every: how often a checkpoint is written [steps]
        keep_last: newest checkpoints that are kept
        keep_every: checkpoints at multiples of this are kept for good; 0 none [steps]
        tensorboard: write scalars and sheets for TensorBoard, too
    """

    steps: Count = 100_000
    epochs: Weight = 0
    batch: Count = 16
    seed: NonNegative = 0
    play: Literal["auto", "eager", "compiled", "captured"] = "auto"
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    tf32: bool = True
    channels_last: bool | None = None
    ema_half_life: Weight = 10_000
    clip_grad: Weight = 0
    resident: Literal["auto", "always", "never"] = "auto"
    workers: NonNegative = 0
    threads: NonNegative = 0
    log_every: Count = 100
    preview_every: NonNegative = 1000
    measure_every: NonNegative = 0
    measure_beside: Literal["auto", "always", "never"] = "auto"
    save_every: Count = 1000
    keep_last: Count = 3
    keep_every: NonNegative = 0
    tensorboard: bool = True


MAY_CHANGE = frozenset(
    (
        "steps",
        "resident",
        "workers",
        "log_every",
        "preview_every",
        "measure_every",
        "measure_beside",
        "save_every",
        "keep_last",
        "keep_every",
        "tensorboard",
    )
)
"""Settings of `train` that do not touch what is learnt: a resumed run may change them."""
