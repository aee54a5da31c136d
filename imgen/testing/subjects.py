"""What is put to the test, built small: things that a plugin registers, on data that fit them.

PYTEST_DONT_REWRITE: the messages say all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from imgen import binding
from imgen.algorithm import Algorithm
from imgen.data.loader import outline
from imgen.data.spec import Dataset, DataSpec
from imgen.errors import ImgenError, RecipeError, near_miss
from imgen.plugins import KINDS, Plugins, installed
from imgen.recipe import Draft
from imgen.registry import Entry, Factory, singular
from imgen.testing.algorithms import Game
from imgen.testing.promises import Unfit
from imgen.testing.settings import check_settings
from imgen.testing.standins import stand_ins
from imgen.testing.steps import steps_to_move_all
from imgen.train.shapes import check_batch

SIZES = (16, 32, 64, 128)
"""Sides that are tried for drawn pictures, the smallest first [pixels]."""
_STEPS, _MOST_STEPS = 4, 12


@dataclass
class Subject:
    """A registered thing, its settings as plain values, and how it is built.

    given: all settings that were given to the test, also those of others.
    """

    entry: Entry
    settings: Mapping[str, Any]
    plugins: Plugins
    given: Mapping[str, Any]
    _kept: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As it is registered."""
        return self.entry.name

    @property
    def factory(self) -> Factory:
        """What builds it."""
        return self.entry.load()

    def make(self, *arguments: Any) -> Any:
        """A new one, with its settings."""
        return binding.build(self.factory, *arguments, settings=self.settings, resolve=self.plugins.build)

    def once(self, key: str, make: Callable[[], Any]) -> Any:
        """What `make` gives, made once."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def model(self) -> tuple[nn.Module, DataSpec]:
        """A new model, its first weights following from torch's seed, and the data that it is for."""
        data, self.settings = self.once("data", self._model_for)
        torch.manual_seed(0)
        return self.make(data), data

    def _model_for(self) -> tuple[DataSpec, Mapping[str, Any]]:
        for game in games_of(self.entry.plugin, self.plugins, self.given):
            if game.make().ships == self.name:
                return game.dataset.spec, {**game.config.settings, **_own(self.name, self.factory, self.given)}
        refused: dict[str, str] = {}
        for size in SIZES[:3]:
            for what, make in stand_ins(None, size):
                try:
                    data = make().spec
                    self.make(data)
                    return data, self.settings
                except (ImgenError, ValueError, TypeError, RuntimeError, KeyError, IndexError) as error:
                    refused.setdefault(" ".join(str(error).split())[:160], f"{what} at size {size}")
        raise RecipeError(f"no data fit it: {_in_words(refused)}; give settings that fit small pictures")


def subject(plugin: str, kind: str, name: str, given: Mapping[str, Any]) -> Any:
    """What a contract of this kind is about.

    given: settings for things of this plugin, by name or as `thing.setting`.
    Raises: `Unfit` where it cannot be built here, `ImgenError` where it is broken.
    """
    plugins = installed()
    entry = plugins.registry(kind).get(name)
    if kind == "recipes":
        return Subject(entry, {}, plugins, given)
    made = Subject(entry, _settings(entry, given, {}, plugins), plugins, given)
    return game_of(made) if kind == "algorithms" else made


def bare(plugin: str, kind: str, name: str, given: Mapping[str, Any]) -> Subject:
    """A registered thing of which nothing is built.

    Raises: `RecipeError` where a given setting is nobody's: it would do nothing.
    """
    plugins = installed()
    _check_given(plugin, plugins, given)
    return Subject(plugins.registry(kind).get(name), {}, plugins, {})


def settings(subject: Subject) -> None:
    """Every setting is explained, has a type, and a default that fits it."""
    check_settings(subject.factory)


def _check_given(plugin: str, plugins: Plugins, given: Mapping[str, Any]) -> None:
    if not given:
        return
    several = [entry for kind in KINDS[:-1] for entry in plugins.registry(kind) if entry.plugin == plugin]
    for entry in plugins.registry("recipes"):
        data = content_of(Path(str(entry.factory)), plugins).get("dataset") if entry.plugin == plugin else None
        if data:
            several.append(plugins.registry("datasets").get(data["name"]))
    known: dict[str, set[str]] = {}
    for entry in several:
        known.setdefault(entry.name, set()).update(binding.settings_of(entry.load()))
    for key in given:
        thing, dot, setting = key.rpartition(".")
        if dot and thing not in known:
            raise RecipeError(
                f"settings are given for '{thing}', which is none of the plugin's{near_miss(thing, known)}"
            )
        have = known[thing] if dot else {name for names in known.values() for name in names}
        if setting not in have:
            who = f"{thing} has no" if dot else "the plugin has nothing with a"
            raise RecipeError(f"{who} setting '{setting}'{near_miss(setting, have)}")


