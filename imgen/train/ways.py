"""Which way turns are computed in: as a recipe asks, or the fastest that is safe on a device."""

from __future__ import annotations

import torch

from imgen.train.device import rounds_to_bf16
from imgen.train.play import Eager, Way
from imgen.train_settings import TrainSettings


def way_of(settings: TrainSettings, device: torch.device) -> Way:
    """The way for these settings on this device."""
    return Eager(device, rounds_to_bf16(settings, device))
