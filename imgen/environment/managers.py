"""Who owns this environment: pip may change it, or it belongs to another installer whose command is then told."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import shutil
import sys
import sysconfig
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from imgen.distributions import OURS, normal

_TRUE = {"1", "y", "yes", "t", "true", "on"}


@dataclass(frozen=True)
class Request:
    """What is to be installed. packages: as pip takes them; editable: folders; files: of requirements."""

    packages: tuple[str, ...] = ()
    editable: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    upgrade: bool = False
    pre: bool = False
    index_url: str = ""

    def words(self, *, editable: str = "-e", files: str = "-r", upgrade: str = "-U", pre: str = "--pre") -> list[str]:
        """The request as words of a command, with that command's own spellings."""
        words = [upgrade] if self.upgrade and upgrade else []
        words += [pre] if self.pre else []
        words += ["--index-url", self.index_url] if self.index_url else []
        for option, values in ((editable, self.editable), (files, self.files)):
            words += [word for value in values for word in (option, value)]
        return [*words, *self.packages]


@dataclass(frozen=True)
class Manager:
    """An installer and how it is asked. owns: what it owns, in words; nothing for pip, which is run by imgen itself."""

    name: str
    owns: str
    install: Callable[[Request], list[list[str]]]
    """The commands that do what is requested."""
    uninstall: Callable[[Sequence[str]], list[list[str]]]
    """The commands that remove these packages."""

    @property
    def runs(self) -> bool:
        """Whether imgen may run the command itself."""
        return not self.owns


def manager(prefix: Path | None = None) -> Manager:
    """Who owns the environment at `prefix`, which is that of this process unless told otherwise."""
    prefix = prefix or Path(sys.prefix)
    # pipx and uv make environments alike: the more particular marks come first.
    if (prefix / "pipx_metadata.json").is_file():
        return _pipx(prefix)
    if (prefix / "uv-receipt.toml").is_file():
        return _uv_tool(prefix)
    if (prefix / "pyvenv.cfg").is_file():
        if _made_by_uv(prefix / "pyvenv.cfg"):
            project = prefix.parent
            return _uv_project(project) if (project / "uv.lock").is_file() else _uv_venv()
    elif _externally_managed():
        return _system()
    if importlib.util.find_spec("pip") is None:
        return _uv_venv() if shutil.which("uv") else _no_pip()
    return _pip()


def command_line(command: Sequence[str]) -> str:
    """A command as one types it."""
    return shlex.join(command)


def upgrade_of_imgen(owner: Manager, specifier: str = "") -> str:
    """The command that brings another version of imgen itself, as one types it."""
    ways = {"uv tool": "uv tool upgrade imgen", "pipx": "pipx upgrade imgen"}
    wanted = Request((f"{OURS}{specifier}",), upgrade=True)
    return ways.get(owner.name) or command_line(owner.install(wanted)[-1])


def removal_of_imgen(owner: Manager) -> str:
    """The command that uninstalls imgen itself, as one types it."""
    ways = {"uv tool": "uv tool uninstall imgen", "pipx": "pipx uninstall imgen"}
    return ways.get(owner.name) or command_line(owner.uninstall([OURS])[-1]).replace(" --yes", "")


def _pip() -> Manager:
    def install(request: Request) -> list[list[str]]:
        return [[sys.executable, "-m", "pip", "install", *request.words()]]

    def uninstall(packages: Sequence[str]) -> list[list[str]]:
        return [[sys.executable, "-m", "pip", "uninstall", "--yes", *packages]]

    return Manager("pip", "", install, uninstall)


def _uv_venv() -> Manager:
    here = ["--python", sys.executable]

    def install(request: Request) -> list[list[str]]:
        # -U of uv lifts every package that anything needs, torch among them: only those that are named may move.
        named = [word for package in request.packages for word in ("--upgrade-package", _name(package))]
        words = [*(named if request.upgrade else []), *request.words(upgrade="", pre="--prerelease=allow")]
        return [["uv", "pip", "install", *here, *words]]

    def uninstall(packages: Sequence[str]) -> list[list[str]]:
        return [["uv", "pip", "uninstall", *here, *packages]]

    return Manager("uv", "this environment was made by uv", install, uninstall)


def _uv_project(project: Path) -> Manager:
    at = ["--project", str(project)]

    def install(request: Request) -> list[list[str]]:
        named = [word for package in request.packages for word in ("--upgrade-package", _name(package))]
        shared = named if request.upgrade else []
        shared = [*shared, *(["--prerelease=allow"] if request.pre else [])]
        shared = [*shared, *(["--index", request.index_url] if request.index_url else [])]
        told = []
        if request.packages or request.files:
            files = [word for file in request.files for word in ("-r", file)]
            told.append(["uv", "add", *at, *shared, *files, *request.packages])
        return [*told, *(["uv", "add", *at, "--editable", folder] for folder in request.editable)]

    def uninstall(packages: Sequence[str]) -> list[list[str]]:
        return [["uv", "remove", *at, *packages]]

    return Manager("uv project", f"this environment is of the uv project {project}", install, uninstall)


