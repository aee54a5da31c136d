"""Devices: what they are, what they can, the precision that `auto` takes, and whether they compute."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from imgen.environment import probe
from imgen.environment.rows import Row, size
from imgen.plain import plain

_SECTION = "devices"
_PATIENCE = 120.0  # seconds; a first start of CUDA on a busy machine takes its time


def rows() -> Iterator[Row]:
    """A row for torch's build, one for each device, and one for the precision."""
    told, failed = probe.ask("devices", patience=_PATIENCE)
    if failed:
        what = plain(f"importing torch and computing with it {failed}")
        yield Row(_SECTION, "torch", "broken", what, "install torch again, as its site tells for this machine")
        return
    yield _build(told)
    for device in told["devices"]:
        yield _device(device)
    why = "the GPU has it" if told["auto"] == "bf16" else f"on {told['device']} bf16 does not pay"
    yield Row(_SECTION, "precision", "ok", f"auto is {told['auto']}: {why}")


def _build(told: dict[str, Any]) -> Row:
    build = f"CUDA {told['cuda']}" if told["cuda"] else f"ROCm {told['hip']}" if told["hip"] else "the CPU alone"
    text = f"{told['torch']}, built for {build}" + (f", cuDNN {told['cudnn']}" if told["cudnn"] else "")
    if told["driver"] and not told["available"]:
        if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
            return Row(_SECTION, "torch", "ok", f"{text}; CUDA_VISIBLE_DEVICES hides the GPU")
        if not told["cuda"]:
            way = "install the build of torch for CUDA, as https://pytorch.org/get-started tells"
            return Row(_SECTION, "torch", "warn", f"{text}, though there is an NVIDIA driver", way)
        way = "update the NVIDIA driver, or install the build of torch for an older CUDA"
        return Row(_SECTION, "torch", "broken", f"{text}, but it finds no GPU, though there is an NVIDIA driver", way)
    return Row(_SECTION, "torch", "ok", text)


def _device(told: dict[str, Any]) -> Row:
    name = told["device"]
    if told["failed"]:
        way = "install a build of torch that knows this device, or hide it with CUDA_VISIBLE_DEVICES"
        return Row(_SECTION, name, "broken", plain(f"{told.get('name', '')} does not compute: {told['failed']}"), way)
    can = [kind for kind in ("bf16", "tf32") if told.get(kind)]
    parts = [plain(told["name"])]
    if name == "cpu":
        parts += [f"{told['usable']} of {told['cores']} cores", f"{told['threads']} threads"]
        parts += [f"{size(told['memory'])} memory"] if told["memory"] else []
    else:
        parts += [f"compute capability {told['capability']}"]
        parts += [f"{size(told['free'])} of {size(told['memory'])} memory free"]
    return Row(_SECTION, name, "ok", ", ".join([*parts, " and ".join(can) or "no bf16", "computes"]))
