"""Measurements of translations between two domains that need no network of anybody's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from imgen.errors import DataError
from imgen.images import to_float
from imgen.model import Way

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imgen.metrics import Evaluation

_BATCH = 64


def way_between(evaluation: Evaluation, source: str, target: str) -> Way | None:
    """The model's way from one domain to the other, "a" or "b" each, or None where it has none.

    A way from any picture serves where none starts at the source itself.
    """
    names = dict(zip("ab", evaluation.dataset.spec.domains, strict=False))
    ways = list(getattr(evaluation.model, "ways", ()))
    for start in (names.get(source), None):
        for way in ways:
            if way.source == start and way.target == names.get(target):
                return Way(way.source, way.target)
    return None


def rows_of(length: int, n: int) -> NDArray[np.int64]:
    """At most n rows of a column, taken evenly from its first to its last: (min(length, n),), in order."""
    return np.arange(length) if length <= n else np.linspace(0, length - 1, n).round().astype(np.int64)


def held_out(evaluation: Evaluation, domain: str, n: int) -> Tensor:
    """At most n held-out items of a domain, those of `rows_of`, on the CPU: pictures in [-1, 1], or vectors.

    Raises: `DataError` where the data set holds none out.
    """
    column: Any = getattr(evaluation.dataset, "test", {}).get(domain)
    if column is None or not column.shape[0]:
        raise DataError(f"metrics: the data set holds nothing out in domain '{domain}', and a test needs some")
    rows = rows_of(int(column.shape[0]), n)
    items = column[torch.from_numpy(rows)] if isinstance(column, Tensor) else column.fetch(rows)
    return to_float(items) if items.dtype == torch.uint8 else items.float()


def translate(evaluation: Evaluation, items: Tensor, way: Way) -> Tensor:
    """What the model makes of items, on the CPU: 64 at a time, in evaluation mode, without gradients.

    The model is left in the mode that it was in.
    """
    model: Any = evaluation.model
    training = bool(getattr(model, "training", False))
    if training:
        model.eval()
    try:
        with torch.no_grad():
            made = [model.translate(some.to(evaluation.device), way).float().cpu() for some in items.split(_BATCH)]
    finally:
        if training:
            model.train()
    return torch.cat(made)


def translated(evaluation: Evaluation, way: Way, n: int) -> tuple[Tensor, Tensor]:
    """At most n held-out items of the way's source and what becomes of them, both on the CPU.

    Raises: `DataError` where the data set holds none out.
    """
    names = evaluation.dataset.spec.domains
    # A way from any picture starts at the domain that is not its target.
    place = names.index(way.source) if way.source in names else 1 - names.index(way.target)
    items = held_out(evaluation, "ab"[place], n)
    return items, translate(evaluation, items, way)
