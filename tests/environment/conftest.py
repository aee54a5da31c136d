"""A virtual environment that sees what the tests' own has, wheels written by hand, and `imgen` in it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

_HOOKS = """\
from imgen.hookspecs import hookimpl

@hookimpl
def register_losses(register):
    register("{module}:margin", name="{name}")

def margin():
    '''A margin.'''
"""


@dataclass(frozen=True)
class Ran:
    """What a command line came to. lines: of standard error that imgen itself wrote, which are the last ones."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.err.splitlines()


@dataclass(frozen=True)
class Environment:
    """A virtual environment. prefix: its folder; wheels: where its pip looks for packages."""

    prefix: Path
    wheels: Path

    @property
    def python(self) -> str:
        return str(self.prefix / "bin/python")

    def imgen(self, *argv: str | Path, cwd: Path, **env: str) -> Ran:
        """Run `imgen ...` in it, with no index but the folder of wheels."""
        offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels), "PIP_NO_BUILD_ISOLATION": "0"}
        offline |= {"PIP_NO_CACHE_DIR": "1", "PIP_NO_COMPILE": "1", "PIP_CONFIG_FILE": os.devnull}
        command = [self.python, "-m", "imgen", *map(str, argv)]
        done = subprocess.run(
            command, cwd=cwd, env=os.environ | offline | env, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        return Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Environment:
    """A new environment without packages of its own, which sees those of the tests."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home / "venv", with_pip=False, symlinks=True)
    (site,) = (home / "venv").glob("lib/python*/site-packages")
    seen = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    (site / "seen.pth").write_text(seen)
    (home / "wheels").mkdir()
    return Environment(home / "venv", home / "wheels")


def _write_wheel(
    folder: Path,
    package: str,
    version: str = "1.0",
    *,
    points: dict[str, str] | None = None,
    source: str = "",
    requires: tuple[str, ...] = (),
) -> Path:
    """A wheel with one module, named like the package. points: its entry points in the group `imgen`."""
    module = package.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    headers = [f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}"]
    headers += [f"Requires-Dist: {each}" for each in requires]
    files = {
        f"{module}.py": source,
        f"{info}/METADATA": "\n".join(headers) + "\n\nAbout it.\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if points:
        lines = [f"{name} = {value}" for name, value in points.items()]
        files[f"{info}/entry_points.txt"] = "\n".join(["[imgen]", *lines, ""])
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    path = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        for name, text in files.items():
            file.writestr(name, text)
    return path


@pytest.fixture
def source_of() -> Callable[[str, str], str]:
    """The source of a plugin that works: `source_of(module, name)` registers one loss."""
    return lambda module, name: _HOOKS.format(module=module, name=name)


@pytest.fixture
def write_wheel(environment) -> Callable[..., Path]:
    """Writes a wheel where the environment's pip looks: `write_wheel(package, version, points=..., requires=...)`."""
    return partial(_write_wheel, environment.wheels)


@pytest.fixture
def plugin_wheel(write_wheel, source_of) -> Callable[..., Path]:
    """Writes a wheel with a plugin: `plugin_wheel("name", source)`; without source it is one that works."""

    def write(name: str, source: str = "", version: str = "1.0", requires: tuple[str, ...] = ()) -> Path:
        module = f"imgen_{name.replace('-', '_')}"
        source = source or source_of(module, name)
        return write_wheel(f"imgen-{name}", version, points={name: module}, source=source, requires=requires)

    return write


@pytest.fixture
def run(environment, tmp_path) -> Callable[..., Ran]:
    """Runs `imgen ...` in the environment, in an empty folder."""

    def imgen(*argv: str | Path, **env: str) -> Ran:
        return environment.imgen(*argv, cwd=tmp_path, **env)

    return imgen


@pytest.fixture
def installed_by(monkeypatch, tmp_path) -> Path:
    """A folder that this process takes for its own environment's; what lies in it says whose it is."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "env"))
    (tmp_path / "env").mkdir()
    (tmp_path / "env/pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    return tmp_path / "env"
