"""Every hook with its signature, its meaning, and how a shipped plugin does it: read from the sources."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

from imgen import hookspecs
from written.pages import ROOT


def specifications() -> list[ast.FunctionDef]:
    """The hooks in the order in which they are declared."""
    tree = ast.parse(Path(inspect.getfile(hookspecs)).read_text(encoding="utf8"))
    return [node for node in tree.body if isinstance(node, ast.FunctionDef) and _marked(node, "hookspec")]


def _marked(node: ast.FunctionDef, mark: str) -> bool:
    return any(ast.unparse(decorator).partition("(")[0] == mark for decorator in node.decorator_list)


def implementations(hook: str) -> Iterator[tuple[Path, str]]:
    """Where plugins implement a hook, and the source of it: papers, then the core, then the example."""
    places = [*sorted((ROOT / "plugins").glob("*/__init__.py")), ROOT / "imgen/builtin.py"]
    places += sorted((ROOT / "tests/example_plugin").glob("*/__init__.py"))
    for path in places:
        text = path.read_text(encoding="utf8")
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef) and node.name == hook and _marked(node, "hookimpl"):
                first = min(decorator.lineno for decorator in node.decorator_list)
                yield path, "\n".join(text.splitlines()[first - 1 : node.end_lineno])


def reference() -> str:
    """All hooks: name and signature, what each is for, and an implementation that ships."""
    told = []
    for node in specifications():
        path, source = next(iter(implementations(node.name)))
        where = path.relative_to(ROOT).as_posix()
        signature = f"def {node.name}({ast.unparse(node.args)}) -> {ast.unparse(node.returns or ast.Constant(None))}"
        told.append(
            f"#### `{node.name}`\n```python\n{signature}\n```\n{ast.get_docstring(node)}\n\n"
            f"As in [{where}]({where}):\n```python\n{source}\n```"
        )
    return "\n\n".join(told)
