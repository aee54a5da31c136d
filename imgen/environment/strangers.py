"""Plugins: what is known of them without importing those of others, and on request whether they load."""

from __future__ import annotations

import importlib.util
import os
from collections import defaultdict
from collections.abc import Iterator
from importlib.machinery import PathFinder

from imgen import distributions, plugins
from imgen.distributions import Point
from imgen.environment import installing
from imgen.environment.managers import Manager, Request, command_line, upgrade_of_imgen
from imgen.environment.rows import Row
from imgen.plain import plain

_SECTION = "plugins"


def rows(owner: Manager, load: bool, patience: float) -> Iterator[Row]:
    """A row for each plugin.

    load: import each one of others, in a process of its own that has `patience` seconds.
    """
    found = distributions.points()
    claims: defaultdict[str, list[Point]] = defaultdict(list)
    for point in {(point.entry.name, point.entry.value): point for point in found}.values():
        claims[point.entry.name].append(point)
    silenced = {info.name for info in plugins.listed().infos if info.state == "silenced"}
    for name, points in sorted(claims.items(), key=lambda each: (not each[1][0].shipped, each[0])):
        if len(points) > 1:
            yield _contested(name, points)
        for point in points:
            yield _plugin(point, owner, name in silenced, load, patience)
    for torn in distributions.unreadable():
        way = "delete this folder, and install its package again"
        yield Row(_SECTION, "unreadable", "broken", plain(torn, 500), way)
    yield from _choice(claims)


def _plugin(point: Point, owner: Manager, silenced: bool, load: bool, patience: float) -> Row:
    name, package = point.entry.name, point.package
    told = f"{package.name} {package.version}, module {point.entry.value}"
    away = command_line(["imgen", "uninstall", name])
    missing = missing_module(point.entry.value)
    if missing:
        way = f"install {package.name} again, or take it away: {away}"
        return Row(_SECTION, name, "broken", f"{told}: {missing}", way)
    if point.shipped:
        return Row(_SECTION, name, "ok", told)
    state, why = plugins.misfit(package)
    if state:
        wanted = next(iter(package.needs(distributions.OURS)), "")
        newer = "newer" in state
        way = upgrade_of_imgen(owner, wanted) if newer else f"imgen install -U {package.name}"
        return Row(_SECTION, name, "broken", f"{told}: {why.partition(':')[0]}", way)
    unmet = distributions.unmet(line for line in package.requires if not line.lower().startswith("imgen"))
    if unmet:
        command = owner.install(Request(tuple(line.partition(" (")[0] for line in unmet)))[-1]
        return Row(_SECTION, name, "broken", f"{told}: needs {', '.join(unmet)}", command_line(command))
    if silenced:
        return Row(_SECTION, name, "ok", f"{told}, silenced by {plugins.VARIABLE}")
    if load:
        problem = installing.problem_of({"name": name, "package": package.name}, patience)
        if problem:
            return Row(_SECTION, name, "broken", f"{told}: {problem}", f"mend it, silence it, or take it away: {away}")
        return Row(_SECTION, name, "ok", f"{told}, loads")
    return Row(_SECTION, name, "ok", f"{told}, not loaded here (--load tries it)")


def missing_module(reference: str) -> str:
    """Why an entry point's module cannot be imported, as far as that is known without importing it; or nothing."""
    module = reference.partition(":")[0].strip()
    names = module.split(".")
    if not all(name.isidentifier() for name in names):
        return f"'{reference}' names no module"
    try:
        spec = importlib.util.find_spec(names[0])
        for place in range(1, len(names)):
            if spec is None:
                break
            # `find_spec` of a dotted name would import what is above it.
            spec = PathFinder.find_spec(".".join(names[: place + 1]), spec.submodule_search_locations)
    except (ImportError, ValueError, AttributeError) as error:
        return plain(f"{type(error).__name__}: {error}")
    return "" if spec else f"there is no module '{module}'"


def _contested(name: str, points: list[Point]) -> Row:
    names = sorted({point.package.name for point in points})
    told = f"two plugins have this name, of {' and '.join(names)}: only one is loaded"
    others = [point.package.name for point in points if not point.shipped]
    return Row(_SECTION, name, "broken", told, f"take one away: imgen uninstall {sorted(others)[-1]}")


def _choice(claims: dict[str, list[Point]]) -> Iterator[Row]:
    for part in os.environ.get(plugins.VARIABLE, "").split(","):
        name = part.strip().removeprefix("-")
        if name and name not in claims:
            told = f"{plugins.VARIABLE} names it, and it is not installed"
            yield Row(_SECTION, name, "warn", told, f"install it, or take it out of {plugins.VARIABLE}")
