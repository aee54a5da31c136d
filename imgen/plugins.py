"""Find and load plugins, and report the broken ones: whatever one of them does, all the others work."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

import pluggy

from imgen import builtin, hookspecs
from imgen.errors import PluginError, near_miss
from imgen.registry import Entry, Factory, Registry

if TYPE_CHECKING:
    from pathlib import Path

    import click

VARIABLE = "IMGEN_PLUGINS"
KINDS = ("algorithms", "models", "datasets", "losses", "metrics", "recipes")


@dataclass
class PluginInfo:
    """What is known of one plugin. state: `loaded`, `silenced` or `broken`, the last with its problem in one line."""

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
        order = {info.name: place for place, info in enumerate(self.infos)}
        return sorted(impls, key=lambda impl: order.get(impl.plugin_name, 0))

    def _register(self, registry: Registry, impl: Any) -> Callable[[Factory | str | Path, str], None]:
        def register(factory: Factory | str | Path, name: str) -> None:
            try:
                registry.add(Entry(registry.kind, name, impl.plugin_name, factory))
            except PluginError as error:
                self._note(str(error))

        return register

    def _guard(self, plugin: str, hook: str, function: Callable[..., Any], argument: Any) -> None:
        try:
            function(argument)
        except (Exception, SystemExit) as error:
            self._blame(plugin, f"fails in {hook}: {type(error).__name__}: {error}")

    def _blame(self, plugin: str, what: str) -> None:
        for info in self.infos:
            if info.name == plugin:
                info.state, info.problem = "broken", what
        self._note(f"plugin '{plugin}' {what}")

    def _note(self, line: str) -> None:
        line = " ".join(line.split())
        self.problems.append(line)
        self.report(line)


@cache
def installed() -> Plugins:
    """The plugins of this environment, loaded once."""
    return load(entry_points(group="imgen"), os.environ.get(VARIABLE))


def load(found: Iterable[EntryPoint], choice: str | None = None) -> Plugins:
    """Load plugins from entry points, each on its own: a broken one is reported and left out.

    choice: None loads all; "a,b" only those; "" none; "-a" all but that one.
    """
    manager = pluggy.PluginManager("imgen")
    manager.add_hookspecs(hookspecs)
    plugins = Plugins(manager)
    manager.register(builtin, "imgen")
    plugins.infos.append(PluginInfo("imgen", "imgen", _version(), "built in", _hooks(manager, builtin)))
    # A checkout beside an installed copy shows the same entry point twice.
    unique = {(point.name, point.value): point for point in found}
    points = sorted(unique.values(), key=lambda point: (not _shipped(point), point.name))
    _check_choice(plugins, choice, [point.name for point in points])
    for point in points:
        _load_one(plugins, point, choice)
    return plugins


def _load_one(plugins: Plugins, point: EntryPoint, choice: str | None) -> None:
    dist = point.dist
    info = PluginInfo(point.name, dist.name if dist else "?", dist.version if dist else "?", point.value)
    if point.name in {other.name for other in plugins.infos}:
        plugins._note(f"plugin '{point.name}' of {info.package} was not loaded: another plugin has that name")
        return
    plugins.infos.append(info)
    if not _chosen(point.name, choice):
        info.state = "silenced"
        return
    try:
        module = point.load()
        plugins.manager.register(module, point.name)
        info.hooks = _hooks(plugins.manager, module)
        unknown = [hook for hook in info.hooks if not getattr(plugins.manager.hook, hook).has_spec()]
        if unknown or not info.hooks:
            plugins.manager.unregister(module)
            known = [name for name in vars(hookspecs) if name.startswith("register_")]
            raise PluginError(
                f"imgen has no hook '{unknown[0]}'{near_miss(unknown[0], known)}"
                if unknown
                else "it has no hooks; mark its functions with @hookimpl from imgen.hookspecs"
            )
    except (Exception, SystemExit) as error:
        told = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
        plugins._blame(point.name, f"({info.package} {info.version}) was not loaded: {told}")


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


def _shipped(point: EntryPoint) -> bool:
    return bool(point.dist and point.dist.name == "imgen")


def _version() -> str:
    from imgen import __version__

    return __version__
