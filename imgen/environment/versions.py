"""Versions: of Python, imgen, what it requires, and what its extras add."""

from __future__ import annotations

import platform
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import imgen
from imgen import distributions
from imgen.distributions import OURS, Package
from imgen.environment.managers import Manager, Request, command_line
from imgen.environment.rows import Row

_FOR_DEVELOPERS = {"test", "dev"}
_SECTION = "versions"


def rows(owner: Manager) -> Iterator[Row]:
    """A row for each version that matters."""
    copies = distributions.packages(OURS)
    ours = copies[0] if copies else None
    yield _python(ours)
    yield Row(_SECTION, "platform", "ok", platform.platform())
    yield Row(_SECTION, "environment", "ok", f"{sys.prefix}, into which {owner.name} installs")
    yield _imgen(ours, owner)
    if ours is None:
        return
    yield from _copies(copies)
    yield from _stale(ours, owner)
    yield from _dependencies(ours, owner)
    for extra in ours.extras:
        if extra not in _FOR_DEVELOPERS:
            yield _extra(ours, extra, owner)


def way(owner: Manager, *packages: str) -> str:
    """The command that installs packages here, as one types it."""
    return " && ".join(command_line(command) for command in owner.install(Request(packages)))


def _python(ours: Package | None) -> Row:
    told = platform.python_version()
    wanted = ours.python if ours else ""
    if wanted and not distributions.fits(told, wanted):
        return Row(_SECTION, "python", "broken", told, f"imgen needs Python {wanted}: make a new environment with it")
    return Row(_SECTION, "python", "ok", f"{told} at {sys.executable}")


def _imgen(ours: Package | None, owner: Manager) -> Row:
    here = Path(imgen.__file__).parent
    if ours is None:
        told = f"{imgen.__version__} at {here}, but it is not installed, so that its plugins cannot be found"
        return Row(_SECTION, OURS, "broken", told, f"install it: {way(owner, str(here.parent))}")
    if ours.version != imgen.__version__:
        told = f"{imgen.__version__} at {here}, but what is installed says {ours.version}"
        return Row(_SECTION, OURS, "broken", told, _again(ours, owner))
    edited = f", which is edited at {ours.checkout}" if ours.checkout else ""
    return Row(_SECTION, OURS, "ok", f"{imgen.__version__} at {here}{edited}")


def _copies(copies: list[Package]) -> Iterator[Row]:
    # What setuptools leaves in a checkout is no second copy: it is where the one that is installed is edited.
    edited = {copy.checkout for copy in copies if copy.checkout}
    others = sorted({copy.place for copy in copies if Path(copy.place) not in edited})
    if len(others) > 1:
        told = f"installed {len(others)} times: {', '.join(others)}"
        yield Row(_SECTION, "copies of imgen", "warn", told, "uninstall it until none is left, and install it once")


def _stale(ours: Package, owner: Manager) -> Iterator[Row]:
    """Of a checkout: whether it was installed before its pyproject.toml was as it is now."""
    try:
        assert ours.checkout
        project = tomllib.loads((ours.checkout / "pyproject.toml").read_text(encoding="utf8"))["project"]
        plugins = set(project["entry-points"][distributions.GROUP])
        extras = {distributions.normal(extra) for extra in project["optional-dependencies"]}
        needed = {_same(line) for line in project["dependencies"]}
    except (AssertionError, OSError, ValueError, KeyError, TypeError):
        return
    known = {point.entry.name for point in distributions.points() if point.shipped}
    changed = plugins ^ known
    changed |= extras ^ {distributions.normal(extra) for extra in ours.extras}
    changed |= needed ^ {_same(line) for line in ours.requires if "extra" not in line}
    if changed:
        told = f"installed before its pyproject.toml was changed: {', '.join(sorted(changed))}"
        yield Row(_SECTION, "metadata of imgen", "broken" if plugins ^ known else "warn", told, _again(ours, owner))


def _same(requirement: str) -> str:
    """A requirement in the one spelling that can be compared."""
    from packaging.requirements import Requirement

    return str(Requirement(requirement))


def _name(requirement: str) -> str:
    return re.split("[<>=!~]", requirement)[0]


def _again(ours: Package, owner: Manager) -> str:
    if ours.checkout:
        command = owner.install(Request(editable=(str(ours.checkout),)))
        return f"install it again: {command_line(command[-1])}"
    return "uninstall imgen until none is left, and install it again"


def _dependencies(ours: Package, owner: Manager) -> Iterator[Row]:
    for wanted, here, good in distributions.standing(ours.requires):
        name = wanted.rstrip("0123456789.,<>=!~ab*")
        name = _name(wanted)
        if good:
            yield Row(_SECTION, name, "ok", here)
        else:
            told = f"{here or 'not installed'}, and imgen needs {wanted}"
            yield Row(_SECTION, name, "broken", told, way(owner, wanted))


def _extra(ours: Package, extra: str, owner: Manager) -> Row:
    parts = list(distributions.standing(ours.requires, extra))
    missing = [wanted for wanted, here, _ in parts if not here]
    old = [f"{wanted} (here is {here})" for wanted, here, good in parts if here and not good]
    name = f"imgen[{extra}]"
    if old:
        return Row(_SECTION, name, "warn", f"needs {', '.join(old)}", way(owner, *(part.split(" ")[0] for part in old)))
    if missing:
        # Nobody needs every extra: this is no fault.
        told = f"not installed, and only some commands need it: {way(owner, name)}"
        return Row(_SECTION, name, "ok", told)
    return Row(_SECTION, name, "ok", ", ".join(f"{_name(wanted)} {here}" for wanted, here, _ in parts))
