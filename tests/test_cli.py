"""The command line itself: near misses, exit statuses, errors of one line, help for everything."""

from __future__ import annotations

import errno
import json

import click
import pytest

import imgen.cli
from imgen.errors import Diverged, ImgenError
from imgen.plugins import load


def commands(group: click.Group, path: tuple[str, ...] = ()):
    """Every command by its path."""
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


def test_every_command_and_option_has_help(plugins, cli):
    assert cli("--version").status == 0  # adds the plugins' commands
    found = dict(commands(imgen.cli.cli))
    assert {("train",), ("sample",), ("data", "inspect"), ("data", "pack"), ("info",), ("plugins",)} <= set(found)
    for path, command in found.items():
        assert command.get_short_help_str(), path
        said = cli(*path, "--help")
        assert (said.status, said.err) == (0, ""), path
        assert " ".join(("Usage: imgen", *path)) in said.out
        for parameter in command.params:
            if isinstance(parameter, click.Option) and parameter.name != "unused":
                assert parameter.help, (path, parameter.name)


def test_help_and_version(cli):
    said = cli("--help")
    assert said.status == 0
    assert all(name in said.out for name in ("train", "sample", "data", "info", "plugins", "recipes", "sdgan"))
    assert cli("-h").out == said.out
    assert cli("--version").out == f"imgen, version {imgen.__version__}\n"
    assert cli().out.startswith("Usage: imgen") or cli().err.startswith("Usage: imgen")


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["trian"], "there is no command 'trian'; did you mean 'train'?"),
        (["data", "pcak"], "pcak"),
        (["sample", "--fix-identiy"], "--fix-identity"),
        (["sample", "--seed", "x"], "--seed"),
        (["train"], "which recipe? `imgen recipes` lists those that are installed"),
        (["train", "--steps", "3"], "which recipe?"),
        (["train", "sdbegan", "-s", "steps"], "-s steps: write it as -s KEY=VALUE"),
        (["train", "sdbegan", "what"], "what is 'what'?"),
        (["train", "sdbgan"], "no recipe is called 'sdbgan'; did you mean 'sdbegan'"),
        (["train", "no/such.yaml"], "no/such.yaml: no such file"),
        (["info", "sdbgan"], "nothing is called 'sdbgan'; did you mean 'sdbegan'"),
        (["sample"], "there are no runs under runs/"),
        (["sample", "nowhere"], "nowhere: no such file or run"),
        (["sample", "-n", "3", "--gif"], "-n and --gif exclude each other"),
        (["sample", "-n", "3", "--fix-identity"], "-n draws different pictures"),
        (["sample", "."], "not a run"),
        (["train", "sdbegan", "--device", "tpu", "--root", "x"], "--device tpu: not usable here"),
    ],
)
def test_a_wrong_request_is_status_2_and_names_the_way_out(argv, says, cli, here, tree):
    said = cli(*argv)
    assert said.status == 2
    assert says in said.err and len(said.lines) == 1 and said.err.startswith("imgen")
    assert "Traceback" not in said.err and said.out == ""
    assert tree(here) == {}


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (ImgenError("a.yaml:3: wrong\nb.yaml:4: also"), 2, ["imgen: a.yaml:3: wrong", "imgen: b.yaml:4: also"]),
        (Diverged("step 3: no number"), 1, ["imgen: step 3: no number"]),
        (KeyboardInterrupt(), 130, ["imgen: interrupted"]),
        (
            OSError(errno.ENOSPC, "No space left on device", "x.png"),
            1,
            ["imgen: x.png: No space left on device; free some space and start the same command again"],
        ),
        (PermissionError(errno.EACCES, "Permission denied", "x"), 1, ["imgen: x: Permission denied"]),
        (
            RuntimeError("two\nlines"),
            1,
            ["imgen: unexpected RuntimeError: two lines (--debug shows where)"],
        ),
    ],
)
def test_errors_become_lines_and_statuses(error, status, says, cli, monkeypatch):
    def fail(*args):
        raise error

    monkeypatch.setattr("imgen.plugins.Plugins.registry", fail)
    said = cli("recipes")
    assert (said.status, [line for line in said.lines if line], said.out) == (status, says, "")


COMMAND = """\
import click
from imgen.hookspecs import hookimpl

@hookimpl
def register_commands(cli):
    cli.add_command(trip)

@click.command()
def trip():
    {}["stone"]
"""


