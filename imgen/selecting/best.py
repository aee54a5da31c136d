"""A symbolic link that says which model was selected."""

from __future__ import annotations

import os
from pathlib import Path

from imgen.errors import DataError


def check(link: Path) -> None:
    """Raises: `DataError` where something lies there that is no link, which is never replaced."""
    if link.exists() and not link.is_symlink():
        kind = "folder" if link.is_dir() else "file"
        raise DataError(f"{link}: is a {kind}, and only a link is ever replaced; give --best-link another name")


def point(link: Path, target: Path) -> None:
    """Let a link lead to a run or a weights file, in the place of any link that was there, at once.

    The way is told from the link's own folder, so that both can be moved together.

    Raises: `DataError` where something lies there that is no link, or the target is the link itself.
    """
    check(link)
    aim = target.resolve()
    link.parent.mkdir(parents=True, exist_ok=True)
    place = link.parent.resolve()
    if place / link.name == aim:
        raise DataError(f"{link}: is the selected model itself; give --best-link another name")
    made = link.with_name(f".{link.name}.{os.getpid()}-{os.urandom(4).hex()}.part")
    try:
        made.symlink_to(os.path.relpath(aim, place))
        made.replace(link)
    finally:
        made.unlink(missing_ok=True)
