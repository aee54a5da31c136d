"""What was measured of a model: from `metrics.jsonl`, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from imgen.card.facts import Facts
from imgen.card.text import code, prose, section, table, told
from imgen.metrics import number
from imgen.metrics.records import Record, Value

_MOST = 200  # numbers in a table


def results(facts: Facts) -> str:
    """The section: numbers with what they are the mean of, how they were taken, and what to know of them."""
    if not facts.records:
        return section("Results", _none(facts))
    rows = [
        [
            f"{place}",
            code(record.metric),
            code(name),
            _mean(value),
            _repetitions(record),
            _step(record),
            _counts(record),
        ]
        for place, record in enumerate(facts.records, 1)
        for name, value in record.values.items()
    ]
    cut = f"The table shows {_MOST:,} of {len(rows):,} numbers; `metrics.jsonl` has all." if len(rows) > _MOST else ""
    heading = ["", "metric", "value of", "mean ± standard deviation", "seeds", "step", "measured on"]
    if not any(record.counts for record in facts.records):
        heading, rows = heading[:-1], [row[:-1] for row in rows]
    return section(
        "Results",
        table(heading, rows[:_MOST]),
        cut,
        "Seeds are those of the measurement: repetitions measure the same weights with other draws. They say nothing "
        "of how much another training would differ.",
        "How they were taken:",
        "\n".join(f"{place}. {_how(record, facts)}" for place, record in enumerate(facts.records, 1)),
        _others(facts),
    )


def model_index(facts: Facts, task: str) -> list[dict[str, Any]]:
    """The results as the Hub knows them: numbers alone, each with its protocol."""
    found = []
    for record in facts.records:
        numbers = {name: _value(value) for name, value in record.values.items()}
        metrics = [
            {
                "type": told(record.metric, 100),
                "name": f"{told(name, 100)} of {told(record.metric, 100)} ({told(_protocol(record, facts), 300)})",
                "value": value,
                "args": _arguments(record, record.values[name]),
            }
            for name, value in numbers.items()
            if value is not None
        ]
        if metrics:
            dataset = told(_dataset(record, facts) or "unknown", 100)
            kind = {"type": task or "other", "name": (task or "other").replace("-", " ")}
            told_of = {"type": dataset, "name": dataset, **_other_settings(record, facts)}
            found.append({"task": kind, "dataset": told_of, "metrics": metrics})
    return found


def _other_settings(record: Record, facts: Facts) -> dict[str, Any]:
    """The settings of the data as the Hub has them, where they are not those of the training."""
    data = facts.placeless("datasets", record.data)
    if not record.data or data == facts.recipe.get("dataset"):
        return {}
    return {"args": {told(name, 60): told(_shown(value), 100) for name, value in data.items() if name != "name"}}


def _arguments(record: Record, value: Value) -> dict[str, Any]:
    """How often it was repeated, and on how much, as plain values."""
    counts = {told(name, 60): count for name, count in record.counts.items() if _is_number(count)}
    seeds = [seed for seed in record.seeds if isinstance(seed, int)]
    spread = {"std": value.std} if _is_number(value.std) else {}
    step = {"step": record.step} if record.step is not None else {}
    return {"seeds": seeds, **spread, **counts, **step}


def _value(value: Value) -> float | None:
    given = value.mean if _is_number(value.mean) else value.value if len(value.each) < 2 else None
    return float(given) if _is_number(given) and given is not None else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _mean(value: Value) -> str:
    mean = _value(value)
    spread = f" ± {number(value.std)}" if mean is not None and value.std is not None and _is_number(value.std) else ""
    return number(mean) + spread


def _repetitions(record: Record) -> str:
    seeds = [str(seed) for seed in record.seeds if isinstance(seed, int)]
    if not seeds:
        return "not told"
    shown = ", ".join(seeds[:10]) + (" ..." if len(seeds) > 10 else "")
    return f"{len(seeds)} (seed{'s' if len(seeds) > 1 else ''} {shown})"


def _counts(record: Record) -> str:
    told_ = [f"{count:,} {prose(name, 60)}" for name, count in record.counts.items() if _is_number(count)]
    return ", ".join(told_[:6]) or "as below"


def _step(record: Record) -> str:
    return "not told" if record.step is None else f"{record.step:,}"


def _protocol(record: Record, facts: Facts) -> str:
    """In words, or else how the metric was set, without which a number is no result."""
    if record.protocol:
        return record.protocol
    settings, defaults = _settings(record, facts), facts.defaults("metrics", record.metric)
    changed = {name: value for name, value in settings.items() if name not in defaults or defaults[name] != value}
    whose = f"imgen {record.versions['imgen']}" if "imgen" in record.versions else "imgen"
    return f"{whose}, {_in_words(changed) or 'default settings'}"


def _settings(record: Record, facts: Facts) -> dict[str, Any]:
    settings = facts.placeless("metrics", {"name": record.metric, **record.settings})
    return {name: value for name, value in settings.items() if name != "name"}


def _in_words(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_shown(value)}" for name, value in settings.items())


def _shown(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _dataset(record: Record, facts: Facts) -> str:
    name = record.data.get("name") or facts.recipe.get("dataset", {}).get("name")
    return str(name) if isinstance(name, str) else ""


def _how(record: Record, facts: Facts) -> str:
    parts = [f"{code(record.metric)}: {prose(_protocol(record, facts))}"]
    if settings := _in_words(_settings(record, facts)):
        parts.append(f"all settings: {prose(settings)}")
    if data := _data_in_words(record, facts):
        parts.append(f"data: {data}")
    parts += [f"note: {prose(note)}" for note in record.notes[:10]]
    if record.device:
        parts.append(f"measured on {prose(record.device, 80)}")
    return "; ".join(parts) + "."


def _data_in_words(record: Record, facts: Facts) -> str:
    """Which data it was measured on: those of the training, or others, with their settings."""
    if not record.data:
        return ""
    data: Mapping[str, Any] = facts.placeless("datasets", record.data)
    if data == facts.recipe.get("dataset"):
        return f"{code(data.get('name', ''))} with the settings of the training"
    settings = _in_words({name: value for name, value in data.items() if name != "name"})
    return f"{code(data.get('name', ''))} {prose(settings)}".strip()


def _none(facts: Facts) -> str:
    return f"Nothing has been measured of these weights. {_others(facts)}".strip()


def _others(facts: Facts) -> str:
    if not facts.former:
        return ""
    return f"`metrics.jsonl` holds {facts.former:,} more of other states of the run, which are not of these weights."
