"""The command line, where errors end as messages."""

from __future__ import annotations

import os
import pkgutil
import sys

import click

from imgen import __version__, plugins
from imgen.errors import near_miss
from imgen.messages import lines_of

_COMMANDS = {
    "train": "imgen.commands.train:train",
    "sweep": "imgen.commands.sweep:sweep",
    "sample": "imgen.commands.sample:sample",
    "traverse": "imgen.commands.traverse:traverse",
    "encode": "imgen.commands.encode:encode",
    "translate": "imgen.commands.translate:translate",
    "evaluate": "imgen.commands.evaluate:evaluate",
    "runs": "imgen.commands.runs:runs",
    "select": "imgen.commands.select:select",
    "data": "imgen.commands.data:data",
    "push": "imgen.commands.hub:push",
    "pull": "imgen.commands.hub:pull",
    "new": "imgen.commands.new:new",
    "info": "imgen.commands.show:info",
    "plugins": "imgen.commands.show:plugins",
    "install": "imgen.commands.install:install",
    "uninstall": "imgen.commands.install:uninstall",
    "doctor": "imgen.commands.doctor:doctor",
    "recipes": "imgen.commands.show:recipes",
    "algorithms": "imgen.commands.show:algorithms",
    "models": "imgen.commands.show:models",
    "datasets": "imgen.commands.show:datasets",
    "losses": "imgen.commands.show:losses",
    "metrics": "imgen.commands.show:metrics",
}

_ALONE = {"install", "uninstall", "doctor", "new", "--version"}
"""What imports no plugin but those that ship with imgen, so that it works whatever the others do."""
_LISTING = {"--no-load", "--requirements"}
"""Options that make `imgen plugins` one of these."""


class Commands(click.Group):
    """A group whose own commands are imported when they are named, and that knows near misses."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The core's commands in the order of use, then those of plugins."""
        return [*_COMMANDS, *sorted(self.commands)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command of the core, or take one that a plugin added."""
        if cmd_name in _COMMANDS:
            command: click.Command = pkgutil.resolve_name(_COMMANDS[cmd_name])
            return command
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command, or fail with the nearest names."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            ctx.fail(f"there is no command '{name}'{near_miss(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Every command knows --help; `imgen train RECIPE --help` lists the settings of that recipe.",
)
@click.version_option(__version__, prog_name="imgen")
@click.option("--debug", is_flag=True, expose_value=False, help="Show tracebacks; may stand anywhere.")
def cli() -> None:
    """Train and use GANs for generation with control and image-to-image translation.

    A recipe names what to train; `imgen recipes` lists those that are installed. Start with `imgen train quickstart`.
    """


def main(argv: list[str] | None = None) -> int:
    """Run a command line and give its exit status; `imgen` and `python -m imgen` start here."""
    argv = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in argv or bool(os.environ.get("IMGEN_DEBUG"))
    argv = [word for word in argv if word != "--debug"]
    found = plugins.listed() if _alone(argv) else plugins.installed()
    found.report = lambda line: click.echo(f"imgen: warning: {line}", err=True)
    if not argv or argv[0] not in _ALONE:
        for problem in found.problems:
            found.report(problem)
    cli.commands.clear()
    found.add_commands(cli)
    try:
        result = cli.main(argv, prog_name="imgen", standalone_mode=False, obj=found)
        return result if isinstance(result, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "imgen"
        click.echo(f"{where}: {error.format_message()} (see `{where} --help`)", err=True)
        return error.exit_code
    except click.ClickException as error:
        click.echo(f"imgen: {error.format_message()}", err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("imgen: interrupted", err=True)
        return 130
    except Exception as error:
        if debug:
            raise
        lines, status = lines_of(error, found)
        for line in lines:
            click.echo(line, err=True)
        return status


def _alone(argv: list[str]) -> bool:
    """Whether a command line is one that imports no plugin of others."""
    first = argv[0] if argv else ""
    return first in _ALONE or (first == "plugins" and not _LISTING.isdisjoint(argv))
