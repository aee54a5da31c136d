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
_ROOTS = "home|Users|root|mnt|media|scratch|tmp|var|srv|nfs|gpfs|lustre|Volumes|private|workspace|storage|data[0-9]*"
_FOLDER = re.compile(rf"(?<![\w.])(?:/(?:{_ROOTS})|[A-Za-z]:\\{{1,2}}Users)[\\/][\w.\-\\/]+")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_SECRETS = {
    "hf_...": re.compile(r"\bhf_[A-Za-z0-9]{30,}"),
    "https://name:password@...": re.compile(r"://[^\s/@:]+:[^\s/@]+@"),
}
"""Tokens of the Hub and passwords in addresses: they are never shown, and nobody may let them leave."""


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
    """What in a text tells of this machine: its folders, its name, its user's, and what would open other doors.

    allowed: words that may, such as a repository's name; a folder with all that is in it.
    """
    text = _ESCAPED.sub(lambda escaped: chr(int(escaped[1], 16)), text)
    found = [shown for shown, secret in _SECRETS.items() if secret.search(text)]
    words = tuple(filter(None, allowed))
    # Folders first: a repository's name says nothing of a folder that is called like it.
    for folder in filter(_PATH.match, words):
        text = text.replace(folder, "")
    found += folders(text)
    for word in words:
        text = text.replace(word, "")
    found += [name for name in _names() if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text, re.IGNORECASE)]
    return list(dict.fromkeys(found))


def folders(text: str) -> list[str]:
    """The folders and files of this machine that a text names, the longest first."""
    here = (place for place in _places() if re.search(rf"(?<![\w.]){re.escape(place)}(?![\w-])", text))
    found = dict.fromkeys([*(match[0] for match in _FOLDER.finditer(text)), *here])
    return sorted(found, key=len, reverse=True)


def unplaced(text: str) -> str:
    """A text with FOLDER for each folder or file of this machine."""
    for place in folders(text):
        text = text.replace(place, "FOLDER")
    return text


def _places() -> list[str]:
    folders = {str(Path.home()), str(Path.cwd()), tempfile.gettempdir()}
    return sorted(folder for folder in folders if len(folder) > 3)


def _names() -> list[str]:
    told = {socket.gethostname(), socket.gethostname().partition(".")[0]}
    with contextlib.suppress(OSError, KeyError, ImportError):
        told.add(getpass.getuser())
    return sorted(name for name in told if len(name) > 2 and name.casefold() not in _COMMON)
