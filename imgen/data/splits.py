"""Which pictures are to train on and which are held out, where folders such as train/ and val/ tell."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

from imgen.data.source import Source
from imgen.errors import DataError

KINDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("test", "testing"), "test"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
}
"""What a folder of such a name holds, names in lower case."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """Names of pictures, in order, to train on and held out; outside: number of those that are neither."""

    train: list[str]
    test: list[str]
    outside: int = 0

    def notes(self) -> list[str]:
        """What to say of it."""
        return [f"{self.outside:,} pictures in other folders left out"] if self.outside else []


def split(source: Source) -> Split:
    """Pictures in train/ and those in test/, or without it val/; all are to train on where there are no such folders.

    Raises: `DataError` where there are no pictures, or none to train on.
    """
    below = wrapper(source.names, KINDS)
    kinds: dict[str, list[str]] = {}
    for name in source.names:
        folder, slash, _ = name[len(below) :].partition("/")
        kinds.setdefault(KINDS.get(folder.lower(), "") if slash else "", []).append(name)
    test = kinds.get("test") or kinds.get("val") or []
    train = kinds.get("train") or kinds.get("", [])
    if not train:
        # Whoever names the folder of tests, and nothing else, wants what is in it.
        train, test = (test, []) if len(kinds) == 1 else ([], test)
    if not train:
        raise DataError(f"{source.path}: holds no pictures" + (" to train on" if source.names else ""))
    return Split(train=train, test=test, outside=len(source.names) - len(train) - len(test))


def wrapper(names: Sequence[str], kept: Sequence[str] | dict[str, str] = ()) -> str:
    """The folders that hold everything and so mean nothing, with a slash at the end; none from the first `kept` on."""
    if not names:
        return ""
    # Shared by the first and the last name in order is shared by all.
    shared = posixpath.commonpath([posixpath.dirname(min(names)), posixpath.dirname(max(names))])
    parts: list[str] = []
    for part in filter(None, shared.split("/")):
        if part.lower() in kept:
            break
        parts.append(part)
    return "".join(f"{part}/" for part in parts)
