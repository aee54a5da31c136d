"""`python -m imgen.evaluating.beside RUN DEVICE`: takes a recipe's metrics of a run's snapshots while it trains.

Standard input has a step in each line; standard output has a JSON object for each metric of it, and one that says that
the step is done. The end of standard input is the end of this process: nobody is left to tell.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from imgen.build import chosen, dataset_from, load_model
from imgen.data.spec import Dataset
from imgen.errors import ImgenError
from imgen.evaluating.subject import recipe_of
from imgen.metrics import Evaluation
from imgen.metrics.records import Chosen
from imgen.plugins import Plugins, installed
from imgen.recipe import Recipe
from imgen.train.beside import snapshot
from imgen.train.device import device_name, set_up, wants_channels_last
from imgen.train.events import Evaluated, Event, Unmeasured
from imgen.train.measuring import take


@dataclass(frozen=True)
class Measuring:
    """All that snapshots of a run are measured with."""

    run: Path
    device: torch.device
    recipe: Recipe
    dataset: Dataset
    metrics: Mapping[str, Chosen]
    plugins: Plugins

    @classmethod
    def of(cls, run: Path, device: str) -> Measuring:
        """Raises: `ImgenError` where the recipe or its data can no longer be read."""
        plugins = installed()
        recipe, where = recipe_of(run, plugins), torch.device(device)
        set_up(recipe.train, where)
        metrics = {part.name: chosen(part, plugins) for part in recipe.metrics}
        return cls(run, where, recipe, dataset_from(recipe.dataset, plugins), metrics, plugins)

    def of_step(self, step: int) -> Iterator[Event]:
        """What each metric says of a snapshot: the same as in place, for model, seeds and settings are.

        Raises: `WeightsError` where the snapshot cannot be read.
        """
        model, _ = load_model(snapshot(self.run, step), self.plugins, str(self.device))
        if wants_channels_last(self.recipe.train, model, self.device):
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        evaluation = Evaluation(model=model, dataset=self.dataset, device=self.device, seed=self.recipe.train.seed)
        for name, metric in self.metrics.items():
            try:
                with torch.no_grad():
                    yield from take({name: metric}, evaluation, step, device_name(self.device))
            except Exception as error:
                # Training goes on, so one metric must not cost the others.
                told = " ".join(str(error).split())[:300]
                yield Unmeasured(step, name, f"{type(error).__name__}: {told} (`imgen evaluate` shows where)")


def told_as(event: Event) -> dict[str, Any]:
    """An event as plain values."""
    if isinstance(event, Evaluated):
        values = {name: v if isinstance(v, (int, float)) else float(v) for name, v in event.values.items()}
        return {"metric": event.metric, "values": values, "record": event.record.to_json() if event.record else None}
    assert isinstance(event, Unmeasured)
    return {"metric": event.metric, "reason": event.reason}


def main(run: str, device: str) -> None:
    """Measure what is asked for until nobody asks any more."""
    # Metrics may print; what is told to whoever started this process is apart from that.
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    steps: queue.SimpleQueue[int] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(steps,), daemon=True).start()
    measuring: Measuring | None = None
    while True:
        step, done = steps.get(), "it was not taken"
        try:
            measuring = measuring or Measuring.of(Path(run), device)
            for event in measuring.of_step(step):
                told.write(json.dumps(told_as(event)) + "\n")
                told.flush()
        except ImgenError as error:
            done = " ".join(str(error).split())
        told.write(json.dumps({"step": step, "done": done}) + "\n")
        told.flush()


def _listen(steps: queue.SimpleQueue[int]) -> None:
    for line in sys.stdin.buffer:
        steps.put(int(line))
    os._exit(0)  # whatever is being computed


if __name__ == "__main__":
    main(*sys.argv[1:])
