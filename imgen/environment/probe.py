"""A process of its own that looks at one thing and writes what it found into a file, as JSON.

Whatever a plugin or a driver does when it is loaded, it does there: `python -m imgen.environment.probe WHAT FILE ...`.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from imgen import distributions, plugins
from imgen.errors import ImgenError

PATIENCE = 60.0
"""Seconds that a plugin may take to load: time for torch on a slow disk."""


def ask(what: str, *words: str, patience: float = PATIENCE) -> tuple[Any, str]:
    """What a process of its own found, or None and what became of it, in words."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "found.json"
        # -P and the path of this process: neither more nor less can be imported there than here.
        command = [sys.executable, "-P", "-m", __name__, what, str(file), *words]
        env = os.environ | {"PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
        with tempfile.TemporaryFile() as said:
            try:
                status = subprocess.run(
                    command, env=env, stdin=subprocess.DEVNULL, stdout=said, stderr=said, timeout=patience
                ).returncode
            except subprocess.TimeoutExpired:
                return None, f"does not come to an end: it was stopped after {patience:g} seconds"
            if file.is_file():
                return json.loads(file.read_text(encoding="utf8")), ""
            said.seek(0)
            last = said.read()[-2000:].decode(errors="replace").strip().splitlines()
        how = f"is killed by signal {-status}" if status < 0 else f"ends the process with status {status}"
        return None, f"{how}{': ' + last[-1] if last and status else ''}"


def installed() -> list[dict[str, Any]]:
    """The plugins of others that are installed: name, package, version."""
    return [
        {"name": point.entry.name, "package": point.package.name, "version": point.package.version}
        for point in distributions.points()
        if not point.shipped
    ]


def loaded(name: str, package: str) -> dict[str, Any]:
    """What is known of a plugin once it is loaded and all that it registers is registered."""
    # With whatever has the same name, for only the first of them is loaded.
    found = plugins.load(point.entry for point in distributions.points() if point.shipped or point.entry.name == name)
    for kind in plugins.KINDS:
        found.registry(kind)
    info = next(info for info in found.infos if info.name == name and info.package == package)
    told = [info.problem] if info.problem else [line for line in found.problems if line.startswith(f"plugin '{name}'")]
    told = told or [line for kind in plugins.KINDS for line in _unloadable(found, kind, name)]
    state = "broken" if told and info.state == "loaded" else info.state
    return {**dataclasses.asdict(info), "state": state, "problem": "; ".join(told)}


def _unloadable(found: plugins.Plugins, kind: str, plugin: str) -> Iterator[str]:
    """A line for each thing of a plugin that cannot be imported, or is a file that is not there."""
    for entry in found.registry(kind):
        if entry.plugin != plugin:
            continue
        if kind == "recipes":
            if not Path(str(entry.factory)).is_file():
                yield f"its recipe '{entry.name}' is not there: {entry.factory}"
            continue
        try:
            entry.load()
        except (Exception, SystemExit) as error:
            yield str(error) if isinstance(error, ImgenError) else f"'{entry.name}': {type(error).__name__}: {error}"


def devices() -> dict[str, Any]:
    """What torch finds here; see `imgen.environment.devices`."""
    from imgen.environment.devices import found

    return found()


if __name__ == "__main__":
    looks: dict[str, Callable[..., Any]] = {"installed": installed, "loaded": loaded, "devices": devices}
    answer = json.dumps(looks[sys.argv[1]](*sys.argv[3:]))
    Path(sys.argv[2]).write_text(answer, encoding="utf8")
    # Threads that a plugin left behind must not hold this process.
    os._exit(0)
