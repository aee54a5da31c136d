"""Who may import whom, who may print, and what nobody may do: read from the source with `ast`."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = sorted((ROOT / "imgen").rglob("*.py"))
PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))

LAYERS = (
    {"imgen", "errors", "files", "extras", "paper", "plain", "strict_json", "tensor_header", "distributions"},
    {
        "losses",
        "nn",
        "optim",
        "schedules",
        "images",
        "charts",
        "heat_map",
        "lettering",
        "binding",
        "dist",
        "whole_batch",
        "yaml_lines",
        "names",
        "bounds",
        "outlines",
    },
    {"registry", "model", "data", "hookspecs"},
    {
        *("recipe", "overrides", "plugins", "messages", "privacy", "algorithm", "builtin", "train_settings"),
        *("sampling", "traversing", "encoding", "translating"),
    },
    {
        "train",
        "metrics",
        "build",
        "card",
        "evaluating",
        "selecting",
        "sweeping",
        "hub",
        "scaffold",
        "environment",
        "loading",
    },
    {"commands", "testing"},
    {"cli"},
    {"__main__"},
)
"""The rooms from the bottom up; a room imports from its own layer and from those above it in this table."""

PUBLIC = {
    *("imgen", "losses", "nn", "data", "algorithm", "binding", "model", "optim", "schedules", "hookspecs", "errors"),
    *("whole_batch", "images", "charts", "files", "registry", "names", "metrics", "extras", "paper"),
}
"""The rooms that a plugin may import from."""

PRINTERS = {"imgen/cli.py", "imgen/train/listeners.py"}


def room(module: str) -> str:
    """`imgen.train.play` is in the room `train`."""
    return module.split(".")[1] if "." in module else module


def module_of(path: Path) -> str:
    """The dotted name of a source file."""
    parts = path.relative_to(ROOT if path.relative_to(ROOT).parts[0] == "imgen" else ROOT / "plugins").with_suffix("")
    return ".".join(part for part in parts.parts if part != "__init__")


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and module of every import, wherever it stands; `from imgen import dist` counts as `imgen.dist`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            assert node.module
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                whole = inner.replace(".", "/")
                known = any((base / f"{whole}.py").exists() or (base / whole).is_dir() for base in (ROOT,))
                yield node.lineno, inner if known else node.module


def layer(of: str) -> int:
    (found,) = (place for place, rooms in enumerate(LAYERS) if of in rooms)
    return found


def where(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def test_every_room_has_its_layer():
    rooms = {room(module_of(path)) for path in CORE}
    placed = [name for layer in LAYERS for name in layer]
    assert len(placed) == len(set(placed))
    assert rooms <= set(placed), f"place these rooms in the table: {rooms - set(placed)}"


def test_arrows_never_point_back():
    wrong = [
        f"{where(path, line)}: {module_of(path)} imports {module}"
        for path in CORE
        for line, module in imports(path)
        if module.split(".")[0] == "imgen" and layer(room(module)) > layer(room(module_of(path)))
    ]
    assert not wrong, "\n".join(wrong)


def test_no_module_imports_itself_by_way_of_others():
    """Among imports that run when a module is loaded."""
    graph: dict[str, set[str]] = {}
    for path in CORE:
        top = [node for node in ast.parse(path.read_text(encoding="utf8")).body if isinstance(node, ast.ImportFrom)]
        lines = {node.lineno for node in top}
        graph[module_of(path)] = {m for line, m in imports(path) if line in lines and m.startswith("imgen.")}
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join([*way, module])
        if module not in done:
            for other in graph.get(module, ()):
                visit(other, (*way, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_plugins_import_the_public_rooms_only():
    wrong = []
    for path in PLUGINS:
        mine = path.relative_to(ROOT / "plugins").parts[0]
        for line, module in imports(path):
            first = module.split(".")[0]
            if (first == "imgen" and room(module) not in PUBLIC) or (first.startswith("imgen_") and first != mine):
                wrong.append(f"{where(path, line)}: {module}")
    assert PLUGINS
    assert not wrong, "\n".join(wrong)


def test_one_module_imports_the_hubs_library():
    """So that another version of it is one module's matter."""
    importers = {path.name for path in CORE for _, module in imports(path) if module.startswith("huggingface_hub")}
    assert importers == {"service.py"}


def test_the_core_names_no_plugin():
    names = {path.name.removeprefix("imgen_") for path in (ROOT / "plugins").iterdir() if path.name[:6] == "imgen_"}
    registered = set(re.findall(r'name="([\w-]+)"', "".join(path.read_text(encoding="utf8") for path in PLUGINS)))
    assert {"sdgan", "sddcgan"} <= names | registered
    named = re.compile("|".join(rf"\b{re.escape(name)}\b" for name in sorted(names | registered)), re.IGNORECASE)
    wrong = []
    for path in CORE:
        for number, line in enumerate(path.read_text(encoding="utf8").splitlines(), 1):
            # A published demonstration may be cited as the source of a rule.
            if named.search(line) and "Source: " not in line:
                wrong.append(f"{where(path, number)}: {line.strip()}")
    assert not wrong, "\n".join(wrong)


def test_only_the_command_line_and_listeners_print():
    wrong = []
    for path in CORE:
        if str(path.relative_to(ROOT)) in PRINTERS or path.parent.name == "commands":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if name in ("print", "click.echo", "click.secho", "echo", "sys.stdout.write", "sys.stderr.write"):
                wrong.append(where(path, node.lineno))
    assert not wrong, "\n".join(wrong)


def test_nothing_unpickles_and_no_text_becomes_code():
    banned_calls = {
        *("eval", "exec", "compile", "__import__", "torch.load", "torch.save", "yaml.load", "yaml.unsafe_load"),
        *("yaml.full_load", "torch.hub.load", "os.system", "torch.jit.load", "joblib.load"),
    }
    banned_modules = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
    wrong = []
    for path in (*CORE, *PLUGINS):
        wrong += [where(path, line) for line, module in imports(path) if module.split(".")[0] in banned_modules]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in banned_calls:
                wrong.append(f"{where(path, node.lineno)}: {ast.unparse(node.func)}")
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False":
                wrong.append(f"{where(path, node.value.lineno)}: allow_pickle")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("argv", "without"),
    [
        (None, ("torch", "pydantic", "numpy", "click", "PIL")),
        (["--help"], ("torch", "pydantic", "numpy", "PIL")),
        (["--version"], ("torch", "pydantic", "numpy", "PIL")),
        (["recipes"], ("torch",)),
        (["algorithms"], ("torch",)),
        (["datasets"], ("torch",)),
        (["losses"], ("torch",)),
        (["plugins"], ("torch",)),
        (["doctor", "--help"], ("torch", "packaging", "huggingface_hub")),
        (["install", "--help"], ("torch", "packaging", "huggingface_hub")),
        (["train", "--help"], ("torch",)),
        (["translate", "--help"], ("torch",)),
        (["traverse", "--help"], ("torch",)),
        (["encode", "--help"], ("torch",)),
        (["evaluate", "--help"], ("torch", "sklearn")),
        (["runs", "--help"], ("torch",)),
        (["new", "plugin", "--help"], ("torch",)),
        (["metrics"], ("torch", "sklearn")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_not_used_is_not_imported(argv, without):
    code = "import sys, json, imgen\n"
    if argv is not None:
        code += f"from imgen.cli import main\nassert main({argv!r}) == 0\n"
    code += "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert not set(without) & set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_a_public_name_gives_it():
    import imgen

    assert all(getattr(imgen, name) is not None for name in imgen.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        imgen.nothing  # noqa: B018
