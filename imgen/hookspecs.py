"""Every hook of imgen. A plugin is a module with some of these functions, each marked `@hookimpl`.

It enters through an entry point in the group `imgen`; the entry point's name is the plugin's name. The registering
hooks are handed `register(factory, name=...)`. A factory's keyword-only parameters are its settings in a recipe:
annotations are checked, defaults apply, and the docstring's `Settings:` section says what each means. Give a factory
as "package.module:attribute" to have it imported only when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import click

    from imgen.registry import Register

hookspec = pluggy.HookspecMarker("imgen")
hookimpl = pluggy.HookimplMarker("imgen")


# ---- at start-up, whatever the command: keep it cheap ----


@hookspec
def register_commands(cli: click.Group) -> None:
    """Add commands or groups to the command line, as `cli.add_command(...)`; import torch inside them only."""


# ---- when a command first needs that kind of thing ----


@hookspec
def register_algorithms(register: Register) -> None:
    """Games: `factory(data: DataSpec, *, settings) -> Algorithm`."""


@hookspec
def register_models(register: Register) -> None:
    """What ships: `factory(data: DataSpec, *, settings) -> nn.Module`, rebuilding a weights file without its game."""


@hookspec
def register_datasets(register: Register) -> None:
    """Data: `factory(*, settings) -> Dataset`, see `imgen.data.spec`."""


@hookspec
def register_losses(register: Register) -> None:
    """Adversarial losses: `factory() -> AdversarialLoss`, a pair `.d(real, fake)` and `.g(fake)`."""


@hookspec
def register_metrics(register: Register) -> None:
    """Measurements: `factory(*, settings) -> (Evaluation) -> dict[str, float]`."""


@hookspec
def register_recipes(register: Register) -> None:
    """Recipes by name: `register(path_of_yaml, name=...)`."""
