"""The author's own words in a card: they stand between two markers, and stay when the card is written anew."""

from __future__ import annotations

import re

from imgen.plain import steering

_BEGIN = "<!-- yours: begin. What stands from here to the end marker stays when this card is written anew. -->"
_END = "<!-- yours: end -->"
_DEFAULT = "The author has added no words of their own: all of this card was written from the files of the model."
_BEGINS = re.compile(r"^[ \t]*<!--\s*yours:\s*begin\b[^\n]*-->[ \t]*$", re.MULTILINE)
_ENDS = re.compile(r"^[ \t]*<!--\s*yours:\s*end\b[^\n]*-->[ \t]*$", re.MULTILINE)


def yours_of(text: str) -> str | None:
    """What the author wrote into a card; None where that is nothing, or where it has no markers."""
    text = text.replace("\r\n", "\n")
    begin = _BEGINS.search(text)
    end = _ENDS.search(text, begin.end()) if begin else None
    if not begin or not end:
        return None
    words = text[begin.end() : end.start()].strip()
    return words if words and words != _DEFAULT else None


def region(yours: str | None) -> str:
    """The part of a card that is the author's, between its markers."""
    words = (yours or "").replace("\r\n", "\n")
    words = _ENDS.sub("", _BEGINS.sub("", words)).strip()
    while found := steering(words):
        words = words.replace(found, "")
    return f"{_BEGIN}\n\n{words or _DEFAULT}\n\n{_END}"
