"""Settings and the values that they take, as the command line and files of grids write them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imgen.errors import RecipeError
from imgen.yaml_lines import parse, scalar

MOST = 100_000
"""Runs that a sweep may have: more is a slip."""


@dataclass(frozen=True)
class Axis:
    """A setting and the values that it takes. written: how the user wrote it, for messages."""

    key: str
    values: tuple[Any, ...]
    written: str


Grid = Sequence[Axis]


def axis(text: str) -> Axis:
    """An axis as the command line has it: `key=a,b`; commas within brackets and quotes part nothing.

    Raises: `RecipeError` where there is no key or no value.
    """
    written = f"--grid {text}"
    key, equals, rest = text.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"{written}: write it as --grid KEY=A,B, such as --grid train.batch=16,32")
    values = [part.strip() for part in _parts(rest)]
    if not all(values):
        missing = "has no values" if values == [""] else "has an empty value"
        raise RecipeError(f"{written}: {missing}; write it as --grid KEY=A,B")
    return _axis(key.strip(), [scalar(value) for value in values], written)


def grids_of(path: Path) -> list[Grid]:
    """The grids of a YAML file: a list of mappings from settings to lists of values, or to one value.

    Raises: `RecipeError` with the line where it is something else.
    """
    try:
        document = parse(path.read_text(encoding="utf8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"--grids {path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    content = document.content if isinstance(document.content, list) else [document.content]
    if not content or not all(isinstance(grid, dict) and grid for grid in content):
        raise RecipeError(f"{path}: must be a list of mappings, such as - {{train.batch: [16, 32]}}")
    grids: list[Grid] = []
    for place, grid in enumerate(content):
        axes = []
        for key, values in grid.items():
            where = document.where((str(place), key) if isinstance(document.content, list) else (key,))
            listed = values if isinstance(values, list) else [values]
            if not listed:
                raise RecipeError(f"{where}: {key} has no values; give a list of one or more")
            axes.append(_axis(str(key), listed, f"{where}: {key}"))
        grids.append(axes)
    return grids


def seeds(text: str) -> tuple[int, ...]:
    """Seeds as the command line has them: `10` is 0 to 9, `3,5,8` and `20-29` are those, `7,` is 7 alone.

    Raises: `RecipeError` where there is none, or one stands twice.
    """
    wrong = f"--seeds {text}: give how many, such as 10 for 0 to 9, or which, such as 3,5,8 or 20-29"
    words = [word.strip() for word in text.split(",")]
    if len(words) == 1 and words[0].isdecimal():
        if not 0 < int(words[0]) <= MOST:
            raise RecipeError(wrong)
        return tuple(range(int(words[0])))
    found: list[int] = []
    for word in words if words[-1] else words[:-1]:
        span = re.fullmatch(r"(\d+)(?:\s*-\s*(\d+))?", word)
        if not span:
            raise RecipeError(wrong)
        first, last = int(span[1]), int(span[2] or span[1])
        if not first <= last < first + MOST:
            raise RecipeError(wrong)
        found += range(first, last + 1)
    if not found or len(set(found)) < len(found):
        raise RecipeError(wrong if not found else f"--seeds {text}: a seed stands twice; give each once")
    return tuple(found)


def _axis(key: str, values: Sequence[Any], written: str) -> Axis:
    unlike = {json.dumps(value, sort_keys=True): value for value in values}
    if len(unlike) < len(values):
        raise RecipeError(f"{written}: a value stands twice; give each once")
    return Axis(key, tuple(values), written)


def _parts(text: str) -> list[str]:
    """A text parted at the commas that stand in no bracket and no quote."""
    parts, depth, quote = [""], 0, ""
    for sign in text:
        quote = "" if sign == quote else quote or (sign if sign in "\"'" and not parts[-1].strip() else "")
        depth += 0 if quote else (sign in "[{") - (sign in "]}")
        if sign == "," and not quote and depth <= 0:
            parts.append("")
        else:
            parts[-1] += sign
    return parts
