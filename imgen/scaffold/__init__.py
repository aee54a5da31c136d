"""Projects that `imgen new` makes: the files of a plugin, rendered from templates that lie beside this module.

In a template's path `NAME` and `MODULE` are replaced and `dot-` at the start of a part stands for a dot; in its text
every `%%{word}`. Nothing in a template is executed.
"""

from __future__ import annotations

import ast
import datetime
import keyword
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from string import Template

from imgen import __version__
from imgen.errors import PluginError
from imgen.plugins import KINDS as REGISTERED
from imgen.plugins import Plugins
from imgen.registry import singular

KINDS: Mapping[str, str] = {"gan": "pictures from latent codes", "metric": "a measurement of generated pictures"}
"""What can be made, and what it is for."""
_USES: Mapping[str, tuple[str, ...]] = {
    "gan": ("imgen train {name}", "imgen sample"),
    "metric": ("imgen evaluate -m {name}",),
}

_HOME = Path(__file__).parent
_ENDING = ".template"
_MOST = 25  # letters of a name, so that no line that holds it gets longer than 120


class _Text(Template):
    delimiter = "%%"  # neither Python, YAML, TOML nor a workflow has this before a brace


@dataclass(frozen=True)
class Project:
    """A plugin that is to be: its name in kebab-case, and its kind, one of `KINDS`."""

    name: str
    kind: str = "gan"

    @property
    def package(self) -> str:
        """What pip calls it."""
        return f"imgen-{self.name}"

    @property
    def module(self) -> str:
        """What Python calls it."""
        return f"imgen_{self.name.replace('-', '_')}"

    @property
    def algorithm(self) -> str:
        """The name of its class."""
        return "".join(part.capitalize() for part in self.name.split("-"))

    @property
    def uses(self) -> list[str]:
        """The commands that use it, once it is installed."""
        return [command.format(name=self.name) for command in _USES[self.kind]]

    def files(self) -> dict[str, str]:
        """The text of every file, by its path in the project."""
        words = {
            "name": self.name,
            "package": self.package,
            "module": self.module,
            "class": self.algorithm,
            "does": KINDS[self.kind],
            "version": __version__,
            "year": str(datetime.date.today().year),
        }
        return dict(sorted((self._path(parts), _Text(text).substitute(words)) for parts, text in _templates(self.kind)))

    def _path(self, parts: tuple[str, ...]) -> str:
        named = [part.replace("MODULE", self.module).replace("NAME", self.name) for part in parts]
        return "/".join(f".{part.removeprefix('dot-')}" if part.startswith("dot-") else part for part in named)


def check(project: Project, plugins: Plugins) -> None:
    """Raises: `PluginError` where the name is none, or means something already."""
    name = project.name
    plain = re.sub(r"[^A-Za-z0-9]+", "-", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name)).strip("-").lower()
    plain = plain.removeprefix("imgen-").lstrip("-0123456789")
    if name != plain:
        meant = f", such as '{plain}'" if plain else ", such as 'my-method'"
        raise PluginError(f"'{name}' is not a name in kebab-case that begins with a letter{meant}")
    if len(name) > _MOST:
        raise PluginError(f"'{name}' has {len(name)} letters; a name has {_MOST} at most")
    for info in plugins.infos:
        if name == info.name or project.package == info.package:
            raise PluginError(
                f"a plugin '{info.name}' ({info.package} {info.version}) is installed; choose another name"
            )
    for kind in REGISTERED:
        if name in plugins.registry(kind):
            owner = plugins.owner(plugins.registry(kind).get(name).plugin)
            raise PluginError(f"'{name}' is {_article(singular(kind))} of the plugin {owner}; choose another name")
    _check_python(project)
    if find_spec(project.module):
        raise PluginError(f"'{name}': a Python module '{project.module}' is installed already; choose another name")


def _check_python(project: Project) -> None:
    if keyword.iskeyword(project.name) or keyword.iskeyword(project.algorithm) or project.algorithm in _used(project):
        raise PluginError(
            f"'{project.name}' means something else in Python or imgen, so no class can be called "
            f"'{project.algorithm}'; choose another name, such as '{project.name}-gan'"
        )


def _used(project: Project) -> set[str]:
    """The names that the project's modules use, but for the one that it gives."""
    texts = [text for path, text in Project("placeholder", project.kind).files().items() if path.endswith(".py")]
    nodes = [node for text in texts for node in ast.walk(ast.parse(text))]
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    return used | {alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}


def write(project: Project, folder: Path) -> list[Path]:
    """Write the project, which appears whole or not at all; gives the paths of its files.

    Raises: `PluginError` where the folder is there and not empty, or is no folder.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise PluginError(f"{folder}: exists already and is not empty; name another folder with --out")
    if folder.exists() and not folder.is_dir():
        raise PluginError(f"{folder}: a file; name a folder with --out")
    files = project.files()
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.{os.getpid()}-{os.urandom(4).hex()}.part")
    try:
        for path, text in files.items():
            (partial / path).parent.mkdir(parents=True, exist_ok=True)
            (partial / path).write_text(text, encoding="utf8")
        partial.replace(folder)  # takes the place of an empty folder, and of nothing else
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return [folder / path for path in files]


def _templates(kind: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """The parts of the path of each template, and its text."""
    for home in (_HOME / "common", _HOME / kind):
        for path in sorted(home.rglob(f"*{_ENDING}")):
            yield path.relative_to(home).with_suffix("").parts, path.read_text(encoding="utf8")


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
