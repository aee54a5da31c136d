"""Columns that are kept on a device: each once, however many loaders of this process read it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

import torch
from torch import Tensor


@dataclass(eq=False)
class Resident:
    """A column of a data set, and all of it as a tensor on a device: there for as long as anybody holds this."""

    column: Any
    tensor: Tensor


_THERE: WeakValueDictionary[tuple[int, torch.device], Resident] = WeakValueDictionary()
"""By the column's identity, which no other can take while it is held here."""


def resident(column: Any, device: torch.device, whole: Callable[[Any], Tensor]) -> Resident:
    """The column on a device, brought there by the first who asks. whole: gives all of it as a tensor."""
    found = _THERE.get((id(column), device))
    if found is None:
        found = _THERE[id(column), device] = Resident(column, whole(column).to(device))
    return found


def are_there(columns: Iterable[Any], device: torch.device) -> bool:
    """Whether all of these are on the device already, so that they take no more room."""
    return all((id(column), device) in _THERE for column in columns)
