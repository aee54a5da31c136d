"""Names of styles and attributes as people type them: `blond` for `Blond_Hair`, `not-male` for the lack of `Male`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from imgen.errors import DataError, near_miss

_BIN = re.compile(r"(\d{1,9})(?:-(\d{1,9})|\+)", re.ASCII)
_MOST_TOLD = 12
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


def value(text: str, attributes: Mapping[str, Sequence[str]]) -> str:
    """The one value that a text means: `blond`, `hair=blond`, `smiling`, `not smiling`, `smiling=0`, `71+`, `age=35`.

    attributes: the values of each, in order; ("not Smiling", "Smiling") are those of one that is there or not, and a
    number means the one of 11-20 or 71+ that holds it.
    Raises: `DataError` where it means none or several, as `style` does.
    """
    text = text.strip()
    every = [each for values in attributes.values() for each in values]
    if exact := _spelled(text, every):
        return exact
    name, equals, wanted = (part.strip() for part in text.partition("="))
    if equals:
        return _value_of(name, wanted, attributes)
    held = _holding(text, every)
    if len(held) > 1:
        raise DataError(f"style '{text}' may mean {' or '.join(held)}; say which")
    if held:
        return held[0]
    positive = [each for each in every if each.removeprefix("not ") == each or each.removeprefix("not ") not in every]
    known = list(dict.fromkeys([*positive, *attributes]))
    name, sign = _signed(text, known)
    if not sign:
        return _value_of(name, "no", attributes)
    found = find(name, known, "style", listed=False)
    return found if found in every else _value_of(found, "yes", attributes)


def listed(attributes: Mapping[str, Sequence[str]]) -> str:
    """All values by attribute, in words: `Smiling (0 or 1), hair (Black_Hair, Blond_Hair), age (0-10 to 71+)`."""
    told = []
    for name, values in attributes.items():
        if tuple(values) == (f"not {name}", name):
            told.append(f"{name} (0 or 1)")
        elif len(values) > 2 and all(map(_BIN.fullmatch, values)):
            told.append(f"{name} ({values[0]} to {values[-1]})")
        else:
            told.append(f"{name} ({', '.join(_few(values))})")
    return ", ".join(_few(told))


def find(text: str, known: Iterable[str], what: str = "name", *, listed: bool = True) -> str:
    """The one known name that a text means, whatever its case and separators; the first words of it are enough.

    what: what the names are of, for the message; listed: that tells all of them where none is near.
    Raises: `DataError` as `style` does.
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
    near = near_miss(text, [*known, *_shortened(known)])
    if not near.endswith("?"):
        near = near_miss(text, known) if listed else ""
    raise DataError(f"no {what} is called '{text}'{near}")


def _value_of(name: str, wanted: str, attributes: Mapping[str, Sequence[str]]) -> str:
    """The value that `name=wanted` means, where the name is an attribute's or one of its values'."""
    every = [each for values in attributes.values() for each in values]
    named = find(name, dict.fromkeys([*attributes, *every]), "style", listed=False)
    values = attributes.get(named, ())
    if meant := _spelled(wanted, values):
        return meant
    if held := _holding(wanted, values):
        return held[0]
    sign = _VALUES.get(wanted.casefold())
    positive = next((each for each in values if f"not {each}" in values), None if values else named)
    if sign is not None and positive:
        meant = positive if sign else f"not {positive}"
        if meant not in every:
            named, values = next((each, values) for each, values in attributes.items() if positive in values)
            raise DataError(f"{named} is one of {', '.join(_few(values))}, and cannot just be '{meant}'; say which")
        return meant
    if sign is not None:
        raise DataError(f"{named} is one of {', '.join(_few(values))}; say which, as in {named}={values[0]}")
    if not values:
        raise DataError(f"'{name}={wanted}': write 1 for having {named} and 0 for not, as in {named}=0")
    return find(wanted, values, f"value of {named}")


def _spelled(text: str, known: Iterable[str]) -> str | None:
    """The known name that is the very text, but for case and separators of words."""
    return next((name for name in known if _joined(name) == _joined(text)), None)


def _joined(text: str) -> str:
    return re.sub(r"[\s_-]+", "_", text.strip().casefold())


def _holding(text: str, values: Iterable[str]) -> list[str]:
    """The ranges, such as 11-20 and 71+, that a number lies in."""
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text, re.ASCII):
        return []
    ranges = [(each, found) for each in values if (found := _BIN.fullmatch(each))]
    # A range of whole years ends where the next one begins.
    return [each for each, found in ranges if int(found[1]) <= float(text) < int(found[2] or 10**9) + 1]


def _few(names: Sequence[str]) -> list[str]:
    return [*names[:_MOST_TOLD], f"{len(names) - _MOST_TOLD} more"] if len(names) > _MOST_TOLD + 1 else list(names)


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
