"""How a model was trained, and how to train it again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from typing import Any, cast

from imgen.card.facts import Facts
from imgen.card.text import code, fenced, listed, prose, section, table
from imgen.errors import ImgenError
from imgen.overrides import Override
from imgen.recipe import Draft, flat
from imgen.train_settings import MAY_CHANGE
from imgen.yaml_lines import dump, scalar

_SHOWN = 60  # changed settings
_SECTIONS = ("algorithm", "dataset", "train")


def training(facts: Facts) -> str:
    """The section: recipe and what was changed, how long, on what, and how exactly."""
    changed = differences(facts)
    return section(
        "Training",
        _recipe_line(facts, changed),
        table(
            ["setting", "recipe", "here"],
            [[code(key), code(old), code(new)] for key, old, new in changed or []][:_SHOWN],
        ),
        table(["of the training", ""], _facts_of(facts)),
        _own_settings(facts),
    )


def reproduce(facts: Facts) -> str:
    """The section: the command that trains it again, and the whole recipe."""
    if "algorithm" not in facts.recipe or "dataset" not in facts.recipe:
        return section(
            "Train it again",
            "These weights came without a recipe, so there is no command that trains them again.",
        )
    places = _places(facts.recipe)
    capitals = (
        f"Words in capitals ({listed([code(place) for place in places])}) stand for files or folders of yours."
        if places
        else ""
    )
    note = (
        "On a CPU, with the same versions and the same number of threads, it comes out alike bit for bit; on a GPU and "
        "elsewhere numbers differ a little."
    )
    return section(
        "Train it again",
        fenced(_command(facts), "sh"),
        capitals,
        note,
        "The whole recipe, which `imgen train recipe.yaml` takes, too:",
        fenced(dump(facts.recipe), "yaml"),
    )


def differences(facts: Facts) -> list[tuple[str, str, str]] | None:
    """What was set otherwise than in the registered recipe of that title; None where there is none of the kind."""
    base = _registered(facts)
    if base is None:
        return None
    before, after = flat(base), flat(facts.recipe)
    keys = [key for key in {**before, **after} if before.get(key, _Absent) != after.get(key, _Absent)]
    return [(key, _shown(before.get(key, _Absent)), _shown(after.get(key, _Absent))) for key in keys]


def shortened(facts: Facts) -> str:
    """That it was trained for less than its recipe asks for, as a sentence; '' where that is not so."""
    steps = (_registered(facts) or facts.recipe).get("train", {}).get("steps")
    if not isinstance(steps, int) or facts.step is None or facts.step >= steps:
        return ""
    return f"It was trained for {facts.step:,} steps; the recipe {code(facts.title)} asks for {steps:,}."


class _Absent:
    """In place of a setting that one of two recipes does not have."""


def _shown(value: Any) -> str:
    return "left open" if value is _Absent else _written(value)


def _registered(facts: Facts) -> dict[str, Any] | None:
    """The registered recipe of the run's title, with this run's algorithm and data set, and without places.

    What it leaves to its user, such as the folder of the pictures, is absent.
    """
    if not facts.registered(facts.title) or not {"algorithm", "dataset"} <= set(facts.recipe):
        return None
    from pathlib import Path

    left: list[tuple[str, str]] = []
    try:
        draft = Draft.read(Path(str(facts.plugins.registry("recipes").get(facts.title).factory)), facts.plugins)
        for section_ in ("algorithm", "dataset"):
            draft.apply(_same_name(draft, section_, facts.recipe[section_].get("name")))
            left += [(section_, name) for name in _fill(draft, section_, facts.recipe[section_])]
        told = draft.check().to_dict()
    except (ImgenError, OSError):
        return None
    placed = {name: facts.placeless(f"{name}s", told[name]) for name in ("algorithm", "dataset")}
    for section_, name in left:
        del placed[section_][name]
    metrics = [facts.placeless("metrics", metric) for metric in told["metrics"]]
    return {**told, **placed, **({"metrics": metrics} if "metrics" in facts.recipe else {})}


def _same_name(draft: Draft, section_: str, name: Any) -> list[Override]:
    part = draft.content.get(section_)
    if not isinstance(name, str) or (isinstance(part, Mapping) and part.get("name") == name):
        return []
    return [Override(f"{section_}.name", name, name)]


def _fill(draft: Draft, section_: str, here: Mapping[str, Any]) -> list[str]:
    """Give the recipe what it leaves to its user, as it is here; their names."""
    content, known = draft.content[section_], draft.settings().get(section_, {})
    left = [name for name, setting in known.items() if setting.required and name not in content and name in here]
    content.update({name: here[name] for name in left})
    return left


def _command(facts: Facts) -> str:
    """`imgen train` with all that makes it this run; from the recipe's file where it is no registered one."""
    changed = differences(facts)
    if changed is None:
        words = [f"{section_}.{key}" for section_, key in _placed(facts.recipe)]
        return " ".join(
            ["imgen train recipe.yaml", *(_option(facts, key, key.rpartition(".")[2].upper()) for key in words)]
        )
    after = flat(facts.recipe)
    renamed = [
        f"-s {section_}.name={shlex.quote(str(facts.recipe[section_]['name']))}"
        for section_ in _SECTIONS[:2]
        if _raw_name(facts, section_) != facts.recipe[section_].get("name")
    ]
    idle = {f"train.{name}" for name in MAY_CHANGE if name != "steps"}
    keys = [key for key, _, _ in changed if key.split(".")[0] in _SECTIONS and key in after and key not in idle]
    keys += [key for section_, name in _placed(facts.recipe) if (key := f"{section_}.{name}") not in keys]
    settings = [_option(facts, key, _written(after[key])) for key in keys if not key.endswith(".name") and key in after]
    return " ".join([f"imgen train {facts.title.replace('_', '-').lower()}", *renamed, *settings])


