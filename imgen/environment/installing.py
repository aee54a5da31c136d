"""Plugins come and go by pip; imgen, torch and what imgen needs stay as they are."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imgen import distributions
from imgen.distributions import OURS, Point, normal
from imgen.environment import probe
from imgen.environment.managers import Manager, Request, command_line, removal_of_imgen, upgrade_of_imgen
from imgen.errors import PluginError, near_miss
from imgen.plain import plain

KEPT = (OURS, "torch")
"""What no plugin may exchange for another version."""

Say = Callable[[str], None]


class InstallFailed(PluginError):
    """pip did not do what was asked of it."""

    exit_status = 1


@dataclass(frozen=True)
class Change:
    """A plugin that came, went or changed. was: the version before; problem: why it does not work."""

    name: str
    package: str
    version: str
    was: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Outcome:
    """What an installation came to. without: packages that were asked for and bring no plugin."""

    changes: tuple[Change, ...]
    without: tuple[str, ...] = ()


def plan(request: Request, manager: Manager) -> list[list[str]]:
    """The commands that install what is requested.

    Raises: `PluginError` where that is imgen itself, or nothing.
    """
    if not (request.packages or request.editable or request.files):
        raise PluginError("imgen install: which package? give its name, -e FOLDER, or -r FILE")
    _check_places(request)
    for package in request.packages:
        head, _, rest = re.sub(r"\[[^\]]*\]", "", package).partition(" ")
        bare = re.match(r"[A-Za-z0-9._-]+", head)
        if bare and normal(bare[0]) == OURS and (request.upgrade or rest or head != bare[0]):
            raise PluginError(
                f"imgen install: '{package}': this command leaves imgen itself as it is; "
                f"for another one: {upgrade_of_imgen(manager)}"
            )
    return manager.install(request)


def install(request: Request, manager: Manager, say: Say) -> Outcome:
    """Run pip, and tell what plugins came of it. say: takes each line of pip's output.

    Raises: `PluginError` where another installer owns the environment; `InstallFailed` where pip fails.
    """
    commands = plan(request, manager)
    _refuse_others(manager, commands, "installed")
    before = {(each["name"], each["package"]): each["version"] for each in probe.installed()}
    with tempfile.TemporaryDirectory() as folder, _constraints() as constraints:
        report = Path(folder) / "report.json"
        (command,) = commands
        at = command.index("install") + 1
        _run([*command[:at], "--report", str(report), "--constraint", constraints, *command[at:]], say)
        came = _came(report)
    # What an editable installation adds to the path is seen by a new process only.
    after, failed = probe.ask("installed")
    if failed:
        raise InstallFailed(f"pip is done, but the environment cannot be read again: Python {failed}")
    new = [each for each in after if _is_new(each, before, came)]
    changes = [
        Change(**each, was=before.get((each["name"], each["package"]), ""), problem=problem_of(each)) for each in new
    ]
    bringing = {normal(each["package"]) for each in after} | {OURS}
    asked = {name for name, requested in came.items() if requested}
    return Outcome(tuple(changes), tuple(sorted(asked - bringing)))


def packages_of(names: Iterable[str], manager: Manager) -> list[str]:
    """The packages that are meant by names of packages or of plugins.

    Raises: `PluginError` where that is nothing that is installed, brings no plugin, or is imgen itself.
    """
    found = distributions.points()
    return list(dict.fromkeys(_package_of(name, found, manager) for name in names))


def uninstall(packages: Sequence[str], manager: Manager, say: Say) -> Outcome:
    """Run pip, and tell which plugins are gone.

    Raises: `PluginError` where another installer owns the environment; `InstallFailed` where pip fails.
    """
    commands = manager.uninstall(packages)
    _refuse_others(manager, commands, "removed")
    before = probe.installed()
    for command in commands:
        _run(command, say)
    importlib.invalidate_caches()
    staying = [point.package for point in distributions.points() if point.package.name in packages]
    if staying:
        where = f"'{staying[0].name}' is still here, at {staying[0].place}"
        raise InstallFailed(f"{where}: what is not in this environment, such as on PYTHONPATH, pip leaves alone")
    left = {(each["name"], each["package"]) for each in probe.installed()}
    return Outcome(tuple(Change(**each) for each in before if (each["name"], each["package"]) not in left))


def problem_of(plugin: dict[str, Any], patience: float = probe.PATIENCE) -> str:
    """Why an installed plugin does not work, found out in a process of its own; nothing where it does."""
    told, failed = probe.ask("loaded", plugin["name"], plugin["package"], patience=patience)
    return plain(failed or ("" if told["state"] in ("loaded", "silenced") else told["problem"]))


def _check_places(request: Request) -> None:
    """See that nothing is an option of pip's in disguise, and that files and folders are there."""
    for word in (*request.packages, *request.editable, *request.files):
        if word.startswith("-"):
            raise PluginError(
                f"imgen install: '{word}' is no package; options of pip go into its own settings, PIP_..."
            )
    paths = [word for word in request.packages if re.match(r"\.{0,2}[/\\]|.*[^/]/[^/@]*$", word)]
    for word in (*paths, *request.files, *request.editable):
        # Of `folder[extra]` the folder has to be there.
        bare = re.sub(r"\[[^\]]*\]$", "", word)
        if "://" not in word and "@" not in word and not word.startswith("file:") and not Path(bare).exists():
            raise PluginError(f"imgen install: {word}: no such file or folder")


