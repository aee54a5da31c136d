"""Names of styles and attributes as people type them: `blond` for `Blond_Hair`, `not-male` for the lack of `Male`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from imgen.errors import DataError, near_miss

_VALUES = {"1": True, "true": True, "yes": True, "0": False, "-1": False, "false": False, "no": False}


@dataclass(frozen=True)
class Style:
    """An attribute that is there, or the lack of it."""

    attribute: str
    positive: bool = True

    def __str__(self) -> str:
        return self.attribute if self.positive else f"not {self.attribute}"


def style(text: str, known: Iterable[str], what: str = "attribute") -> Style:
    """The style that a text means: `blond`, `not male`, `not-male`, `!male` or `Male=0`.

    Raises: `DataError` for an unknown or ambiguous name, with the near ones.
    """
    known = list(known)
    name, positive = _signed(text.strip(), known)
    return Style(find(name, known, what), positive)


def find(text: str, known: Iterable[str], what: str = "name") -> str:
    """The one known name that a text means, whatever its case and separators; the first words of it are enough.

    what: what the names are of, for the message. Raises: `DataError` as `style` does.
    """
    known = list(known)
    wanted = _words(text)
    exact = [name for name in known if _words(name) == wanted]
    # Typed without separators, as in `blondhair`.
    exact = exact or [name for name in known if "".join(_words(name)) == "".join(wanted)]
    found = exact or [name for name in known if wanted and _words(name)[: len(wanted)] == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(f"{what} '{text}' may mean " + " or ".join(found) + "; say which")
    raise DataError(f"no {what} is called '{text}'{near_miss(text, [*known, *_shortened(known)])}")


def _signed(text: str, known: list[str]) -> tuple[str, bool]:
    name, equals, value = text.partition("=")
    if equals:
        if value.strip().casefold() not in _VALUES:
            raise DataError(f"'{text}': write 1 for having {name.strip()} and 0 for not, as in {name.strip()}=0")
        return name.strip(), _VALUES[value.strip().casefold()]
    if text.startswith("!"):
        return text[1:].strip(), False
    words = _words(text)
    # A column may itself be called so: it wins.
    if len(words) > 1 and words[0] == "not" and not any(_words(name)[: len(words)] == words for name in known):
        return "_".join(words[1:]), False
    return text, True


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())


def _shortened(known: Iterable[str]) -> list[str]:
    """First words, so that a slip in `blond` is near something."""
    return [words[0] for name in known if len(words := _words(name)) > 1]
