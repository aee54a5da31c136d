"""What `torchrun` starts again is the same launch, and goes on with the same run."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path

_MOST = 2**16  # bytes of what a lock says
_NAMELESS = "none"  # torchrun's word where nobody named the launch


def launch() -> dict[str, str]:
    """What tells this launch of `torchrun` from others; nothing where that started no processes here."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return {}
    # The process that starts and watches those of a machine stays the same while they come and go.
    agent = os.getppid()
    return {
        "id": os.environ["TORCHELASTIC_RUN_ID"],
        "agent": f"{socket.gethostname()} {agent} {_began(agent)}",
    }


def is_this(told: Mapping[str, str]) -> bool:
    """Whether what `launch` told is this very launch, maybe before its processes were started again."""
    own = launch()
    if not own or told.get("id") != own["id"]:
        return False
    if told.get("agent") == own["agent"]:
        return True
    # The first process may be on another machine now. Launches that nobody named cannot be told apart there.
    return own["id"] != _NAMELESS and int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0


def told_by(lock: Path) -> dict[str, str]:
    """What the last process that held a run wrote into its lock."""
    try:
        with lock.open("rb") as file:
            told = json.loads(file.read(_MOST))
    except (OSError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _began(process: int) -> str:
    """When a process began; '' where the system does not tell. In containers, their numbers are alike each time."""
    try:
        told = Path(f"/proc/{process}/stat").read_text(encoding="utf8", errors="replace")
    except OSError:
        return ""
    return told.rpartition(")")[2].split()[19]  # the name before it may hold anything
