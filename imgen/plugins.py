"""Find and load plugins, and report the broken ones: whatever one of them does, all the others work."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

import pluggy

from imgen import builtin, distributions, hookspecs
from imgen.distributions import OURS, Package, Point
from imgen.errors import PluginError, near_miss
from imgen.registry import Entry, Factory, Registry

if TYPE_CHECKING:
    from pathlib import Path

    import click

VARIABLE = "IMGEN_PLUGINS"
KINDS = ("algorithms", "models", "datasets", "losses", "metrics", "recipes")
_LOADERS = ("imgen", "importlib", "pkgutil", "pluggy")
"""Modules that stand between a command and the code of a plugin."""


@dataclass
class PluginInfo:
    """What is known of one plugin.

    state: `loaded`, `silenced` by IMGEN_PLUGINS, `not loaded` by a command that loads none, `needs newer imgen` or
    `needs older imgen`, or `broken`; the last three with the problem in one line.
    """

    name: str
    package: str
    version: str
    source: str
    hooks: tuple[str, ...] = ()
    state: str = "loaded"
    problem: str = ""


@dataclass
class Plugins:
    """The plugins of this process and what they register."""

    manager: pluggy.PluginManager
    infos: list[PluginInfo] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    report: Callable[[str], None] = lambda line: None
    """Called with each problem that comes to light after loading."""
    _registries: dict[str, Registry] = field(default_factory=dict)

    def registry(self, kind: str) -> Registry:
        """All registered things of a kind; the hooks of that kind run on the first call."""
        if kind not in self._registries:
            registry = self._registries[kind] = Registry(kind)
            for impl in self._impls(f"register_{kind}"):
                self._guard(impl.plugin_name, f"register_{kind}", impl.function, self._register(registry, impl))
        return self._registries[kind]

    def build(self, kind: str, name: str) -> Any:
        """What a registered name builds with its default settings, such as a loss."""
        return self.registry(kind).get(name).load()()

    def add_commands(self, cli: click.Group) -> None:
        """Let every plugin add its commands; none may take a name that is taken."""
        import click

        for impl in self._impls("register_commands"):
            mine = click.Group()
            self._guard(impl.plugin_name, "register_commands", impl.function, mine)
            for name, command in mine.commands.items():
                if name in cli.list_commands(click.Context(cli)):
                    self._blame(impl.plugin_name, f"adds the command '{name}', but that name is taken")
                else:
                    cli.add_command(command, name)

    def owner(self, plugin: str) -> str:
        """`plugin (package version)`, as a weights file remembers it."""
        told = (f"{plugin} ({info.package} {info.version})" for info in self.infos if info.name == plugin)
        return next(told, plugin)

    def _impls(self, hook: str) -> list[Any]:
        # pluggy calls the newest plugin first; names belong to whoever came first.
        impls = getattr(self.manager.hook, hook).get_hookimpls()
        order = {info.name: place for place, info in reversed(list(enumerate(self.infos)))}
        return sorted(impls, key=lambda impl: order.get(impl.plugin_name, 0))

    def _register(self, registry: Registry, impl: Any) -> Callable[[Factory | str | Path, str], None]:
        def register(factory: Factory | str | Path, name: str) -> None:
            try:
                registry.add(Entry(registry.kind, name, impl.plugin_name, factory))
            except PluginError as error:
                self._note(str(error))

        # Whoever calls it wrongly is told of it by this name.
        register.__qualname__ = "register"
        return register

    def _guard(self, plugin: str, hook: str, function: Callable[..., Any], argument: Any) -> None:
        try:
            function(argument)
        except (Exception, SystemExit) as error:
            self._blame(plugin, f"fails in {hook}: {_told(error)}")

    def _blame(self, plugin: str, what: str, state: str = "broken", package: str = "") -> None:
        # Whoever else has that name comes later, and was not loaded.
        for info in [info for info in self.infos if info.name == plugin][:1]:
            info.state, info.problem = state, what
        self._note(f"plugin '{plugin}' {package}{what}")

    def _note(self, line: str) -> None:
        line = " ".join(line.split())
        if line not in self.problems:
            self.problems.append(line)
            self.report(line)


@cache
def installed() -> Plugins:
    """The plugins of this environment, loaded once."""
    return load(_found(), os.environ.get(VARIABLE))


def listed() -> Plugins:
    """The plugins of this environment, of which only those that ship with imgen are loaded.

    For what has to work whatever the others do when they are imported.
    """
    return load(_found(), os.environ.get(VARIABLE), strangers=False)


def load(found: Iterable[EntryPoint], choice: str | None = None, *, strangers: bool = True) -> Plugins:
    """Load plugins from entry points, each on its own: a broken one is reported and left out.

    choice: None loads all; "a,b" only those; "" none; "-a" all but that one.
    strangers: whether to import what did not come with imgen.
    """
    manager = pluggy.PluginManager("imgen")
    manager.add_hookspecs(hookspecs)
    plugins = Plugins(manager)
    manager.register(builtin, "imgen")
    plugins.infos.append(PluginInfo("imgen", "imgen", _version(), "built in", _hooks(manager, builtin)))
    # A checkout beside an installed copy shows the same entry point twice.
    unique = {(entry.name, entry.value): entry for entry in found}
    points = [Point(entry, distributions.package_of(entry.dist)) for entry in unique.values()]
    points.sort(key=lambda point: (not point.shipped, point.entry.name))
    _check_choice(plugins, choice, [point.entry.name for point in points])
    for point in points:
        _load_one(plugins, point, choice, strangers)
    return plugins


def misfit(package: Package) -> tuple[str, str]:
    """The state of a plugin whose package requires another imgen than this one, and why in words; or nothing twice."""
    for wanted in package.needs(OURS):
        if not distributions.fits(_version(), wanted):
            state = "needs newer imgen" if _asks_for_newer(wanted) else "needs older imgen"
            way = f"pip install -U 'imgen{wanted}'" if "newer" in state else f"imgen install -U {package.name}"
            return state, f"needs imgen{wanted}, and this is imgen {_version()}: {way}"
    return "", ""


def _load_one(plugins: Plugins, point: Point, choice: str | None, strangers: bool) -> None:
    name, package = point.entry.name, point.package
    info = PluginInfo(name, package.name, package.version, point.entry.value)
    taken = next((other for other in plugins.infos if other.name == name), None)
    plugins.infos.append(info)
    if taken:
        info.state, info.problem = "broken", f"was not loaded: the plugin of {taken.package} has that name"
        plugins._note(f"plugin '{name}' ({info.package} {info.version}) {info.problem}")
        return
    if not _chosen(name, choice):
        info.state = "silenced"
        return
    state, why = ("", "") if point.shipped else misfit(package)
    if state:
        plugins._blame(name, f"was not loaded: it {why}", state, f"({package.name} {package.version}) ")
        return
    if not (strangers or point.shipped):
        info.state = "not loaded"
        return
    known = [hook for hook in vars(hookspecs) if hook.startswith("register_")]
    try:
        module = point.entry.load()
        plugins.manager.register(module, name)
        info.hooks = _hooks(plugins.manager, module)
        unknown = [hook for hook in info.hooks if not getattr(plugins.manager.hook, hook).has_spec()]
        if unknown or not info.hooks:
            plugins.manager.unregister(module)
            raise PluginError(
                f"imgen has no hook '{unknown[0]}'{near_miss(unknown[0], known)}"
                if unknown
                else "it has no hooks; mark its functions with @hookimpl from imgen.hookspecs"
            )
    except (Exception, SystemExit) as error:
        told = str(error) if isinstance(error, PluginError) else _told(error)
        plugins._blame(name, f"was not loaded: {told}", package=f"({info.package} {info.version}) ")
        return
    for hook in known:
        if callable(getattr(module, hook, None)) and hook not in info.hooks:
            plugins._note(f"plugin '{name}': nothing calls its {hook}, which is not marked; put @hookimpl above it")


def _told(error: BaseException) -> str:
    """An error of a plugin's code in words, with the line in which it arose."""
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg} ({error.filename}:{error.lineno})"
    theirs = [place for module, place in places_of(error) if module not in _LOADERS]
    return f"{type(error).__name__}: {error}" + (f" ({theirs[-1]})" if theirs else "")


