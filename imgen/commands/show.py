"""`imgen plugins`, `recipes`, `algorithms`, `models`, `datasets`, `losses`, `metrics`, and `imgen info NAME`."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from imgen.commands.options import as_json, give, say
from imgen.errors import ImgenError, near_miss
from imgen.loading import on_the_hub
from imgen.plugins import KINDS, Plugins
from imgen.registry import Entry, singular


def _listing(kind: str, what: str) -> click.Command:
    @click.command(kind, help=f"List {what}.")
    @as_json
    @click.pass_obj
    def command(found: Plugins, as_json: bool) -> None:
        entries = list(found.registry(kind))
        if as_json:
            give([{"name": entry.name, "plugin": entry.plugin, "summary": entry.summary} for entry in entries])
        elif not entries:
            say(f"no plugin registers {kind}; see `imgen plugins`")
        else:
            table(["name", "plugin", "what it is"], [[entry.name, entry.plugin, entry.summary] for entry in entries])

    return command


recipes = _listing("recipes", "the recipes that `imgen train NAME` knows")
algorithms = _listing("algorithms", "the algorithms that a recipe can name")
models = _listing("models", "the models that weights files can hold")
datasets = _listing("datasets", "the data sets that a recipe can name")
losses = _listing("losses", "the adversarial losses that settings can name")
metrics = _listing("metrics", "the metrics that a recipe can name")


@click.command()
@click.option(
    "--no-load", is_flag=True, help="Import no plugin but those that come with imgen, so that hooks are unknown."
)
@click.option("--requirements", is_flag=True, help="Print what installs the plugins of others again, a line for each.")
@as_json
@click.pass_obj
def plugins(found: Plugins, no_load: bool, requirements: bool, as_json: bool) -> None:
    """List plugins: version, source, hooks and state.

    The environment variable IMGEN_PLUGINS chooses: "a,b" loads only those, "-a" all but that one, "" none.
    `imgen plugins --requirements > plugins.txt` and `imgen install -r plugins.txt` carry them to another environment.
    """
    if requirements:
        _requirements(as_json)
        return
    if not no_load:
        for kind in KINDS:
            found.registry(kind)  # runs the hooks, so that those that fail are seen
    if as_json:
        give([dataclasses.asdict(info) for info in found.infos])
        return
    rows = [
        [info.name, f"{info.package} {info.version}", info.source, info.state, " ".join(info.hooks), info.problem]
        for info in found.infos
    ]
    table(["name", "package", "source", "state", "hooks", "problem"], rows)


def _requirements(as_json: bool) -> None:
    """Print the packages of other people's plugins as lines for pip."""
    from imgen.distributions import points

    others = sorted((point for point in points() if not point.shipped), key=lambda point: point.package.name)
    for point in others:
        if point.package.version == "?":
            say(f"imgen: warning: plugin '{point.entry.name}' is left out: its metadata is gone; see `imgen doctor`")
    others = [point for point in others if point.package.version != "?"]
    if as_json:
        names = ({"name": point.entry.name, "package": point.package.name} for point in others)
        lines = ({"version": point.package.version, "requirement": point.package.requirement} for point in others)
        give([{**name, **line} for name, line in zip(names, lines, strict=True)])
        return
    for package in dict.fromkeys(point.package for point in others):
        click.echo(package.requirement)
        if package.origin.get("url", "").startswith("file:"):
            say(f"{package.name} is installed from a folder or file of this machine")


@click.command()
@click.argument("name")
@as_json
@click.pass_obj
def info(found: Plugins, name: str, as_json: bool) -> None:
    """Tell all about something by its name.

    NAME is anything registered, a plugin, a run, a weights file, or user/name on the Hub.
    """
    if Path(name).exists() or on_the_hub(name):
        told = _about_weights(name)
    else:
        spelt = name.replace("_", "-").lower()
        entries = [entry for kind in KINDS for entry in found.registry(kind)]
        told = [dataclasses.asdict(plugin) for plugin in found.infos if plugin.name == name]
        told += [_about(entry, found) for entry in entries if entry.name == spelt]
        if not told:
            known = {entry.name for entry in entries} | {plugin.name for plugin in found.infos}
            raise ImgenError(f"nothing is called '{name}'{near_miss(name, known)}")
    if as_json:
        give(told if len(told) > 1 else told[0])
        return
    for about in told:
        settings = about.pop("settings", {})
        for key, value in about.items():
            click.echo(f"{key}: {' '.join(value) if isinstance(value, tuple) else value}")
        if isinstance(settings, list):
            setting_table(settings)
        else:
            for key, value in settings.items():
                click.echo(f"  {key}: {value}")
        click.echo()


def _about(entry: Entry, found: Plugins) -> dict[str, Any]:
    told = {
        "name": entry.name,
        "kind": singular(entry.kind),
        "plugin": found.owner(entry.plugin),
        "summary": entry.summary,
    }
    if entry.kind == "recipes":
        return {**told, "file": str(entry.factory), "text": "\n" + Path(str(entry.factory)).read_text(encoding="utf8")}
    factory = entry.load()
    return {**told, **_text(factory), "settings": settings_as_rows(factory)}


def _text(factory: Any) -> dict[str, str]:
    """What its docstring says beyond the first line and the settings, such as a metric's protocol."""
    written = inspect.getdoc(factory) or ""
    paragraphs = [part for part in written.split("\n\n")[1:] if not part.lstrip().startswith("Settings:")]
    return {"text": "\n" + "\n\n".join(paragraphs)} if paragraphs else {}


def settings_as_rows(factory: Any) -> list[dict[str, Any]]:
    """A factory's settings as plain values."""
    from imgen import binding

    return [
        {
            "name": setting.name,
            "type": setting.type,
            "default": None if setting.required else setting.default,
            "required": setting.required,
            "unit": setting.unit,
            "meaning": setting.meaning,
        }
        for setting in binding.settings_of(factory).values()
    ]


def _about_weights(name: str) -> list[dict[str, Any]]:
    from imgen.commands.options import find_weights
    from imgen.model import read_config
    from imgen.plain import plain_all

    path = find_weights(name, lambda config, path: True, "")
    told = plain_all(read_config(path).to_json(), 2000)
    about = {"file": str(path), "model": told["name"], "plugin": told["plugin"]}
    # Free facts are whatever their author wrote: they stand beside what imgen says, and not in its place.
    free = {key: value for key, value in told["origin"].items() if key not in about}
    return [{**about, **free, "data": told["data"], "settings": told["settings"]}]


def setting_table(rows: list[dict[str, Any]]) -> None:
    """Print settings with type, default, unit and meaning."""
    cells = [
        [
            row["name"],
            row["type"],
            "required" if row["required"] else _default(row["default"]),
            row["unit"],
            row["meaning"],
        ]
        for row in rows
    ]
    table(["setting", "type", "default", "unit", "meaning"], cells)


def table(head: list[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns, cutting nothing; columns that are empty everywhere are left out."""
    if not rows:
        return
    kept = [place for place in range(len(head)) if any(row[place] for row in rows)]
    lines = [[head[place].upper() for place in kept], *([row[place] for place in kept] for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(kept))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _default(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(str(item) for item in value) + "]"
    return "null" if value is None else str(value)
