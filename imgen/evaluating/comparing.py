"""Runs side by side: what they are, how far, and what was measured of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from imgen import yaml_lines
from imgen.errors import DataError, RecipeError, near_miss
from imgen.metrics import records
from imgen.metrics.records import Record, Value
from imgen.recipe import flat
from imgen.train import checkpoint, run

State = Literal["complete", "training", "unfinished", "waiting"]
_DEPTH = 4  # folders below the one that is named
_OWN = "the run's own"
_APART = ("train.seed", "train.steps")


@dataclass(frozen=True)
class Summary:
    """A run as a table shows it. settings: of its recipe, by dotted key; records: oldest first."""

    path: Path
    state: State
    step: int
    steps: int
    settings: Mapping[str, Any]
    records: Sequence[Record]

    @property
    def algorithm(self) -> str:
        """Its name."""
        return str(self.settings.get("algorithm.name", ""))

    @property
    def seed(self) -> int | None:
        """Of training."""
        seed = self.settings.get("train.seed")
        return seed if isinstance(seed, int) else None

    def latest(self) -> dict[str, tuple[Record, Value]]:
        """What was measured last of the furthest state, by `metric/value`."""
        found: dict[str, tuple[Record, Value]] = {}
        for record in sorted(self.records, key=lambda record: record.step or 0):
            found |= {f"{record.metric}/{name}": (record, value) for name, value in record.values.items()}
        return found

    def curve(self, key: str) -> list[tuple[int, Value]]:
        """A value over training, the last one of each step."""
        return [(step, record.values[key.partition("/")[2]]) for step, record in self.course(key)]

    def course(self, key: str) -> list[tuple[int, Record]]:
        """The records that `curve` is of."""
        metric, _, name = key.partition("/")
        points = {
            record.step: record
            for record in self.records
            if record.metric == metric and name in record.values and record.step is not None
        }
        return sorted(points.items())


def summaries(paths: Sequence[Path]) -> list[Summary]:
    """The runs that paths are, or hold, each once.

    Raises: `RecipeError` where a path is no run and holds none.
    """
    found: dict[Path, Summary] = {}
    for path in paths:
        runs = list(runs_in(path))
        if not runs:
            raise RecipeError(f"{path}: no run, and none in it; give run folders, or a folder of runs")
        for each in runs:
            found.setdefault(each.resolve(), _summary(each))
    return list(found.values())


def runs_in(path: Path, depth: int = _DEPTH) -> Iterator[Path]:
    """The runs in a folder and in folders of it, by name; or the folder itself. Links to runs are not followed."""
    if run.is_run(path):
        yield path
    elif depth and path.is_dir():
        for inner in sorted(path.iterdir()):
            if inner.is_dir() and not inner.is_symlink():
                yield from runs_in(inner, depth - 1)


def differing(runs: Sequence[Summary]) -> list[str]:
    """Keys of settings in which the runs differ, without seed and length, and without what names other parts."""
    keys = dict.fromkeys(key for each in runs for key in each.settings)
    return [
        key
        for key in keys
        if key not in _APART
        and not key.startswith("metrics")
        and len({repr(each.settings.get(key)) for each in runs}) > 1
    ]


def columns(words: Sequence[str], runs: Sequence[Summary]) -> list[str]:
    """Which `metric/value` are meant: by both names, by a metric's for its first value, by a family or a pattern.

    Without words the first value of each metric.
    Raises: `DataError` where a word means nothing that was measured.
    """
    every = list(dict.fromkeys(key for each in runs for key in each.latest()))
    first = {key.partition("/")[0]: key for key in reversed(every)}
    if not words:
        return list(dict.fromkeys(first[key.partition("/")[0]] for key in every))
    found: dict[str, None] = {}
    for word in words:
        metric, _, value = word.replace("_", "-").partition("/")
        meant = [key for key in every if _means(key, metric, word.partition("/")[2])]
        if not value:
            meant = [key for key in meant if key in first.values()]
        if not meant:
            raise DataError(f"{word}: of these runs nothing of the kind was measured{near_miss(word, first)}")
        found |= dict.fromkeys(meant)
    return list(found)


def unlike(taken: Sequence[tuple[Summary, Record]]) -> str:
    """In what records of one metric differ so that their numbers do not compare, in words; '' where in nothing.

    Told are the metric's settings, settings of data that are not those of the run itself, and else the protocol.
    """
    hows = [_how(each, record) for each, record in taken]
    told = []
    for name in dict.fromkeys(name for how in hows for name in how):
        values = list(dict.fromkeys(str(how.get(name, _OWN)) for how in hows))
        if len(values) > 1 or name.startswith("dataset."):
            told.append(f"{name} {' or '.join(values)}" + (f", not {_OWN}" if len(values) == 1 else ""))
    if not told and len({record.protocol for _, record in taken}) > 1:
        told = ["their protocols differ"]
    return "; ".join(told)


def _how(run: Summary, record: Record) -> dict[str, Any]:
    data = flat(dict(record.data), "dataset") if record.data else {}
    other = {name: value for name, value in data.items() if run.settings.get(name) != value}
    return flat(dict(record.settings)) | other


def _means(key: str, metric: str, value: str) -> bool:
    mine, _, name = key.partition("/")
    return (mine == metric or mine.startswith(f"{metric}-") or fnmatchcase(mine, metric)) and (
        not value or name == value or fnmatchcase(name, value)
    )


def _summary(path: Path) -> Summary:
    file = path / "recipe.yaml"
    try:
        content = yaml_lines.parse(file.read_text(encoding="utf8"), str(file)).content
        settings = flat(content) if isinstance(content, dict) else {}
    except (OSError, UnicodeDecodeError, RecipeError):
        settings = {}
    step = checkpoint.newest_step(path) or 0
    steps = settings.get("train.steps")
    state: State = "complete" if run.is_complete(path) else "unfinished" if step else "waiting"
    if state != "complete" and run.is_busy(path):
        state = "training"
    return Summary(path, state, step, steps if isinstance(steps, int) else 0, settings, records.read(path))
