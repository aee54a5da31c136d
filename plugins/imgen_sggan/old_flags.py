"""Flags of the authors' two programs, and what they are called here."""

from __future__ import annotations

OLD_FLAGS: dict[str, str] = {}
