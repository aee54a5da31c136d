"""Whose environment it is: the marks that uv and pipx leave, and the commands that they are then asked with."""

from __future__ import annotations

import importlib.util
import json
import sys
import sysconfig

import pytest

from imgen.environment.managers import Request, manager

RECEIPT = """\
[tool]
requirements = [
    { name = "imgen", extras = ["metrics"], specifier = ">=0.1" },
    { name = "imgen-dots", specifier = ">=1,<2" },
    { name = "imgen-rings", editable = "/src/my rings" },
    { name = "imgen-bars", git = "https://example.org/bars.git?subdirectory=python&rev=v1" },
    { name = "imgen-rows", directory = "/src/rows" },
    { name = "imgen-odd", url = "https://example.org/odd-1.0-py3-none-any.whl", marker = "python_version < '4'" },
]
python = "3.11"
entrypoints = [
    { name = "imgen", install-path = "/home/x/.local/bin/imgen", from = "imgen" },
]
"""
KEPT = (
    "uv tool install --python 3.11 'imgen[metrics]>=0.1' --with 'imgen-dots>=1,<2' --with-editable '/src/my rings' "
    "--with 'imgen-bars@git+https://example.org/bars.git@v1#subdirectory=python' --with /src/rows "
    "--with 'imgen-odd@https://example.org/odd-1.0-py3-none-any.whl; python_version < '\"'\"'4'\"'\"''"
)


@pytest.fixture(autouse=True)
def _places(here):
    """The files and folders that the requests name."""
    for name in ("a b", "rings", "here", "a.txt", "c.txt"):
        (here / name).touch()


@pytest.fixture
def uv_venv(installed_by):
    (installed_by / "pyvenv.cfg").write_text(
        "home = /usr/bin\nimplementation = CPython\nuv = 0.13.9\nversion_info = 3.11.7\n"
    )
    return installed_by


@pytest.fixture
def pipx(uv_venv):
    """As pipx makes it with uv, which leaves uv's mark too."""
    metadata = {"environment": "imgen-beta", "main_package": {"package": "imgen"}, "injected_packages": {}}
    (uv_venv / "pipx_metadata.json").write_text(json.dumps(metadata))


@pytest.fixture
def uv_tool(uv_venv):
    (uv_venv / "uv-receipt.toml").write_text(RECEIPT)
    return uv_venv


def commands(cli, *argv: str) -> str:
    """The commands that one is told to use instead."""
    said = cli(*argv)
    assert (said.status, said.out, len(said.lines)) == (2, "", 1), said.err
    line = said.lines[0]
    assert "nothing was " in line
    return line.partition("; do it with: ")[2]


def test_uv(uv_venv, cli):
    base = f"uv pip install --python {sys.executable}"
    assert commands(cli, "install", "imgen-dots") == f"{base} imgen-dots"
    assert commands(cli, "install", "-U", "imgen-dots[x]>=1") == (
        f"{base} --upgrade-package imgen-dots 'imgen-dots[x]>=1'"
    )
    assert commands(cli, "install", "--pre", "-e", "a b", "-r", "c.txt", "--index-url", "https://i") == (
        f"{base} --prerelease=allow --index-url https://i -e 'a b' -r c.txt"
    )


def test_a_project_of_uv(uv_venv, cli):
    (uv_venv.parent / "uv.lock").write_text("version = 1\n")
    at = f"--project {uv_venv.parent}"
    assert commands(cli, "install", "imgen-dots") == f"uv add {at} imgen-dots"
    assert commands(cli, "install", "imgen-dots", "-e", "rings") == (
        f"uv add {at} imgen-dots && uv add {at} --editable rings"
    )


def test_a_tool_of_uv_is_told_of_all_that_it_has(uv_tool, cli):
    assert commands(cli, "install", "imgen-new") == f"{KEPT} --with imgen-new"
    assert commands(cli, "install", "imgen_dots==1.5") == (
        KEPT.replace(" --with 'imgen-dots>=1,<2'", "") + " --with imgen_dots==1.5"
    )
    assert commands(cli, "install", "-e", "here") == f"{KEPT} --with-editable here"


@pytest.mark.parametrize("broken", ["", "[tool", "[tool]\nrequirements = 3\n", "tool = 1\n"])
def test_a_receipt_that_cannot_be_read_names_imgen_alone(uv_tool, cli, broken):
    (uv_tool / "uv-receipt.toml").write_text(broken)
    assert commands(cli, "install", "x") == "uv tool install imgen --with x"


def test_pipx(pipx, cli):
    assert commands(cli, "install", "imgen-dots") == "pipx inject imgen-beta imgen-dots"
    assert commands(cli, "install", "-U", "-r", "a.txt") == "pipx inject --force -r a.txt imgen-beta"
    assert commands(cli, "install", "-e", "here") == "pipx inject --editable imgen-beta here"


def test_an_installed_plugin_is_removed_in_their_words(uv_tool, cli, write_plugin):
    write_plugin("rings", "1 / 0", package="imgen-rings")
    assert commands(cli, "uninstall", "rings") == KEPT.replace(" --with-editable '/src/my rings'", "")
    (uv_tool / "uv-receipt.toml").unlink()
    assert commands(cli, "uninstall", "rings") == f"uv pip uninstall --python {sys.executable} imgen-rings"
    (uv_tool.parent / "uv.lock").touch()
    assert commands(cli, "uninstall", "rings") == f"uv remove --project {uv_tool.parent} imgen-rings"
    (uv_tool / "pipx_metadata.json").write_text("{}")
    assert commands(cli, "uninstall", "rings") == "pipx uninject env imgen-rings"


def test_the_systems_python(installed_by, cli, monkeypatch, tmp_path):
    (installed_by / "pyvenv.cfg").unlink()
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    (tmp_path / "EXTERNALLY-MANAGED").write_text("[externally-managed]\nError=no\n")
    assert commands(cli, "install", "x") == "python3 -m venv .venv && .venv/bin/pip install imgen x"
    monkeypatch.setenv("PIP_BREAK_SYSTEM_PACKAGES", "1")
    assert manager().runs, "as whoever builds a container may have said"


def test_no_pip(installed_by, cli, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    python = sys.executable
    assert commands(cli, "install", "x") == f"{python} -m ensurepip && {python} -m pip install x"


def test_pip_is_run_by_imgen(installed_by):
    owner = manager()
    assert (owner.name, owner.runs) == ("pip", True)
    request = Request(("a", "b"), ("c",), ("d.txt",), upgrade=True, pre=True, index_url="https://i")
    (command,) = owner.install(request)
    words = ["-U", "--pre", "--index-url", "https://i", "-e", "c", "-r", "d.txt", "a", "b"]
    assert command == [sys.executable, "-m", "pip", "install", *words]


def test_a_dry_run_prints_the_command(installed_by, cli, write_plugin):
    said = cli("install", "-n", "imgen-dots")
    assert (said.status, said.out, said.err) == (0, f"{sys.executable} -m pip install imgen-dots\n", "")
    write_plugin("rings", "1 / 0", package="imgen-rings")
    said = cli("uninstall", "-n", "rings")
    assert said.out == f"{sys.executable} -m pip uninstall --yes imgen-rings\n"
