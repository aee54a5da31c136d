"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: str | Path, *, lasting: bool = True) -> Iterator[BinaryIO]:
    """A new file that takes the place of `path` once it is complete and on the disk; folders are made.

    lasting: wait for the disk, so that a loss of power cannot undo it either; without it only a kill cannot.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.part")
    try:
        with partial.open("xb+") as file:
            yield file
            file.flush()
            if lasting:
                os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write(path: str | Path, content: bytes | str) -> None:
    """Write a file so that a kill leaves the old content or the new one, never a part."""
    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)
