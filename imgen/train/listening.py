"""Who hears what a run tells: its files, its card, and whoever shows it."""

from __future__ import annotations

from pathlib import Path

from imgen.card import Card
from imgen.plugins import Plugins
from imgen.recipe import Recipe
from imgen.train.events import JsonLines, Listener
from imgen.train.listeners import TensorBoard
from imgen.train.recording import Records


def listeners_of(recipe: Recipe, folder: Path, found: Plugins, *shown: Listener) -> list[Listener]:
    """Those that every run has, and those that show it."""
    listeners: list[Listener] = [
        JsonLines(folder / "events.jsonl"),
        Records(folder, recipe.dataset.to_dict()),
        Card(folder, found),
        *shown,
    ]
    if recipe.train.tensorboard:
        listeners.append(TensorBoard(folder / "tensorboard"))
    return listeners
