"""The memory of the host while it computes: tensors come and go with every step, and always ask for the same sizes."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4  # what glibc's `mallopt` calls its parameters
_MIB = 2**20
_USUAL = {_MMAP_THRESHOLD: 32 * _MIB, _TRIM_THRESHOLD: 64 * _MIB, _MMAP_MAX: 65536}
"""Where glibc's own rules end up in a process that lets go of large blocks."""
_KEPT = {_MMAP_THRESHOLD: 1024 * _MIB, _TRIM_THRESHOLD: 2**31 - 1}
"""Blocks up to a gigabyte stay with the process. A data set is larger, and comes once."""


@contextmanager
def kept() -> Iterator[None]:
    """While entered, memory of large tensors stays with this process when they go, for the next ones.

    By itself glibc returns it to the system each time, which then clears every page anew: in a step on a CPU that can
    take nearly as long as the computation. Afterwards all that is free is returned. Other C libraries are left alone.
    """
    libc = _glibc()
    if libc is None:
        yield
        return
    for parameter, value in _KEPT.items():
        if not libc.mallopt(parameter, value):  # releases before 2.35 know no threshold that high
            libc.mallopt(_MMAP_MAX, 0)
    try:
        yield
    finally:
        for parameter, value in _USUAL.items():
            libc.mallopt(parameter, value)
        libc.malloc_trim(0)


def _glibc() -> Any:
    """The C library of this process, where it is glibc."""
    try:
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version  # noqa: B018
    except (OSError, TypeError, AttributeError):
        return None
    libc.mallopt.argtypes, libc.mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    libc.malloc_trim.argtypes = (ctypes.c_size_t,)
    return libc
