"""Which runs a sweep has: products of axes, unions of grids, and seeds, each with its own recipe and name."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from imgen.errors import RecipeError
from imgen.overrides import Override
from imgen.plugins import Plugins
from imgen.recipe import Draft, Recipe
from imgen.sweeping.axes import MOST, Axis, Grid
from imgen.train_settings import MAY_CHANGE
from imgen.yaml_lines import scalar

_VALUE, _NAME = 30, 120  # characters of a value in a folder's name, and of the whole name
_SEED = "train.seed"


@dataclass(frozen=True)
class Point:
    """One run of a sweep: its folder's name, what it sets apart from the others, and its recipe, complete."""

    name: str
    settings: Mapping[str, Any]
    recipe: Recipe

    @property
    def seed(self) -> int:
        """What its noise, data order and first weights follow from."""
        return self.recipe.train.seed

    @property
    def identity(self) -> str:
        """A digest of all that touches what is learnt, or is varied: runs of one identity are one run."""
        return identity(self.recipe, self.settings)


def identity(recipe: Recipe, varied: Mapping[str, Any]) -> str:
    """A digest of the settings that touch what is learnt, of those that are varied, and of the metrics."""
    told = recipe.to_dict()
    kept = {key: value for key, value in told["train"].items() if key not in MAY_CHANGE or f"train.{key}" in varied}
    return hashlib.sha256(json.dumps({**told, "train": kept}, sort_keys=True).encode()).hexdigest()[:16]


def but_for_its_seed(recipe: Recipe) -> str:
    """All of a recipe but its seed, as text: runs that are alike in it can be trained side by side in one process."""
    told = recipe.to_dict()
    return json.dumps({**told, "train": {**told["train"], "seed": 0}}, sort_keys=True)


def points(
    path: Path,
    plugins: Plugins,
    *,
    grids: Sequence[Grid],
    seeds: Sequence[int] = (),
    settings: Sequence[Override] = (),
    known: Mapping[str, str] | None = None,
) -> list[Point]:
    """Every run of the union of some grids, each once, in the order in which they are written.

    path: the recipe's file. seeds: none leaves the recipe's own. settings: for all runs.
    known: names by identity that are taken already.
    Raises: `RecipeError` with everything that is wrong, a line each, before anything is started.
    """
    base = Draft.read(path, plugins)
    problems: dict[str, None] = {}
    found: list[tuple[Recipe, dict[str, Any]]] = []
    grids = [_with_seeds(grid, seeds) for grid in grids or [[]]]
    if (count := sum(_size(grid) for grid in grids)) > MOST:
        raise RecipeError(f"this sweep would have {count:,} runs; {MOST:,} are the most")
    for grid in grids:
        # What is wrong with one value is told once, not once for each of its combinations.
        lines = _wrong(base, grid, settings)
        problems |= dict.fromkeys(lines)
        for chosen in [] if lines else itertools.product(*(axis.values for axis in grid)):
            try:
                found.append(_checked(base, grid, chosen, settings))
            except RecipeError as error:
                problems |= dict.fromkeys(str(error).splitlines())
    if problems:
        raise RecipeError("\n".join(problems))
    return _named(found, dict(known or {}))


def _with_seeds(grid: Grid, seeds: Sequence[int]) -> list[Axis]:
    if not seeds:
        return list(grid)
    for axis in grid:
        if axis.key in ("seed", _SEED):
            raise RecipeError(f"{axis.written}: seeds are given by --seeds already; leave one of them out")
    return [*grid, Axis(_SEED, tuple(seeds), "--seeds")]


def _size(grid: Grid) -> int:
    size = 1
    for axis in grid:
        size *= len(axis.values)
    return size


def _wrong(base: Draft, grid: Grid, settings: Sequence[Override]) -> list[str]:
    """Each axis moved on its own, the others at their first values: what is wrong with single values."""
    first = [axis.values[0] for axis in grid]
    lines: dict[str, None] = {}
    keys = [axis.key for axis in grid]
    lines |= {f"{axis.written}: that setting is in this grid twice": None for axis in grid if keys.count(axis.key) > 1}
    for place, axis in enumerate(grid):
        for value in axis.values:
            try:
                _checked(base, grid, [*first[:place], value, *first[place + 1 :]], settings)
            except RecipeError as error:
                # A setting that is not there is so for all of its values.
                told = {line.partition(": ")[2] for line in lines if line.startswith(axis.written.partition("=")[0])}
                lines |= {line: None for line in str(error).splitlines() if line.partition(": ")[2] not in told}
    if not grid:
        try:
            _checked(base, grid, (), settings)
        except RecipeError as error:
            lines |= dict.fromkeys(str(error).splitlines())
    return list(lines)


