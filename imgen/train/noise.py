"""Seeds of everything that is drawn while training: noise is a function of where in the run it is drawn."""

from __future__ import annotations

import numpy as np
import torch


def mix(seed: int, rank: int, step: int) -> int:
    """One seed for (seed, rank, step), so that noise is a function of the position and resuming is exact."""
    words = np.random.SeedSequence([seed, rank & 0xFFFFFFFF, step]).generate_state(2)
    return int(words[0]) << 31 | int(words[1]) >> 1


def seed_noise(seed: int, device: torch.device) -> None:
    """Seed the generators that a turn draws from; `torch.manual_seed` would also note a stack trace each time."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        # Of this device: `manual_seed` is for the current one, which need not be it.
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
