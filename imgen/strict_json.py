"""JSON that others wrote: bounded in depth and size, each key once, numbers that are finite, no text that steers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from imgen.plain import plain, steering

DEEPEST = 32
MOST_VALUES = 1_000_000
LONGEST_NUMBER = 40  # digits
_LONGEST_KEY = 300


def parse(content: str | bytes, *, most_values: int = MOST_VALUES, deepest: int = DEEPEST) -> Any:
    """Plain values.

    Raises: `ValueError`, with what is wrong in one plain line.
    """
    try:
        told = content.decode() if isinstance(content, bytes) else content
    except UnicodeDecodeError:
        raise ValueError("not text in UTF-8") from None
    # Each opening and each comma makes one value: counted first, as values take far more memory than their text.
    if told.count(",") + told.count("[") + told.count("{") > 2 * most_values:
        raise ValueError(f"more than {most_values:,} values")
    try:
        found = json.loads(
            told, object_pairs_hook=_once, parse_constant=_no_number, parse_int=_whole, parse_float=_finite
        )
    except RecursionError:
        raise ValueError(f"nested deeper than {deepest}") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {plain(error.msg)} in line {error.lineno}") from None
    _check(found, deepest)
    return found


def parse_object(content: str | bytes, *, most_values: int = MOST_VALUES, deepest: int = DEEPEST) -> dict[str, Any]:
    """The same of an object, `{...}`. Raises: `ValueError` where it is anything else."""
    found = parse(content, most_values=most_values, deepest=deepest)
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key '{plain(twice, 60)}' stands twice")
    return found


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number in JSON")


def _whole(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError(f"a number of {len(digits):,} digits")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{plain(digits, 40)} is too large a number")
    return number


def _check(found: Any, deepest: int) -> None:
    """Depth and texts, without recursion."""
    ahead = [(found, 1)]
    while ahead:
        value, depth = ahead.pop()
        if isinstance(value, str):
            if character := steering(value):
                raise ValueError(f"a text with the control character U+{ord(character):04X}")
        elif isinstance(value, (dict, list)):
            if depth > deepest:
                raise ValueError(f"nested deeper than {deepest}")
            inner = [*value, *value.values()] if isinstance(value, dict) else value
            ahead += [(each, depth + 1) for each in inner]


def whole(value: Any, what: str, least: int, most: int) -> int:
    """A whole number within bounds; true is none. Raises: `ValueError`."""
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{what} is {shown(value)}, not a whole number from {least:,} to {most:,}")
    return value


def text(value: Any, what: str, most: int, *, lines: bool = False) -> str:
    """A text of so many characters at most. lines: it may have several. Raises: `ValueError`."""
    if not isinstance(value, str):
        raise ValueError(f"{what} is {shown(value)}, not a text")
    if len(value) > most:
        raise ValueError(f"{what} has {len(value):,} characters; {most:,} are allowed")
    if character := steering(value):
        raise ValueError(f"{what} has the control character U+{ord(character):04X}")
    if not lines and len(value.splitlines()) > 1:
        raise ValueError(f"{what} has several lines")
    return value


def listed(value: Any, what: str, most: int) -> list[Any]:
    """A list of so many items at most. Raises: `ValueError`."""
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{what} is {shown(value)}, not a list")
    if len(value) > most:
        raise ValueError(f"{what} has {len(value):,} items; {most:,} are allowed")
    return list(value)


def keyed(value: Any, what: str, most: int) -> dict[str, Any]:
    """An object of so many keys at most, none of them long. Raises: `ValueError`."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{what} is {shown(value)}, not an object")
    if len(value) > most:
        raise ValueError(f"{what} has {len(value):,} keys; {most:,} are allowed")
    return {text(key, f"a key of {what}", _LONGEST_KEY): inner for key, inner in value.items()}


def shown(value: Any) -> str:
    """A value as an error may show it: short, and in one line."""
    if isinstance(value, (Mapping, list, tuple)):
        return f"{'an object' if isinstance(value, Mapping) else 'a list'} of {len(value):,}"
    return plain(repr(value), 60)
