"""One line of what `imgen doctor` finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "broken"]


@dataclass(frozen=True)
class Row:
    """One thing that was looked at. told: what was found; remedy: what to do about it, unless it is ok."""

    section: str
    name: str
    state: State
    told: str
    remedy: str = ""


def size(amount: float) -> str:
    """Bytes for people: `3.2 GB`."""
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:,.1f} GB"
