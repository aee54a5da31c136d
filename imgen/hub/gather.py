"""What of a run is published: its model, recipe, numbers, sheets and card, and nothing that tells of this machine."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from PIL import Image

from imgen import __version__, privacy
from imgen.card import card_of
from imgen.errors import HubError, ImgenError, RecipeError
from imgen.hub import contents, trust
from imgen.hub.client import sums
from imgen.hub.reference import Reference
from imgen.metrics import records
from imgen.model import ModelConfig, digest_of, read_config
from imgen.plugins import Plugins
from imgen.train import checkpoint
from imgen.train.run import run_of, weights_of
from imgen.yaml_lines import dump, parse


@dataclass(frozen=True)
class Item:
    """A file to publish. path: in the repository; content: what it holds, or the file here that holds it."""

    path: str
    content: bytes | Path

    @cached_property
    def size(self) -> int:
        """In bytes."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size

    def is_that(self, size: int, digest: str) -> bool:
        """Whether a repository's file of this size and sum has the same content."""
        return size == self.size and digest in self._sums

    @cached_property
    def _sums(self) -> tuple[str, str]:
        return sums(self.content)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be published, and how. reference: where. full: the training state, too; sheets: pictures, too.

    yours: the author's own words for the card; allowed: words that may leave although they look like this machine's.
    """

    reference: Reference
    full: bool = False
    sheets: bool = True
    yours: str | None = None
    allowed: Sequence[str] = ()


def gather(weights: Path, wanted: Wanted, plugins: Plugins) -> list[Item]:
    """The files of a model, as they will stand in its repository.

    Raises: `WeightsError` or `RecipeError` where something of the run cannot be read, `HubError` where a file tells of
    this machine or there is no state to go on with.
    """
    config = read_config(weights)
    run = run_of(weights)
    sheets = _sheets(run) if run and wanted.sheets else []
    items = [Item(contents.WEIGHTS, weights), Item(contents.CONFIG, _config(weights, config)), *sheets]
    if run:
        items.append(Item(contents.RECIPE, _recipe(run, plugins)))
        items += _metrics(run, digest_of(weights), plugins)
        items += _training(run, weights) if wanted.full else []
    elif wanted.full:
        raise HubError(f"{weights}: these weights are in no run, so there is no training state that --full would add")
    card = card_of(
        run or weights.parent,
        plugins,
        repo=str(wanted.reference),
        sheets=[sheet.path for sheet in sheets],
        yours=wanted.yours,
        weights=weights,
    )
    items.append(Item(contents.CARD, card.encode()))
    _refuse_traces(items, wanted)
    _check(items, weights)
    return sorted(items, key=lambda item: item.path)


def _config(weights: Path, config: ModelConfig) -> bytes:
    """For those who look without fetching the weights, and for the Hub, which counts fetches of this file."""
    told = {"library_name": "imgen", "imgen": __version__, **config.to_json(), "sha256": digest_of(weights)}
    return (json.dumps(told, indent=1, sort_keys=True) + "\n").encode()


def _recipe(run: Path, plugins: Plugins) -> bytes:
    """The run's recipe with every place on this machine replaced by its setting's name."""
    content = parse((run / "recipe.yaml").read_text(encoding="utf8"), str(run / "recipe.yaml")).content
    if not isinstance(content, dict):
        raise RecipeError(f"{run / 'recipe.yaml'}: not a recipe")
    for section in ("algorithm", "dataset"):
        content[section] = _placeless(section + "s", content.get(section), plugins)
    content["metrics"] = [_placeless("metrics", metric, plugins) for metric in content.get("metrics") or []]
    head = (
        "# As it was trained. What stands in capitals was a place on that machine: give yours, as in --root FOLDER.\n"
    )
    return (head + dump(content)).encode()


def _placeless(kind: str, part: Any, plugins: Plugins) -> Any:
    if not isinstance(part, Mapping) or not isinstance(part.get("name"), str):
        return part
    try:
        factory = plugins.registry(kind).get(part["name"]).load()
    except ImgenError:
        # Its plugin is gone: whatever looks like a path still goes.
        factory = None
    settings = privacy.placeless({key: value for key, value in part.items() if key != "name"}, factory)
    return {"name": part["name"], **settings}


def _metrics(run: Path, digest: str, plugins: Plugins) -> list[Item]:
    """What was measured of this run, each line without the places where things lay; none where nothing was."""
    lines = []
    for record in records.read(run):
        told = record.to_json()
        told["data"] = _placeless("datasets", told["data"], plugins)
        named = _placeless("metrics", {"name": told["metric"], **told["settings"]}, plugins)
        told["settings"] = {key: value for key, value in named.items() if key != "name"}
        told["details"] = privacy.placeless(told["details"])
        lines.append(json.dumps(told, allow_nan=False) + "\n")
    return [Item(contents.METRICS, "".join(lines).encode())] if lines else []


def _sheets(run: Path) -> list[Item]:
    """The newest preview, drawn anew so that nothing but its pixels leaves."""
    previews = sorted((run / "previews").glob("*.png"))
    if not previews:
        return []
    kept = io.BytesIO()
    with Image.open(previews[-1]) as sheet:
        Image.frombytes(sheet.mode, sheet.size, sheet.tobytes()).save(kept, "PNG", optimize=True)
    return [Item(f"{contents.SHEETS}/preview.png", kept.getvalue())]


def _training(run: Path, weights: Path) -> list[Item]:
    """The newest checkpoint and the history that go on from it."""
    step = checkpoint.newest_step(run)
    if step is None or weights.resolve() not in (weights_of(run).resolve(), _averaged(run, step).resolve()):
        raise HubError(f"{run}: keeps no training state of these weights; push it without --full")
    folder = checkpoint.folder(run, step)
    files = sorted(path for path in folder.iterdir() if path.suffix in (".safetensors", ".json"))
    items = [Item(f"checkpoints/{folder.name}/{path.name}", path) for path in files]
    events = run / "events.jsonl"
    return [*items, Item(events.name, events)] if events.is_file() else items


def _averaged(run: Path, step: int) -> Path:
    return checkpoint.folder(run, step) / checkpoint.WEIGHTS


def _refuse_traces(items: Iterable[Item], wanted: Wanted) -> None:
    repo = wanted.reference.repo
    allowed = (repo, repo.partition("/")[0], *wanted.allowed)
    for item in items:
        for found in privacy.traces(_text(item), allowed):
            raise HubError(
                f"{item.path}: tells {found!r}, which is this machine's; take it out where it comes from (such as the "
                f"data set's setting `about`), or let it leave with --allow {found!r}"
            )


def _check(items: Iterable[Item], weights: Path) -> None:
    """See to it that whoever pulls this may use it: what is published passes what is asked of what is pulled."""
    with tempfile.TemporaryDirectory() as folder:
        for item in items:
            file = item.content if isinstance(item.content, Path) else Path(folder) / Path(item.path).name
            if isinstance(item.content, bytes):
                file.write_bytes(item.content)
            trust.check_file(item.path, file, str(weights))


def _text(item: Item) -> str:
    """What of a file people can read."""
    if item.path.endswith(".safetensors"):
        assert isinstance(item.content, Path)
        with item.content.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            return file.read(length).decode("utf8", "replace")
    if item.path.endswith((".png", ".gif")):
        return ""
    content = item.content if isinstance(item.content, bytes) else item.content.read_bytes()
    return content.decode("utf8", "replace")
