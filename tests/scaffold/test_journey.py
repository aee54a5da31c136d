"""A plugin from the first command to the last, in an environment of its own; and plugins that break beside others."""

from __future__ import annotations

import json
import os
import site
import subprocess
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from imgen.scaffold import Project, write

OFFLINE = {"PIP_NO_BUILD_ISOLATION": "false", "PIP_NO_INDEX": "true", "PIP_DISABLE_PIP_VERSION_CHECK": "true"}
"""pip builds with what is here and asks no index. Its first option means the opposite of what it says."""
TINY = ["--width", "4", "--identities", "10", "--size", "8", "--batch", "4", "--tensorboard", "false"]


@dataclass(frozen=True)
class Said:
    """What a command came to. lines: of standard error."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.err.splitlines()


@dataclass(frozen=True)
class Environment:
    """A new virtual environment that sees the packages of this one, and a working folder."""

    python: Path
    folder: Path

    def run(self, *argv: str | Path, cwd: str = ".") -> Said:
        """`python ...` there."""
        env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | OFFLINE
        done = subprocess.run(
            [self.python, *argv], cwd=self.folder / cwd, env=env, capture_output=True, text=True, timeout=240
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def imgen(self, *argv: str | Path, cwd: str = ".") -> Said:
        """`imgen ...` there."""
        return self.run("-m", "imgen", *argv, cwd=cwd)

    def plugins(self) -> dict[str, dict[str, str]]:
        """What `imgen plugins` lists, by name."""
        return {each["name"]: each for each in json.loads(self.imgen("plugins", "--json").out)}

    def write(self, project: Project, of: str, change: Callable[[str], str]) -> Path:
        """Write a project, one file of which is changed; gives its folder."""
        source = self.folder / f"source-{project.name}"
        write(project, source)
        before = (source / of).read_text(encoding="utf8")
        assert change(before) != before
        (source / of).write_text(change(before), encoding="utf8")
        return source

    def add(self, *sources: Path) -> None:
        """Install projects by pip."""
        done = self.run("-m", "pip", "install", "--quiet", "--no-deps", *sources)
        assert done.status == 0, done.err


@pytest.fixture
def environment(tmp_path) -> Environment:
    # Without a pip of its own, which takes seconds to copy: this one's works on any environment whose Python runs it.
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    (packages,) = (tmp_path / "env").glob("lib/python*/site-packages")
    homes = [home for home in site.getsitepackages() if Path(home).is_dir()]
    lines = [f"import site; site.addsitedir({home!r})\n" for home in homes]
    (packages / "beside.pth").write_text("".join(lines))
    (tmp_path / "work").mkdir()
    return Environment(tmp_path / "env/bin/python", tmp_path / "work")


def test_from_the_first_command_to_the_last(environment):
    imgen = environment.imgen
    made = imgen("new", "plugin", "my-method")
    assert made.status == 0, made.err
    installed = imgen("install", "-e", ".", cwd="imgen-my-method")
    assert installed.status == 0, installed.err
    listed = environment.plugins()["my-method"]
    assert (listed["package"], listed["version"], listed["state"]) == ("imgen-my-method", "0.1.0", "loaded")

    tested = environment.run("-m", "pytest", "-q", cwd="imgen-my-method")
    assert tested.status == 0, tested.out
    assert " passed" in tested.out and "skipped" not in tested.out

    trained = imgen("train", "my-method", "--steps", "3", *TINY)
    assert (trained.status, trained.out) == (0, "runs/my-method-0001/model.safetensors\n"), trained.err
    sampled = imgen("sample", "-n", "5", "--out", "sheet.png")
    assert (sampled.status, sampled.out) == (0, "sheet.png\n"), sampled.err

    removed = imgen("uninstall", "--yes", "my-method")
    assert removed.status == 0, removed.err
    assert "my-method" not in environment.plugins()
    refused = imgen("sample", "runs/my-method-0001")
    assert (refused.status, refused.out, len(refused.lines)) == (2, "", 1)
    assert "imgen-my-method" in refused.err
    others = imgen("recipes")
    assert (others.status, others.err) == (0, ""), others.err
    assert "quickstart" in others.out and "my-method" not in others.out


def test_whatever_a_plugin_does_all_else_works(environment):
    """One fails when it is imported, one is for a later imgen, one takes a name that another has."""
    project, version = "pyproject.toml", 'version = "0.1.0"'
    changes = (
        (Project("fine"), project, lambda text: text.replace(version, version.replace("0.1", "1.1"))),
        (Project("failing"), "imgen_failing/__init__.py", lambda text: f"{text}\n1 / 0\n"),
        (Project("later"), project, lambda text: text.replace('"imgen>=', '"imgen>=99", "imgen>=')),
        (Project("other"), "imgen_other/__init__.py", lambda text: text.replace('name="other"', 'name="fine"')),
        (Project("my-metric", "metric"), project, lambda text: text.replace(version, version.replace("0.1", "2.0"))),
    )
    environment.add(*(environment.write(*each) for each in changes))

    listed = environment.plugins()
    assert listed["fine"]["state"] == listed["sdgan"]["state"] == "loaded"
    assert listed["failing"]["state"] == "broken" and "ZeroDivisionError" in listed["failing"]["problem"]
    assert listed["later"]["state"] == "needs newer imgen" and "imgen>=99" in listed["later"]["problem"]
    assert listed["other"]["state"] == "loaded"

    told = (
        "plugin 'failing' (imgen-failing 0.1.0) was not loaded",
        "plugin 'later' (imgen-later 0.1.0) was not loaded",
    )
    for command in (["--help"], ["losses"], ["recipes"]):
        said = environment.imgen(*command)
        assert said.status == 0, said.err
        assert [line for line in said.lines if line.startswith("imgen: warning: ")]
        for each in told:
            assert sum(each in line for line in said.lines) == 1, (command, each)
    taken = environment.imgen("algorithms", "--json")
    (owner,) = [each["plugin"] for each in json.loads(taken.out) if each["name"] == "fine"]
    assert owner == "fine"
    (clash,) = [line for line in taken.lines if "'fine'" in line]
    assert "plugin 'other'" in clash and "the first one keeps it" in clash

    trained = environment.imgen("train", "fine", "--steps", "3", *TINY)
    assert (trained.status, trained.out) == (0, "runs/fine-0001/model.safetensors\n"), trained.err
    _measure(environment, "runs/fine-0001")
    gone = environment.imgen("uninstall", "--yes", "failing", "imgen-later", "other")
    assert gone.status == 0, gone.err
    assert {"failing", "later", "other"}.isdisjoint(environment.plugins())
    assert environment.imgen("losses").err == ""


def _measure(environment: Environment, run: str) -> None:
    """A scaffolded metric passes its tests and measures a model of another plugin."""
    tested = environment.run("-m", "pytest", "-q", cwd="source-my-metric")
    assert tested.status == 0, tested.out
    assert " passed" in tested.out and "skipped" not in tested.out
    told = environment.imgen("evaluate", run, "-m", "my-metric", "-s", "pictures=20", "--json")
    assert told.status == 0, told.err
    assert '"generated"' in told.out and "share of black to white" in told.out
