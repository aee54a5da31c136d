"""YAML as recipes use it: with line numbers, and without YAML 1.1's surprises.

`8e-5` is a number and `no` a word; a key that stands twice is an error, and so are aliases and tags: no text can
make a small file grow large or name code. Characters that steer a terminal are refused, however they are written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from imgen.errors import RecipeError
from imgen.plain import steering

_DEEPEST = 30
_LONGEST_NUMBER = 40  # digits
_TAG = "tag:yaml.org,2002:"
_PLAIN: dict[type[yaml.Node], set[str]] = {
    yaml.MappingNode: {f"{_TAG}map"},
    yaml.SequenceNode: {f"{_TAG}seq"},
    yaml.ScalarNode: {f"{_TAG}{kind}" for kind in ("null", "bool", "int", "float", "str")},
}


class _Refused(yaml.YAMLError):
    """Valid YAML that no recipe needs."""

    def __init__(self, told: str, event: yaml.Event) -> None:
        super().__init__(told)
        self.line = event.start_mark.line + 1 if event.start_mark else 1


class _Loader(yaml.SafeLoader):
    """The safe loader with the scalars of YAML 1.2: dates, octals, `yes` and 1:30 are plain words."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012
    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """The next node, unless it is an alias or lies too deep: whoever builds values follows them without care."""
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            raise _Refused("aliases are not allowed; write the value out", event)
        self._depth += 1
        if self._depth > _DEEPEST and isinstance(event, yaml.CollectionStartEvent):
            raise _Refused("nested too deeply for a recipe", event)
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Decimal only: 0755 is 755."""
        if len(node.value) > _LONGEST_NUMBER:
            raise ValueError(f"a number of {len(node.value):,} digits")
        return int(node.value.replace("_", ""))


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9][0-9_]*", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


@dataclass(frozen=True)
class Document:
    """Parsed content, and the line of every key and item by its path, such as ("train", "steps")."""

    file: str
    content: Any
    lines: dict[tuple[str, ...], int]

    def where(self, path: tuple[str, ...]) -> str:
        """`file:line` of a path, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.file}:{self.lines[path]}" if path in self.lines else self.file


def parse(text: str, file: str) -> Document:
    """Read one YAML document.

    Raises: `RecipeError` with file and line: broken YAML, a key that stands twice, an alias or a tag.
    """
    lines: dict[tuple[str, ...], int] = {}
    problems: list[str] = []
    scalars = _Loader("")

    def build(node: yaml.Node, path: tuple[str, ...]) -> Any:
        lines.setdefault(path, node.start_mark.line + 1)
        if node.tag not in _PLAIN[type(node)]:
            raise RecipeError(f"{file}:{node.start_mark.line + 1}: a recipe holds plain values only, not {node.tag}")
        refuse_steering(node)
        if isinstance(node, yaml.MappingNode):
            return mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [build(item, (*path, str(place))) for place, item in enumerate(node.value)]
        return scalars.construct_object(node)

    def refuse_steering(node: yaml.Node) -> None:
        if isinstance(node, yaml.ScalarNode) and (character := steering(node.value)):
            where = f"{file}:{node.start_mark.line + 1}"
            raise RecipeError(f"{where}: a text with the control character U+{ord(character):04X}")

    def mapping(node: yaml.MappingNode, path: tuple[str, ...]) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            refuse_steering(key_node)
            key = str(key_node.value)
            if key in content:
                problems.append(f"{file}:{line}: '{key}' stands twice, first in line {lines[*path, key]}; keep one")
                continue
            lines[*path, key] = line
            content[key] = build(value_node, (*path, key))
        return content

    try:
        node = yaml.compose(text, Loader=_Loader)
        document = Document(file, build(node, ()) if node else {}, lines)
    except _Refused as error:
        raise RecipeError(f"{file}:{error.line}: {error}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f":{mark.line + 1}" if mark else ""
        raise RecipeError(f"{file}{at}: not valid YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise RecipeError(f"{file}: not valid YAML: {' '.join(str(error).split())}") from None
    if problems:
        raise RecipeError("\n".join(problems))
    return document


def scalar(text: str) -> Any:
    """A value from the command line, read as a recipe would read it; text that is no YAML is itself."""
    try:
        return parse(text, "").content if text.strip() else text
    except RecipeError:
        return text


def dump(content: Any) -> str:
    """Write plain values, in their order, so that `parse` reads the same values back."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    """Knows the loader's scalars, so that texts like `8e-5` are quoted and `no` is not."""

    yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers

    def ignore_aliases(self, data: Any) -> bool:
        """Write equal values out each time: `parse` takes no aliases."""
        return True
