"""Networks that see pictures as features: named choices, each with what its figures may be compared with."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, conv2d, relu

from imgen.errors import DataError, WeightsError
from imgen.metrics.quality.inception import reference_inception
from imgen.model import read_model

NetworkName = Literal["inception", "classifier", "random"]

_RANDOM_SIZE = 64
_RANDOM_LAYERS = ((32, 5), (64, 3), (128, 3), (128, 3))  # channels and side of the kernel; all of stride 2
_RANDOM_SEED = 20170626


@dataclass(frozen=True, kw_only=True)
class Network:
    """What turns pictures into features.

    shape: (C, H, W) of the pictures that it takes. dimension: of its features; 0: it gives none. classes: by name of
    what it classifies, the number of classes; empty: it does not. digest: of its weights and of how it is used.
    resizing: its plain one, a name of `RESIZINGS`. notes: what a reader of its figures must know.
    see: pictures (B, C, H, W) of that shape, float32 in [0, 255], to features (B, dimension) and the probabilities of
    all classes, (B, sum of classes), side by side.
    """

    name: str
    shape: tuple[int, int, int]
    dimension: int
    digest: str
    see: Callable[[Tensor], tuple[Tensor, Tensor]]
    classes: Mapping[str, int] = field(default_factory=dict)
    resizing: str = "bilinear"
    notes: tuple[str, ...] = ()


def network_of(name: str, weights: str | None, device: torch.device, metric: str) -> Network:
    """The network of a name, on a device.

    weights: the file of its weights; None: those that come with it.
    Raises: `DataError`, beginning with the metric's name, where it cannot be had.
    """
    try:
        make = NETWORKS[name]
    except KeyError:
        raise DataError(f"{metric}: no network '{name}'; there are {', '.join(NETWORKS)}") from None
    try:
        return make(weights, device)
    except (DataError, WeightsError) as error:
        raise DataError(f"{metric}: {error}") from error


def _inception(weights: str | None, device: torch.device) -> Network:
    see, digest = reference_inception(weights, device)
    return Network(
        name="inception",
        shape=(3, 299, 299),
        dimension=2048,
        classes={"": 1008},
        digest=digest,
        resizing="tensorflow",
        see=see,
    )


def _classifier(weights: str | None, device: torch.device) -> Network:
    """A classifier in a weights file of imgen, through its `embed` and its `classify`."""
    from imgen.build import load_model
    from imgen.plugins import installed

    if weights is None:
        raise DataError("network classifier needs the setting weights: the weights file of a model with `embed`")
    path = Path(weights).expanduser()
    model: Any
    model, config = load_model(path, installed(), str(device))
    embeds, tells = (callable(getattr(model, name, None)) for name in ("embed", "classify"))
    if not (embeds or tells):
        raise DataError(f"{weights}: the model '{config.name}' has neither `embed(images)` nor `classify(images)`")

    def see(images: Tensor) -> tuple[Tensor, Tensor]:
        unit = images / 127.5 - 1
        none = images.new_zeros(len(images), 0)
        features = model.embed(unit).flatten(1) if embeds else none
        return features.float(), torch.cat([none, *(model.classify(unit) if tells else ())], dim=1).float()

    shape = config.data.image
    with torch.no_grad():
        features, _ = see(torch.zeros((1, *shape), device=device))
    return Network(
        name="classifier",
        shape=shape,
        dimension=features.shape[1],
        classes={each.name: len(each.values) for each in model.attributes} if tells else {},
        digest=_digest(read_model(path)[1]),
        see=see,
        notes=("figures by a classifier of one's own may be compared where they are by the same weights",),
    )


def _random(weights: str | None, device: torch.device) -> Network:
    """Convolutions of weights that follow from a fixed seed; of the last map each quarter is averaged by itself."""
    if weights is not None:
        raise DataError("network random takes no weights: they follow from a seed of its own; leave the setting out")
    layers = [torch.from_numpy(each) for each in _random_weights()]
    own = [each.to(device) for each in layers]

    def see(images: Tensor) -> tuple[Tensor, Tensor]:
        maps, seen = images / 127.5 - 1, []
        for place, kernel in enumerate(own):
            maps = relu(conv2d(maps, kernel, stride=2, padding=kernel.shape[2] // 2))
            seen.append(adaptive_avg_pool2d(maps, 2 if place == len(own) - 1 else 1).flatten(1))
        return torch.cat(seen, dim=1), images.new_zeros(len(images), 0)

    return Network(
        name="random",
        shape=(3, _RANDOM_SIZE, _RANDOM_SIZE),
        dimension=sum(channels for channels, _ in _RANDOM_LAYERS) + 3 * _RANDOM_LAYERS[-1][0],
        digest=_digest({str(place): each for place, each in enumerate(layers)}),
        see=see,
        notes=(
            "the network random has learnt nothing: its figures rank models of one data set, and may be compared with "
            "those of no other network",
        ),
    )


NETWORKS: dict[str, Callable[[str | None, torch.device], Network]] = {
    "inception": _inception,
    "classifier": _classifier,
    "random": _random,
}
"""By name, what makes a network of the file of its weights, or None, and a device. See `NetworkName`."""


def _random_weights() -> list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    """Of normal distributions that keep the scale of what comes in (He et al., 2015)."""
    rng = np.random.default_rng(_RANDOM_SEED)
    before, made = 3, []
    for channels, side in _RANDOM_LAYERS:
        scale = np.sqrt(2 / (before * side * side))
        made.append((scale * rng.standard_normal((channels, before, side, side))).astype(np.float32))
        before = channels
    return made


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """sha256 over weights, by name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
