"""Which metrics are meant, and with which settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from imgen import binding
from imgen.errors import RecipeError, near_miss
from imgen.plugins import Plugins
from imgen.recipe import Part, part_of
from imgen.registry import Registry
from imgen.yaml_lines import scalar

ALL = "all"


@dataclass(frozen=True)
class Choice:
    """A metric with all of its settings. named: whether it was asked for by its own name, and so has to fit."""

    part: Part
    named: bool


@dataclass(frozen=True)
class Choices:
    """Metrics to take, and by name why others that a pattern means cannot be."""

    chosen: Sequence[Choice]
    left_out: Mapping[str, str]


def choose(
    words: Sequence[str], protocol: str | None, settings: Sequence[str], recipe: Sequence[Part], plugins: Plugins
) -> Choices:
    """The metrics that words name, each once, in the order of the words.

    words: a name; a family, such as `mig`, for all whose names begin with it; a pattern with `*`; or `all`. None: those
    of the recipe. protocol: keeps those whose names end with it. settings: KEY=VALUE for all that have that setting, or
    METRIC.KEY=VALUE. recipe: metrics of the run's recipe, whose settings are the defaults.

    Raises: `RecipeError` with all that is wrong, a line each.
    """
    registry = plugins.registry("metrics")
    found = _named(words, registry) if words else {part.name: True for part in recipe}
    if protocol:
        found = _of(found, protocol, registry)
    if not found:
        raise RecipeError("which metric? Give --metric NAME, a family such as mig, or all; `imgen metrics` lists them")
    given, problems = _given(settings, list(found), registry)
    own = {part.name: dict(part.settings) for part in recipe}
    chosen, left_out = [], {}
    for name, named in found.items():
        told = {**own.get(name, {}), **given[name]}
        missing = [each for each in binding.settings_of(registry.get(name).load()).values() if each.required]
        lacks = [each for each in missing if each.name not in told]
        if lacks and not named:
            left_out[name] = f"needs -s {name}.{lacks[0].name}=...: {lacks[0].meaning}"
            continue
        try:
            chosen.append(Choice(part_of("metrics", name, told, plugins), named))
        except RecipeError as error:
            problems += str(error).splitlines()
    if problems:
        raise RecipeError("\n".join(problems))
    return Choices(chosen, left_out)


def _named(words: Sequence[str], registry: Registry) -> dict[str, bool]:
    """Names of the metrics that are meant, and whether each was named itself."""
    found: dict[str, bool] = {}
    names = [entry.name for entry in registry]
    for word in words:
        spelt = word.replace("_", "-").lower()
        if spelt in names:
            found[spelt] = True
            continue
        meant = [name for name in names if spelt == ALL or fnmatchcase(name, spelt) or name.startswith(f"{spelt}-")]
        if not meant:
            raise RecipeError(f"no metric is called '{word}'{near_miss(word, names)}")
        for name in meant:
            found.setdefault(name, False)
    return found


def _of(found: Mapping[str, bool], protocol: str, registry: Registry) -> dict[str, bool]:
    ending = "-" + protocol.replace("_", "-").lower()
    kept = {name: named for name, named in found.items() if name.endswith(ending)}
    if not kept:
        families = sorted({entry.name for entry in registry if entry.name.endswith(ending)})
        raise RecipeError(
            f"--protocol {protocol}: none of {', '.join(found)} is of it"
            + (f"; those that are: {', '.join(families)}" if families else "; no metric's name ends so")
        )
    return kept


def _given(
    settings: Sequence[str], names: Collection[str], registry: Registry
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Settings by metric, and what is wrong with them."""
    known: dict[str, Collection[str]] = {name: binding.settings_of(registry.get(name).load()) for name in names}
    given: dict[str, dict[str, Any]] = {name: {} for name in names}
    problems = []
    for text in settings:
        key, equals, value = text.partition("=")
        metric, dot, setting = key.strip().rpartition(".")
        setting = setting.replace("-", "_")
        if not equals or not setting:
            problems.append(f"-s {text}: write it as -s KEY=VALUE or -s METRIC.KEY=VALUE, such as -s pictures=1000")
        elif dot and metric not in given:
            problems.append(f"-s {text}: '{metric}' is not measured here{near_miss(metric, given)}")
        else:
            takers = [metric] if dot else [name for name in names if setting in known[name]]
            if not takers:
                every = {each for settings in known.values() for each in settings}
                problems.append(
                    f"-s {text}: none of these metrics has a setting '{setting}'{near_miss(setting, every)}"
                )
            for name in takers:
                given[name][setting] = scalar(value)
    return given, problems
