"""The device that computes: what it is called, what it rounds to, how its threads and memory are used."""

from __future__ import annotations

import torch
from torch import nn

from imgen.train_settings import TrainSettings


def set_up(settings: TrainSettings, device: torch.device) -> None:
    """Say explicitly what products round to and how many threads compute; let cuDNN look for the fastest kernel."""
    if device.type == "cuda":
        torch.backends.cuda.matmul.fp32_precision = "tf32" if settings.tf32 else "ieee"
        torch.backends.cudnn.conv.fp32_precision = "tf32" if settings.tf32 else "ieee"  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark = True
    elif settings.threads:
        torch.set_num_threads(settings.threads)


def has_bf16(device: torch.device) -> bool:
    """Whether autocast to bf16 pays: on GPUs of the last generations."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device)[0] >= 8


def rounds_to_bf16(settings: TrainSettings, device: torch.device) -> bool:
    """Whether turns are autocast to bf16."""
    return settings.precision == "bf16" or (settings.precision == "auto" and has_bf16(device))


def wants_channels_last(settings: TrainSettings, model: nn.Module, device: torch.device) -> bool:
    """Whether pictures and kernels are kept in channels-last order, in a game with this model.

    Convolutions are faster with it. A CPU's normalisation of single channels, forth and back, takes several times as
    long and costs more than that gains.
    """
    if settings.channels_last is not None:
        return settings.channels_last
    return device.type != "cpu" or not any(isinstance(each, nn.InstanceNorm2d) for each in model.modules())


def device_name(device: torch.device) -> str:
    """What to call a device in messages and cards."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
