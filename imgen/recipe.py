"""Recipes: names of registered things and their settings, read from YAML with every error at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imgen import binding
from imgen.errors import ImgenError, RecipeError, near_miss
from imgen.overrides import Override, spelt_out
from imgen.plugins import Plugins
from imgen.registry import singular
from imgen.train_settings import TrainSettings
from imgen.yaml_lines import Document, dump, parse, scalar

SECTIONS = ("algorithm", "dataset", "train", "metrics")


@dataclass(frozen=True)
class Part:
    """A registered thing and its settings, all of them, as plain values."""

    name: str
    settings: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """As a recipe writes it."""
        return {"name": self.name, **self.settings}


@dataclass(frozen=True)
class Recipe:
    """A checked recipe with everything explicit; title is the file's name without its ending."""

    title: str
    algorithm: Part
    dataset: Part
    train: TrainSettings
    metrics: tuple[Part, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As plain values, in the order of a recipe."""
        return {
            "algorithm": self.algorithm.to_dict(),
            "dataset": self.dataset.to_dict(),
            "train": dataclasses.asdict(self.train),
            "metrics": [metric.to_dict() for metric in self.metrics],
        }

    def to_yaml(self) -> str:
        """The resolved recipe, which `imgen train` reads again."""
        return dump(self.to_dict())


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What a changed recipe changes, a line a setting: `train.batch: 16 -> 32`."""
    before, after = flat(old), flat(new)
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return [f"{key}: {before.get(key, 'absent')} -> {after.get(key, 'absent')}" for key in keys]


def find(reference: str, plugins: Plugins) -> Path:
    """The file of a recipe: a path, or a registered name.

    Raises: `RecipeError` with the nearest names.
    """
    path = Path(reference)
    if path.is_file():
        return path
    if path.is_dir():
        raise RecipeError(
            f"{reference}: a folder, but not a run, which would have a recipe.yaml; give a run or a recipe"
        )
    recipes = plugins.registry("recipes")
    if path.suffix in (".yaml", ".yml") or path.name != reference:
        # `recipes/NAME.yaml` works from anywhere, as it stands in every page of documentation.
        if path.stem.replace("_", "-") in recipes and path.parent.name in ("", "recipes"):
            return Path(str(recipes.get(path.stem).factory))
        names = [entry.name for entry in recipes]
        raise RecipeError(f"{reference}: no such file{near_miss(path.stem, names)}")
    return Path(str(recipes.get(reference).factory))


class Draft:
    """A recipe as written, with overrides applied, before it is checked."""

    def __init__(self, title: str, document: Document, plugins: Plugins) -> None:
        """document: a parsed YAML file, whose content this object changes."""
        self.title, self.plugins = title, plugins
        self.document, self.content = document, document.content
        self.written: dict[tuple[str, ...], str] = {}
        self.asked: dict[str, str] = {}
        """What old flags asked of the command rather than of the recipe: `out`, `device`."""
        self.problems: list[str] = []
        if not isinstance(self.content, dict):
            raise RecipeError(f"{document.where(())}: a recipe is a mapping with the sections {', '.join(SECTIONS)}")
        for section in ("algorithm", "dataset"):
            if isinstance(self.content.get(section), str):
                self.content[section] = {"name": self.content[section]}

    @classmethod
    def read(cls, path: Path, plugins: Plugins) -> Draft:
        """Raises: `RecipeError` with the line where the file is not YAML."""
        try:
            text = path.read_text(encoding="utf8")
        except UnicodeDecodeError:
            raise RecipeError(
                f"{path}: not text, so it is no recipe; give a YAML file, a run, or a recipe's name"
            ) from None
        except OSError as error:
            raise RecipeError(f"{path}: cannot be read: {error.strerror}") from None
        return cls(path.stem if path.name != "recipe.yaml" else path.parent.name, parse(text, str(path)), plugins)

    def apply(self, overrides: Sequence[Override]) -> None:
        """Put the command line's settings over the file's; a bare name stands for the one setting that bears it."""
        expanded: list[Override] = []
        for override in overrides:
            try:
                expanded += self._spelt_out(override)
            except RecipeError as error:
                self.problems.append(f"{override.written}: {error}")
        # A name first: it decides which settings there are.
        for override in sorted(expanded, key=lambda override: not override.key.endswith(".name")):
            try:
                section, setting = self._full_key(override.key)
            except RecipeError as error:
                self.problems.append(f"{override.written}: {error}")
                continue
            self._put(section, setting, override)

    def _spelt_out(self, override: Override) -> list[Override]:
        """An override under our own names, where it is spelt as in another program."""
        known = {name for settings in self.settings().values() for name in settings}
        spelt = spelt_out(override, getattr(self._factory("algorithm"), "spellings", {}), known)
        for each in spelt:
            what = each.key.removeprefix("run.")
            if what != each.key and self.asked.setdefault(what, each.value) != each.value:
                raise RecipeError(f"--{what} is '{self.asked[what]}' already, so it cannot be '{each.value}'; give one")
        return [each for each in spelt if not each.key.startswith("run.")]

    def _put(self, section: str, setting: str, override: Override) -> None:
        part = self.content.get(section)
        if part is None:
            part = self.content[section] = {}
        if not isinstance(part, dict):
            self.problems.append(f"{override.written}: '{section}' is not a mapping, so it has no '{setting}'")
            return
        other = setting == "name" and part.get("name") != override.value
        part[setting] = scalar(override.value)
        self.written[section, setting] = override.written
        if other and (factory := self._factory(section)):
            # What the recipe sets for the old one and the new one does not have is of no use.
            kept = {"name", *binding.settings_of(factory)}
            self.content[section] = {key: value for key, value in part.items() if key in kept}

    def settings(self) -> dict[str, dict[str, binding.Setting]]:
        """Every setting that this recipe can have, by section and name."""
        known = {"train": binding.settings_of(TrainSettings)}
        for section in ("algorithm", "dataset"):
            factory = self._factory(section)
            if factory:
                known[section] = binding.settings_of(factory)
        return known

    def check(self) -> Recipe:
        """The recipe with everything explicit.

        Raises: `RecipeError` with all that is wrong, a line each.
        """
        for section in self.content:
            if section not in SECTIONS:
                self._blame((section,), f"a recipe has no section '{section}'{near_miss(str(section), SECTIONS)}")
        algorithm, dataset = self._part("algorithm"), self._part("dataset")
        train = self._bound("train", self.content.get("train") or {}, TrainSettings, "train")
        metrics = self._metrics()
        if self.problems:
            raise RecipeError("\n".join(self.problems))
        assert algorithm and dataset
        return Recipe(self.title, algorithm, dataset, TrainSettings(**train), metrics)

    def _full_key(self, key: str) -> tuple[str, str]:
        known = self.settings()
        if "." in key:
            section, _, setting = key.partition(".")
            if section not in ("algorithm", "dataset", "train"):
                raise RecipeError(f"a recipe has no section '{section}'{near_miss(section, SECTIONS[:3])}")
            return section, setting.replace("-", "_")
        owners = [section for section, settings in known.items() if key in settings]
        if len(owners) == 1:
            return owners[0], key
        if owners:
            raise RecipeError("several settings have that name: " + ", ".join(f"-s {o}.{key}=..." for o in owners))
        names = {name for settings in known.values() for name in settings}
        alike = [name for name in names if name.casefold() == key.casefold()]
        if len(alike) == 1:
            return self._full_key(alike[0])
        raise RecipeError(f"this recipe has no setting '{key}'{near_miss(key, names)}")

    def _factory(self, section: str) -> Any:
        part = self.content.get(section)
        name = part.get("name") if isinstance(part, dict) else None
        try:
            return self.plugins.registry(f"{section}s").get(name).load() if isinstance(name, str) else None
        except ImgenError:
            return None

    def _part(self, section: str) -> Part | None:
        written = self.content.get(section)
        if written is None:
            self._blame((), f"the recipe has no section '{section}'; it needs at least {section}: {{name: ...}}")
            return None
        return self._named(section, f"{section}s", written)

    def _metrics(self) -> tuple[Part, ...]:
        written = self.content.get("metrics") or []
        if not isinstance(written, list):
            self._blame(("metrics",), "metrics must be a list of names and settings")
            return ()
        parts = [self._named("metrics", "metrics", metric, str(place)) for place, metric in enumerate(written)]
        return tuple(part for part in parts if part)

    def _named(self, section: str, kind: str, written: Any, *place: str) -> Part | None:
        if isinstance(written, str):
            written = {"name": written}
        if not isinstance(written, dict) or not isinstance(written.get("name"), str):
            self._blame((section, *place), f"{section} needs a name, as in {section}: {{name: ...}}")
            return None
        name = written["name"]
        try:
            entry = self.plugins.registry(kind).get(name)
            factory = entry.load()
        except ImgenError as error:
            self._blame((section, *place, "name"), str(error))
            return None
        given = {key: value for key, value in written.items() if key != "name"}
        return Part(entry.name, self._bound(section, given, factory, f"{singular(kind)} '{entry.name}'", *place))

    def _bound(self, section: str, given: Any, factory: Any, what: str, *place: str) -> dict[str, Any]:
        if not isinstance(given, dict):
            self._blame((section, *place), f"{section} must be a mapping of settings")
            return {}
        plain, problems = binding.check(factory, given, self.plugins.build)
        for problem in problems:
            path = (section, *place, *([problem.key] if problem.key else []))
            text = problem.text.replace("has no setting", f"{what} has no setting") if problem.key else ""
            if not text:
                name = problem.text.split("'")[1]
                text = f"{what} {problem.text}; give it with --{name} VALUE"
            elif text == problem.text:
                text = f"{what}: {text}"
            self._blame(path, text)
        return plain

    def _blame(self, path: tuple[str, ...], text: str) -> None:
        place = self.written.get((path[0], path[-1])) if path else None
        self.problems.append(f"{place or self.document.where(path)}: {text}")


def part_of(kind: str, name: str, settings: Mapping[str, Any], plugins: Plugins) -> Part:
    """A registered thing with all of its settings.

    Raises: `RecipeError` with all that is wrong, a line each.
    """
    entry = plugins.registry(kind).get(name)
    plain, problems = binding.check(entry.load(), settings, plugins.build)
    if problems:
        raise RecipeError("\n".join(f"{singular(kind)} '{entry.name}': {problem.text}" for problem in problems))
    return Part(entry.name, plain)


def places(recipe: Recipe, plugins: Plugins) -> frozenset[str]:
    """The dotted keys of settings that are files or folders of this machine, such as `dataset.root`."""
    parts = [("algorithm", "algorithms", recipe.algorithm), ("dataset", "datasets", recipe.dataset)]
    parts += [(f"metrics[{place}]", "metrics", metric) for place, metric in enumerate(recipe.metrics)]
    return frozenset(
        f"{key}.{setting.name}"
        for key, kind, part in parts
        for setting in binding.settings_of(plugins.registry(kind).get(part.name).load()).values()
        if setting.place
    )


def load(reference: str, overrides: Sequence[Override], plugins: Plugins) -> Recipe:
    """Find, read, override and check a recipe.

    Raises: `RecipeError` with all that is wrong, a line each.
    """
    draft = Draft.read(find(reference, plugins), plugins)
    draft.apply(overrides)
    return draft.check()


def flat(content: Any, prefix: str = "") -> dict[str, Any]:
    """Plain values by dotted keys: `train.steps`, `metrics[0].name`."""
    if isinstance(content, dict):
        items = [(f"{prefix}.{key}" if prefix else str(key), value) for key, value in content.items()]
    elif isinstance(content, list) and content and isinstance(content[0], dict):
        items = [(f"{prefix}[{place}]", value) for place, value in enumerate(content)]
    else:
        return {prefix: content}
    return {key: value for name, inner in items for key, value in flat(inner, name).items()}
