"""Names and what they stand for: each with the plugin it came from."""

from __future__ import annotations

import ast
import importlib.util
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from imgen.errors import PluginError, RecipeError, near_miss

Factory = Callable[..., Any]


class Register(Protocol):
    """What a hook is handed: registers one thing under a name in kebab-case.

    A factory may be given as "package.module:attribute", which is imported when it is first used.
    """

    def __call__(self, factory: Factory | str | Path, name: str) -> None: ...


@dataclass(frozen=True)
class Entry:
    """A registered thing: a factory, where to import it from, or the path of a recipe."""

    kind: str
    name: str
    plugin: str
    factory: Factory | str | Path

    def load(self) -> Factory:
        """The factory itself, imported if need be.

        Raises: `PluginError`, naming the plugin, where it cannot be imported.
        """
        if not isinstance(self.factory, str):
            return self.factory  # type: ignore[return-value]
        try:
            # The reference comes from a plugin's code, never from a recipe or a weights file.
            return pkgutil.resolve_name(self.factory)
        except Exception as error:
            raise PluginError(
                f"plugin '{self.plugin}': {singular(self.kind)} '{self.name}' cannot be imported from {self.factory}: "
                f"{type(error).__name__}: {error}"
            ) from error

    @property
    def summary(self) -> str:
        """First line of its docstring, or a recipe's first comment; read from the source, so nothing is imported."""
        try:
            if isinstance(self.factory, Path):
                first = self.factory.read_text(encoding="utf8").partition("\n")[0]
                return first.removeprefix("#").strip() if first.startswith("#") else ""
            if isinstance(self.factory, str):
                return _first_line(_docstring(self.factory))
        except (OSError, SyntaxError, ImportError, ValueError, AttributeError):
            return ""
        return _first_line(self.factory.__doc__ or "")


class Registry:
    """The things of one kind, by name."""

    def __init__(self, kind: str) -> None:
        """kind: plural, as on the command line: `algorithms`."""
        self.kind = kind
        self._entries: dict[str, Entry] = {}

    def add(self, entry: Entry) -> None:
        """Take a name.

        Raises: `PluginError` where it is taken, naming both plugins, or where it is not a name.
        """
        name = entry.name
        if not name or name != name.lower() or not name.replace("-", "a").isalnum():
            raise PluginError(f"plugin '{entry.plugin}': '{name}' is not a name in kebab-case for its {self.kind}")
        taken = self._entries.get(name)
        if taken:
            raise PluginError(
                f"plugin '{entry.plugin}' registers '{name}' among the {self.kind}, "
                f"but plugin '{taken.plugin}' already has that name; the first one keeps it"
            )
        self._entries[name] = entry

    def get(self, name: str) -> Entry:
        """The entry of that name; underscores pass for hyphens.

        Raises: `RecipeError` with the nearest names.
        """
        found = self._entries.get(name) or self._entries.get(str(name).replace("_", "-").lower())
        if not found:
            raise RecipeError(f"no {singular(self.kind)} is called '{name}'{near_miss(str(name), self._entries)}")
        return found

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[Entry]:
        return iter(sorted(self._entries.values(), key=lambda entry: entry.name))

    def __len__(self) -> int:
        return len(self._entries)


def singular(kind: str) -> str:
    """One thing of a kind: `losses` are many of `loss`."""
    return "loss" if kind == "losses" else kind.removesuffix("s")


def _docstring(reference: str) -> str:
    module, _, attribute = reference.partition(":")
    spec = importlib.util.find_spec(module)
    if not spec or not spec.origin:
        return ""
    for node in ast.parse(Path(spec.origin).read_text(encoding="utf8")).body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name == attribute:
            return ast.get_docstring(node) or ""
    return ""


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].rstrip(".")
