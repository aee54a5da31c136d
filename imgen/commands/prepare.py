"""`imgen data prepare`: published pictures, brought into the form that a paper trained on."""

from __future__ import annotations

import click


@click.group()
def prepare() -> None:
    """Bring published pictures into the form that a paper trained on."""
