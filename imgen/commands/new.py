"""`imgen new`: projects to begin with."""

from __future__ import annotations

from pathlib import Path

import click

from imgen import scaffold
from imgen.commands.options import as_json, give, say
from imgen.plugins import Plugins


@click.group()
def new() -> None:
    """Make a project to begin with."""


@new.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(list(scaffold.KINDS)), default="gan", help="What it is to do; default gan.")
@click.option(
    "--out", metavar="DIR", type=click.Path(path_type=Path), help="Folder of the project; default imgen-NAME."
)
@as_json
@click.pass_obj
def plugin(found: Plugins, name: str, kind: str, out: Path | None, as_json: bool) -> None:
    """Make a plugin that installs, passes its tests and works at once.

    NAME is in kebab-case, such as my-method: the package is then imgen-my-method, and its module imgen_my_method. A gan
    is a small method with a recipe, which trains in about a minute; a metric measures what any model makes. Put your
    own in their place.
    """
    project = scaffold.Project(name, kind)
    scaffold.check(project, found)
    folder = out or Path(project.package)
    written = scaffold.write(project, folder)
    steps = [f"cd {folder}", "imgen install -e '.[test]'", "pytest", *project.uses]
    if as_json:
        told = {"name": name, "kind": kind, "package": project.package, "module": project.module}
        give(told | {"folder": str(folder), "files": [str(path) for path in written], "next": steps})
        return
    for path in written:
        click.echo(path)
    say("next:")
    for step in steps:
        say(f"  {step}")
