"""What ships: models, and weights files that carry their own configuration."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from imgen import files
from imgen.data.spec import Attribute, DataSpec
from imgen.errors import WeightsError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

FORMAT = 1
_MOST_HEADER = 16 * 2**20  # bytes; a header of ours is a few thousand


@runtime_checkable
class Generator(Protocol):
    """A model that makes pictures from a latent of one or more named codes."""

    codes: Mapping[str, int]
    """Size of each code, in the order in which they make up the latent, such as {"identity": 50, "observation": 50}."""

    def draw(self, code: str, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n draws of a code from its prior, (n, codes[code]): on the generator's device, or else on the model's."""

    def __call__(self, z: Tensor) -> Tensor:
        """Latents (B, sum of the codes) to pictures (B, C, H, W) in [-1, 1]."""

    # spans: Mapping[str, tuple[float, float]]
    # """Values between which a coordinate of a code is shown. May be left out: then draws tell."""


@runtime_checkable
class Encoder(Protocol):
    """A model that reads codes from pictures."""

    encodes: Sequence[str]
    """Names of the codes, in order, one number each. Those that the same model generates from bear the same names."""

    def encode(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Pictures (B, C, H, W) in [-1, 1], of the size of training, to codes (B, len(encodes)).

        Without a generator the best guess. With one, a draw where the model has a distribution of codes to draw from,
        and else the same.
        """


@runtime_checkable
class Embedder(Protocol):
    """A model that gives each picture a place, near for pictures that are alike in what it was trained to see."""

    def embed(self, images: Tensor) -> Tensor:
        """Places (B, D) of pictures (B, C, H, W) in [-1, 1], of the size of training; their directions are compared."""


@dataclass(frozen=True)
class Way:
    """A translation that a model can do.

    source: what its input shows, None for any picture; target: what it makes; attribute: what `target` is a value of,
    None where it is no attribute's.
    """

    source: str | None
    target: str
    attribute: str | None = None


@runtime_checkable
class Translator(Protocol):
    """A model that makes pictures from pictures."""

    ways: Sequence[Way]
    """All that it can do, the first being what is done where nothing is asked."""

    multiple: int
    """Sides that it takes are multiples of this [pixels]."""

    def translate(self, images: Tensor, way: Way) -> Tensor:
        """Pictures (B, C, H, W) in [-1, 1], of the size it was trained at or another, to as many; or vectors (B, V)."""

    # def translate_all(self, images: Tensor, ways: Sequence[Way]) -> list[Tensor]:
    #     """What `translate` gives for each of several ways: for models that share work among them. May be left out."""


@runtime_checkable
class Classifier(Protocol):
    """A model that tells the attributes of pictures."""

    attributes: Sequence[Attribute]
    """What it tells, in order."""

    def classify(self, images: Tensor) -> list[Tensor]:
        """For each attribute the probabilities of its values, (B, values), of pictures (B, C, H, W) in [-1, 1].

        Pictures are of the size of training.
        """


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """All that is needed to rebuild a model, kept in the header of its weights file.

    name, settings: the registered model and its settings; plugin: who registers it, `plugin (package version)`.
    origin: free facts for people and cards, such as recipe, algorithm, step and seed.
    """

    name: str
    settings: Mapping[str, Any]
    data: DataSpec
    plugin: str
    origin: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As plain values, with the number of the file format."""
        return {
            "format": FORMAT,
            "name": self.name,
            "settings": dict(self.settings),
            "data": self.data.to_json(),
            "plugin": self.plugin,
            "origin": dict(self.origin),
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> ModelConfig:
        """Raises: `ValueError`, `KeyError` or `TypeError` where `told` is not what `to_json` gave."""
        if told["format"] != FORMAT:
            raise ValueError(f"format {told['format']!r}, this imgen reads {FORMAT}")
        return cls(
            name=str(told["name"]),
            settings=dict(told["settings"]),
            data=DataSpec.from_json(told["data"]),
            plugin=str(told["plugin"]),
            origin=dict(told["origin"]),
        )


def write_model(path: Path, config: ModelConfig, tensors: Mapping[str, Tensor]) -> None:
    """Write a weights file at once or not at all: a kill leaves the old file or the new one."""
    from safetensors.torch import save

    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    told = config.to_json()
    # One entry: safetensors writes several in an order of chance, and equal weights should make equal files.
    header = {"imgen": json.dumps({**told, "sha256": _digest(told, plain.items())}, sort_keys=True)}
    files.write(path, save(plain, metadata=header))


def read_config(path: Path) -> ModelConfig:
    """The configuration in a weights file's header, without reading its weights.

    Raises: `WeightsError` where it is not a weights file of ours.
    """
    return _config(path, _told(path))


def read_model(path: Path) -> tuple[ModelConfig, dict[str, Tensor]]:
    """Configuration and weights, on the CPU.

    Raises: `WeightsError` where the file is missing, foreign or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    told = _told(path)
    config = _config(path, told)
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a readable safetensors file: {error}") from None
    if told.pop("sha256", None) != _digest(told, tensors.items()):
        raise WeightsError(f"{path}: damaged: its content does not match its sha256; fetch or train it again")
    return config, tensors


def digest_of(path: Path) -> str:
    """The sum in a weights file's header, over its configuration and its tensors; nothing where it has none.

    Raises: `WeightsError` where it is not a weights file of ours.
    """
    return str(_told(path).get("sha256", ""))


def _told(path: Path) -> dict[str, Any]:
    """What a weights file tells of itself: its configuration and the sum over all."""
    from safetensors import SafetensorError, safe_open

    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
        # Asked before the library reads it: a file can claim any size for its header.
        if length > min(size, _MOST_HEADER):
            raise WeightsError(f"{path}: not a weights file: it claims a header of {length:,} bytes")
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such file") from None
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a readable safetensors file: {error}") from None
    if "imgen" not in metadata:
        raise WeightsError(f"{path}: holds weights but no imgen configuration; it must be a model.safetensors of imgen")
    try:
        return dict(json.loads(metadata["imgen"]))
    except (ValueError, TypeError, RecursionError) as error:
        raise _unreadable(path, error) from None


def _config(path: Path, told: Mapping[str, Any]) -> ModelConfig:
    try:
        return ModelConfig.from_json(told)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> WeightsError:
    return WeightsError(f"{path}: its configuration cannot be read: {error!r}")


def _digest(told: Mapping[str, Any], tensors: Iterable[tuple[str, Tensor]]) -> str:
    """sha256 over the configuration and every tensor: safetensors itself has no check sum."""
    import torch

    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    for name, tensor in sorted(tensors):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
