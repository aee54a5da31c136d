"""`imgen doctor`: what is here, whether it works, and what to do where it does not."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from imgen.commands.options import as_json, give, say

if TYPE_CHECKING:
    from imgen.environment.rows import Row


@click.command()
@click.option("--load", is_flag=True, help="Load each plugin of others as well, in a process of its own.")
@click.option(
    "--limit",
    metavar="SECONDS",
    type=click.FloatRange(0, min_open=True),
    default=60.0,
    show_default=True,
    help="What --load gives each plugin.",
)
@click.option("--offline", is_flag=True, help="Do not ask the Hub.")
@as_json
@click.pass_context
def doctor(ctx: click.Context, load: bool, limit: float, offline: bool, as_json: bool) -> None:
    """Look for what is wrong with this environment.

    Tells what to do about it. Looks at versions, devices, plugins, folders, variables and the Hub; no plugin of
    others is imported. Ends with status 1 where something is broken. Secrets are never shown.
    """
    found: list[Row] = []
    section = ""
    for row in _rows(load, limit, offline):
        found.append(row)
        if as_json:
            continue
        if row.section != section:
            section = row.section
            click.echo(("\n" if len(found) > 1 else "") + section.upper())
        click.echo(f"  {row.state:<6}  {row.name:<18}  {row.told}")
        if row.remedy:
            click.echo(f"{'':>30}-> {row.remedy}")
    broken, warned = ([row for row in found if row.state == state] for state in ("broken", "warn"))
    if as_json:
        give({"ok": not broken, "rows": [dataclasses.asdict(row) for row in found]})
    else:
        click.echo()
        say(f"{_count(broken, 'broken')}, {_count(warned, 'to look at')}" if broken or warned else "all is well")
    ctx.exit(1 if broken else 0)


def _rows(load: bool, limit: float, offline: bool) -> Iterator[Row]:
    from imgen.environment import machine, strangers, surroundings, versions
    from imgen.environment.managers import manager

    owner = manager()
    yield from versions.rows(owner)
    yield from machine.rows()
    yield from strangers.rows(owner, load, limit)
    yield from surroundings.folders()
    yield from surroundings.variables()
    if not offline:
        yield surroundings.hub()


def _count(rows: Iterable[Row], what: str) -> str:
    return f"{len(list(rows))} {what}"
