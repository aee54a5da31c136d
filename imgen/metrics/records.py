"""What was measured, of what and how: the lines of a run's `metrics.jsonl`."""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from imgen import files, strict_json
from imgen.metrics import Measured, Metric

NAME = "metrics.jsonl"
SCHEMA = "imgen.metric/1"
_MOST_SEEDS = 100_000
_MOST_NUMBERS = 100_000  # keys of one mapping
_LONGEST = 20_000  # characters
_PACKAGES = ("imgen", "torch", "numpy", "scipy", "scikit-learn")


@dataclass(frozen=True)
class Chosen:
    """A metric, and the settings it was built with, all of them."""

    metric: Metric
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Value:
    """One number: of the first seed, the mean and the standard deviation (n - 1) over repetitions, and each of them.

    None stands for what is no number.
    """

    value: float | None
    mean: float | None
    std: float | None
    each: Sequence[float | None]


@dataclass(frozen=True, kw_only=True)
class Record:
    """One metric's numbers, and all that they depend on.

    seeds: of the repetitions. step: of the weights, None where unknown; weights: their file within the run; sha256: of
    its configuration and tensors; data: the registered data set and its settings; of what else: see `Measured`.
    during: whether it was taken while training. seconds: for all repetitions.
    """

    metric: str
    settings: Mapping[str, Any]
    values: Mapping[str, Value]
    counts: Mapping[str, int] = field(default_factory=dict)
    protocol: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    seeds: Sequence[int] = ()
    step: int | None = None
    weights: str = ""
    sha256: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    during: bool = False
    device: str = ""
    seconds: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict)
    time: str = ""

    @classmethod
    def of(cls, metric: str, settings: Mapping[str, Any], told: Sequence[Measured], seeds: Sequence[int]) -> Record:
        """A record of repetitions, one for each seed; counts, protocol and details are the first one's."""
        values = {
            name: _value([float(each.values[name]) if name in each.values else math.nan for each in told])
            for name in told[0].values
        }
        first = told[0]
        return cls(
            metric=metric,
            settings=dict(settings),
            values=values,
            counts=dict(first.counts),
            protocol=first.protocol,
            details=dict(first.details),
            notes=tuple(dict.fromkeys(note for each in told for note in each.notes)),
            seeds=tuple(seeds),
            versions=versions(),
            time=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {"schema": SCHEMA, **_plain(asdict(self))}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Record:
        """Raises: `ValueError`, `KeyError` or `TypeError` where `told` is not what `to_json` gave."""
        if told["schema"] != SCHEMA:
            raise ValueError(f"schema {strict_json.shown(told['schema'])}, this imgen reads {SCHEMA}")
        known = {each.name for each in fields(cls)}
        given = {key: value for key, value in told.items() if key in known}
        for key, value in given.items():
            _check_kind(key, value)
        if not isinstance(given["metric"], str):
            raise ValueError("it has no name of a metric")
        values = {
            name: Value(
                value=_number(value["value"]),
                mean=_number(value["mean"]),
                std=_number(value["std"]),
                each=tuple(_number(one) for one in strict_json.listed(value["each"], "each", _MOST_SEEDS)),
            )
            for name, value in strict_json.keyed(given["values"], "values", _MOST_NUMBERS).items()
        }
        return cls(**given | {"values": values})


def _check_kind(key: str, value: Any) -> None:
    """See to it that an entry of a record is of its kind, whoever wrote it. Raises: `ValueError`."""
    if key in ("settings", "values", "counts", "details", "data", "versions"):
        strict_json.keyed(value, key, _MOST_NUMBERS)
    elif key in ("notes", "seeds"):
        strict_json.listed(value, key, _MOST_SEEDS)
    elif key in ("metric", "protocol", "weights", "sha256", "device", "time"):
        strict_json.text(value, key, _LONGEST, lines=key == "protocol")
    elif key == "during":
        if not isinstance(value, bool):
            raise ValueError("during is neither true nor false")
    elif key == "step":
        if value is not None:
            strict_json.whole(value, key, 0, 2**53)
    elif key == "seconds":
        _number(value)
    if key == "notes" and not all(isinstance(note, str) for note in value):
        raise ValueError("its notes are no texts")
    for seed in value if key == "seeds" else ():
        strict_json.whole(seed, key, -(2**63), 2**64)
    for count in value.values() if key == "counts" else ():
        _number(count)


def append(run: Path, record: Record) -> None:
    """Add a line to a run's records."""
    append_to(run / NAME, record)


def check_writable(path: Path) -> None:
    """See to it that records can be added to a file, before hours are spent on them; the file is left as it is.

    Raises: `OSError` where they cannot.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    path.open("ab").close()
    if new:
        path.unlink()


def append_to(path: Path, record: Record) -> None:
    """Add a line to a file of records, made if need be; a line that a kill cut off before is ended first."""
    line = json.dumps(record.to_json(), allow_nan=False) + "\n"
    if path.exists() and path.stat().st_size:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else "\n" + line
    path.parent.mkdir(parents=True, exist_ok=True)
    # One write of one line, so that two commands at once do not mix theirs.
    with path.open("ab", buffering=0) as file:
        file.write(line.encode("utf8"))


def read(run: Path) -> list[Record]:
    """A run's records, oldest first; lines that are none of ours are left out."""
    return [record for _, record in _lines(run / NAME)]


def drop_after(run: Path, step: int, also: Collection[int] = ()) -> None:
    """What was measured while training after a step that is trained anew is forgotten; all else stays.

    also: further steps, of which it is measured anew.
    """
    path = run / NAME
    if not path.exists():
        return
    lines = path.read_text(encoding="utf8", errors="replace").splitlines()
    gone = {
        line for line, record in _lines(path) if record.during and ((record.step or 0) > step or record.step in also)
    }
    if gone:
        files.write(path, "".join(f"{line}\n" for line in lines if line not in gone))


def versions() -> dict[str, str]:
    """Of Python and of the packages that numbers depend on, as far as they are installed."""
    told = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            told[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return told


def _lines(path: Path) -> Iterator[tuple[str, Record]]:
    if not path.exists():
        return
    for line in path.read_text(encoding="utf8", errors="replace").splitlines():
        try:
            yield line, Record.from_json(strict_json.parse_object(line))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue


def _value(each: Sequence[float]) -> Value:
    mean = statistics.fmean(each)
    std = statistics.stdev(each) if len(each) > 1 and math.isfinite(mean) else None
    return Value(_finite(each[0]), _finite(mean), _finite(std), tuple(_finite(one) for one in each))


def _number(told: Any) -> float | None:
    if told is not None and (isinstance(told, bool) or not isinstance(told, (int, float))):
        raise ValueError(f"{strict_json.shown(told)} is no number")
    return told


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return _finite(value)
    if value is None or isinstance(value, (str, int)):
        return value
    # Numbers and arrays of NumPy and torch, which a metric may well count with.
    return _plain(value.tolist()) if hasattr(value, "tolist") else str(value)