def _refuse_others(manager: Manager, commands: Sequence[Sequence[str]], done: str) -> None:
    if not manager.runs:
        way = " && ".join(command_line(command) for command in commands)
        raise PluginError(f"{manager.owns}: nothing was {done}; do it with: {way}")


def _run(command: Sequence[str], say: Say) -> None:
    """Run pip, passing on what it says; raises `InstallFailed` with the gist of it."""
    said: list[str] = []
    env = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as running:
        assert running.stdout
        for line in running.stdout:
            said.append(line.rstrip())
            say(said[-1])
    if running.returncode:
        raise InstallFailed(f"pip failed: {gist(said)}")


def gist(said: Sequence[str]) -> str:
    """What pip's output says went wrong, in one line."""
    lines = [line.strip() for line in said]
    if "The conflict is caused by:" in lines:
        told = []
        for line in lines[lines.index("The conflict is caused by:") + 1 :]:
            if not line:
                break
            held = re.match(r"The user requested \(constraint\) (.+)", line)
            told.append(f"{held[1]} stays as it is" if held else line)
        return plain(f"{'; '.join(told)}; these cannot be together in one environment")
    errors = [line.partition("ERROR:")[2].strip() for line in lines if line.startswith("ERROR:")]
    last = next((line for line in reversed(lines) if line), "it said nothing")
    # The last error is often about the consequences; the first one says what it was.
    return plain(errors[0] if errors else last)


@contextmanager
def _constraints() -> Iterator[str]:
    """A file that keeps pip from exchanging imgen and torch, or what imgen needs for what it cannot use."""
    lines = []
    for name in KEPT:
        lines += [f"{each.name}=={each.version}" for each in distributions.packages(name)[:1]]
    for ours in distributions.packages(OURS)[:1]:
        # Of what only an extra needs there may be another version here.
        lines += [line for line in ours.requires if "extra" not in line and "[" not in line and "@" not in line]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "kept-by-imgen.txt"
        file.write_text("\n".join(lines) + "\n", encoding="utf8")
        yield str(file)


def _came(report: Path) -> dict[str, bool]:
    """The packages that pip installed, each with whether it was asked for."""
    try:
        told = json.loads(report.read_text(encoding="utf8"))["install"]
        return {normal(each["metadata"]["name"]): bool(each.get("requested")) for each in told}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _is_new(plugin: dict[str, Any], before: dict[tuple[str, str], str], came: dict[str, bool]) -> bool:
    known = before.get((plugin["name"], plugin["package"]))
    return known != plugin["version"] or normal(plugin["package"]) in came


def _package_of(name: str, found: Sequence[Point], manager: Manager) -> str:
    if normal(name) == OURS:
        raise PluginError(f"imgen does not uninstall itself; do it with: {removal_of_imgen(manager)}")
    shipped = {point.entry.name for point in found if point.shipped}
    others = [point for point in found if not point.shipped]
    by_package = {point.package.name for point in others if normal(point.package.name) == normal(name)}
    by_plugin = {point.package.name for point in others if point.entry.name == name}
    for names in (by_package, by_plugin):
        if len(names) == 1:
            return names.pop()
        if names:
            raise PluginError(f"'{name}' is a plugin of several packages: name one of {', '.join(sorted(names))}")
    if name in shipped:
        raise PluginError(f"'{name}' comes with imgen and cannot be uninstalled; IMGEN_PLUGINS=-{name} silences it")
    here = distributions.packages(name)
    if here:
        raise PluginError(f"'{here[0].name}' brings no plugin of imgen, so it is left alone; see `imgen plugins`")
    known = {point.entry.name for point in others} | {point.package.name for point in others}
    raise PluginError(f"no plugin or package is called '{name}'{near_miss(name, known)}")
