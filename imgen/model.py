"""What ships: models, and weights files that carry their own configuration."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from imgen import files, strict_json, tensor_header
from imgen.data.spec import Attribute, DataSpec
from imgen.errors import WeightsError
from imgen.plain import plain
from imgen.tensor_header import Header

if TYPE_CHECKING:
    import torch
    from torch import Tensor

FORMAT = 1
LARGEST = 2**22
"""The largest whole number that a setting of a model may have: more than any layer is wide."""
_MOST_SETTINGS = 500
_MOST_ITEMS = 10_000  # of a list in a setting
_LONGEST_NAME = 300
_LONGEST_TEXT = 20_000


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
        """Raises: `ValueError`, `KeyError` or `TypeError` where `told` is not what `to_json` gave, or beyond bounds."""
        if told["format"] != FORMAT:
            raise ValueError(f"format {strict_json.shown(told['format'])}, this imgen reads {FORMAT}")
        settings = strict_json.keyed(told["settings"], "settings", _MOST_SETTINGS)
        for name, value in settings.items():
            _check_setting(value, f"the setting '{name}'")
        return cls(
            name=strict_json.text(told["name"], "name", _LONGEST_NAME),
            settings=settings,
            data=DataSpec.from_json(strict_json.keyed(told["data"], "data", _MOST_SETTINGS)),
            plugin=strict_json.text(told["plugin"], "plugin", _LONGEST_NAME),
            origin=strict_json.keyed(told["origin"], "origin", _MOST_SETTINGS),
        )


def _check_setting(value: Any, what: str) -> None:
    """See to it that no number of a setting, however deep, can keep whoever builds the model busy.

    Raises: `ValueError`.
    """
    if type(value) is int:
        strict_json.whole(value, what, -LARGEST, LARGEST)
    elif isinstance(value, str):
        strict_json.text(value, what, _LONGEST_TEXT, lines=True)
    elif isinstance(value, Mapping):
        for inner in strict_json.keyed(value, what, _MOST_SETTINGS).values():
            _check_setting(inner, what)
    elif isinstance(value, (list, tuple)):
        for inner in strict_json.listed(value, what, _MOST_ITEMS):
            _check_setting(inner, what)


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
    return read_layout(path)[0]


def read_layout(path: Path) -> tuple[ModelConfig, Header]:
    """Configuration, and kinds and shapes of all tensors, without reading them: all that a header says, checked.

    Raises: `WeightsError` where it is not a weights file of ours.
    """
    header = _header(path)
    return _config(path, _told(path, header)), header


def read_model(path: Path) -> tuple[ModelConfig, dict[str, Tensor]]:
    """Configuration and weights, on the CPU.

    Raises: `WeightsError` where the file is missing, foreign or damaged.
    """
    told = _told(path, _header(path))
    config = _config(path, told)
    tensors = read_tensors(path)
    if told.pop("sha256", None) != _digest(told, tensors.items()):
        raise WeightsError(f"{path}: damaged: its content does not match its sha256; fetch or train it again")
    return config, tensors


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, on the CPU, its header checked first.

    Raises: `WeightsError` where the file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    _header(path)
    try:
        return load_file(path)
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        raise WeightsError(f"{path}: not a readable safetensors file: {plain(str(error))}") from None


def digest_of(path: Path) -> str:
    """The sum in a weights file's header, over its configuration and its tensors; nothing where it has none.

    Raises: `WeightsError` where it is not a weights file of ours.
    """
    told = _told(path, _header(path)).get("sha256")
    return told if isinstance(told, str) and re.fullmatch("[0-9a-f]{64}", told) else ""


def _header(path: Path) -> Header:
    try:
        return tensor_header.read(path)
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such file") from None
    except tensor_header.Unsound as error:
        raise WeightsError(f"{path}: not a readable safetensors file: {error}") from None
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror or error}") from None


def _told(path: Path, header: Header) -> dict[str, Any]:
    """What a weights file tells of itself: its configuration and the sum over all."""
    if "imgen" not in header.metadata:
        raise WeightsError(f"{path}: holds weights but no imgen configuration; it must be a model.safetensors of imgen")
    try:
        return strict_json.parse_object(header.metadata["imgen"])
    except ValueError as error:
        raise _unreadable(path, error) from None


def _config(path: Path, told: Mapping[str, Any]) -> ModelConfig:
    try:
        return ModelConfig.from_json(told)
    except KeyError as error:
        raise _unreadable(path, ValueError(f"it has no {error}")) from None
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> WeightsError:
    return WeightsError(f"{path}: its configuration cannot be read: {plain(str(error))}")


def _digest(told: Mapping[str, Any], tensors: Iterable[tuple[str, Tensor]]) -> str:
    """sha256 over the configuration and every tensor: safetensors itself has no check sum."""
    import torch

    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    for name, tensor in sorted(tensors):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
