"""Text from files and servers, made fit to be shown on a terminal and in one line."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any


def plain(text: str, most: int = 300) -> str:
    """A text in one line without control characters, escapes or changes of direction, cut at `most` characters.

    What is left out leaves a blank, so that no two words become one.
    """
    # Cc: control, Cf: invisible or turning the direction of text, Cs: halves of a character, Co and Cn: nobody's.
    # Cut first: nobody should wait for a text of a gigabyte.
    kept = "".join(
        " " if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn") else character
        for character in text[: 4 * most]
    )
    line = " ".join(kept.split())
    return line if len(line) <= most else line[: most - 3] + "..."


def plain_all(value: Any, most: int = 300) -> Any:
    """Plain values in which every text is as `plain` makes it, those of keys as well."""
    if isinstance(value, Mapping):
        return {plain(str(key), most): plain_all(inner, most) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_all(inner, most) for inner in value]
    return plain(value, most) if isinstance(value, str) else value


def steering(text: str) -> str:
    """The first character of a text that steers a terminal or turns the direction of writing; '' where none does.

    Line ends and tabs do not, and neither do the joiners that words and emoji need.
    """
    found = _STEERING.search(text)
    return found[0] if found else ""


def unsteered(text: str) -> str:
    """A text with a mark of a character that cannot be shown in place of each that `steering` finds."""
    return _STEERING.sub("\ufffd", text)


# Controls but tabs and line ends, halves of characters, and what embeds, overrides or isolates a direction.
_STEERING = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
