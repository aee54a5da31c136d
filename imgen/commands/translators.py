"""Which model `imgen translate` uses, and which way through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgen.commands.options import find_weights
from imgen.errors import DataError, WeightsError
from imgen.loading import on_the_hub

if TYPE_CHECKING:
    from imgen.data.spec import Attribute
    from imgen.model import ModelConfig
    from imgen.plugins import Plugins
    from imgen.translating.ways import Asked, Route


@dataclass(frozen=True)
class Chosen:
    """Weights to use, and the way through their model. run: that they belong to, if any.

    tells: the attributes that the model itself can tell of pictures; none where it is no classifier.
    """

    weights: Path
    config: ModelConfig
    route: Route
    run: Path | None
    tells: tuple[Attribute, ...]


def split(words: Sequence[str]) -> tuple[str | None, Sequence[str]]:
    """MODEL and INPUT: a word is a model if it is one, or could be nothing else; RUN@NAME and user/name are, too."""
    from imgen.images import SUFFIXES
    from imgen.train import run

    if not words:
        return None, ()
    path = Path(words[0])
    is_model = path.suffix == ".safetensors" or run.is_run(path) or (path / "model.safetensors").is_file()
    folder, at, _ = words[0].rpartition("@")
    former = at and not path.exists() and run.is_run(Path(folder))
    missing = not path.exists() and path.parts[:1] == run.ROOT.parts
    # A picture in a folder that is not there is no model.
    there = on_the_hub(words[0]) and path.suffix.lower() not in {*SUFFIXES, ".zip"}
    return (words[0], words[1:]) if is_model or former or missing or there else (None, words)


def choose(model: str | None, asked: Asked, found: Plugins, *, cycle: bool, chain: int) -> Chosen:
    """The weights to use, and the way through the model. Raises: `WeightsError` where none can do what is asked."""
    from imgen.build import outline
    from imgen.model import read_config
    from imgen.translating import ways

    refused: list[str] = []

    def route(config: ModelConfig, path: Path) -> Route:
        able = _ways(outline(config, found, path), config, path)
        try:
            return ways.route(able, asked, cycle=cycle, chain=chain)
        except DataError as error:
            raise DataError(f"{path}: {error}") from None

    def can(config: ModelConfig, path: Path) -> bool:
        try:
            return bool(route(config, path))
        except DataError as error:
            refused.append(str(error))
            return False
        except _NoTranslator:
            return False

    try:
        weights = find_weights(model, can, str(asked))
    except WeightsError as error:
        # What the newest translator lacks is nearer to what was meant than that nothing was found.
        if refused:
            raise WeightsError(refused[0]) from None
        raise error
    config = read_config(weights)
    tells = _tells(outline(config, found, weights))
    return Chosen(weights, config, route(config, weights), _run_of(weights), tells)


class _NoTranslator(WeightsError):
    """The model makes no pictures from pictures."""


def _ways(model: object, config: ModelConfig, path: Path) -> Any:
    from imgen.model import Translator

    if not isinstance(model, Translator) or not model.ways:
        raise _NoTranslator(f"{path}: its model '{config.name}' does not translate pictures; give another model")
    if config.data.vector:
        raise _NoTranslator(f"{path}: its model '{config.name}' translates vectors and no pictures; give another model")
    return model.ways


def _tells(model: object) -> tuple[Attribute, ...]:
    from imgen.model import Classifier

    return tuple(model.attributes) if isinstance(model, Classifier) else ()


def _run_of(weights: Path) -> Path | None:
    """The run that a weights file belongs to."""
    from imgen.train import run

    here, found = Path.cwd(), run.run_of(weights)
    # As people know it: manifests travel, and need not tell of the machine that they were made on.
    return found.relative_to(here) if found and here in found.parents else found
