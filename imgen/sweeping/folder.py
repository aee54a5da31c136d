"""The folder of a sweep: what the sweep is, where its runs are, and who is at work in it."""

from __future__ import annotations

import fcntl
import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imgen import files
from imgen.errors import RecipeError
from imgen.recipe import differences
from imgen.sweeping.axes import Grid
from imgen.sweeping.grid import Point
from imgen.train_settings import MAY_CHANGE

ROOT = Path("runs/sweeps")
NAME = "sweep.json"
SCHEMA = "imgen.sweep/1"
_MINE = {NAME, "logs", "recipes", "attempts.jsonl", ".lock", ".session"}


@dataclass(frozen=True)
class Places:
    """Where a sweep keeps what, below its folder; a run is in the folder that bears its name."""

    out: Path

    def run(self, name: str) -> Path:
        """The run's folder."""
        return self.out / name

    def log(self, name: str) -> Path:
        """What the run's processes told, one attempt after the other."""
        return self.out / "logs" / f"{name}.log"

    def recipe(self, name: str) -> Path:
        """The run's recipe, complete."""
        return self.out / "recipes" / f"{name}.yaml"

    @property
    def attempts(self) -> Path:
        """A line for each attempt to train a run."""
        return self.out / "attempts.jsonl"

    @property
    def session(self) -> Path:
        """A word that changes with each command: who reads it sees this very folder."""
        return self.out / ".session"


def read(out: Path) -> dict[str, Any] | None:
    """What the sweep in a folder is, or None where the folder is new or empty.

    Raises: `RecipeError` where the folder is something else, or its description is damaged.
    """
    if not out.exists():
        return None
    if not out.is_dir():
        raise RecipeError(f"{out}: a file; give the folder of a sweep, or a new one")
    path = out / NAME
    if not path.is_file():
        if {entry.name for entry in out.iterdir()} - {".lock"}:
            raise RecipeError(f"{out}: is not empty and not a sweep; choose a new folder with --out")
        return None
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf8"))
        runs = told["runs"]
        if told["schema"] != SCHEMA or not all(isinstance(runs[name]["identity"], str) for name in runs):
            raise ValueError
        dict(told["recipe"]["base"]), list(told["asked"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise RecipeError(
            f"{path}: damaged, or of another version of imgen; put it back, or choose a new folder"
        ) from None
    return told


def refuse_changes(out: Path, told: Mapping[str, Any], base: Mapping[str, Any]) -> None:
    """Take a wider grid and more seeds, and settings that do not touch what is learnt, but no other recipe.

    told: what the sweep in the folder is. base: the recipe of all runs before an axis changes it.
    Raises: `RecipeError` with every difference.
    """
    changed = differences(told["recipe"]["base"], base)
    free = {f"train.{name}" for name in MAY_CHANGE}
    wrong = [line for line in changed if line.partition(":")[0] not in free]
    if wrong:
        raise RecipeError(
            f"{out}: holds a sweep of another recipe ({'; '.join(wrong)}); the same recipe with other grids or seeds "
            "adds runs to it, and for this one choose another folder with --out"
        )


def names(told: Mapping[str, Any] | None) -> dict[str, str]:
    """The names of the sweep's runs by their identity."""
    return {run["identity"]: name for name, run in told["runs"].items()} if told else {}


def write(
    out: Path,
    told: Mapping[str, Any] | None,
    *,
    reference: str,
    title: str,
    base: Mapping[str, Any],
    grids: Sequence[Grid],
    seeds: Sequence[int],
    points: Sequence[Point],
) -> None:
    """Write what the sweep is, with the runs that were there and those that are new, and the runs' recipes."""
    places = Places(out)
    (out / "logs").mkdir(parents=True, exist_ok=True)
    grown = {"grids": [{axis.key: list(axis.values) for axis in grid} for grid in grids], "seeds": list(seeds)}
    asked = list(told["asked"]) if told else []
    runs = dict(told["runs"]) if told else {}
    for point in points:
        files.write(places.recipe(point.name), point.recipe.to_yaml())
        runs[point.name] = {"settings": dict(point.settings), "seed": point.seed, "identity": point.identity}
    whole = {
        "schema": SCHEMA,
        "recipe": {"name": title, "given_as": reference, "base": base},
        "asked": asked if grown in asked else [*asked, grown],
        "runs": runs,
    }
    if whole != told:
        files.write(out / NAME, json.dumps(whole, indent=1) + "\n")


@contextmanager
def held(out: Path) -> Iterator[None]:
    """Hold a sweep's folder against a second command that would work in it, too.

    Raises: `RecipeError` where another one does, with where that is.
    """
    made = [path for path in (out, *out.parents) if not path.exists()]
    out.mkdir(parents=True, exist_ok=True)
    with (out / ".lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            who = lock.read().strip()
            told = f" ({who})" if who else ""
            raise RecipeError(f"{out}: another sweep is at work in this folder{told}; wait for it, or end it") from None
        lock.truncate(0)
        lock.write(f"process {os.getpid()} on {platform.node()}")
        lock.flush()
        try:
            yield
        finally:
            if [entry.name for entry in out.iterdir()] == [".lock"]:
                # Nothing came of it: the folder goes as it came.
                (out / ".lock").unlink()
                for path in made:
                    path.rmdir()
