"""Measurements of a trained model: factories of functions from an `Evaluation` to named numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn

    from imgen.data.spec import Dataset


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What a metric is given: the averaged model in evaluation mode, the run's data, and a seed to be true to."""

    model: nn.Module | Any
    dataset: Dataset
    device: torch.device
    seed: int