def places_of(error: BaseException) -> list[tuple[str, str]]:
    """The way to where an error arose, as the name of a top-level module and `file:line`."""
    found, trace = [], error.__traceback__
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        found.append((module, f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"))
        trace = trace.tb_next
    return found


def _found() -> Iterable[EntryPoint]:
    return [point.entry for point in distributions.points()]


def _asks_for_newer(specifier: str) -> bool:
    """Whether this imgen is below what a specifier allows, rather than above it."""
    bounds = re.findall(r"(?:>=|~=|===?|>)\s*v?([0-9][^,\s*]*)", specifier)
    return any(not distributions.fits(_version(), f">={bound.rstrip('.')}") for bound in bounds)


def _hooks(manager: pluggy.PluginManager, module: Any) -> tuple[str, ...]:
    return tuple(sorted(caller.name for caller in manager.get_hookcallers(module) or ()))


def _chosen(name: str, choice: str | None) -> bool:
    if choice is None:
        return True
    names = [part.strip() for part in choice.split(",") if part.strip()]
    silenced = {part[1:] for part in names if part.startswith("-")}
    wanted = {part for part in names if not part.startswith("-")}
    return name not in silenced and (name in wanted if wanted or not silenced else True)


def _check_choice(plugins: Plugins, choice: str | None, names: list[str]) -> None:
    for part in (choice or "").split(","):
        name = part.strip().removeprefix("-")
        if name and name not in names:
            plugins._note(f"{VARIABLE} names the plugin '{name}', which is not installed{near_miss(name, names)}")


def _version() -> str:
    from imgen import __version__

    return __version__
