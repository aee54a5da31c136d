"""Networks that measure and were trained for it: their files, and how long they are kept."""

from __future__ import annotations

import weakref
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgen import __version__
from imgen.data.spec import DataSpec
from imgen.errors import DataError, WeightsError
from imgen.model import ModelConfig, write_model

if TYPE_CHECKING:
    import torch
    from torch import nn

# By the id of a data set, which need not be hashable: a reference that ends with it, and what goes with it.
_kept: dict[int, tuple[weakref.ref[Any], dict[Hashable, Any]]] = {}


def read_weights(path: Path, device: torch.device | str) -> tuple[nn.Module, ModelConfig]:
    """A registered model from its weights file, in evaluation mode.

    Raises: `DataError` where it is none: a measurement that cannot be made must not cost a run its weights.
    """
    from imgen.build import load_model
    from imgen.plugins import installed

    try:
        return load_model(path, installed(), str(device))
    except WeightsError as error:
        raise DataError(str(error)) from error


def write_weights(
    path: Path, model: nn.Module, name: str, settings: Mapping[str, Any], data: DataSpec, origin: Mapping[str, Any]
) -> None:
    """A weights file that `read_weights` reads. name, settings: of the registered model; origin: facts for people.

    Raises: `DataError` where it cannot be written.
    """
    from imgen.plugins import installed

    plugins = installed()
    plugin = plugins.owner(plugins.registry("models").get(name).plugin)
    told = {**origin, "imgen": __version__}
    config = ModelConfig(name=name, settings=settings, data=data, plugin=plugin, origin=told)
    try:
        write_model(path, config, model.state_dict())
    except OSError as error:
        raise DataError(f"{path}: the classifier cannot be written: {error.strerror}") from error


def kept_with(dataset: Any) -> dict[Hashable, Any]:
    """What metrics keep of a data set in this process. It goes with the data set, so nothing in it may hold that."""
    place = id(dataset)
    if place not in _kept or _kept[place][0]() is not dataset:
        _kept[place] = weakref.ref(dataset, lambda _: _kept.pop(place, None)), {}
    return _kept[place][1]
