"""What is measured: a model with its data, or codes that are in a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from imgen.build import dataset_from, load_model
from imgen.data.spec import Dataset, DataSpec
from imgen.errors import DataError, RecipeError
from imgen.metrics import Evaluation
from imgen.model import digest_of
from imgen.plugins import Plugins
from imgen.recipe import Draft, Part, Recipe, part_of
from imgen.train.device import device_name
from imgen.train.run import run_of


class NoData:
    """In place of a data set where codes are measured that are in a file already."""

    spec = DataSpec(image=(1, 1, 1))
    columns: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model with its data. run: the run it is of, None where of none; data: the registered data set and its settings.

    seed: of the run; step, weights, sha256: as in `imgen.metrics.records.Record`; learnt: as in `Evaluation`.
    """

    model: Any
    dataset: Dataset
    device: torch.device
    run: Path | None = None
    seed: int = 0
    step: int | None = None
    weights: str = ""
    sha256: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    learnt: DataSpec | None = None

    def evaluation(self, seed: int) -> Evaluation:
        """What metrics are given."""
        return Evaluation(model=self.model, dataset=self.dataset, device=self.device, seed=seed, learnt=self.learnt)

    @property
    def device_name(self) -> str:
        """As records tell it."""
        return device_name(self.device)


def recipe_of(run: Path, plugins: Plugins) -> Recipe:
    """A run's recipe. Raises: `RecipeError` where it can no longer be read."""
    return Draft.read(run / "recipe.yaml", plugins).check()


def of_weights(weights: Path, data: Part, recipe: Recipe | None, device: str, plugins: Plugins) -> Subject:
    """The model of a weights file, with a data set.

    Raises: `WeightsError`, `RecipeError` or `DataError` where one of them cannot be had, or they do not go together.
    """
    model, config = load_model(weights, plugins, device)
    dataset = dataset_from(data, plugins)
    if dataset.spec.image != config.data.image:
        raise DataError(
            f"{weights}: this model was trained on pictures of {_size(config.data)}, the data set '{data.name}' has "
            f"pictures of {_size(dataset.spec)}; set its size and channels with -d"
        )
    run = run_of(weights)
    step = config.origin.get("step")
    return Subject(
        model=model,
        dataset=dataset,
        device=torch.device(device),
        run=run,
        seed=recipe.train.seed if recipe else 0,
        step=step if isinstance(step, int) else None,
        weights=str(weights.absolute().relative_to(run.absolute())) if run else weights.name,
        sha256=digest_of(weights),
        data=data.to_dict(),
        learnt=config.data,
    )


def of_codes(codes: Path, factors: Path, device: str) -> Subject:
    """Codes in a file, with the factors of the same things in another.

    Raises: `DataError` where one of them cannot be read, or they do not go together.
    """
    from imgen.metrics.disentanglement.arrays import read

    return Subject(
        model=read(codes, factors),
        dataset=NoData(),
        device=torch.device(device),
        weights=codes.name,
        data={"codes": codes.name, "factors": factors.name},
    )


def data_for(run: Path | None, name: str | None, settings: Mapping[str, Any], plugins: Plugins) -> Part:
    """The data set to measure with: the run's, or another by name, with settings over its own.

    Raises: `RecipeError` where there is neither, or with all that is wrong with the settings.
    """
    own = recipe_of(run, plugins).dataset if run else None
    if name is None and own is None:
        raise RecipeError("these weights are in no run that would say what data they learnt from; give --dataset NAME")
    entry = plugins.registry("datasets").get(name or own.name)  # type: ignore[union-attr]
    kept = own.settings if own is not None and own.name == entry.name else {}
    return part_of("datasets", entry.name, {**kept, **settings}, plugins)


def _size(spec: DataSpec) -> str:
    channels, height, width = spec.image
    return f"{width}x{height} in {channels} channel{'' if channels == 1 else 's'}"
