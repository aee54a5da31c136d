"""Clusters of Ray that others started: whether one answers at an address, and whether its machines have room."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from imgen.errors import ImgenError

_REACH, _JOIN = 5.0, 60.0  # seconds to reach an address, and to join a cluster

SILENT: dict[str, Any] = {"configure_logging": False, "logging_level": logging.CRITICAL, "log_to_driver": False}
"""What `ray.init` is told so that it prints nothing."""


def check_room(nodes: Sequence[Mapping[str, float]], cpus: float, gpus: float, memory: int | None) -> None:
    """Raises: `ImgenError` where no machine has what one run needs: it would wait for ever."""
    asked = {"CPU": ("--cpus-per-run", cpus), "GPU": ("--gpus-per-run", gpus), "memory": ("--memory-per-run", memory)}
    for resource, (option, amount) in asked.items():
        most = max((node.get(resource, 0) for node in nodes), default=0)
        if amount and amount > most:
            much, have = (f"{each / 2**30:.1f}G" if resource == "memory" else f"{each:g}" for each in (amount, most))
            raise ImgenError(f"{option} {much}: no machine has that much; the largest has {have}")
    if not any(all(node.get(name, 0) >= (amount or 0) for name, (_, amount) in asked.items()) for node in nodes):
        raise ImgenError("no one machine has the cores, GPUs and memory that a run is to have; ask for less")


def check_address(address: str) -> None:
    """Raises: `ImgenError` where nobody answers there, within a bounded time: Ray itself may wait for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if address != "auto":
        if not host or not port.isdecimal():
            raise ImgenError(f"--address {address}: write it as auto, HOST:PORT or ray://HOST:PORT")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH).close()
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error) or "no answer"
            raise ImgenError(f"--address {address}: nobody answers there: {reason}; is the cluster up?") from None
    # What answers there may be no cluster, and Ray would end this process over it: another one tries first.
    code = f"import ray, sys, logging; ray.init(address=sys.argv[1], **{SILENT!r})"
    try:
        tried = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, address], capture_output=True, text=True, timeout=_JOIN
        )
    except subprocess.TimeoutExpired:
        raise ImgenError(
            f"--address {address}: whoever answers there is no cluster of Ray that can be joined within {_JOIN:.0f} s"
        ) from None
    if tried.returncode:
        lines = [line for line in tried.stderr.splitlines() if line.strip()] or ["it ends without a word"]
        why = (lines[-1].partition("Error: ")[2] or lines[-1]).partition(". ")[0]
        raise ImgenError(f"--address {address}: no cluster of Ray can be joined there: {why[:300]}")
