"""`imgen new plugin`: what it writes, under which names, and what it refuses."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from imgen import __version__
from imgen.errors import PluginError
from imgen.plugins import installed
from imgen.scaffold import KINDS, Project, check, write

ROOT = Path(__file__).parents[2]
MODULES = {"gan": ("__init__", "networks", "algorithm", "paper"), "metric": ("__init__", "metric")}
NAMES = ["my-method", "x", "gan-2", "a3b-4c", "n" * 25, "a-" * 12 + "b"]
PARTS = ("pyproject.toml", "README.md", "LICENSE", ".gitignore", ".github/workflows/tests.yml")


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.mark.parametrize("name", NAMES)
def test_every_file_is_whole_whatever_the_name(kind, name):
    project = Project(name, kind)
    check(project, installed())
    files = project.files()
    module = f"imgen_{name.replace('-', '_')}"
    modules = {f"{module}/{part}.py" for part in MODULES[kind]}
    recipes = {f"{module}/{name}.yaml"} if kind == "gan" else set()
    assert set(files) == {*PARTS, *modules, *recipes, f"{module}/py.typed", f"tests/test_{module}.py"}
    for path, text in files.items():
        assert "%%" not in text and "TODO" not in text, path
        if path.endswith(".py"):
            ast.parse(text)
    for recipe in recipes:
        assert yaml.safe_load(files[recipe])["algorithm"]["name"] == name


def test_what_pip_and_imgen_read_agrees(kind):
    files = Project("my-method", kind).files()
    told = tomllib.loads(files["pyproject.toml"])
    assert told["project"]["name"] == "imgen-my-method"
    assert told["project"]["dependencies"] == [f"imgen>={__version__}"]
    assert told["project"]["entry-points"] == {"imgen": {"my-method": "imgen_my_method"}}
    assert "imgen-plugin" in told["project"]["keywords"]
    workflow = yaml.safe_load(files[".github/workflows/tests.yml"])
    assert workflow["jobs"]["tests"]["strategy"]["matrix"]["python"] == ["3.11", "3.13"]


def test_it_is_held_to_our_own_style(kind):
    """What ruff and mypy ask of imgen they ask of a plugin."""
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["tool"]
    theirs = tomllib.loads(Project("my-method", kind).files()["pyproject.toml"])["tool"]
    assert theirs["ruff"]["lint"] == ours["ruff"]["lint"]
    assert theirs["ruff"]["line-length"] == ours["ruff"]["line-length"]
    places = {"files", "mypy_path", "python_version"}
    assert {k: v for k, v in theirs["mypy"].items() if k not in places} == {
        k: v for k, v in ours["mypy"].items() if k not in places
    }


def tool(name: str) -> list[str]:
    """The command of a tool of this environment; the test is skipped without it."""
    if subprocess.run([sys.executable, "-m", name, "--version"], capture_output=True).returncode:
        pytest.skip(f"{name} is not installed; it comes with the extra 'dev'")
    return [sys.executable, "-m", name]


@pytest.fixture(scope="module")
def projects(tmp_path_factory) -> Path:
    """A folder of projects: every kind under every name."""
    folder = tmp_path_factory.mktemp("projects")
    for kind in KINDS:
        for name in NAMES:
            write(Project(name, kind), folder / f"{kind}-{name}")
    return folder


@pytest.mark.parametrize("what", [("format", "--check"), ("check",)], ids="-".join)
def test_ruff_finds_nothing(projects, what):
    done = subprocess.run([*tool("ruff"), *what, "--no-cache", projects], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_mypy_finds_nothing(projects, kind):
    # What `make types` has read of torch is read once.
    options = ["--cache-dir", ROOT / ".mypy_cache", "--python-version", "3.11"]
    env = os.environ | {"MYPYPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}"}
    where = projects / f"{kind}-my-method"
    done = subprocess.run([*tool("mypy"), *options], cwd=where, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert f"{len(MODULES[kind])} source files" in done.stdout


def test_the_command_tells_paths_and_what_comes_next(cli, tree):
    said = cli("new", "plugin", "my-method")
    assert said.status == 0, said.err
    written = {
        f"imgen-my-method/{path}" for path, content in tree(Path("imgen-my-method")).items() if content != b"folder"
    }
    assert set(said.out.splitlines()) == written == {f"imgen-my-method/{path}" for path in Project("my-method").files()}
    for step in ("cd imgen-my-method", "imgen install -e", "pytest", "imgen train my-method", "imgen sample"):
        assert step in said.err
    assert [path.name for path in Path().iterdir()] == ["imgen-my-method"]


def test_it_imports_no_torch(process):
    code = "import sys; from imgen.cli import main; sys.exit(main(['new', 'plugin', 'mine']) or 'torch' in sys.modules)"
    running = process("-c", code)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 0, err


def test_as_json(cli):
    told = json.loads(cli("new", "plugin", "my-method", "--out", "deep/er", "--json").out)
    assert (told["package"], told["module"], told["folder"]) == ("imgen-my-method", "imgen_my_method", "deep/er")
    assert all(Path(path).is_file() for path in told["files"])
    assert told["next"][0] == "cd deep/er"


def test_an_empty_folder_is_filled_and_any_other_left_alone(cli, tree):
    Path("project").mkdir()
    assert cli("new", "plugin", "my-method", "--out", "project").status == 0
    before = tree(Path())
    said = cli("new", "plugin", "other", "--out", "project")
    assert (said.status, said.out, len(said.lines)) == (2, "", 1)
    assert "project: exists already and is not empty" in said.err
    said = cli("new", "plugin", "other", "--out", "project/README.md")
    assert (said.status, said.out, len(said.lines)) == (2, "", 1)
    assert "project/README.md: a file" in said.err
    assert tree(Path()) == before


def test_it_appears_whole_or_not_at_all(here, monkeypatch):
    real, written = Path.write_text, []

    def full(path: Path, text: str, **options) -> int:
        written.append(path)
        if len(written) > 4:
            raise OSError(28, "No space left on device")
        return real(path, text, **options)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError):
        write(Project("my-method"), here / "project")
    assert not list(here.iterdir())


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("My_Method", "such as 'my-method'"),
        ("MyMethod", "such as 'my-method'"),
        ("my method", "such as 'my-method'"),
        ("imgen-mine", "such as 'mine'"),
        ("3d-gan", "such as 'd-gan'"),
        ("../escape", "such as 'escape'"),
        ("a--b", "such as 'a-b'"),
        ("-", "such as 'my-method'"),
        ("é", "kebab-case"),
        ("x" * 26, "has 26 letters; a name has 25 at most"),
        ("class", "means something else in Python or imgen"),
        ("none", "means something else in Python or imgen"),
        ("generator", "such as 'generator-gan'"),
        ("quickstart", "'quickstart' is a recipe of the plugin imgen"),
        ("shapes", "'shapes' is a dataset of the plugin imgen"),
        ("sdgan", "a plugin 'sdgan' (imgen"),
        ("discogan", "a plugin 'discogan' (imgen"),
        ("sddcgan", "'sddcgan' is an algorithm of the plugin sdgan"),
        ("infogan-cr", "choose another name"),
    ],
)
def test_a_name_that_will_not_do_is_refused_in_a_line(cli, name, told):
    said = cli("new", "plugin", "--", name)
    assert (said.status, said.out, len(said.lines)) == (2, "", 1)
    assert told in said.err
    assert not list(Path().iterdir())


def test_a_module_that_is_there_already_is_not_hidden(write_plugin):
    (write_plugin.home / "imgen_taken.py").write_text("")
    with pytest.raises(PluginError, match="module 'imgen_taken' is installed already"):
        check(Project("taken"), installed())


def test_unknown_kinds_are_answered_with_those_that_there_are(cli):
    said = cli("new", "plugin", "my-method", "--kind", "diffusion")
    assert (said.status, said.out, len(said.lines)) == (2, "", 1)
    assert all(kind in said.err for kind in KINDS)
