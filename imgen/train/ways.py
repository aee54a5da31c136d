"""Which way turns are computed in: as a recipe asks, or the fastest that is safe on a device."""

from __future__ import annotations

from collections.abc import Callable

import torch

from imgen.errors import RecipeError
from imgen.train.device import rounds_to_bf16
from imgen.train.play import Eager, Way
from imgen.train_settings import TrainSettings


def check_way(settings: TrainSettings, device: torch.device | str) -> None:
    """Before anything is made.

    Raises: `RecipeError` where the device cannot play turns as it is asked to.
    """
    kind = torch.device(device).type
    if settings.play == "captured" and kind != "cuda":
        raise RecipeError(
            f"train.play=captured: CUDA graphs need a CUDA device, and this run is on '{kind}'; take auto, eager "
            "or compiled, or --device cuda"
        )


def way_of(settings: TrainSettings, device: torch.device, say: Callable[[str], None] | None = None) -> Way:
    """The way for these settings on this device; say: told what is played in another way than asked for, and why.

    Raises: `RecipeError` as `check_way` does.
    """
    check_way(settings, device)
    bf16 = rounds_to_bf16(settings, device)
    if settings.play == "compiled":
        from imgen.train.compiling import Compiled

        return Compiled(device, bf16, say)
    # `auto` is eager everywhere: on CPUs the compiled turns were slower, and captured ones have not been on a GPU yet.
    if settings.play == "captured":
        from imgen.train.cuda_graphs import CudaGraphs
        from imgen.train.graphs import Captured

        return Captured(Eager(device, bf16), CudaGraphs(device), say)
    return Eager(device, bf16)
