"""`python -m imgen.sweeping.several DEVICE RECIPE FOLDER LOG ...`: trains several runs in this process, side by side.

They differ in their seeds alone. Each has its folder and its log, as if it were trained by itself; the last line of its
log says what became of it. DEVICE is `cpu`, or `auto` for a GPU where there is one.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import torch

from imgen.build import build, dataset_from
from imgen.data.spec import Dataset
from imgen.errors import RecipeError
from imgen.messages import lines_of
from imgen.plugins import Plugins, installed
from imgen.recipe import Draft, Part
from imgen.sweeping.ending import ended_line
from imgen.sweeping.grid import but_for_its_seed
from imgen.sweeping.tasks import Run
from imgen.train import many, run
from imgen.train.listeners import Console
from imgen.train.listening import listeners_of
from imgen.train.trainer import Trainer
from imgen.train.ways import check_way

Within = Callable[[], AbstractContextManager[object]]


@dataclass
class Held:
    """What the runs of a process have in common: the plugins, the device, and data, each set built once."""

    found: Plugins
    device: str
    _datasets: dict[str, Dataset] = field(default_factory=dict)

    def dataset(self, part: Part) -> Dataset:
        """The data set of these settings.

        Raises: `RecipeError` or `DataError` where its data cannot be read.
        """
        key = json.dumps(part.to_dict(), sort_keys=True)
        if key not in self._datasets:
            self._datasets[key] = dataset_from(part, self.found)
        return self._datasets[key]


def steps_of(wanted: Run, held: Held, stop: many.Signals) -> many.Steps:
    """Build a run and train it, a step at a time, as `imgen train` does."""
    recipe = Draft.read(Path(wanted.recipe), held.found).check()
    with Console() as console:
        # Everything that can be wrong is built before a folder is made.
        with console.decoding():
            built = build(recipe, held.found, dataset=held.dataset(recipe.dataset))
        recipe = built.recipe
        check_way(recipe.train, held.device)
        folder = run.open_for(recipe, Path(wanted.folder), False)
        report = getattr(built.dataset, "report", None)
        console.say(f"run {folder}", *(report.lines() if report else ()))
        if run.is_complete(folder, recipe.train.steps):
            console.say(f"{folder}: complete already; raise train.steps to train on")
            return
        with run.held(folder):
            with console.decoding():
                trainer = Trainer(
                    built.algorithm,
                    built.dataset,
                    recipe.train,
                    folder,
                    config=built.config,
                    device=held.device,
                    metrics=built.metrics,
                    listeners=listeners_of(recipe, folder, held.found, console),
                    say=console.say,
                )
            run.store_recipe(folder, recipe)
            yield None
            yield from trainer.going(stop)


def refuse_unlike(runs: list[Run], found: Plugins) -> None:
    """Threads and what products round to belong to the process: runs that want others cannot be in it.

    Raises: `RecipeError` where runs differ in more than their seeds.
    """
    told = [but_for_its_seed(Draft.read(Path(each.recipe), found).check()) for each in runs]
    for each, its in zip(runs, told, strict=True):
        if its != told[0]:
            raise RecipeError(f"{each.recipe}: differs from {runs[0].recipe} in more than its seed; train it alone")


def main(device: str, *words: str) -> int:
    """Train them; gives 0 where all came through, else the greatest exit status of one."""
    runs = [Run("", *words[place : place + 3]) for place in range(0, len(words), 3)]
    found = installed()
    found.report = lambda line: Console().say(f"imgen: warning: {line}")
    for problem in found.problems:
        found.report(problem)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    stop = many.Signals()
    with ExitStack() as logs, stop:
        within = {each.folder: _within(logs.enter_context(_opened(each.log))) for each in runs}
        return _train_all(runs, Held(found, device), stop, within)


def _train_all(runs: list[Run], held: Held, stop: many.Signals, within: Mapping[str, Within]) -> int:
    statuses: dict[str, int] = {}
    began = time.monotonic()

    def ended(folder: str, error: Exception | None) -> None:
        lines, statuses[folder] = lines_of(error, held.found) if error else ([], 0)
        if error and os.environ.get("IMGEN_DEBUG"):
            traceback.print_exception(error)
        with suppress(OSError):  # as when the disk is full: the others may yet come through
            Console().say(*lines, ended_line(statuses[folder], time.monotonic() - began))

    try:
        refuse_unlike(runs, held.found)
        entrants = [many.Entrant(each.folder, steps_of(each, held, stop), within[each.folder]) for each in runs]
        many.train(entrants, held.device, stop, ended)
    except Exception as error:
        # It is so for all that are not through.
        for each in runs:
            if each.folder not in statuses:
                with within[each.folder]():
                    ended(each.folder, error)
    return max(statuses.values())


def _opened(log: str) -> TextIO:
    return Path(log).open("a", buffering=1, encoding="utf8")


def _within(log: TextIO) -> Within:
    """What a run says goes to its log, and to no other's."""

    @contextmanager
    def within() -> Iterator[None]:
        with redirect_stderr(log), redirect_stdout(log):
            yield

    return within


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
