"""How well edits succeed over how many labels there are: many runs, one table, one picture."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from imgen import files
from imgen.errors import DataError, ImgenError

if TYPE_CHECKING:
    from PIL.Image import Image

METRIC = "edit-accuracy"
FURTHER = ("edit-reconstruction", "head-accuracy")
PLOTTED = {
    "edit_accuracy": "Edits that show what they are to show",
    "kept": "Attributes that edits leave as they were",
    "same_psnr": "Likeness of the picture and its edit to what it shows already [dB]",
}
"""Measures that are plotted where they are measured, and the titles of their charts."""


@dataclass(frozen=True)
class Trial:
    """One run of the sweep: a recipe, labels of each value (None: all), and a seed, of the labels too."""

    recipe: str
    labels: int | None
    seed: int

    def folder(self, out: Path) -> Path:
        """The run's."""
        return out / f"{Path(self.recipe).stem}-{'all' if self.labels is None else self.labels}-seed{self.seed}"

    def command(self, out: Path, further: Sequence[str]) -> list[str]:
        """What trains it."""
        labels = "null" if self.labels is None else str(self.labels)
        given = {"dataset.labels_per_value": labels, "dataset.split_seed": self.seed, "train.seed": self.seed}
        settings = [word for key, value in given.items() for word in ("-s", f"{key}={value}")]
        return ["train", self.recipe, "--out", str(self.folder(out)), *settings, *further]


def trials(recipes: Sequence[str], counts: Sequence[int | None], seeds: int) -> list[Trial]:
    """All of them, so that a first answer for every count is there early."""
    return [Trial(recipe, count, seed) for seed in range(seeds) for count in counts for recipe in recipes]


def run(
    every: Sequence[Trial], out: Path, further: Sequence[str], say: Callable[[str], None]
) -> Iterator[dict[str, Any]]:
    """Trains what is not finished, one after another, and gives what was measured of each.

    A sweep that was interrupted goes on where it stopped: finished runs are left alone, the others resume.
    Raises: `ImgenError` where a run fails.
    """
    for number, trial in enumerate(every, 1):
        folder = trial.folder(out)
        if not (folder / "model.safetensors").is_file():
            say(f"run {number} of {len(every)}: {folder}")
            done = subprocess.run(
                [sys.executable, "-m", "imgen", *trial.command(out, further)], stdout=subprocess.DEVNULL
            )
            if done.returncode:
                remedy = "put right what it says" if done.returncode == 2 else "the same command goes on from there"
                error = ImgenError(f"{folder}: ended with status {done.returncode}; {remedy}")
                error.exit_status = done.returncode
                raise error
        yield {"recipe": Path(trial.recipe).stem, "labels": trial.labels, "seed": trial.seed, **measured(folder)}


def measured(folder: Path) -> dict[str, float]:
    """The last of what a run says of its edits.

    Raises: `DataError` where it says nothing.
    """
    found: dict[str, float] = {}
    for line in (folder / "events.jsonl").read_text("utf-8").splitlines():
        event = json.loads(line)
        if event.get("event") == "evaluated" and event.get("metric") in (METRIC, *FURTHER):
            found |= event["values"]
    if "edit_accuracy" not in found:
        raise DataError(f"{folder}: nothing was measured by {METRIC}; the recipe's metrics must have it")
    return found


def plot(rows: Sequence[dict[str, Any]], value: str) -> Image:
    """A measure over labels of each value: means over seeds, with the least and the most.

    All labels stand at ten times the largest count.
    """
    from imgen.charts import lines

    every = 10 * max((row["labels"] for row in rows if row["labels"]), default=1)
    series: dict[str, list[tuple[float, float, float, float]]] = {}
    for row in rows:
        points = series.setdefault(row["recipe"], [])
        of = [each[value] for each in rows if (each["recipe"], each["labels"]) == (row["recipe"], row["labels"])]
        point = (float(row["labels"] or every), mean(of), min(of), max(of))
        if point not in points:
            points.append(point)
    ordered = {recipe: sorted(points) for recipe, points in series.items()}
    return lines(
        ordered, title=PLOTTED[value], x_label=f"labels of each value ({every}: all)", y_label=value, log_x=True
    )


def write(rows: Sequence[dict[str, Any]], out: Path) -> list[Path]:
    """labels.json and a picture of each measure, each written at once or not at all."""
    paths = [out / "labels.json"]
    files.write(paths[0], json.dumps(rows, indent=1) + "\n")
    for value in PLOTTED:
        # One attribute alone has no others to keep, and a recipe may measure less.
        if all(value in row for row in rows):
            paths.append(out / f"{value}.png")
            with files.replacing(paths[-1]) as file:
                plot(rows, value).save(file, "PNG")
    return paths
