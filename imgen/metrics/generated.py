"""Pairs of generated pictures, some at a time, so that thousands of them need little memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from imgen.errors import DataError
from imgen.images import from_float, to_float

if TYPE_CHECKING:
    from imgen.metrics import Evaluation

CHUNK = 100
"""Pairs whose pictures are in memory at once."""


def codes_of(evaluation: Evaluation, who: str) -> Mapping[str, int]:
    """The codes of a model that makes pictures from them. Raises: `DataError` where it is none."""
    codes: Mapping[str, int] | None = getattr(evaluation.model, "codes", None)
    if not codes or not callable(getattr(evaluation.model, "draw", None)):
        raise DataError(f"{who}: needs a model that makes pictures from codes; this one has none to draw")
    return codes


def check_identity(evaluation: Evaluation, identity: str, who: str) -> None:
    """Raises: `DataError` where the model has no code of this name, or no other."""
    codes = list(codes_of(evaluation, who))
    if identity not in codes or len(codes) < 2:
        raise DataError(f"{who}: needs a model with a code {identity!r} and another, not {codes}")


def latents(model: Any, rows: int, pictures: int, generator: torch.Generator, identity: str = "") -> Tensor:
    """Latents of rows * pictures pictures, row after row: each row shares its code `identity`, all else is fresh.

    Drawn in the order of the model's codes. Shapes: -> (rows * pictures, sum of the codes).
    """
    parts = [
        model.draw(code, rows, generator=generator).repeat_interleave(pictures, dim=0)
        if code == identity
        else model.draw(code, rows * pictures, generator=generator)
        for code in model.codes
    ]
    return torch.cat(parts, dim=1)


def generated_pairs(
    evaluation: Evaluation, pairs: int, generator: torch.Generator, identity: str = ""
) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs of pictures in [-1, 1] on the CPU, as 8-bit files would hold them, (n, C, H, W) twice, some at a time.

    identity: the code that the two pictures of a pair share; '': none.
    """
    drawn = latents(evaluation.model, pairs, 2, generator, identity)
    with looking(evaluation.model):
        for some in drawn.split(2 * CHUNK):
            with torch.no_grad():
                images = evaluation.model(some.to(evaluation.device)).float().cpu()
            images = to_float(from_float(images))
            yield images[::2], images[1::2]


@contextmanager
def looking(model: Any) -> Iterator[None]:
    """The model in evaluation mode, and afterwards as it was."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
