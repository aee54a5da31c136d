"""The tutorial of CONTRIBUTING.md, as it stands there: files written, changes made, commands run, in this order."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from written.pages import CONTRIBUTING, Block, blocks, commands

from imgen import plugins as plugins_module

TITLE = "## Your own method, in an hour"
MODULE = "imgen_my_method"

INSTALL = "imgen install -e '.[test]'"
"""The one line that is not run as it stands: pip would change this environment, so what it does is done by hand."""

SMALL = "--steps 3 --width 4 --identities 4 --photos 3 --size 8 --batch 4 --threads 1 --tensorboard false"
ADDED = {r"imgen train ": SMALL, r"imgen evaluate ": "-s pictures=8"}
"""What is added to a line so that it takes a second, by pattern."""


def tutorial() -> list[Block]:
    """The blocks of the tutorial."""
    text = CONTRIBUTING.read_text(encoding="utf8")
    start = text.index(TITLE)
    first = text.count("\n", 0, start) + 1
    last = first + text[start:].count("\n", 0, text[start:].index("\n## "))
    return [block for block in blocks(CONTRIBUTING) if first < block.line <= last]


def change(block: Block) -> None:
    """Make the changes of a block of `diff`; what it names as it was is there, once."""
    head, _, body = block.text.partition("\n")
    path = Path(head.removeprefix("+++ "))
    text = path.read_text(encoding="utf8")
    for hunk in re.split(r"^@@\n", body, flags=re.MULTILINE):
        lines = hunk.splitlines()
        assert all(line[:1] in ("+", "-", " ", "") for line in lines), block.where
        before, after = (
            "".join(f"{line[1:]}\n" for line in lines if line[:1] in kept) for kept in (("-", " ", ""), ("+", " ", ""))
        )
        assert text.count(before) == 1, f"{block.where}: {path} does not have once:\n{before}"
        text = text.replace(before, after)
    path.write_text(text, encoding="utf8")


@pytest.fixture
def anew(here, monkeypatch) -> Iterator[Callable[[], None]]:
    """Makes this process see the plugin as it is now, as a new one would."""
    # Two versions of a file within a second would share their bytecode.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(str(here / "imgen-my-method"))
    monkeypatch.syspath_prepend(str(here / "site"))

    def look_again() -> None:
        for name in [name for name in sys.modules if name.split(".")[0] == MODULE]:
            del sys.modules[name]
        importlib.invalidate_caches()
        plugins_module.installed.cache_clear()

    yield look_again
    look_again()


def install(site: Path) -> None:
    """What pip writes beside a project that is installed as it is worked on."""
    info = site / "imgen_my_method-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: imgen-my-method\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(f"[imgen]\nmy-method = {MODULE}\n")


def run_pytest(folder: Path) -> str:
    """`pytest` in a process of its own, as a reader runs it."""
    paths = os.pathsep.join(str(folder.parent / name) for name in ("site", "imgen-my-method"))
    env = os.environ | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    ran = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=240)
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


def test_the_tutorial_ends_with_a_trained_model_of_the_readers_own_method(here, cli, hub, anew, monkeypatch):
    hub.tokens = dict.fromkeys(hub.tokens, ("user", True))
    told = tutorial()
    lines = [line for block in told if block.language == "" for line in commands(block)]
    assert lines.count(INSTALL) == 1
    for number, block in enumerate(told):
        if block.language == "diff":
            change(block)
        elif block.language == "python":
            path = Path(block.text.partition("\n")[0].removeprefix("# "))
            assert not path.exists() and path.parent.is_dir(), block.where
            path.write_text(block.text, encoding="utf8")
        else:
            assert block.language == "", block.where
            for line in commands(block):
                anew()
                act(line, block, cli, monkeypatch, tested=number > 0)
    assert Path("samples").is_dir() and list(Path("samples").glob("my-method-0002*.png"))
    algorithm = Path(MODULE, "algorithm.py").read_text(encoding="utf8")
    assert '@turn("g", "r")' in algorithm
    assert "my-method" in hub.repos["user/my-method"].files()["README.md"].decode()


def act(line: str, block: Block, cli: Callable, monkeypatch: pytest.MonkeyPatch, *, tested: bool) -> None:
    """Do what a line of the tutorial says. tested: whether pytest is worth its seconds here."""
    words = shlex.split(line + "".join(f" {more}" for pattern, more in ADDED.items() if re.search(pattern, line)))
    if line == INSTALL:
        install(Path("../site"))
    elif words[0] == "cd":
        monkeypatch.chdir(words[1])
    elif words[0] == "pytest":
        # Before anything is changed tests/scaffold/test_journey.py runs it.
        assert not tested or " passed" in run_pytest(Path.cwd())
    else:
        assert words[0] == "imgen", f"{block.where}: who can run this? {line}"
        said = cli(*words[1:])
        assert said.status == 0, f"{block.where}: {line}\n{said.err}"
        if words[1] in ("sample", "traverse", "train") and "--dry-run" not in words:
            assert said.out and all(Path(path).exists() for path in said.out.splitlines()), line
