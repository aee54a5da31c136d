"""Models on a device: all of them where they fit, and else those that were used last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOM = 4 * 2**30
"""Bytes of weights that stay loaded."""


class Shelf(Sequence[Any]):
    """The models of weights files, loaded when they are first asked for.

    The least recently used ones are given up where all together would take more than `room`.
    """

    def __init__(self, files: Sequence[Path], load: Callable[[Path], Any], room: int = ROOM) -> None:
        """load: gives the model of a file; room: for weights, as large as their files [bytes]."""
        self.files, self.load, self.room = list(files), load, room
        self.sizes = [file.stat().st_size for file in self.files]
        self.loaded: OrderedDict[int, Any] = OrderedDict()

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, place: Any) -> Any:
        """The model of one place."""
        if place not in self.loaded:
            if not 0 <= place < len(self.files):
                raise IndexError(place)
            while self.loaded and sum(self.sizes[each] for each in self.loaded) + self.sizes[place] > self.room:
                self.loaded.popitem(last=False)
            self.loaded[place] = self.load(self.files[place])
        self.loaded.move_to_end(place)
        return self.loaded[place]
