"""Registered things built from recipes and from weights files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from imgen import __version__, binding, strict_json, tensor_header
from imgen.algorithm import Algorithm
from imgen.data.loader import outline as outline_of_batch
from imgen.data.spec import Dataset, DataSpec
from imgen.errors import ImgenError, RecipeError, WeightsError
from imgen.metrics.records import Chosen
from imgen.model import ModelConfig, read_layout, read_model
from imgen.outlines import on_no_device, tensors_of, unfitting
from imgen.plain import plain
from imgen.plugins import Plugins
from imgen.privacy import missing_places
from imgen.recipe import Draft, Part, Recipe
from imgen.registry import singular
from imgen.tensor_header import MOST_TENSORS
from imgen.train.shapes import check_batch

# `plugin (package version)`, as `Plugins.owner` gives it, or without the plugin; pip can fetch the package by its name.
_PACKAGE = r"(?P<package>[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?) [A-Za-z0-9.+!_?-]{1,60}"
_OWNER = re.compile(rf"[\w.-]{{1,100}} \({_PACKAGE}\)|{_PACKAGE.replace('package', 'alone')}")


@dataclass(frozen=True)
class Built:
    """What a trainer needs, built from a recipe; recipe: the same, with its length in steps."""

    recipe: Recipe
    algorithm: Algorithm
    dataset: Dataset
    config: ModelConfig
    metrics: Mapping[str, Chosen]


def build(recipe: Recipe, plugins: Plugins, *, dataset: Dataset | None = None) -> Built:
    """Build a recipe's data set, its algorithm with first weights that follow from the seed, and its metrics.

    dataset: the recipe's own where it is built already, as for another run.
    Raises: `RecipeError` or `DataError` where they do not go together.
    """
    dataset = dataset_from(recipe.dataset, plugins) if dataset is None else dataset
    recipe = _in_steps(recipe, dataset)
    torch.manual_seed(recipe.train.seed)
    algorithm: Algorithm = _call(plugins, "algorithms", recipe.algorithm, dataset.spec)
    check_batch(
        outline_of_batch(dataset, recipe.train.batch), algorithm.expects, f"algorithm '{recipe.algorithm.name}'"
    )
    metrics = {part.name: chosen(part, plugins) for part in recipe.metrics}
    return Built(recipe, algorithm, dataset, config_of(algorithm, recipe, dataset.spec, plugins), metrics)


def chosen(part: Part, plugins: Plugins) -> Chosen:
    """A metric by its name in the registry, with its settings."""
    return Chosen(_call(plugins, "metrics", part), part.settings)


def _in_steps(recipe: Recipe, dataset: Dataset) -> Recipe:
    """A length in passes as one in steps: a pass has as many batches as the smallest column fills."""
    train = recipe.train
    if not train.epochs:
        return recipe
    items = min(int(column.shape[0]) for column in dataset.columns.values()) // dataset.spec.group
    steps = max(1, round(train.epochs * max(1, items // train.batch)))
    return replace(recipe, train=replace(train, steps=steps, epochs=0))


def dataset_of(run: Path, plugins: Plugins) -> Dataset:
    """The data set that a run is trained on, built anew from the recipe in the run's folder.

    Raises: `RecipeError` or `DataError` where the recipe or its data can no longer be read.
    """
    return dataset_from(Draft.read(run / "recipe.yaml", plugins).check().dataset, plugins)


def dataset_from(part: Part, plugins: Plugins) -> Dataset:
    """A data set by its name in the registry, with all of its settings.

    Raises: `RecipeError` or `DataError` where its data cannot be read.
    """
    dataset: Dataset = _call(plugins, "datasets", part)
    return dataset


def config_of(algorithm: Algorithm, recipe: Recipe, data: DataSpec, plugins: Plugins) -> ModelConfig:
    """What the weights file of this algorithm's model will say of itself.

    Raises: `RecipeError` where the model could not be rebuilt from it.
    """
    entry = plugins.registry("models").get(algorithm.ships)
    taken = binding.settings_of(entry.load())
    settings = {name: value for name, value in recipe.algorithm.settings.items() if name in taken}
    origin = {
        "recipe": recipe.title,
        "algorithm": recipe.algorithm.name,
        "seed": recipe.train.seed,
        "imgen": __version__,
    }
    plugin = plugins.owner(entry.plugin)
    config = ModelConfig(name=entry.name, settings=settings, data=data, plugin=plugin, origin=origin)
    try:
        # What will be refused when the weights are read is refused before they are trained.
        read = ModelConfig.from_json(strict_json.parse(json.dumps(config.to_json())))
        wanted = tensors_of(_outlined(read, entry.load(), MOST_TENSORS))
    except ValueError as error:
        raise RecipeError(f"model '{entry.name}' could not be read back: {error}") from error
    if wanted != tensors_of(algorithm.model):
        raise RecipeError(
            f"model '{entry.name}' could not be read back: algorithm '{recipe.algorithm.name}' ships it, but its own "
            "`model` has other tensors than the registered one with the same settings"
        )
    return config


def outline(config: ModelConfig, plugins: Plugins, where: Path) -> nn.Module:
    """The model of a weights file on no device: its structure, without memory for its weights.

    Raises: `WeightsError` where its plugin is missing (which it names), or its settings are none of that model's.
    """
    factory = _model_factory(config, plugins, where)
    try:
        return _outlined(config, factory, _tensors(where))
    except ValueError as error:
        raise WeightsError(f"{where}: model '{config.name}' cannot be rebuilt: {_one_line(error)}") from error


def _outlined(config: ModelConfig, factory: Callable[..., Any], tensors: int) -> nn.Module:
    """Raises: `ValueError` with all that is wrong."""
    settings, problems = binding.check(factory, config.settings)
    if problems:
        raise ValueError("; ".join(problem.text for problem in problems))
    # A header's numbers may ask for any number of layers, and its model's code knows no bounds.
    packages = {"imgen", factory.__module__.partition(".")[0]}
    return on_no_device(lambda: binding.build(factory, config.data, settings=settings), packages, tensors)


def load_model(path: Path, plugins: Plugins, device: str = "cpu") -> tuple[nn.Module, ModelConfig]:
    """Rebuild a model from its weights file, in evaluation mode.

    Raises: `WeightsError` where the file is damaged or foreign, or its plugin is missing (which it names).
    """
    config, header = read_layout(path)
    # Compared on no device first: a header that asks for a huge model must not be given the memory.
    if reason := unfitting(outline(config, plugins, path), config.name, header):
        raise WeightsError(f"{path}: {reason}")
    config, tensors = read_model(path)
    try:
        model: nn.Module = binding.build(_model_factory(config, plugins, path), config.data, settings=config.settings)
        model.load_state_dict(tensors)
    except (RuntimeError, ValueError, MemoryError) as error:
        raise WeightsError(f"{path}: does not fit the model '{config.name}': {_one_line(error)}") from error
    return model.to(device).eval().requires_grad_(False), config


def _tensors(where: Path) -> int:
    try:
        return len(tensor_header.read(where).tensors)
    except (OSError, tensor_header.Unsound):
        return MOST_TENSORS


def _model_factory(config: ModelConfig, plugins: Plugins, where: Path) -> Callable[..., Any]:
    registry = plugins.registry("models")
    if config.name not in registry:
        raise WeightsError(
            f"{where}: its model '{plain(config.name, 80)}' comes from {_remedy(config.plugin)}, and see "
            "`imgen plugins`"
        )
    return registry.get(config.name).load()


def _remedy(plugin: str) -> str:
    """The plugin that a file names, and how to get it: never a line of the file's own making."""
    found = _OWNER.fullmatch(plugin)
    if not found:
        return "a plugin that is not installed or not loaded, and that it names in no known way; ask whoever made it"
    package = found["package"] or found["alone"]
    if package == "imgen":
        return f"{plugin}, and this is imgen {__version__}, which does not know it; upgrade imgen"
    return (
        f"the plugin {plugin}, which is not installed or not loaded; if you trust who made that package, "
        f"`imgen install {package}` or `pip install {package}`"
    )


def _call(plugins: Plugins, kind: str, part: Part, *arguments: Any) -> Any:
    factory = plugins.registry(kind).get(part.name).load()
    for name in missing_places(part.settings, factory):
        raise RecipeError(
            f"{singular(kind)} '{part.name}': {name} is {part.settings[name]}, which stands for a place on the machine "
            f"of whoever published this recipe; give yours, as in --{name} PATH or -d {name}=PATH"
        )
    try:
        return binding.build(factory, *arguments, settings=part.settings, resolve=plugins.build)
    except ImgenError:
        raise
    except ValueError as error:
        raise RecipeError(f"{singular(kind)} '{part.name}': {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    return plain(str(error)) or type(error).__name__
