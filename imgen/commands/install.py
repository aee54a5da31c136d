"""`imgen install` and `imgen uninstall`: plugins come and go by pip, in the environment that imgen itself is in."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence

import click

from imgen.commands.options import as_json, give, say
from imgen.errors import PluginError

dry_run = click.option("-n", "--dry-run", is_flag=True, help="Print the command and do nothing.")


@click.command()
@click.argument("packages", metavar="PACKAGE...", nargs=-1)
@click.option("-e", "--editable", metavar="FOLDER", multiple=True, help="Install a plugin's folder as you work on it.")
@click.option(
    "-r", "--requirement", "files", metavar="FILE", multiple=True, help="Install what a requirements file lists."
)
@click.option("-U", "--upgrade", is_flag=True, help="Take the newest version of each PACKAGE.")
@click.option("--pre", is_flag=True, help="Take versions that are not yet released, too.")
@click.option("--index-url", metavar="URL", default="", help="Take packages from this index in place of pip's own.")
@dry_run
@as_json
def install(
    packages: tuple[str, ...],
    editable: tuple[str, ...],
    files: tuple[str, ...],
    upgrade: bool,
    pre: bool,
    index_url: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Install plugins by pip.

    They come into the environment that imgen is in. PACKAGE is anything that pip takes: a name, name==version, a
    folder, a wheel, git+https://... imgen, torch and what imgen needs keep their versions: a plugin that cannot be
    had beside them is not installed. Where uv or pipx owns the environment, nothing is done and their command is
    told. `imgen install -r FILE` brings back what `imgen plugins --requirements` listed.
    """
    from imgen.environment import installing
    from imgen.environment.managers import Request, manager

    owner = manager()
    request = Request(packages, editable, files, upgrade, pre, index_url)
    if dry_run:
        _plan(installing.plan(request, owner), as_json)
        return
    outcome = installing.install(request, owner, say)
    if as_json:
        give({**dataclasses.asdict(outcome)})
    for change in outcome.changes:
        say(_told(change))
    for package in outcome.without:
        say(
            f"imgen: warning: '{package}' brings no plugin of imgen: it has no entry point in the group 'imgen'; "
            f"pip uninstall {package} removes it"
        )
    if not (outcome.changes or outcome.without):
        say("nothing new: no plugin came or changed; `imgen plugins` lists those that are here")


@click.command()
@click.argument("names", metavar="PLUGIN|PACKAGE...", nargs=-1, required=True)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@dry_run
@as_json
def uninstall(names: tuple[str, ...], yes: bool, dry_run: bool, as_json: bool) -> None:
    """Uninstall plugins by pip.

    They are named as plugins or as packages. What the packages needed stays. Works with plugins that break: none of
    them is imported.
    """
    from imgen.environment import installing
    from imgen.environment.managers import manager

    owner = manager()
    packages = installing.packages_of(names, owner)
    if dry_run:
        _plan(owner.uninstall(packages), as_json)
        return
    if owner.runs and not yes:
        if not sys.stdin.isatty():
            raise PluginError(f"imgen uninstall: -y uninstalls {', '.join(packages)} without asking")
        click.confirm(f"uninstall {', '.join(packages)}?", default=True, abort=True, err=True)
    outcome = installing.uninstall(packages, owner, say)
    if as_json:
        give(dataclasses.asdict(outcome))
    for change in outcome.changes:
        say(f"plugin '{change.name}' ({change.package} {change.version}) is gone")


def _plan(commands: Sequence[Sequence[str]], as_json: bool) -> None:
    """What would be run."""
    from imgen.environment.managers import command_line

    if as_json:
        give({"commands": [list(command) for command in commands]})
        return
    for command in commands:
        click.echo(command_line(command))


def _told(change: object) -> str:
    from imgen.environment.installing import Change

    assert isinstance(change, Change)
    name = f"plugin '{change.name}' ({change.package} {change.version})"
    if change.problem:
        return f"imgen: warning: {name} is installed and does not work: {change.problem}"
    if change.was and change.was != change.version:
        return f"{name} is here, which was {change.was}"
    return f"{name} is here; `imgen info {change.name}` tells about it"
