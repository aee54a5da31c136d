"""What is public, read from the sources: names with their signatures, as promised in `public_api.txt`."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import imgen
from imgen import testing
from written.pages import ROOT

FROZEN = Path(__file__).parents[1] / "public_api.txt"

CONTRACTS = {
    "imgen.algorithm": "what a paper implements",
    "imgen.model": "what ships, and its file",
    "imgen.data.spec": "what a data set is",
    "imgen.data.domains": "two domains",
    "imgen.data.labelled": "pictures of which some are labelled",
    "imgen.data.factors": "factors that are known",
    "imgen.data.people": "people in parts that share nobody",
    "imgen.metrics": "what a metric is given, and gives",
    "imgen.losses.adversarial": "adversarial losses",
    "imgen.losses.penalty": "penalties of gradients",
    "imgen.whole_batch": "what hangs on all items of a batch",
    "imgen.optim": "optimizers of players",
    "imgen.schedules": "what changes with the step",
    "imgen.binding": "annotations of settings",
    "imgen.registry": "what a hook is handed",
    "imgen.hookspecs": "the hooks",
    "imgen.paper": "what is published, for the card",
    "imgen.errors": "errors of one line",
    "imgen.testing": "contracts for tests",
}
"""Modules whose every public name is promised, and what each is for."""

INTERNAL = {
    "imgen.binding": {"Local", "Setting", "Problem", "Resolve", "settings_of", "check", "build", "describe"},
    "imgen.registry": {"Registry", "Entry", "Factory", "singular"},
    "imgen.algorithm": {"Moves", "moves_of"},
    "imgen.metrics": {"T", "measured", "number"},
    "imgen.data.factors": {"BINS"},
    "imgen.data.people": {"SHARES"},
    "imgen.losses.penalty": {"Score"},
    "imgen.hookspecs": {"hookspec"},
}
"""What other rooms of the core take from these modules, and plugins have no use for."""

TOOLS = {
    "imgen.images": ("fit", "from_float", "to_array", "to_float", "to_tensor"),
    "imgen.charts": ("lines",),
    "imgen.files": ("replacing", "write"),
    "imgen.extras": ("need",),
    "imgen.nn.augment": ("mirrored",),
    "imgen.nn.precision": ("full_precision",),
    "imgen.data.source": ("open_source",),
    "imgen.data.pictures": ("Pictures", "Report"),
    "imgen.data.labels": ("UNKNOWN", "is_binary"),
    "imgen.data.loader": ("Loader",),
    "imgen.data.shapes": ("shapes",),
    "imgen.metrics.weights": ("kept_with", "read_weights", "write_weights"),
    "imgen.plugins": ("installed",),
    "imgen.cli": ("main",),
}
"""Names beside these that are promised, by module."""

_Definition = ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign


@cache
def _tree(module: str) -> ast.Module:
    path = ROOT / module.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf8"))


def _defined(module: str) -> dict[str, _Definition]:
    """The public names that a module defines itself, with their sources."""
    found: dict[str, _Definition] = {}
    for node in _tree(module).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found[node.name] = node
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = node
    return {name: node for name, node in found.items() if not name.startswith("_")}


def _definition(module: str, name: str) -> _Definition:
    """How a name is defined, in its module or where that has it from."""
    home = testing._HOME[name] if module == "imgen.testing" else module
    return _defined(home)[name]


def taken(paths: Iterable[Path]) -> set[tuple[str, str]]:
    """Module and name of all that sources take from the core."""
    found = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "imgen":
                assert node.module
                found |= {(node.module, alias.name) for alias in node.names}
    return found


@cache
def public() -> dict[str, list[str]]:
    """The public names of each module: those of `imgen`, of the contracts, and the tools."""
    found = {"imgen": sorted(imgen._HOME)}
    for module in CONTRACTS:
        defined = importlib.import_module(module).__all__ if module == "imgen.testing" else _defined(module)
        found[module] = sorted(set(defined) - INTERNAL.get(module, set()))
    return {**found, **{module: sorted(names) for module, names in TOOLS.items()}}


def listed() -> str:
    """The text of the frozen list."""
    lines = [
        "# The public names of imgen. A test compares this list with the code. What changes on purpose is written",
        "# anew by `python tests/docs/write.py --api`; a line that goes or changes needs a line in CHANGELOG.md.",
    ]
    for module, names in public().items():
        lines += ["", f"[{module}]"]
        for name in names:
            lines += _told(module, name)
    return "\n".join(lines) + "\n"


def _told(module: str, name: str) -> Iterator[str]:
    if module == "imgen":
        yield f"{name}: of {imgen._HOME[name]}"
        return
    node = _definition(module, name)
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(ast.unparse(base) for base in node.bases)
        yield f"class {name}({bases})" if bases else f"class {name}"
        yield from (f"    {line}" for line in _members(node))
    elif isinstance(node, ast.FunctionDef):
        yield _signature(node)
    else:
        yield " ".join(ast.unparse(node).split())


def _members(node: ast.ClassDef) -> Iterator[str]:
    for part in node.body:
        if isinstance(part, ast.AnnAssign) and not ast.unparse(part.target).startswith("_"):
            yield " ".join(ast.unparse(part).split())
        elif isinstance(part, ast.FunctionDef) and (
            not part.name.startswith("_") or part.name in ("__init__", "__call__")
        ):
            kinds = [ast.unparse(decorator) for decorator in part.decorator_list]
            yield " ".join([*(f"@{kind}" for kind in kinds), _signature(part)])


def _signature(node: ast.FunctionDef) -> str:
    gives = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"def {node.name}({ast.unparse(node.args)}){gives}"


def table() -> str:
    """The modules with their public names, as a table."""
    rows = ["| module | what it is for | names |", "| --- | --- | --- |"]
    for module, names in public().items():
        purpose = {"imgen": "what most need, under one roof", **CONTRACTS}.get(module, "tools")
        rows.append(f"| `{module}` | {purpose} | {', '.join(f'`{name}`' for name in names)} |")
    return "\n".join(rows)
