"""Features of pictures: seen once for all metrics of an evaluation, and of real pictures once for all."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from imgen.errors import DataError
from imgen.metrics.quality import cache
from imgen.metrics.quality.resizing import resized

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imgen.metrics import Evaluation
    from imgen.metrics.quality.networks import Network
    from imgen.metrics.quality.pictures import Pictures

_PASS = 64
_VERSION = "1"  # of what is kept: another one where the same pictures would give other features

Origin = Literal["seen", "kept"]


@dataclass(frozen=True)
class Seen:
    """What a network sees in N pictures: features (N, D), and probabilities (N, sum of classes); float32.

    classes: by name of what is classified, how many of the probabilities, in order, are its.
    """

    features: NDArray[np.float32]
    chances: NDArray[np.float32]
    classes: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.features)

    def of(self, rows: NDArray[np.int64]) -> Seen:
        """What it sees in some of them."""
        return Seen(self.features[rows], self.chances[rows], self.classes)


def seen(evaluation: Evaluation, network: Network, resizing: str, pictures: Pictures) -> Seen:
    """What the network sees in pictures, once for all metrics of the evaluation.

    Raises: `DataError` where it gives what is no number.
    """
    key = ("seen", network.name, network.digest, resizing, pictures.key)
    return evaluation.once(key, lambda: _see(network, resizing, pictures, evaluation.device))


def seen_real(evaluation: Evaluation, network: Network, resizing: str, pictures: Pictures) -> tuple[Seen, Origin]:
    """What the network sees in real pictures, and whether it was seen now or kept from an earlier evaluation.

    Kept by what it follows from: every pixel, the network's weights and the resizing.
    Raises: `DataError` where it gives what is no number.
    """

    def make() -> tuple[Seen, Origin]:
        key = _key(network, resizing, pictures)
        widths = {"features": network.dimension, "chances": sum(network.classes.values())}
        kept = cache.recall(key, {name: (pictures.count, width) for name, width in widths.items()})
        if kept is not None:
            return Seen(**kept, classes=network.classes), "kept"
        found = _see(network, resizing, pictures, evaluation.device)
        cache.remember(key, {"features": found.features, "chances": found.chances})
        return found, "seen"

    return evaluation.once(("seen real", network.name, network.digest, resizing, pictures.key), make)


def fitted(images: Tensor, network: Network, resizing: str) -> Tensor:
    """Pictures uint8 as the network takes them, (N, C, H, W) in [0, 255]; grey ones as colours, where it wants those.

    Raises: `DataError` where it takes grey pictures and these are not.
    """
    channels, *size = network.shape
    if images.shape[1] not in (1, channels):
        raise DataError(f"network {network.name} takes pictures of {channels} channels, not of {images.shape[1]}")
    return resized(images, (size[0], size[1]), resizing).expand(-1, channels, -1, -1)


def _see(network: Network, resizing: str, pictures: Pictures, device: torch.device) -> Seen:
    features = np.empty((pictures.count, network.dimension), np.float32)
    chances = np.empty((pictures.count, sum(network.classes.values())), np.float32)
    done = 0
    with torch.no_grad():
        for part in pictures.parts():
            for some in part.split(_PASS):
                # The clean resizing is PIL's, on the CPU; the others are done where the network is.
                some = fitted(some if resizing == "clean" else some.to(device), network, resizing)
                told = network.see(some.to(device))
                for into, values in zip((features, chances), told, strict=True):
                    into[done : done + len(some)] = values.float().cpu().numpy()
                done += len(some)
    if not (np.isfinite(features).all() and np.isfinite(chances).all()):
        raise DataError(f"network {network.name} gives features that are no numbers (NaN or infinity)")
    return Seen(features, chances, network.classes)


def _key(network: Network, resizing: str, pictures: Pictures) -> str:
    digest = hashlib.sha256(f"{_VERSION} {network.name} {network.digest} {network.shape} {resizing}\n".encode())
    for part in pictures.parts():
        digest.update(f"{tuple(part.shape)}\n".encode())
        digest.update(part.contiguous().numpy().data)
    return digest.hexdigest()
