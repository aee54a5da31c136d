"""Whoever places pictures for a measurement: a network from its weights file, or the oracle of drawn identities."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from imgen.data.shapes import Shapes
from imgen.data.shapes_oracle import read
from imgen.errors import DataError, HubError
from imgen.loading import on_the_hub, weights_named
from imgen.metrics.weights import read_weights
from imgen.model import Embedder, digest_of

if TYPE_CHECKING:
    from imgen.metrics import Evaluation

ORACLE = "oracle"
_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """Someone who gives each picture a place, near for pictures of one identity.

    embed: pictures (B, C, H, W) in [-1, 1], as they are, to rows (B, D). image: (C, H, W) that it takes, to which
    others are resized; None: any. people: those that it has learnt from, a part of `imgen.data.people`, '' where that
    is not told. words: who it is, for protocols. digest: differs between the weights that a file holds by and by.
    """

    embed: Callable[[Tensor], Tensor]
    image: tuple[int, int, int] | None
    people: str
    words: str
    digest: str = ""

    def __call__(self, images: Tensor) -> Tensor:
        """Rows of length 1, float64 (N, D), on the CPU. Shapes: images: (N, C, H, W) in [-1, 1]."""
        rows = [self.embed(self.fitted(some)).double().cpu() for some in images.split(_BATCH)]
        return normalize(torch.cat(rows), dim=1)

    def fitted(self, images: Tensor) -> Tensor:
        """Pictures of the size that it takes: bilinear, antialiased where they become smaller."""
        if self.image is None or tuple(images.shape[2:]) == tuple(self.image[1:]):
            return images
        return interpolate(images, size=self.image[1:], mode="bilinear", antialias=True, align_corners=False)

    def all(self, parts: Iterator[Tensor]) -> Tensor:
        """The rows of pictures that come in parts."""
        return torch.cat([self(part) for part in parts])


def embedder_of(evaluation: Evaluation, embedding: str, who: str) -> Embedding:
    """The oracle of drawn identities, or the network of a weights file, or of the run in a folder. who: asks for it.

    Raises: `DataError` where the data set has no oracle, or the file is none of a network that embeds such pictures.
    """
    return _oracle(evaluation, who) if embedding == ORACLE else _network(evaluation, embedding, who)


def network_of(
    model: Any,
    image: tuple[int, int, int],
    device: torch.device,
    *,
    people: str = "",
    words: str = "",
    digest: str = "",
) -> Embedding:
    """A network that embeds, at work on a device; all else is as in `Embedding`."""

    def embed(images: Tensor) -> Tensor:
        with torch.no_grad():
            rows: Tensor = model.embed(images.to(device))
        return rows

    return Embedding(embed=embed, image=image, people=people, words=words, digest=digest)


def _network(evaluation: Evaluation, embedding: str, who: str) -> Embedding:
    try:
        path = _file(embedding)
        model, config = read_weights(path, evaluation.device)
    except (DataError, HubError) as error:
        raise DataError(f"{who}: {error}") from error
    if not isinstance(model, Embedder):
        raise DataError(f"{who}: {path}: the model '{config.name}' has no `embed(images)`")
    here, there = evaluation.dataset.spec.image[0], config.data.image[0]
    if here != there:
        raise DataError(f"{who}: {path}: its pictures have {there} channels, the data's {here}; they must be alike")
    digest = digest_of(path)
    _, height, width = config.data.image
    words = f"'{config.name}', weights {digest[:12]}, pictures resized to {width}x{height} (bilinear, antialiased)"
    told = {"people": config.data.people, "words": words, "digest": digest}
    return network_of(model, config.data.image, evaluation.device, **told)


def _file(embedding: str) -> Path:
    """The weights file: it, the one in a folder, or that of user/name on the Hub."""
    path = Path(embedding).expanduser()
    if not path.exists() and on_the_hub(embedding):
        return weights_named(embedding)
    return path / "model.safetensors" if path.is_dir() else path


def _oracle(evaluation: Evaluation, who: str) -> Embedding:
    if not isinstance(evaluation.dataset, Shapes):
        raise DataError(
            f"{who}: embedding 'oracle' is for the data set 'shapes' alone; set embedding to the weights file of a "
            "model with `embed(images)`, such as the recipe 'embedding' trains"
        )
    # It has learnt nothing, so that nobody is known to it.
    words = "the oracle of drawn identities: shape, hue and pattern"
    return Embedding(embed=lambda images: read(images.cpu()).identity(), image=None, people="none", words=words)