def game_of(made: Subject) -> Game:
    """An algorithm with data to play on: a recipe's that its plugin registers, or what the core draws.

    Raises: `RecipeError` with each that does not fit, and why.
    """
    refused: dict[str, str] = {}
    for what, settings, make in _data_for(made):
        try:
            game = Game(made.name, made.factory, make(), settings, made.plugins, steps=_STEPS)
            algorithm = game.make()
            if isinstance(algorithm, Algorithm):
                check_batch(outline(game.dataset, game.batch), algorithm.expects, f"algorithm '{made.name}'")
                game.steps = max(_STEPS, _needed(algorithm))
            return game
        except Unfit:
            continue
        except (ImgenError, ValueError, TypeError, RuntimeError, KeyError, IndexError) as error:
            refused.setdefault(" ".join(str(error).split())[:160], what)
    raise RecipeError(
        f"no data fit it: {_in_words(refused)}; register a recipe of it whose data set needs no files, or give "
        "settings that fit small pictures"
    )


def _in_words(refused: Mapping[str, str]) -> str:
    """Each reason once, with the first data that it was met with."""
    return "; ".join([f"{what}: {why}" for why, what in refused.items()][:3])


def _needed(algorithm: Algorithm) -> int:
    try:
        return steps_to_move_all(algorithm, _MOST_STEPS)
    except Exception:
        # The contracts of players and turns say what is wrong with them.
        return _STEPS


def games_of(plugin: str, plugins: Plugins, given: Mapping[str, Any]) -> Iterator[Game]:
    """The algorithms of a plugin that can be played here."""
    for entry in plugins.registry("algorithms"):
        if entry.plugin == plugin:
            with suppress(ImgenError, Unfit):
                yield game_of(Subject(entry, _settings(entry, given, {}, plugins), plugins, given))


def _data_for(made: Subject) -> Iterator[tuple[str, Mapping[str, Any], Callable[[], Dataset]]]:
    """Data sets to try, in words, each with the settings of the algorithm that go with it."""
    for entry in made.plugins.registry("recipes"):
        if entry.plugin != made.entry.plugin:
            continue
        written = content_of(Path(str(entry.factory)), made.plugins)
        algorithm, data = (dict(written.get(section) or {}) for section in ("algorithm", "dataset"))
        if algorithm.pop("name", None) != made.name or not data.get("name"):
            continue
        drawn = made.plugins.registry("datasets").get(data.pop("name"))
        settings = _settings(made.entry, made.given, algorithm, made.plugins)
        for size in SIZES if "size" in binding.settings_of(drawn.load()) else (0,):
            small = {**data, **({"size": size} if size else {})}
            told = f"data set '{drawn.name}' of recipe '{entry.name}'" + (f" at size {size}" if size else "")
            yield told, settings, partial(dataset_of, drawn, made.given, small, made.plugins)
    for size in SIZES[:3]:
        for what, make in stand_ins(made.factory, size):
            yield f"{what} at size {size}", made.settings, make


def content_of(recipe: Path, plugins: Plugins) -> Mapping[str, Any]:
    """A recipe as it is written."""
    content: Mapping[str, Any] = Draft.read(recipe, plugins).content
    return content


def dataset_of(entry: Entry, given: Mapping[str, Any], written: Mapping[str, Any], plugins: Plugins) -> Dataset:
    """A registered data set with settings of a recipe, under those given.

    Raises: `Unfit` where it needs files that nobody named.
    """
    factory = entry.load()
    known = binding.settings_of(factory)
    plain = {**written, **_own(entry.name, factory, given)}
    lacking = [setting.name for setting in known.values() if setting.required and setting.name not in plain]
    # A folder of a recipe is its author's: nobody else has it, and nothing is fetched for a test.
    lacking += [name for name, setting in known.items() if setting.place and name in plain and name in written]
    if lacking:
        raise Unfit(
            f"data set '{entry.name}' needs '{lacking[0]}': give it, such as "
            f"--imgen-set {entry.name}.{lacking[0]}=VALUE or settings={{'{entry.name}.{lacking[0]}': VALUE}}"
        )
    settings, problems = binding.check(factory, plain, plugins.build)
    if problems:
        raise RecipeError(f"data set '{entry.name}' {problems[0].text}")
    made: Dataset = binding.build(factory, settings=settings, resolve=plugins.build)
    return made


def _settings(
    entry: Entry, given: Mapping[str, Any], written: Mapping[str, Any], plugins: Plugins
) -> Mapping[str, Any]:
    """All settings of a thing. Raises: `Unfit` where one is needed and not given, `RecipeError` where one is wrong."""
    factory = entry.load()
    known = binding.settings_of(factory)
    mine = {**written, **_own(entry.name, factory, given)}
    lacking = [setting.name for setting in known.values() if setting.required and setting.name not in mine]
    if lacking:
        raise Unfit(
            f"{singular(entry.kind)} '{entry.name}' needs '{lacking[0]}': give it, such as "
            f"--imgen-set {entry.name}.{lacking[0]}=VALUE or settings={{'{entry.name}.{lacking[0]}': VALUE}}"
        )
    plain, problems = binding.check(factory, mine, plugins.build)
    if problems:
        raise RecipeError("; ".join(problem.text for problem in problems))
    return plain


def _own(name: str, factory: Factory, given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the given settings that are for one thing: of its name, or of no name where it has such a one."""
    known = binding.settings_of(factory)
    free = {key: value for key, value in given.items() if "." not in key and key in known}
    named = {key.partition(".")[2]: value for key, value in given.items() if key.partition(".")[0] == name}
    return {**free, **{key: value for key, value in named.items() if key in known}}
