"""What must not leave this machine: its paths, its name and its user's."""

from __future__ import annotations

import contextlib
import getpass
import re
import socket
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from imgen import binding

_COMMON = {"root", "user", "users", "admin", "ubuntu", "home", "imgen", "data", "model", "train", "test", "localhost"}
"""Names of users and hosts that tell nothing, and that stand in every text."""
_PATH = re.compile(r"^(~|/|\\\\|[A-Za-z]:[\\/]|file:)")
_FOLDER = re.compile(r"(?<![\w.])(?:/home|/Users|/root|/mnt|/media|/scratch|[A-Za-z]:\\Users)[\\/][\w.\-\\/]+")


def placeless(settings: Mapping[str, Any], factory: Callable[..., Any] | None = None) -> dict[str, Any]:
    """Settings in which each place on this machine is the setting's own name in capitals, such as `root: ROOT`.

    Places are settings that are annotated `imgen.binding.Place`, but for their defaults, and whatever else begins like
    a path.
    """
    known = binding.settings_of(factory) if factory else {}
    places = {name for name, value in settings.items() if name in known and _other_place(known[name], value)}
    return {name: _placeless(name, value, name in places) for name, value in settings.items()}


def missing_places(settings: Mapping[str, Any], factory: Callable[..., Any]) -> list[str]:
    """Settings that `placeless` replaced by their names, and that stand for nothing here."""
    known = binding.settings_of(factory)
    return [
        name
        for name, value in settings.items()
        if value == name.upper() and name in known and known[name].place and not Path(value).exists()
    ]


def _other_place(setting: binding.Setting, value: Any) -> bool:
    return setting.place and value != setting.default


def _placeless(name: str, value: Any, place: bool) -> Any:
    if isinstance(value, Mapping):
        return {key: _placeless(str(key), inner, place) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_placeless(name, inner, place) for inner in value]
    if isinstance(value, str) and value and (place or _PATH.match(value)):
        return name.upper()
    return value


def traces(text: str, allowed: Iterable[str] = ()) -> list[str]:
    """What in a text tells of this machine: its folders, its name, its user's.

    allowed: words that may, such as a repository's name.
    """
    for word in allowed:
        text = text.replace(word, "")
    found = [match[0] for match in _FOLDER.finditer(text)]
    found += [place for place in _places() if place in text]
    found += [name for name in _names() if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text, re.IGNORECASE)]
    return list(dict.fromkeys(found))


def _places() -> list[str]:
    folders = {str(Path.home()), str(Path.cwd()), tempfile.gettempdir()}
    return sorted(folder for folder in folders if len(folder) > 3)


def _names() -> list[str]:
    told = {socket.gethostname(), socket.gethostname().partition(".")[0]}
    with contextlib.suppress(OSError, KeyError, ImportError):
        told.add(getpass.getuser())
    return sorted(name for name in told if len(name) > 2 and name.casefold() not in _COMMON)