def _uv_tool(prefix: Path) -> Manager:
    # `uv tool install` forgets every plugin that it is not told of again.
    main, others, python = _receipt(prefix / "uv-receipt.toml")
    base = ["uv", "tool", "install", *(["--python", python] if python else []), *main]

    def install(request: Request) -> list[list[str]]:
        new = {normal(_name(package)) for package in request.packages}
        kept = [word for name, words in others if normal(name) not in new for word in words]
        words = request.words(
            editable="--with-editable", files="--with-requirements", upgrade="", pre="--prerelease=allow"
        )
        words = words[: len(words) - len(request.packages)]
        words += [word for package in request.packages for word in ("--with", package)]
        if request.upgrade:
            words = [*(w for name in sorted(new) for w in ("--upgrade-package", name)), *words]
        return [[*base, *kept, *words]]

    def uninstall(packages: Sequence[str]) -> list[list[str]]:
        gone = {normal(package) for package in packages}
        return [[*base, *(word for name, words in others if normal(name) not in gone for word in words)]]

    return Manager("uv tool", "imgen was installed here by `uv tool`", install, uninstall)


def _pipx(prefix: Path) -> Manager:
    venv = _pipx_name(prefix)

    def install(request: Request) -> list[list[str]]:
        shared = ["--force"] if request.upgrade else []
        shared += ["--pip-args=--pre"] if request.pre else []
        shared += ["--index-url", request.index_url] if request.index_url else []
        told = []
        if request.packages or request.files:
            files = [word for file in request.files for word in ("-r", file)]
            told.append(["pipx", "inject", *shared, *files, venv, *request.packages])
        return [*told, *(["pipx", "inject", *shared, "--editable", venv, folder] for folder in request.editable)]

    def uninstall(packages: Sequence[str]) -> list[list[str]]:
        return [["pipx", "uninject", venv, *packages]]

    return Manager("pipx", "imgen was installed here by pipx", install, uninstall)


def _system() -> Manager:
    def install(request: Request) -> list[list[str]]:
        return [["python3", "-m", "venv", ".venv"], [".venv/bin/pip", "install", OURS, *request.words()]]

    def uninstall(packages: Sequence[str]) -> list[list[str]]:
        return [[sys.executable, "-m", "pip", "uninstall", "--break-system-packages", *packages]]

    return Manager("system", "this Python is the operating system's, which lets no pip into it", install, uninstall)


def _no_pip() -> Manager:
    way = [sys.executable, "-m", "ensurepip"]
    pip = [sys.executable, "-m", "pip"]
    return Manager(
        "none",
        "this environment has no pip",
        lambda request: [way, [*pip, "install", *request.words()]],
        lambda packages: [way, [*pip, "uninstall", *packages]],
    )


def _made_by_uv(cfg: Path) -> bool:
    try:
        lines = cfg.read_text(encoding="utf8").splitlines()
    except (OSError, ValueError):
        return False
    return any(line.partition("=")[0].strip() == "uv" for line in lines)


def _externally_managed() -> bool:
    if os.environ.get("PIP_BREAK_SYSTEM_PACKAGES", "").lower() in _TRUE:
        return False
    return (Path(sysconfig.get_path("stdlib")) / "EXTERNALLY-MANAGED").is_file()


def _receipt(file: Path) -> tuple[list[str], list[tuple[str, list[str]]], str]:
    """Of a receipt of `uv tool`: the words for the tool, those for each package beside it, and the Python asked for."""
    try:
        tool = tomllib.loads(file.read_text(encoding="utf8")).get("tool", {})
        wanted = [each for each in tool.get("requirements", []) if isinstance(each, dict) and "name" in each]
    except (OSError, ValueError, AttributeError, TypeError):
        return [OURS], [], ""
    if not wanted:
        return [OURS], [], ""
    others = [(str(each["name"]), _with(each)) for each in wanted[1:]]
    # The tool is given as a requirement, and in no other way as one that is editable.
    main = ["--editable", str(wanted[0]["editable"])] if "editable" in wanted[0] else [_requirement(wanted[0])]
    return main, others, str(tool.get("python") or "")


def _with(told: dict[str, Any]) -> list[str]:
    return ["--with-editable", str(told["editable"])] if "editable" in told else ["--with", _requirement(told)]


def _requirement(told: dict[str, Any]) -> str:
    for key in ("directory", "path"):
        if key in told:
            return str(told[key])
    extras = f"[{','.join(told['extras'])}]" if told.get("extras") else ""
    marker = f"; {told['marker']}" if told.get("marker") else ""
    if "git" in told:
        return f"{told['name']}{extras}@{_git(str(told['git']))}{marker}"
    if "url" in told:
        return f"{told['name']}{extras}@{told['url']}{marker}"
    return f"{told['name']}{extras}{told.get('specifier', '')}{marker}"


def _git(url: str) -> str:
    """`https://host/x?subdirectory=a&rev=b`, as a receipt has it, in the words of a requirement."""
    parts = urlsplit(url)
    asked = dict(parse_qsl(parts.query))
    revision = next((asked[key] for key in ("rev", "tag", "branch") if key in asked), "")
    below = f"#subdirectory={asked['subdirectory']}" if "subdirectory" in asked else ""
    return f"git+{urlunsplit(parts._replace(query='', fragment=''))}{'@' + revision if revision else ''}{below}"


def _name(package: str) -> str:
    """The distribution's name in what was asked for; the whole word where it has none, such as a path."""
    head = package
    for mark in "[<>=!~;@ (":
        head = head.partition(mark)[0]
    return head.strip() or package


def _pipx_name(prefix: Path) -> str:
    """The name under which pipx keeps this environment, as its own file tells."""
    try:
        told = json.loads((prefix / "pipx_metadata.json").read_text(encoding="utf8"))
    except (OSError, ValueError):
        return prefix.name
    return str(told.get("environment") or prefix.name) if isinstance(told, dict) else prefix.name
