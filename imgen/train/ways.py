"""Which way turns are computed in: as a recipe asks, or the fastest that is safe on a device."""

from __future__ import annotations

from collections.abc import Callable

import torch

from imgen.train.device import rounds_to_bf16
from imgen.train.play import Eager, Way
from imgen.train_settings import TrainSettings


def way_of(settings: TrainSettings, device: torch.device, say: Callable[[str], None] | None = None) -> Way:
    """The way for these settings on this device; say: told what is played in another way than asked for, and why."""
    bf16 = rounds_to_bf16(settings, device)
    if settings.play == "compiled":
        from imgen.train.compiling import Compiled

        return Compiled(device, bf16, say)
    return Eager(device, bf16)
