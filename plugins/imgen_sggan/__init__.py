"""SG-GAN: many attributes, one generator, few labels (arXiv 1805.07509)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgen.hookspecs import hookimpl

if TYPE_CHECKING:
    import click

    from imgen.registry import Register


@hookimpl
def register_commands(cli: click.Group) -> None:
    """Commands of its own."""
    from imgen_sggan.commands import sggan

    cli.add_command(sggan)


@hookimpl
def register_algorithms(register: Register) -> None:
    """The paper's game, and that of its baseline."""
    register("imgen_sggan.algorithm:SgGan", name="sggan")
    register("imgen_sggan.stargan.algorithm:StarGanGame", name="stargan")


@hookimpl
def register_models(register: Register) -> None:
    """What ships of either."""
    register("imgen_sggan.editor:Editor", name="sggan")
    register("imgen_sggan.stargan.networks:StarGan", name="stargan")
