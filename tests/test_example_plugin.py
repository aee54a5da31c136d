"""A stranger's plugin, installed by pip beside the tests' own environment: listed, trained, sampled, silenced."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "example_plugin"
TINY = ["--steps", "3", "--dim", "4", "--count", "20", "--size", "8", "--batch", "4", "--tensorboard", "false"]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The plugin as pip installs it, in a folder that only some processes see."""
    folder = tmp_path_factory.mktemp("example")
    # pip builds in the source folder, and the checkout must stay as it is.
    shutil.copytree(SOURCE, folder / "source", ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", folder / "site"]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, folder / "source"], check=True)
    return folder / "site"


@pytest.fixture
def imgen(site, real_cli) -> Callable:
    """Runs `imgen ...` where the plugin is installed."""

    def run(*argv, **env):
        return real_cli(*argv, PYTHONPATH=str(site), **env)

    return run


@pytest.fixture(scope="module")
def trained(site, tmp_path_factory) -> Path:
    """The folder of a run of its recipe, three steps long."""
    folder = tmp_path_factory.mktemp("example_run")
    env = os.environ | {"PYTHONPATH": str(site), "IMGEN_CACHE": str(folder / "cache")}
    command = [sys.executable, "-m", "imgen", "train", "toy-dcgan", *TINY]
    ran = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "runs/toy-dcgan-0001/model.safetensors\n"
    return folder / "runs/toy-dcgan-0001"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("algorithms", "toy-dcgan"),
        ("models", "toy-dcgan"),
        ("datasets", "toy-discs"),
        ("losses", "toy-margin"),
        ("recipes", "toy-dcgan"),
    ],
)
def test_it_is_listed(imgen, kind, name):
    (found,) = [entry for entry in json.loads(imgen(kind, "--json").out) if entry["name"] == name]
    assert found["plugin"] == "toy-dcgan"
    assert found["summary"]


def test_it_is_among_the_plugins(imgen):
    (found,) = [each for each in json.loads(imgen("plugins", "--json").out) if each["name"] == "toy-dcgan"]
    assert (found["package"], found["version"], found["state"]) == ("imgen-toy-dcgan", "0.1.0", "loaded")
    assert len(found["hooks"]) == 5


def test_it_does_not_slow_the_start(imgen, site, process):
    code = "import sys; from imgen.cli import main; main(['--help']); sys.exit('torch' in sys.modules)"
    running = process("-c", code, PYTHONPATH=str(site))
    _, err = running.communicate(timeout=60)
    assert running.returncode == 0, err


def test_its_recipe_trains_and_its_model_is_sampled(imgen, trained):
    said = imgen("sample", trained, "-n", "5", "--out", "sheet.png")
    assert (said.status, said.out) == (0, "sheet.png\n"), said.err
    assert Path("sheet.png").stat().st_size > 0


def test_any_registered_loss_can_take_the_place_of_its_own(imgen):
    said = imgen("train", "toy-dcgan", "--loss", "hinge", "--dry-run", "--json")
    assert said.status == 0, said.err
    assert json.loads(said.out)["recipe"]["algorithm"]["loss"] == "hinge"
    said = imgen("train", "toy-dcgan", "--loss", "toy-marign")
    assert said.status == 2
    assert "'toy-margin'" in said.err


def test_a_code_that_it_lacks_is_answered_with_those_that_it_has(imgen, trained):
    said = imgen("sample", trained, "--fix-identity")
    assert (said.status, said.out) == (2, "")
    assert len(said.lines) == 1
    assert "'identity'" in said.err and "'latent'" in said.err


def test_silenced_it_is_gone_and_its_weights_say_what_to_install(imgen, trained):
    said = imgen("algorithms", "--json", IMGEN_PLUGINS="-toy-dcgan")
    assert "toy-dcgan" not in said.out
    (info,) = [
        each
        for each in json.loads(imgen("plugins", "--json", IMGEN_PLUGINS="-toy-dcgan").out)
        if each["name"] == "toy-dcgan"
    ]
    assert info["state"] == "silenced"
    said = imgen("sample", trained, IMGEN_PLUGINS="-toy-dcgan")
    assert (said.status, said.out) == (2, "")
    assert len(said.lines) == 1
    assert "imgen-toy-dcgan 0.1.0" in said.err


def test_its_own_tests_pass(site, tmp_path):
    shutil.copytree(SOURCE / "tests", tmp_path / "tests")
    env = os.environ | {"PYTHONPATH": str(site)}
    # Of its own folder alone, with none of the options of imgen's suite.
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", "."]
    ran = subprocess.run([*command, "tests"], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout
    assert " passed" in ran.stdout and "skipped" not in ran.stdout
