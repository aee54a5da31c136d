"""The listener that keeps what is measured while training in the run's `metrics.jsonl`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from imgen.metrics import records
from imgen.train.events import Evaluated, Event, Started


class Records:
    """Appends a record for each metric that was taken."""

    def __init__(self, folder: Path, data: Mapping[str, Any]) -> None:
        """folder: the run's; data: the recipe's data set, name and settings."""
        self.folder, self.data = folder, data

    def __call__(self, event: Event) -> None:
        """Keep one event, or forget what a resumed run will measure again."""
        match event:
            case Started():
                records.drop_after(self.folder, event.step - event.owed, also=event.measuring)
            case Evaluated() if event.record is not None:
                records.append(self.folder, replace(event.record, during=True, data=dict(self.data)))
            case _:
                pass
