"""SD-GAN: pictures whose identity and observation are controlled apart (arXiv 1705.07904)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgen.hookspecs import hookimpl

if TYPE_CHECKING:
    import click

    from imgen.registry import Register


@hookimpl
def register_algorithms(register: Register) -> None:
    """The paper's two games."""
    register("imgen_sdgan.algorithm:SDDcgan", name="sddcgan")
    register("imgen_sdgan.algorithm:SDBegan", name="sdbegan")


@hookimpl
def register_models(register: Register) -> None:
    """Their generators."""
    register("imgen_sdgan.networks:DcganGenerator", name="sddcgan")
    register("imgen_sdgan.networks:BeganGenerator", name="sdbegan")


@hookimpl
def register_commands(cli: click.Group) -> None:
    """`imgen sdgan ...`."""
    from imgen_sdgan.commands import sdgan

    cli.add_command(sdgan)
