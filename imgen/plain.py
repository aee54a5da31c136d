"""Text from files and servers, made fit to be shown on a terminal and in one line."""

from __future__ import annotations

import unicodedata


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
