"""The listing commands and `imgen info`."""

from __future__ import annotations

import json

import pytest


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("recipes", {"sddcgan", "sdbegan"}),
        ("algorithms", {"sddcgan", "sdbegan"}),
        ("models", {"sddcgan", "sdbegan"}),
        ("datasets", {"images", "identities", "shapes"}),
        ("losses", {"logistic", "least-squares", "wasserstein", "hinge"}),
        ("metrics", {"drawn-identity"}),
    ],
)
def test_listings_name_plugin_and_summary(kind, names, cli):
    told = json.loads(cli(kind, "--json").out)
    assert names <= {entry["name"] for entry in told}
    assert all(entry["summary"] and entry["plugin"] for entry in told)
    said = cli(kind)
    assert said.status == 0
    assert said.out.splitlines()[0].split()[:2] == ["NAME", "PLUGIN"]
    for entry in told:
        assert any(line.split()[0] == entry["name"] and entry["summary"] in line for line in said.out.splitlines())


def test_plugins_show_name_version_source_hooks_and_state(cli):
    told = {info["name"]: info for info in json.loads(cli("plugins", "--json").out)}
    assert told["imgen"]["state"] == told["sdgan"]["state"] == "loaded"
    assert told["sdgan"]["package"] == "imgen" and told["sdgan"]["source"] == "imgen_sdgan"
    assert told["sdgan"]["hooks"] == ["register_algorithms", "register_commands", "register_models"]
    assert "register_algorithms" in cli("plugins").out


def test_info_on_what_is_registered(cli):
    said = cli("info", "shapes")
    assert "identities" in said.out and "whole number >= 1" in said.out
    told = json.loads(cli("info", "shapes", "--json").out)
    assert told["kind"] == "dataset"
    assert {"name", "type", "default", "required", "unit", "meaning"} == set(told["settings"][0])
    both = json.loads(cli("info", "sdbegan", "--json").out)
    assert [about["kind"] for about in both] == ["algorithm", "model", "recipe"]


def test_info_on_a_plugin(cli):
    told = json.loads(cli("info", "sdgan", "--json").out)
    assert (told["source"], told["state"]) == ("imgen_sdgan", "loaded")


@pytest.mark.parametrize("name", ["shapes", "images", "identities", "sddcgan", "sdbegan", "hinge", "drawn-identity"])
def test_info_on_everything(name, cli):
    said = cli("info", name)
    assert (said.status, said.err) == (0, "")
    assert json.loads(cli("info", name, "--json").out)


def test_every_setting_of_everything_is_explained(plugins):
    from imgen.binding import settings_of

    for kind in ("algorithms", "datasets", "metrics", "losses"):
        for entry in plugins.registry(kind):
            for setting in settings_of(entry.load()).values():
                assert setting.meaning, f"{kind} {entry.name}: {setting.name}"


def test_info_finds_a_name_in_either_spelling(cli):
    assert "metric" in cli("info", "drawn_identity").out


def test_info_on_runs_and_weights_files(cli, tiny):
    assert cli("train", tiny).status == 0
    by_run = json.loads(cli("info", "runs/tiny-0001", "--json").out)
    by_file = json.loads(cli("info", "runs/tiny-0001/model.safetensors", "--json").out)
    assert by_run == by_file
    assert (by_run["model"], by_run["step"], by_run["recipe"], by_run["data"]["group"]) == ("sddcgan", 4, "tiny", 2)
    assert "step: 4" in cli("info", "runs/tiny-0001").out
    (tiny.parent / "x.txt").write_text("no weights")
    said = cli("info", "x.txt")
    assert said.status == 2 and len(said.lines) == 1


def test_info_on_a_metric_tells_its_protocol(cli):
    told = json.loads(cli("info", "fid", "--json").out)
    assert "Heusel" in told["text"] and "Settings:" not in told["text"]
    assert told["text"] in cli("info", "fid").out
