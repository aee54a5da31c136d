"""Pictures that all models read: of the data set that they were trained on, or made by themselves in equal parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from imgen.build import dataset_of
from imgen.data.spec import Dataset, fetch
from imgen.errors import ImgenError
from imgen.images import to_float
from imgen.plugins import Plugins
from imgen.recipe import Draft
from imgen.selecting.reading import BLOCK, Work, latents, pictures

_TOGETHER = 16 * BLOCK  # pictures that are fetched at once


def shared_data(
    runs: Sequence[Path | None], image: tuple[int, int, int], plugins: Plugins
) -> tuple[Dataset | None, str]:
    """The data set that all runs name, or nothing and why.

    image: (C, H, W) that its pictures must have.
    """
    folders = [run for run in runs if run is not None]
    if len(folders) < len(runs):
        return None, "not every model lies in a run, whose recipe would name its data"
    try:
        parts = [Draft.read(folder / "recipe.yaml", plugins).check().dataset.to_dict() for folder in folders]
        if any(part != parts[0] for part in parts):
            return None, "the runs name different data"
        dataset = dataset_of(folders[0], plugins)
    except ImgenError as error:
        return None, f"their data cannot be read ({error})"
    column = dataset.columns.get("images")
    if column is None or tuple(column.shape[-3:]) != image:
        return None, "their data has no pictures of what the models read"
    return dataset, ""


def of_data(dataset: Dataset, count: int, work: Work) -> Iterator[Tensor]:
    """Different pictures of a data set, chosen by the seed, as floats on the device; all of them where it has fewer."""
    column = dataset.columns["images"]
    chosen = np.random.default_rng([work.seed, 7]).permutation(int(column.shape[0]))[:count]
    for start in range(0, len(chosen), _TOGETHER):
        yield to_float(fetch(column, chosen[start : start + _TOGETHER]).to(work.device))


def of_models(models: Sequence[Any], count: int, work: Work) -> Iterator[Tensor]:
    """Pictures of all models in equal parts, `count` of them or a few more, some of every model at a time."""
    each = -(-count // len(models))
    for start in range(0, each, BLOCK):
        stop = min(start + BLOCK, each)
        made = [list(pictures(model, _some(model, each, work.seed, start, stop), work)) for model in models]
        yield torch.cat([part for parts in made for part in parts])


def _some(model: Any, count: int, seed: int, start: int, stop: int) -> dict[str, Tensor]:
    return {name: value[start:stop] for name, value in latents(model, count, seed, "own").items()}
