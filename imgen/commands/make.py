"""`imgen data make`: data sets whose factors of variation are known, because imgen draws them."""

from __future__ import annotations

import click


@click.group()
def make() -> None:
    """Draw a data set whose factors of variation are known."""
