"""What the files of a model tell: read with care, for they may come from anywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgen import binding, privacy, tensor_header, yaml_lines
from imgen.errors import ImgenError
from imgen.metrics import records
from imgen.metrics.records import Record
from imgen.model import ModelConfig, digest_of, read_config
from imgen.tensor_header import Told, Unsound

if TYPE_CHECKING:
    from torch import nn

    from imgen.algorithm import Algorithm
    from imgen.plugins import Plugins

_MOST_LINE = 2**20  # characters of one event
_MOST_RECIPE = 2**20  # bytes
_PLUGIN = re.compile(r"(?P<plugin>.+?) \((?P<package>[A-Za-z0-9][A-Za-z0-9._-]{0,80}) (?P<version>[\w.+!-]{1,40})\)")


@dataclass(frozen=True)
class Session:
    """From a start of training to its end. seconds: how long, as far as it is known; whole: whether it told so itself.

    memory: most bytes that were taken of a GPU, 0 where that is not known.
    """

    device: str
    seconds: float = 0
    whole: bool = False
    memory: int = 0


@dataclass(frozen=True)
class Facts:
    """A model's files. folder: a run, or whatever holds the weights."""

    folder: Path
    weights: Path
    plugins: Plugins

    @cached_property
    def config(self) -> ModelConfig:
        """The weights file's configuration. Raises: `WeightsError` where it is none of ours."""
        return read_config(self.weights)

    @cached_property
    def digest(self) -> str:
        """The sum in the weights file's header, over configuration and tensors."""
        return digest_of(self.weights)

    @cached_property
    def tensors(self) -> Mapping[str, Told]:
        """What the weights file holds, by name."""
        try:
            return tensor_header.read(self.weights).tensors
        except (Unsound, OSError):
            return {}

    @cached_property
    def model(self) -> nn.Module | None:
        """The model on no device; None where its plugin is not here."""
        from imgen.build import outline

        try:
            return outline(self.config, self.plugins, self.weights)
        except Exception:
            # A plugin's constructor may raise anything, and a card is to be had all the same.
            return None

    @cached_property
    def algorithm(self) -> type[Algorithm] | None:
        """The class that trained it; None where its plugin is not here."""
        from imgen.algorithm import Algorithm

        made = self._factory("algorithms", self.name)
        return made if isinstance(made, type) and issubclass(made, Algorithm) else None

    @property
    def name(self) -> str:
        """The algorithm's; '' where it is not known."""
        written = self.recipe.get("algorithm", {}).get("name")
        return str(written or self.config.origin.get("algorithm") or "")

    @property
    def title(self) -> str:
        """The recipe's, or else the model's."""
        title = str(self.config.origin.get("recipe") or "") or self.config.name
        # A run that was resumed by its folder's name has that for its recipe's title.
        bare = re.sub(r"-\d{4,}$", "", title)
        return bare if self.registered(bare) and not self.registered(title) else title

    def registered(self, title: str) -> bool:
        """Whether a recipe of that title is registered."""
        return title.replace("_", "-").lower() in self.plugins.registry("recipes")

    @property
    def step(self) -> int | None:
        """Of the weights; None where it is not known."""
        step = self.config.origin.get("step")
        return step if _whole(step) else None

    @cached_property
    def plugin(self) -> tuple[str, str, str]:
        """Plugin, package and version that the model is of; '' for what is not known.

        Where the model is registered here, package and plugin are those: a file could name any.
        """
        written = _PLUGIN.fullmatch(self.config.plugin)
        version = written["version"] if written else ""
        registry = self.plugins.registry("models")
        if self.config.name in registry:
            here = _PLUGIN.fullmatch(self.plugins.owner(registry.get(self.config.name).plugin))
            if here:
                return here["plugin"], here["package"], version or here["version"]
        return (written["plugin"], written["package"], version) if written else (self.config.plugin, "", "")

    @cached_property
    def recipe(self) -> dict[str, dict[str, Any]]:
        """The sections of the run's recipe without places of any machine; empty where there is none to be read."""
        content = _yaml(self.folder / "recipe.yaml")
        told: dict[str, Any] = {
            section: self.placeless(f"{section}s", content[section])
            for section in ("algorithm", "dataset")
            if isinstance(content.get(section), dict)
        }
        if isinstance(content.get("train"), dict):
            told["train"] = privacy.placeless(content["train"])
        metrics = content.get("metrics")
        if isinstance(metrics, list):
            told["metrics"] = [self.placeless("metrics", each) for each in metrics if isinstance(each, dict)]
        return told

    @property
    def train(self) -> Mapping[str, Any]:
        """The recipe's section `train`."""
        return self.recipe.get("train", {})

    def placeless(self, kind: str, part: Mapping[str, Any]) -> dict[str, Any]:
        """A registered thing and its settings, without places of any machine."""
        settings = {str(key): value for key, value in part.items() if key != "name"}
        factory = self._factory(kind, part.get("name"))
        if factory is None:
            # Nobody says which of them are places: whatever could be one goes.
            settings = {key: key.upper() if _pathlike(value) else value for key, value in settings.items()}
        named = {"name": part["name"]} if "name" in part else {}
        return named | privacy.placeless(settings, factory)

    def defaults(self, kind: str, name: str) -> dict[str, Any]:
        """The default settings of a registered thing; nothing where it is not here."""
        factory = self._factory(kind, name)
        known = binding.settings_of(factory) if factory else {}
        return {name: setting.default for name, setting in known.items() if not setting.required}

    def _factory(self, kind: str, name: Any) -> Any:
        try:
            return self.plugins.registry(kind).get(name).load() if isinstance(name, str) and name else None
        except ImgenError:
            return None

    @cached_property
    def sessions(self) -> Sequence[Session]:
        """The processes that trained, in order."""
        found: list[Session] = []
        begun: float | None = None
        for event in events_in(self.folder / "events.jsonl"):
            at = _seconds(event.get("time"))
            if event["event"] == "started":
                begun = at
                found.append(Session(str(event.get("device") or "")))
            elif found and event["event"] == "finished" and _number(event.get("seconds")):
                found[-1] = replace(found[-1], seconds=float(event["seconds"]), whole=True)
            elif found and not found[-1].whole and at is not None and begun is not None:
                memory = event["memory"] if _whole(event.get("memory")) else 0
                seconds = max(found[-1].seconds, at - begun)
                found[-1] = replace(found[-1], seconds=seconds, memory=max(found[-1].memory, memory))
        return found

    @cached_property
    def world(self) -> int:
        """Processes that trained together, as the newest checkpoint tells; 0 where it is not known."""
        states = sorted(self.folder.glob("checkpoints/step-*/state.json"))
        try:
            if not states or states[-1].stat().st_size > _MOST_LINE:
                return 0
            told = json.loads(states[-1].read_text(encoding="utf8", errors="replace"))
        except (OSError, ValueError, RecursionError):
            return 0
        world = told.get("world") if isinstance(told, dict) else None
        return int(world) if isinstance(world, int) and _whole(world) else 0

    @cached_property
    def records(self) -> Sequence[Record]:
        """What was measured of these weights, the newest of each kind; in order of time."""
        kept: dict[str, Record] = {}
        for record in self._all_records:
            if self._of_these(record):
                key = json.dumps([record.metric, record.settings, record.data], sort_keys=True, default=str)
                kept.pop(key, None)
                kept[key] = record
        return tuple(kept.values())

    @property
    def former(self) -> int:
        """How many records are of other states of the run."""
        return sum(not self._of_these(record) for record in self._all_records)

    @cached_property
    def _all_records(self) -> Sequence[Record]:
        return records.read(self.folder)

    def _of_these(self, record: Record) -> bool:
        # What is measured while training knows its step, and no file of weights yet.
        return record.sha256 == self.digest if record.sha256 else record.step == self.step is not None

    @cached_property
    def previews(self) -> Sequence[str]:
        """Sheets that were drawn until these weights were as they are, the newest first, as paths within the folder."""
        last = f"step-{self.step:08d}.png" if self.step is not None else "~"
        names = sorted((path.name for path in (self.folder / "previews").glob("step-*.png")), reverse=True)
        return [f"previews/{name}" for name in names if name <= last]


def _yaml(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_RECIPE:
            return {}
        content = yaml_lines.parse(path.read_text(encoding="utf8", errors="replace"), path.name).content
    except (OSError, ImgenError):
        return {}
    return content if isinstance(content, dict) else {}


def events_in(path: Path) -> Iterator[dict[str, Any]]:
    """The events of a run, in order; lines that are none are passed over."""
    if not path.is_file():
        return
    with path.open(encoding="utf8", errors="replace") as file:
        while line := file.readline(_MOST_LINE):
            try:
                event = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(event, dict) and isinstance(event.get("event"), str):
                yield event


def _seconds(time: Any) -> float | None:
    from datetime import datetime

    try:
        return datetime.fromisoformat(time).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e12


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**15


def _pathlike(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_pathlike(each) for each in value)
    if isinstance(value, Mapping):
        return any(_pathlike(each) for each in value.values())
    return isinstance(value, str) and any(sign in value for sign in "/\\~")
