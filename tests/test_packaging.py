"""What is shipped: the wheel's files, its entry points, the tested versions, and a tidy top of the repository."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import imgen
from imgen.plugins import installed

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
TOP = {"imgen", "plugins", "recipes", "tests", "pyproject.toml", "README.md", "CHANGELOG.md", "constraints.txt"}
TOP |= {"Makefile", "CONTRIBUTING.md", "LICENSE"}
MADE = {"build", "dist", "runs", "samples", "__pycache__"}
"""What tools leave at the top, and git ignores."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> set[str]:
    """The names of the files in the wheel that this checkout makes."""
    folder = tmp_path_factory.mktemp("wheel")
    # Built from a copy, for building writes beside the sources.
    unwanted = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", *MADE)
    shutil.copytree(ROOT, folder / "source", symlinks=True, ignore=unwanted)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, folder / "source"], check=True)
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as file:
        return set(file.namelist())


def below(folder: str, pattern: str) -> set[str]:
    return {path.relative_to(ROOT / folder).as_posix() for path in (ROOT / folder).rglob(pattern)}


def test_the_wheel_holds_the_core_the_papers_and_the_recipes(wheel):
    assert {f"imgen/{name}" for name in below("imgen", "*.py")} <= wheel
    assert below("plugins", "*.py") <= wheel
    recipes = below("recipes", "*.yaml")
    assert recipes and {f"imgen/recipes/{name}" for name in recipes} <= wheel
    assert {f"imgen/{name}" for name in below("imgen", "*.template")} <= wheel
    assert "imgen/py.typed" in wheel
    assert any(re.fullmatch(r"imgen-.*\.dist-info/licenses/LICENSE", name) for name in wheel)


def test_the_wheel_holds_nothing_else(wheel):
    tops = {name.partition("/")[0] for name in wheel}
    papers = {path.name for path in (ROOT / "plugins").iterdir() if (path / "__init__.py").is_file()}
    assert tops == {"imgen", *papers, f"imgen-{imgen.__version__}.dist-info"}
    code = {name for name in wheel if not name.endswith(".template")}
    assert not [name for name in code if "test_" in name or "conftest" in name]


def test_every_paper_has_an_entry_point_and_is_loaded():
    points = PROJECT["entry-points"]["imgen"]
    papers = {path.parent.name for path in (ROOT / "plugins").glob("*/__init__.py")}
    assert set(points.values()) == papers
    assert points == {
        info.name: info.source for info in installed().infos if info.package == "imgen" and info.name != "imgen"
    }
    assert {info.state for info in installed().infos} == {"loaded"}


def test_one_version():
    assert imgen.__version__ == PROJECT["version"]


def test_the_tested_versions_cover_what_is_required():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9.a-z]*", pin) for pin in pins), "name==version, normalised"
    names = [pin.partition("==")[0] for pin in pins]
    assert names == sorted(set(names))
    extras = PROJECT["optional-dependencies"]
    wanted = {
        re.sub(r"[-_.]+", "-", re.split(r"[<>=\[ ]", each)[0]).lower()
        for each in [*PROJECT["dependencies"], *extras["test"], *extras["dev"]]
    }
    assert wanted - {"imgen"} <= set(names)


def test_the_top_of_the_repository_is_tidy():
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert {name for name in found - MADE if not name.endswith(".egg-info")} <= TOP


def test_the_recipes_in_the_package_are_those_at_the_top():
    assert (ROOT / "imgen/recipes").resolve() == ROOT / "recipes"