def _checked(
    base: Draft, grid: Grid, chosen: Sequence[Any], settings: Sequence[Override]
) -> tuple[Recipe, dict[str, Any]]:
    draft = Draft(base.title, copy.deepcopy(base.document), base.plugins)
    given = [
        Override(axis.key, _text(value), f"{axis.written.partition('=')[0]}={_text(value)}")
        for axis, value in zip(grid, chosen, strict=True)
    ]
    draft.apply([*settings, *given])
    recipe = draft.check()
    told = recipe.to_dict()
    shown = {}
    for axis, value in zip(grid, chosen, strict=True):
        section, setting = _full(axis.key, told)
        if section and f"{section}.{setting}" in shown:
            raise RecipeError(f"{axis.written}: that setting is in this grid twice")
        # As the recipe has it: 1e-3 and 0.001 are one run. A spelling that stands for several settings keeps its own.
        shown[f"{section}.{setting}" if section else axis.key] = told[section][setting] if section else value
    return recipe, shown


def _full(key: str, told: Mapping[str, Any]) -> tuple[str, str]:
    section, dot, setting = key.partition(".")
    if dot and setting.replace("-", "_") in told.get(section, {}):
        return section, setting.replace("-", "_")
    name = key.replace("-", "_").casefold()
    owners = [
        (section, setting)
        for section in ("algorithm", "dataset", "train")
        for setting in told[section]
        if setting.casefold() == name and setting != "name"
    ]
    return owners[0] if len(owners) == 1 else ("", key)


def _text(value: Any) -> str:
    """A value as the command line would have it."""
    return value if isinstance(value, str) and scalar(value) == value else json.dumps(value)


def _named(found: Iterable[tuple[Recipe, dict[str, Any]]], known: dict[str, str]) -> list[Point]:
    named: dict[str, Point] = {}
    taken = {name.casefold() for name in known.values()}
    for recipe, settings in found:
        same = identity(recipe, settings)
        if same in named:
            continue
        if same not in known:
            name = _name(settings)
            # Two runs that only their settings tell apart, or disks that take A and a for one.
            known[same] = name if name.casefold() not in taken else f"{name[: _NAME - 7]}_{same[:6]}"
            taken.add(known[same].casefold())
        named[same] = Point(known[same], settings, replace(recipe, title=known[same]))
    return list(named.values())


def _name(settings: Mapping[str, Any]) -> str:
    """`batch=16_seed=3`: the settings' last words, or all of their words where two would be alike."""
    if not settings:
        return "run"
    short = [key.rpartition(".")[2] for key in settings]
    keys = [key if short.count(word) > 1 or word == "name" else word for key, word in zip(settings, short, strict=True)]
    whole = "_".join(f"{key}={_told(value)}" for key, value in zip(keys, settings.values(), strict=True))
    safe = re.sub(r"[^\w=.+-]+", "-", whole, flags=re.ASCII).strip(".-")
    if len(safe) > _NAME:
        return f"{safe[: _NAME - 7]}_{hashlib.sha256(whole.encode()).hexdigest()[:6]}"
    return safe


def _told(value: Any) -> str:
    """A value in a folder's name; what is cut short or cannot stand there bears a digest instead."""
    text = value if isinstance(value, str) else json.dumps(value)
    safe = re.sub(r"[^\w.+-]+", "-", re.sub(r"[\s\[\]\"{}]", "", text), flags=re.ASCII).strip("-") or "none"
    if isinstance(value, (int, float)):
        safe = text
    plain = re.sub(r"[\s\[\]\",]", "", text)
    if len(safe) <= _VALUE and safe.replace("-", "") == plain.replace("-", ""):
        return safe
    return f"{safe[: _VALUE - 7]}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"
