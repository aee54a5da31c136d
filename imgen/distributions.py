"""What is installed, read from metadata alone: no plugin is imported to know of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

GROUP = "imgen"
"""The group of entry points through which plugins enter."""
OURS = "imgen"
"""The distribution that holds the core and the papers that ship with it."""

_NAMED = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*\(?([^;)@]*)\)?\s*(?:;(.*))?$", re.DOTALL)
_PLAIN_BOUND = re.compile(r"\s*>=\s*(\d+(?:\.\d+)*)\s*$")
_PLAIN_VERSION = re.compile(r"\d+(?:\.\d+)*$")


def normal(name: str) -> str:
    """A distribution's name as indexes compare it: `Imgen_Toy.DCGAN` is `imgen-toy-dcgan`."""
    return re.sub(r"[-_.]+", "-", name).lower()


@dataclass(frozen=True)
class Package:
    """One installed distribution. name and version are `?` where its metadata is gone."""

    name: str
    version: str
    requires: tuple[str, ...]
    extras: tuple[str, ...]
    python: str
    dist: Distribution | None

    @property
    def place(self) -> str:
        """The folder that holds its metadata."""
        return str(self.dist.locate_file("")) if self.dist else "?"

    @cached_property
    def origin(self) -> dict[str, Any]:
        """Where it came from, if not from an index: the content of its `direct_url.json`, or nothing."""
        try:
            told = json.loads((self.dist and self.dist.read_text("direct_url.json")) or "{}")
        except (OSError, ValueError):
            return {}
        return told if isinstance(told, dict) and isinstance(told.get("url"), str) else {}

    @property
    def checkout(self) -> Path | None:
        """The folder that it is an editable installation of."""
        local = self.origin.get("dir_info") or {}
        return _folder(self.origin["url"]) if isinstance(local, dict) and local.get("editable") else None

    @property
    def requirement(self) -> str:
        """The words that install just this one again, fit for a line of a requirements file and for a command."""
        if not self.origin:
            return f"{self.name}=={self.version}"
        url = without_password(self.origin["url"])
        below = self.origin.get("subdirectory")
        if self.checkout is not None:
            return f"-e {url}" + (f"#subdirectory={below}" if below else "")
        vcs = self.origin.get("vcs_info")
        parts = [f"subdirectory={below}"] if below else []
        if isinstance(vcs, dict):
            url = f"{vcs.get('vcs', 'git')}+{url}@{vcs.get('commit_id', 'HEAD')}"
        else:
            archive = self.origin.get("archive_info")
            hashes = archive.get("hashes") if isinstance(archive, dict) else None
            parts += [f"{kind}={value}" for kind, value in (hashes or {}).items() if kind == "sha256"]
        # Without spaces: `imgen install $(imgen plugins --requirements)` is to work.
        return f"{self.name}@{url}" + (f"#{'&'.join(parts)}" if parts else "")

    def needs(self, other: str) -> Iterator[str]:
        """The version specifiers, such as `>=0.2`, under which it requires another distribution here and now."""
        for line in self.requires:
            found = _NAMED.match(line)
            if found and normal(found[1]) == normal(other) and found[2].strip() and _applies(found[3]):
                yield found[2].strip()


@dataclass(frozen=True)
class Point:
    """An entry point in imgen's group and the package that brings it."""

    entry: EntryPoint
    package: Package

    @property
    def shipped(self) -> bool:
        """Whether it comes with imgen itself."""
        return normal(self.package.name) == OURS


@lru_cache(maxsize=1024)
def package_of(dist: Distribution | None) -> Package:
    """The header of a distribution's metadata, read without its long description."""
    told: dict[str, list[str]] = {}
    for line in _header(dist).splitlines():
        key, colon, value = line.partition(":")
        if colon and not line[0].isspace():
            told.setdefault(key.lower(), []).append(value.strip())
    name, version = (told.get(key, ["?"])[0] or "?" for key in ("name", "version"))
    requires, extras = (tuple(told.get(key, ())) for key in ("requires-dist", "provides-extra"))
    return Package(name, version, requires, extras, told.get("requires-python", [""])[0], dist)


