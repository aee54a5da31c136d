"""What of a run is published: its model, recipe, numbers, sheets and card, and nothing that tells of this machine."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from PIL import Image

from imgen import __version__, privacy
from imgen.card import card_of
from imgen.card.about import shows_others
from imgen.card.facts import Facts, events_in
from imgen.errors import HubError, RecipeError
from imgen.hub import contents, trust
from imgen.hub.client import sums
from imgen.hub.reference import Reference
from imgen.metrics import records
from imgen.model import ModelConfig, digest_of
from imgen.plugins import Plugins
from imgen.train import checkpoint
from imgen.train.run import run_of, weights_of
from imgen.yaml_lines import dump, parse

_PREVIEW = f"{contents.SHEETS}/preview.png"


@dataclass(frozen=True)
class Item:
    """A file to publish. path: in the repository; content: what it holds, or the file here that holds it."""

    path: str
    content: bytes | Path
    stamp: tuple[int, ...] = ()

    @classmethod
    def of(cls, path: str, file: Path) -> Item:
        """A file here as it is now."""
        return cls(path, file, _stamp(file))

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.content) if isinstance(self.content, bytes) else self.stamp[1]

    @property
    def stands(self) -> bool:
        """Whether it is still what it was: a run that is being trained goes on, and removes its former states."""
        try:
            return isinstance(self.content, bytes) or _stamp(self.content) == self.stamp
        except OSError:
            return False

    def is_that(self, size: int, digest: str) -> bool:
        """Whether a repository's file of this size and sum has the same content."""
        return size == self.size and digest in self._sums

    @cached_property
    def _sums(self) -> tuple[str, str]:
        return sums(self.content)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be published, and how. reference: where. full: the training state, too.

    sheets: pictures, too; None for those that show nobody of the data. private: a repository that is made is seen by
    its owner alone. yours: the author's own words for the card; allowed: words that may leave although they look like
    this machine's.
    """

    reference: Reference
    full: bool = False
    sheets: bool | None = None
    private: bool = False
    yours: str | None = None
    allowed: Sequence[str] = ()


def gather(weights: Path, wanted: Wanted, plugins: Plugins) -> list[Item]:
    """The files of a model, as they will stand in its repository.

    Raises: `WeightsError` or `RecipeError` where something of the run cannot be read, `HubError` where a file tells of
    this machine or there is no state to go on with.
    """
    facts = _facts(weights, plugins)
    first = Item.of(contents.WEIGHTS, weights)
    run = run_of(weights)
    sheets = [] if wanted.sheets is False or (wanted.sheets is None and shows_others(facts)) else _sheets(facts)
    items = [first, Item(contents.CONFIG, _config(weights, facts.config)), *sheets]
    if run:
        items.append(Item(contents.RECIPE, _recipe(facts)))
        items += _metrics(facts)
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


def remark_on_sheets(weights: Path, wanted: Wanted, plugins: Plugins) -> str:
    """What whoever publishes should know of the pictures before it is done; '' where there is nothing."""
    facts = _facts(weights, plugins)
    if wanted.sheets is False or not shows_others(facts) or _sheet(facts) is None:
        return ""
    what = "may show pictures of the data, and with them people who were not asked"
    if wanted.sheets:
        return f"{_PREVIEW}: {what}; see that the terms of the data allow that it is published"
    return f"{_PREVIEW}: left out, for it {what}; --sheets publishes it all the same"


def _facts(weights: Path, plugins: Plugins) -> Facts:
    return Facts(run_of(weights) or weights.parent, weights, plugins)


def _stamp(file: Path) -> tuple[int, ...]:
    told = file.stat()
    return (told.st_ino, told.st_size, told.st_mtime_ns)


def _config(weights: Path, config: ModelConfig) -> bytes:
    """For those who look without fetching the weights, and for the Hub, which counts fetches of this file."""
    told = {"library_name": "imgen", "imgen": __version__, **config.to_json(), "sha256": digest_of(weights)}
    return (json.dumps(told, indent=1, sort_keys=True) + "\n").encode()


def _recipe(facts: Facts) -> bytes:
    """The run's recipe with every place on this machine replaced by its setting's name."""
    file = facts.folder / contents.RECIPE
    content = parse(file.read_text(encoding="utf8"), str(file)).content
    if not isinstance(content, dict):
        raise RecipeError(f"{file}: not a recipe")
    content |= facts.recipe
    head = (
        "# As it was trained. What stands in capitals was a place on that machine: give yours, as in --root FOLDER.\n"
    )
    return (head + dump(content)).encode()


def _metrics(facts: Facts) -> list[Item]:
    """What was measured of this run, each line without the places where things lay; none where nothing was."""
    lines = []
    for record in records.read(facts.folder):
        told = record.to_json()
        told["data"] = facts.placeless("datasets", told["data"])
        named = facts.placeless("metrics", {"name": told["metric"], **told["settings"]})
        told["settings"] = {key: value for key, value in named.items() if key != "name"}
        told["details"] = privacy.placeless(told["details"])
        lines.append(json.dumps(told, allow_nan=False) + "\n")
    return [Item(contents.METRICS, "".join(lines).encode())] if lines else []


def _sheet(facts: Facts) -> Path | None:
    """The newest preview, or of a model that was fetched its sheet."""
    known = [facts.folder / name for name in (*facts.previews[:1], _PREVIEW)]
    return next((path for path in known if path.is_file()), None)


def _sheets(facts: Facts) -> list[Item]:
    """The sheet, drawn anew so that nothing but its pixels leaves."""
    file = _sheet(facts)
    if file is None:
        return []
    kept = io.BytesIO()
    with Image.open(file) as sheet:
        drawn = sheet if sheet.mode in ("L", "RGB") else sheet.convert("RGB")
        Image.frombytes(drawn.mode, drawn.size, drawn.tobytes()).save(kept, "PNG", optimize=True)
    return [Item(_PREVIEW, kept.getvalue())]


def _training(run: Path, weights: Path) -> list[Item]:
    """The checkpoint of these weights, and the history until then, to go on from it."""
    folder = weights.resolve().parent
    if folder.parent.name != "checkpoints":
        step = checkpoint.newest_step(run)
        own = step is not None and weights.resolve() == weights_of(run).resolve()
        folder = checkpoint.folder(run, step) if step is not None and own else folder
    if not checkpoint.is_whole(folder):
        raise HubError(f"{run}: keeps no training state of {weights}; push it without --full")
    names = sorted(path.name for path in folder.iterdir() if path.suffix in (".safetensors", ".json"))
    items = [Item.of(f"checkpoints/{folder.name}/{name}", folder / name) for name in names]
    events = run / contents.EVENTS
    last = int(folder.name.removeprefix("step-"))
    return [*items, Item(events.name, _events(events, last))] if events.is_file() else items


def _events(file: Path, last: int) -> bytes:
    """What happened until a step, without folders of this machine; what a kill cut off, or is being written, goes."""
    kept = []
    for event in events_in(file):
        if isinstance(event.get("step"), int) and event["step"] <= last:
            told = {key: privacy.unplaced(value) if isinstance(value, str) else value for key, value in event.items()}
            kept.append(json.dumps(told) + "\n")
    return "".join(kept).encode()


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
