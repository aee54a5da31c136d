"""The device that computes: what it is called, what it rounds to, how many threads it has."""

from __future__ import annotations

import torch

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


def device_name(device: torch.device) -> str:
    """What to call a device in messages and cards."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