def _raw_name(facts: Facts, section_: str) -> Any:
    """The name that the registered recipe itself has there."""
    from pathlib import Path

    entry = facts.plugins.registry("recipes").get(facts.title)
    part = Draft.read(Path(str(entry.factory)), facts.plugins).content.get(section_)
    return part.get("name") if isinstance(part, Mapping) else None


def _option(facts: Facts, key: str, value: str) -> str:
    """A setting as the command line takes it: by its bare name where no other section has one of that name."""
    section_, _, name = key.partition(".")
    others = [other for other in _SECTIONS if name in facts.recipe.get(other, {})]
    if others == [section_] and name not in ("out", "device", "new", "help", "json", "set", "dry_run"):
        return f"--{name} {shlex.quote(value)}" if not value.startswith("-") else f"--{name}={shlex.quote(value)}"
    return f"-s {key}={shlex.quote(value)}"


def _written(value: Any) -> str:
    """A value so that the command line reads the same one."""
    if isinstance(value, str):
        return value if scalar(value) == value else json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False, default=str)


def _placed(recipe: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Settings whose place on a machine was left out: they have their own name in capitals."""
    return [
        (section_, name)
        for section_ in ("algorithm", "dataset")
        for name, value in recipe.get(section_, {}).items()
        if value == name.upper() and isinstance(value, str)
    ]


def _places(recipe: Mapping[str, Any]) -> list[str]:
    measured = [
        str(value)
        for metric in recipe.get("metrics", [])
        for name, value in metric.items()
        if isinstance(value, str) and value == name.upper()
    ]
    return list(dict.fromkeys([*(name.upper() for _, name in _placed(recipe)), *measured]))


def _recipe_line(facts: Facts, changed: list[tuple[str, str, str]] | None) -> str:
    if not facts.recipe:
        return "These weights came without the recipe of their run; below is what their own header tells."
    title = code(facts.title)
    if changed is None:
        return f"The recipe {title} is the author's own; it stands in full below."
    if not changed:
        return f"The recipe {title} as it comes with imgen or a plugin."
    return f"The recipe {title} that comes with imgen or a plugin, with these settings changed:"


def _facts_of(facts: Facts) -> list[list[str]]:
    train, spec, step = facts.train, facts.config.data, facts.step
    rows = []
    if step is not None:
        of = f" of {train['steps']:,}" if _count(train.get("steps")) and train["steps"] > step else ""
        rows.append(["steps", f"{step:,}{of}"])
    batch = train.get("batch")
    if _count(batch) and batch is not None:
        each = f" of {spec.group} pictures" if spec.group > 1 else ""
        rows.append(["batch", f"{batch:,} items{each}{' of each domain' if spec.domains else ''}"])
        if step is not None:
            what = "points seen" if spec.vector else "pictures seen"
            rows.append([what, f"{step * batch * spec.pictures:,}, counted with repetition"])
    seed = train.get("seed", facts.config.origin.get("seed"))
    rows += [["seed", f"{seed}"]] if isinstance(seed, int) else []
    rows += _hardware(facts)
    if train:
        rows += [["precision", _precision(facts)], ["averaged weights", _averaging(train)]]
    return rows


def _hardware(facts: Facts) -> list[list[str]]:
    sessions = facts.sessions
    if not sessions:
        return []
    devices = list(dict.fromkeys(prose(session.device, 80) for session in sessions if session.device))
    several = f", {facts.world} processes with one each" if facts.world > 1 else ""
    rows = [["hardware", listed(devices) + several]] if devices else []
    memory = max(session.memory for session in sessions)
    rows += [["most memory taken of a GPU", f"{memory / 2**30:.1f} GiB"]] if memory else []
    seconds = sum(session.seconds for session in sessions)
    least = "" if all(session.whole for session in sessions) else "at least "
    pieces = f", in {len(sessions)} sessions" if len(sessions) > 1 else ""
    return [*rows, ["time", f"{least}{_duration(seconds)}{pieces}"]]


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _precision(facts: Facts) -> str:
    precision = facts.train.get("precision", "auto")
    if precision != "auto":
        return prose(precision, 40)
    devices = {session.device for session in facts.sessions}
    return "fp32" if devices == {"cpu"} else "auto: bf16 autocast where the device is a GPU that has it, else fp32"


def _averaging(train: Mapping[str, Any]) -> str:
    half = train.get("ema_half_life")
    if not isinstance(half, (int, float)) or isinstance(half, bool):
        return "as imgen does by default"
    return f"half-life of {half:,.0f} pictures" if half else "no: the last weights ship"


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**15


def _own_settings(facts: Facts) -> str:
    """The algorithm's settings that are not its defaults, which are as a rule the paper's."""
    from imgen import binding

    if facts.algorithm is None or "algorithm" not in facts.recipe:
        return ""
    known = binding.settings_of(cast("Callable[..., Any]", facts.algorithm))
    here = facts.recipe["algorithm"]
    rows = [
        [code(name), code(_written(here[name])), code(_written(setting.default)), prose(setting.meaning)]
        for name, setting in known.items()
        if name in here and not setting.required and here[name] != setting.default
    ]
    if not rows:
        return "All settings of the algorithm are its defaults."
    return "Settings of the algorithm that are not its defaults:\n\n" + table(
        ["setting", "here", "default", "what it is"], rows
    )