def packages(name: str) -> list[Package]:
    """Every installed distribution of that name, the one that is in use first."""
    return [package_of(dist) for dist in distributions(name=name)]


def points() -> list[Point]:
    """The entry points of all plugins that are installed, those of imgen itself among them.

    A distribution whose files cannot be read is passed over: it must not take the others along.
    """
    found: list[Point] = []
    seen: set[str] = set()
    for dist in distributions():
        try:
            if f"[{GROUP}]" not in (dist.read_text("entry_points.txt") or "").replace(" ", ""):
                continue
            package = package_of(dist)
            # What stands first on the path hides the others of that name, as it does for imports.
            if normal(package.name) not in seen:
                found += [Point(entry, package) for entry in dist.entry_points if entry.group == GROUP]
            seen.add(normal(package.name))
        except (OSError, ValueError):
            continue
    return found


def unreadable() -> list[str]:
    """The distributions of which `points` can make nothing, each with the reason; those of others among them."""
    found = []
    for dist in distributions():
        try:
            text = dist.read_text("entry_points.txt") or ""
            if f"[{GROUP}]" in text.replace(" ", "") and package_of(dist).version == "?":
                found.append(f"{_place_of(dist)}: its metadata is gone")
        except (OSError, ValueError) as error:
            found.append(f"{_place_of(dist)}: {error}")
    return found


def fits(version: str, specifier: str) -> bool:
    """Whether a version satisfies a specifier such as `>=0.2,<1`; one that cannot be read is satisfied."""
    bound = _PLAIN_BOUND.match(specifier)
    if bound and _PLAIN_VERSION.match(version):
        # The common case does without `packaging`, for it is met whenever imgen starts.
        return _release(version) >= _release(bound[1])
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        return SpecifierSet(specifier).contains(Version(version), prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return True


def unmet(requires: Iterable[str], extra: str = "") -> list[str]:
    """Those of a distribution's requirements that this environment does not satisfy, each with what is here instead.

    extra: only the requirements that this extra adds; without it those that hold always.
    """
    return [f"{line} ({here or 'not installed'})" for line, here, good in standing(requires, extra) if not good]


def standing(requires: Iterable[str], extra: str = "") -> Iterator[tuple[str, str, bool]]:
    """Each requirement as `name>=1`, the version that is installed or nothing, and whether that is what is required."""
    from packaging.requirements import InvalidRequirement, Requirement

    for line in requires:
        try:
            wanted = Requirement(line)
        except InvalidRequirement:
            continue
        always = wanted.marker is None or wanted.marker.evaluate({"extra": ""})
        if always if extra else not always:
            continue
        if extra and wanted.marker is not None and not wanted.marker.evaluate({"extra": extra}):
            continue
        here = next((package.version for package in packages(wanted.name)), "")
        yield f"{wanted.name}{wanted.specifier}", here, bool(here) and fits(here, str(wanted.specifier))


def without_password(url: str) -> str:
    """A URL without the user and the password that it may carry."""
    try:
        parts = urlsplit(url)
        # `git@` of a repository's address is no secret, and part of the address.
        if parts.password is None or "@" not in parts.netloc:
            return url
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    except ValueError:
        return url


def _header(dist: Distribution | None) -> str:
    text = (dist and (dist.read_text("METADATA") or dist.read_text("PKG-INFO"))) or ""
    return text.partition("\n\n")[0]


def _place_of(dist: Distribution) -> str:
    # The standard library keeps the folder of the metadata to itself.
    return str(getattr(dist, "_path", dist.locate_file("")))


def _release(version: str) -> tuple[int, ...]:
    numbers = [int(part) for part in version.split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _applies(marker: str | None) -> bool:
    if not marker or not marker.strip():
        return True
    if re.search(r"\bextra\b", marker):
        return False
    from packaging.markers import InvalidMarker, Marker

    try:
        return Marker(marker).evaluate()
    except InvalidMarker:
        return True


def _folder(url: str) -> Path | None:
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None
