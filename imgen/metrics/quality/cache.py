"""Features of real pictures kept on the disk: written whole or not at all, and never trusted where damaged."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imgen import files
from imgen.metrics.quality.fetching import cache_folder

MOST = 4 * 2**30
"""Bytes of all that is kept; what was not used for longest goes first."""
_MOST_HEADER = 2**16
_SUFFIX = ".features.safetensors"

Arrays = Mapping[str, NDArray[np.float32]]


def recall(key: str, shapes: Mapping[str, tuple[int, int]]) -> dict[str, NDArray[np.float32]] | None:
    """The arrays kept under a key, or None where there are none, or others than of these shapes, or damaged ones."""
    from safetensors import SafetensorError, safe_open

    path = _path(key)
    try:
        with path.open("rb") as file:
            # Asked before the library reads it: a file can claim any size for its header.
            if int.from_bytes(file.read(8), "little") > _MOST_HEADER:
                return None
        with safe_open(path, framework="np") as kept:
            if {name: tuple(kept.get_slice(name).get_shape()) for name in kept.keys()} != dict(shapes):  # noqa: SIM118
                return None
            arrays = {name: kept.get_tensor(name) for name in shapes}
            told = (kept.metadata() or {}).get("sha256")
    except (SafetensorError, OSError, ValueError):
        return None
    # It has no sum of its own, and a flipped bit is not a feature.
    if any(array.dtype != np.float32 for array in arrays.values()) or told != _sum(arrays):
        return None
    with suppress(OSError):
        os.utime(path)
    return arrays


def remember(key: str, arrays: Arrays) -> None:
    """Keep arrays under a key, and let go of the oldest where all would be too much.

    A full or read-only disk is no error: features can be made again.
    """
    from safetensors.numpy import save

    if sum(array.nbytes for array in arrays.values()) > MOST // 2:
        return
    with suppress(OSError):
        files.write(_path(key), save(dict(arrays), metadata={"sha256": _sum(arrays)}))
        _let_go()


def _path(key: str) -> Path:
    return cache_folder() / f"{key[:40]}{_SUFFIX}"


def _sum(arrays: Arrays) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _let_go() -> None:
    found = sorted(cache_folder().glob(f"*{_SUFFIX}"), key=lambda path: path.stat().st_mtime, reverse=True)
    total = 0
    for path in found:
        total += path.stat().st_size
        if total > MOST:
            path.unlink(missing_ok=True)
