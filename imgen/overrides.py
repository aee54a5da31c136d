"""Settings given on the command line, and what the flags of other programs mean by them."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from imgen.errors import RecipeError, near_miss

Spellings = Mapping[str, str | Mapping[str, Mapping[str, str]]]
"""See `imgen.algorithm.Algorithm.spellings`."""


@dataclass(frozen=True)
class Override:
    """A setting given on the command line: its dotted key, its value as text, and how it was written."""

    key: str
    value: str
    written: str


def spelt_out(override: Override, spellings: Spellings, known: Collection[str]) -> list[Override]:
    """An override under our own names: several, where another program's flag chose between whole arrangements.

    known: names of settings, which win over spellings.
    Raises: `RecipeError` where such a flag has no such value.
    """
    key = override.key.replace("-", "_") if "." not in override.key else override.key
    meant = spellings.get(key)
    if meant is None or key in known:
        return [dataclasses.replace(override, key=key)]
    if isinstance(meant, str):
        name, _, times = meant.partition(" * ")
        value = override.value
        if times and value.isdecimal():
            value = str(int(value) * int(times))
        return [Override(name, value, override.written)]
    values = {_plain(value): settings for value, settings in meant.items()}
    if _plain(override.value) not in values:
        raise RecipeError(f"there is no {key} '{override.value}'{near_miss(override.value, meant)}")
    settings = values[_plain(override.value)]
    return [Override(name, value, override.written) for name, value in settings.items()]


def _plain(value: str) -> str:
    return value.casefold().replace("-", "_")
