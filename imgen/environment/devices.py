"""What torch finds on this machine, and whether it computes there. Imports torch: for a process of its own."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import torch


def found() -> dict[str, Any]:
    """Versions of torch, and each device with what it can do; plain values."""
    from imgen.train.device import has_bf16

    cards = [torch.device("cuda", place) for place in range(torch.cuda.device_count())]
    first = cards[0] if cards else torch.device("cpu")
    return {
        "torch": torch.__version__,
        "cuda": torch.version.cuda or "",
        "hip": torch.version.hip or "",
        "cudnn": str(torch.backends.cudnn.version() or ""),
        "available": torch.cuda.is_available(),
        "driver": _driver(),
        "auto": "bf16" if has_bf16(first) else "fp32",
        "device": "cuda" if cards else "cpu",
        "devices": [*(_card(card, has_bf16(card)) for card in cards), _processor()],
    }


def _card(device: torch.device, bf16: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"device": str(device), "bf16": bf16}
    try:
        about = torch.cuda.get_device_properties(device)
        free, total = torch.cuda.mem_get_info(device)
        tf32 = torch.version.hip is None and about.major >= 8
        told |= {"name": about.name, "capability": f"{about.major}.{about.minor}", "tf32": tf32}
        told |= {"memory": total, "free": free}
    except RuntimeError as error:
        told["failed"] = _first_line(error)
        return told
    return {**told, "failed": _compute(device)}


def _processor() -> dict[str, Any]:
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "device": "cpu",
        "name": _processor_name(),
        "cores": os.cpu_count() or 1,
        "usable": len(affinity(0)) if affinity else os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "bf16": _processor_bf16(),
        "memory": _memory(),
        "failed": _compute(torch.device("cpu")),
    }


def _compute(device: torch.device) -> str:
    """What goes wrong with a small product and its gradient, against the same by hand; nothing where all is well."""
    try:
        torch.manual_seed(0)
        a = torch.randn(33, 17, device=device, requires_grad=True)
        b = torch.randn(17, 9, device=device)
        product = a @ b
        product.sum().backward()
        assert a.grad is not None
        by_hand = (a.detach().cpu().double()[:, :, None] * b.cpu().double()).sum(1)
        wrong = float((product.detach().cpu().double() - by_hand).abs().max())
        wrong = max(wrong, float((a.grad.cpu().double() - b.cpu().double().sum(1)).abs().max()))
    except Exception as error:
        return _first_line(error)
    return "" if wrong < 0.05 else f"a product of matrices is wrong by {wrong:.2g}"


def _processor_bf16() -> bool:
    try:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    except (AttributeError, RuntimeError):
        return False


def _processor_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


def _driver() -> bool:
    """Whether an NVIDIA driver is loaded here, whatever torch makes of it."""
    return Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidiactl").exists()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
