"""The card that a run gets when it is complete."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from imgen import files
from imgen.card.whole import card_of

if TYPE_CHECKING:
    from imgen.plugins import Plugins
    from imgen.train.events import Event


class Card:
    """A listener that writes `README.md` into the run when it finishes.

    It comes after those that write events and measurements, for it tells of them.
    """

    def __init__(self, folder: Path, plugins: Plugins) -> None:
        """folder: the run's."""
        self.folder, self.plugins = folder, plugins

    def __call__(self, event: Event) -> None:
        """Write the card in the end; what the author wrote into an earlier one stays."""
        from imgen.train.events import Finished

        if isinstance(event, Finished):
            files.write(self.folder / "README.md", card_of(self.folder, self.plugins))
