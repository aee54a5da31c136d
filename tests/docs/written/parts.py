"""What is registered, as parts of pages: commands with their help, recipes, and all other names."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from functools import cache, partial
from importlib.metadata import entry_points
from pathlib import Path

import click
import yaml

from imgen import cli as command_line
from imgen.plugins import Plugins, load
from imgen.registry import Entry
from written import api, hooks

WIDTH = 100
"""Of help text, whatever terminal it is written in."""

PAGES = {
    "imgen": "",
    "discogan": "plugins/imgen_discogan/README.md",
    "infogan_cr": "plugins/imgen_infogan_cr/README.md",
    "sdgan": "plugins/imgen_sdgan/README.md",
    "sggan": "plugins/imgen_sggan/README.md",
}
"""Where each shipped plugin is told of."""


@cache
def shipped() -> Plugins:
    """What ships with imgen, whatever else is installed beside it."""
    points = [point for point in entry_points(group="imgen") if point.dist and point.dist.name == "imgen"]
    return load(points)


@cache
def commands() -> tuple[click.Context, ...]:
    """Every command and group of what ships, in the order of `imgen --help`."""
    root = command_line.cli
    before = dict(root.commands)
    root.commands.clear()
    shipped().add_commands(root)
    found = tuple(_below(click.Context(root, info_name="imgen", terminal_width=WIDTH, **root.context_settings)))
    for ctx in found:
        ctx.meta[f"help of {ctx.command_path}"] = ctx.command.get_help(ctx)
    # The group is that of the whole process, and its help changes with what it holds.
    root.commands.clear()
    root.commands.update(before)
    return found


def _below(ctx: click.Context) -> Iterator[click.Context]:
    yield ctx
    if isinstance(ctx.command, click.Group):
        for name in ctx.command.list_commands(ctx):
            command = ctx.command.get_command(ctx, name)
            assert command is not None
            told = {**command.context_settings, "terminal_width": WIDTH}
            yield from _below(click.Context(command, info_name=name, parent=ctx, **told))


def leaves() -> list[click.Context]:
    """Every command that does something itself."""
    return [ctx for ctx in commands() if not isinstance(ctx.command, click.Group)]


def command_table() -> str:
    """Each command as it is typed, and the first line of its help."""
    rows = ["| command | what it does |", "| --- | --- |"]
    for ctx in leaves():
        pieces = [piece for piece in ctx.command.collect_usage_pieces(ctx) if piece not in ("[OPTIONS]", "")]
        typed = " ".join([ctx.command_path.split("[")[0].strip(), *pieces]).replace("|", "\\|")
        rows.append(f"| `{typed}` | {first_line(ctx)} |")
    return "\n".join(rows)


def first_line(ctx: click.Context) -> str:
    """The first sentence of a command's help, fit for a table."""
    return ctx.command.get_short_help_str(limit=1000).rstrip(".").replace("|", "\\|")


def help_text() -> str:
    """The whole help of every command, each to be unfolded."""
    return "\n\n".join(
        f"<details>\n<summary><code>{ctx.command_path}</code>: {html.escape(first_line(ctx))}</summary>\n\n"
        f"```text\n{ctx.meta[f'help of {ctx.command_path}'].rstrip()}\n```\n\n</details>"
        for ctx in commands()
    )


def recipe_table(plugin: str | None = None) -> str:
    """The recipes that ship, or those of a plugin's algorithms: what each is, what it plays, on which data."""
    # Two plugins' recipes stand together where their game is theirs.
    rows = []
    for entry in shipped().registry("recipes"):
        path = Path(str(entry.factory))
        content = yaml.safe_load(path.read_text(encoding="utf8"))
        game, data = (str(content[section]["name"]) for section in ("algorithm", "dataset"))
        owner = shipped().registry("algorithms").get(game).plugin
        if plugin in (None, owner):
            where = f" | {_linked(owner)}" if plugin is None else ""
            rows.append((owner, f"| `{path.stem}` | {entry.summary} | `{game}` | `{data}`{where} |"))
    head = ["recipe", "what it is", "algorithm", "data set", *(["plugin"] if plugin is None else [])]
    lines = [f"| {' | '.join(head)} |", "| " + " | ".join("---" for _ in head) + " |"]
    return "\n".join(lines + [line for _, line in sorted(rows, key=lambda row: row[0])])


def _linked(plugin: str) -> str:
    return f"[{plugin}]({PAGES[plugin]})" if PAGES[plugin] else plugin


def registered(kind: str) -> str:
    """All names of a kind with what they are, to be unfolded."""
    entries = list(shipped().registry(kind))
    rows = [f"| `{entry.name}` | {_cell(entry)} | {_linked(entry.plugin)} |" for entry in entries]
    table = "\n".join(["| name | what it is | plugin |", "| --- | --- | --- |", *rows])
    return f"<details>\n<summary><code>imgen {kind}</code>: {len(entries)}</summary>\n\n{table}\n\n</details>"


def _cell(entry: Entry) -> str:
    return entry.summary.replace("|", "\\|")


def parts() -> dict[str, Callable[[], str]]:
    """Every part by its name."""
    kinds = ("algorithms", "models", "datasets", "losses", "metrics")
    return {
        "commands": command_table,
        "help": help_text,
        "recipes": recipe_table,
        **{f"recipes of {name}": partial(recipe_table, name) for name in PAGES if name != "imgen"},
        "names": lambda: "\n\n".join(registered(kind) for kind in kinds),
        "hooks": hooks.reference,
        "public names": api.table,
    }