def test_an_error_in_a_plugin_names_the_plugin_and_its_line(cli, write_plugin, monkeypatch):
    loaded = load([write_plugin("clumsy", COMMAND)])
    monkeypatch.setattr("imgen.plugins.installed", lambda: loaded)
    said = cli("trip")
    file = write_plugin.home / "stranger_clumsy.py"
    line = 1 + file.read_text().splitlines().index('    {}["stone"]')
    told = f"imgen: plugin 'clumsy': {file}:{line}: KeyError: 'stone' (--debug shows the whole way)"
    assert (said.status, said.lines) == (1, [told])


@pytest.mark.parametrize("where", ["first", "last", "variable"])
def test_debug_shows_the_traceback_wherever_it_stands(where, cli, monkeypatch):
    if where == "variable":
        monkeypatch.setenv("IMGEN_DEBUG", "1")
    argv = {"first": ["--debug", "info", "x"], "last": ["info", "x", "--debug"], "variable": ["info", "x"]}[where]
    with pytest.raises(ImgenError, match="nothing is called 'x'"):
        cli(*argv)


def test_a_reader_that_leaves_early_ends_it_quietly(process):
    running = process("-m", "imgen", "info", "sdbegan")
    running.stdout.close()
    assert running.wait(60) == 1
    assert running.stderr.read() == ""


def test_json_is_one_object_and_nothing_else(cli, tiny):
    for argv in (
        *(["recipes"], ["algorithms"], ["models"], ["datasets"], ["losses"], ["metrics"], ["plugins"]),
        *(["info", "shapes"], ["info", "sdbegan"], ["train", "tiny.yaml", "--dry-run"], ["train", "tiny.yaml"]),
        *(["info", "runs/tiny-0001"], ["sample", "--identities", "2", "--observations", "2"]),
    ):
        said = cli(*argv, "--json")
        assert said.status == 0, said.err
        json.loads(said.out)


def test_paths_go_to_standard_output_and_talk_to_standard_error(cli, tiny, here):
    said = cli("train", tiny)
    assert said.out == "runs/tiny-0001/model.safetensors\n"
    assert "run runs/tiny-0001" in said.lines
    assert "training from step 0 of 4 on cpu" in said.lines
    said = cli("sample", "--fix-identity", "--identities", "2", "--observations", "3")
    assert (here / said.out.strip()).is_file()
    assert said.lines == ["using runs/tiny-0001/model.safetensors"]


def test_settings_are_accepted_in_every_spelling(cli, tiny):
    for spelling in (
        ["-s", "train.save_every=3"],
        ["--set", "save_every=3"],
        ["--save-every", "3"],
        ["--save_every", "3"],
        ["--save-every=3"],
        ["--train.save_every", "3"],
    ):
        said = cli("train", tiny, *spelling, "--dry-run", "--json")
        assert json.loads(said.out)["recipe"]["train"]["save_every"] == 3, spelling
    said = cli("train", tiny, "--siamese", "false", "--tensorboard", "--dry-run", "--json")
    told = json.loads(said.out)["recipe"]
    assert (told["algorithm"]["siamese"], told["train"]["tensorboard"]) == (False, True)


def test_options_may_stand_before_the_recipe(cli, tiny):
    said = cli("train", "--steps", "3", tiny, "--dry-run", "--json")
    assert json.loads(said.out)["recipe"]["train"]["steps"] == 3


def test_a_recipes_own_help(cli, tiny, here):
    said = cli("train", tiny, "--help")
    assert said.status == 0
    rows = {line.split()[0]: line for line in said.out.splitlines() if line.startswith("  ")}
    assert "whole number >= 1" in rows["d_identity"] and " 4 " in rows["d_identity"], "the recipe's own default"
    assert "null" in rows["lr_g"]
    assert "[steps]" in said.out or "steps" in rows["save_every"]
    assert "length of the run" in rows["steps"]
    assert list(here.iterdir()) == [tiny]


def test_a_dry_run_writes_nothing_and_tells_sizes(cli, tiny, here):
    said = cli("train", tiny, "--dry-run")
    assert said.status == 0
    assert "parameters  model: " in said.out and "checkpoint  " in said.out and "memory      " in said.out
    assert "lambda" not in said.out and "critic_steps: 1" in said.out
    assert list(here.iterdir()) == [tiny]
    told = json.loads(cli("train", tiny, "--dry-run", "--json").out)
    assert set(told["parameters"]) == {"model", "d"}
    assert told["activations"] > 0
