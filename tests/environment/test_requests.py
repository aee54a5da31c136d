"""Wrong requests of `imgen install` and `imgen uninstall`: one line each, before pip is started."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from imgen.environment import installing
from imgen.environment.managers import manager

BROKEN = "raise ValueError"


@pytest.fixture(autouse=True)
def _no_pip(installed_by, monkeypatch):
    def never(*args):
        raise AssertionError("pip was started")

    monkeypatch.setattr(installing, "_run", never)


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["install"], "imgen install: which package? give its name, -e FOLDER, or -r FILE"),
        (["install", "-U", "imgen"], "this command leaves imgen itself as it is; for another one: "),
        (["install", "Imgen==9"], "'Imgen==9': this command leaves imgen itself as it is"),
        (["install", "imgen[metrics] >= 2"], "this command leaves imgen itself as it is"),
        (["install", "imgen @ https://example.org/x.whl"], "this command leaves imgen itself as it is"),
        (
            ["install", "--", "--target=x", "dots"],
            "'--target=x' is no package; options of pip go into its own settings",
        ),
        (["install", "-e", "--pre"], "'--pre' is no package"),
        (["install", "./nowhere"], "imgen install: ./nowhere: no such file or folder"),
        (["install", "some/where[extra]"], "imgen install: some/where[extra]: no such file or folder"),
        (["install", "-e", "nowhere"], "imgen install: nowhere: no such file or folder"),
        (["install", "-r", "no.txt"], "imgen install: no.txt: no such file or folder"),
        (["uninstall", "imgen", "-y"], "imgen does not uninstall itself; do it with: "),
        (["uninstall", "sdgan", "-y"], "comes with imgen and cannot be uninstalled; IMGEN_PLUGINS=-sdgan silences it"),
        (["uninstall", "numpy", "-y"], "'numpy' brings no plugin of imgen, so it is left alone"),
        (["uninstall", "dosts", "-y"], "no plugin or package is called 'dosts'; did you mean 'dots'?"),
        (["uninstall", "dots"], "-y uninstalls imgen-dots without asking"),
    ],
)
def test_a_wrong_request(argv, says, cli, write_plugin, monkeypatch):
    write_plugin("dots", BROKEN, package="imgen-dots")
    said = cli(*argv)
    assert (said.status, said.out, len(said.lines)) == (2, "", 1), said.err
    assert says in said.err


def test_extras_of_imgen_may_be_installed():
    request = installing.Request(("imgen[metrics]",))
    assert installing.plan(request, manager())[0][-1] == "imgen[metrics]"


@pytest.mark.parametrize(
    "package",
    [
        *("dots", "dots[x]>=1,<2; python_version > '3'", ".", "folder", "./folder[x]", "a-1-py3-none-any.whl"),
        *("git+https://example.org/a.git@v1", "dots @ https://example.org/d.whl", "dots@file:///src/a", "file:folder"),
    ],
)
def test_what_pip_takes_is_passed_on(package, here):
    (here / "folder").mkdir()
    assert installing.plan(installing.Request((package,)), manager())[0][-1] == package


def test_a_plugin_of_two_packages_is_named_by_its_package(cli, write_plugin):
    write_plugin("dots", BROKEN, package="first-dots")
    write_plugin("dots", BROKEN, package="second-dots")
    said = cli("uninstall", "-y", "dots")
    assert said.lines == ["imgen: 'dots' is a plugin of several packages: name one of first-dots, second-dots"]
    assert installing.packages_of(["Second.Dots"], manager()) == ["second-dots"]


def test_what_stays_is_written_down():
    with installing._constraints() as file:
        lines = Path(file).read_text().splitlines()
    assert lines[:2] == [f"imgen=={version('imgen')}", f"torch=={version('torch')}"]
    assert "numpy>=2" in lines
    assert not [line for line in lines if "[" in line or "extra" in line]


@pytest.mark.parametrize(
    ("said", "gist"),
    [
        ([], "it said nothing"),
        (["", "Segmentation fault", ""], "Segmentation fault"),
        (["ERROR: Could not find a version", "ERROR: No matching distribution"], "Could not find a version"),
        (
            [
                "The conflict is caused by:",
                "    a 1.0 depends on b<2",
                "    The user requested (constraint) b==3",
                "",
                "x",
            ],
            "a 1.0 depends on b<2; b==3 stays as it is; these cannot be together in one environment",
        ),
        (["ERROR: \x1b[31mred\x1b[0m"], "[31mred [0m"),
    ],
)
def test_the_gist_of_what_pip_says(said, gist):
    assert installing.gist(said) == gist


def test_what_pip_leaves_alone_is_told(cli, write_plugin, monkeypatch):
    write_plugin("dots", BROKEN, package="imgen-dots")
    monkeypatch.setattr(installing, "_run", lambda command, say: None)
    said = cli("uninstall", "-y", "dots")
    assert (said.status, said.out, len(said.lines)) == (1, "", 1)
    assert said.err.startswith(f"imgen: 'imgen-dots' is still here, at {write_plugin.home}")
