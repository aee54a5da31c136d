"""SG-GAN: many attributes, one generator, few labels (arXiv 1805.07509)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgen.hookspecs import hookimpl

if TYPE_CHECKING:
    from imgen.registry import Register


@hookimpl
def register_algorithms(register: Register) -> None:
    """The paper's game."""
    register("imgen_sggan.algorithm:SgGan", name="sggan")


@hookimpl
def register_models(register: Register) -> None:
    """What ships of it."""
    register("imgen_sggan.editor:Editor", name="sggan")
