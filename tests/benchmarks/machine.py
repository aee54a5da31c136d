"""What benchmarks print beside their figures."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch


def machine(seed: int) -> str:
    """Where and when figures were taken, in one line."""
    return (
        f"{_processor()}, {len(os.sched_getaffinity(0))} cores, {torch.get_num_threads()} threads, "
        f"load {os.getloadavg()[0]:.1f}, torch {torch.__version__}, {datetime.date.today()}, seed {seed}"
    )


def facts(seed: int, device: str) -> dict[str, Any]:
    """The same for a record."""
    name = torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else _processor()
    return {
        "device": name,
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1),
        "imgen": version("imgen"),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "python": platform.python_version(),
        "system": platform.platform(),
        "date": str(datetime.date.today()),
        "seed": seed,
    }


def rows(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A small table; the first column is words, the others are figures."""
    table = [head, *lines]
    widths = [max(len(line[place]) for line in table) for place in range(len(head))]
    shown = [[line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])] for line in table]
    return "\n".join("  ".join(cells) for cells in shown)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
