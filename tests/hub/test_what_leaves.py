"""What a push sends, and what it keeps: faces of the data, folders, states of a run that goes on, models of others."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from imgen.card import about
from imgen.hub import client
from imgen.hub.gather import Item


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A run of a translator, whose previews show pictures of the data."""
    from imgen.cli import main

    folder = tmp_path_factory.mktemp("made")
    (folder / "tiny.yaml").write_text(
        """\
algorithm: {name: discogan, levels: 3, width: 2, d_width: 2, size_aware: true}
dataset: {name: drawn-domains, size: 16, pictures: 40, n_test: 8}
train: {steps: 4, batch: 4, log_every: 1, preview_every: 2, save_every: 2, tensorboard: false}
"""
    )
    assert main(["train", str(folder / "tiny.yaml"), "--out", str(folder / "run")]) == 0
    return folder / "run"


@pytest.fixture
def run(made, here) -> Path:
    """A copy of it in the working folder."""
    shutil.copytree(made, here / "mine")
    return here / "mine"


@pytest.fixture
def of_people(monkeypatch) -> None:
    """Its pictures are said to be of people."""
    monkeypatch.setattr(about, "shows", lambda facts: "people")


SHEET = "sheets/preview.png"


class TestPicturesOfTheData:
    def test_drawn_ones_are_shown(self, hub, cli, run):
        said = cli("push", run, "anna/faces")
        assert said.status == 0 and SHEET in hub.repos["anna/faces"].files(), said.err

    def test_those_of_people_are_left_out_and_that_is_told(self, hub, cli, run, of_people):
        said = cli("push", run, "anna/faces")
        assert said.status == 0 and SHEET not in hub.repos["anna/faces"].files()
        assert said.lines[0].startswith(f"{SHEET}: left out") and "--sheets" in said.lines[0]
        assert SHEET not in hub.repos["anna/faces"].files()["README.md"].decode()

    def test_they_go_where_that_is_asked_for_and_it_is_told_before(self, hub, cli, run, of_people):
        said = cli("push", run, "anna/faces", "--sheets", "--dry-run")
        assert "terms of the data" in said.lines[0] and SHEET in said.out and not hub.repos
        assert cli("push", run, "anna/faces", "--sheets").status == 0
        assert SHEET in hub.repos["anna/faces"].files()
        assert cli("push", run, "anna/faces").status == 0
        assert SHEET not in hub.repos["anna/faces"].files(), "what was published goes with the next push"

    def test_an_algorithm_whose_previews_show_none(self, hub, cli, run, of_people, monkeypatch):
        from imgen.plugins import installed

        monkeypatch.setattr(installed().registry("algorithms").get("discogan").load(), "shows_data", False)
        assert SHEET not in cli("push", run, "anna/faces").lines[0]
        assert SHEET in hub.repos["anna/faces"].files()

    def test_nothing_is_told_where_none_are_wanted(self, hub, cli, run, of_people):
        said = cli("push", run, "anna/faces", "--no-sheets")
        assert said.status == 0 and SHEET not in said.err


def test_the_sheet_is_of_the_state_that_is_published(hub, cli, run):
    for step, colour in ((2, "red"), (4, "blue")):
        Image.new("RGB", (4, 4), colour).save(run / f"previews/step-{step:08d}.png")
    assert cli("push", f"{run}@2", "anna/faces").status == 0
    files = hub.repos["anna/faces"].files()
    assert Image.open(io.BytesIO(files[SHEET])).getpixel((0, 0)) == (255, 0, 0)
    assert "after 2 steps" in files["README.md"].decode()


def test_a_fork_keeps_its_sheet(hub, cli, run):
    cli("push", run, "anna/faces")
    assert cli("push", "anna/faces", "anna/fork").status == 0
    files, fork = (hub.repos[f"anna/{name}"].files() for name in ("faces", "fork"))
    assert fork[SHEET] == files[SHEET] and fork["model.safetensors"] == files["model.safetensors"]
    card = fork["README.md"].decode()
    assert f"({SHEET})" in card and "anna/faces" not in card and "imgen translate anna/fork" in card


class TestTheStateOfTraining:
    def test_a_former_one(self, hub, cli, run):
        assert cli("push", f"{run}@2", "anna/faces", "--full").status == 0
        files = hub.repos["anna/faces"].files()
        states = {path.split("/")[1] for path in files if path.startswith("checkpoints/")}
        assert states == {"step-00000002"}
        steps = [json.loads(line)["step"] for line in files["events.jsonl"].splitlines()]
        assert steps and max(steps) == 2
        assert cli("pull", "anna/faces", "--full", "--out", "theirs").status == 0
        said = cli("train", "theirs")
        assert said.status == 0 and "resuming at step 2 of 4" in said.err

    def test_one_of_an_earlier_model_stays_and_that_is_told(self, hub, cli, run):
        assert cli("push", run, "anna/faces", "--full").status == 0
        before = hub.repos["anna/faces"].files()
        told = json.loads(cli("push", run, "anna/faces", "--json").out)["files"]
        assert {file["path"] for file in told if file["state"] == "kept"} == {
            path for path in before if path.startswith("checkpoints/") or path == "events.jsonl"
        }
        assert "earlier model" not in cli("push", run, "anna/faces").err
        assert "earlier model" in cli("push", f"{run}@2", "anna/faces").err
        after = hub.repos["anna/faces"].files()
        assert after.keys() == before.keys() and after["model.safetensors"] != before["model.safetensors"]

    def test_one_that_is_not_whole(self, hub, cli, run):
        (run / "checkpoints/step-00000002/optim.safetensors").unlink()
        said = cli("push", f"{run}@2", "anna/faces", "--full")
        assert said.status == 2 and "without --full" in said.err and len(said.lines) == 1

    def test_events_tell_no_folder_and_no_half_line(self, hub, cli, run):
        with (run / "events.jsonl").open("a") as file:
            reason = f"no pictures in {Path.home()}/faces and /gpfs/me/x"
            file.write(json.dumps({"event": "unmeasured", "step": 4, "metric": "m", "reason": reason}) + "\n")
            file.write('{"event": "logg')
        assert cli("push", run, "anna/faces", "--full").status == 0
        lines = [json.loads(line) for line in hub.repos["anna/faces"].files()["events.jsonl"].splitlines()]
        assert lines[-1]["reason"] == "no pictures in FOLDER and FOLDER"
        (finished,) = (line for line in lines if line["event"] == "finished")
        assert finished["path"] == "model.safetensors", "not what its folder is called"

    def test_a_run_that_goes_on_meanwhile(self, hub, cli, run, monkeypatch):
        made = client.create

        def trained_on(*arguments):
            made(*arguments)
            shutil.rmtree(run / "checkpoints/step-00000002")

        monkeypatch.setattr(client, "create", trained_on)
        said = cli("push", f"{run}@2", "anna/faces")
        assert said.status == 1 and "changed or removed meanwhile" in said.err and len(said.lines) == 1
        assert "README.md" not in hub.repos["anna/faces"].files()


def test_a_file_that_is_written_anew_is_noticed(tmp_path):
    file = tmp_path / "x"
    file.write_bytes(b"one")
    item = Item.of("x", file)
    assert item.stands
    (tmp_path / "y").write_bytes(b"two")
    (tmp_path / "y").replace(file)
    assert not item.stands


def test_settings_of_a_missing_plugin_tell_no_folder(hub, cli, run):
    text = (run / "recipe.yaml").read_text().replace("name: drawn-domains", "name: theirs\n  root: pictures/of-anna")
    (run / "recipe.yaml").write_text(text)
    assert cli("push", run, "anna/faces").status == 0
    assert all(b"of-anna" not in content for content in hub.repos["anna/faces"].files().values())


class TestRepositoriesOfOthers:
    @pytest.mark.parametrize("config", [b'{"architectures": ["BertModel"]}', b"not json", b"[]", None])
    def test_another_programs_model_stays(self, hub, cli, run, config):
        files = {"model.safetensors": b"theirs", "README.md": b"# Bert"} | ({"config.json": config} if config else {})
        hub.plant("anna/bert", files)
        before = hub.repos["anna/bert"].files()
        for options in ([], ["--dry-run"]):
            said = cli("push", run, "anna/bert", *options)
            assert said.status == 2 and "not made with imgen" in said.err and len(said.lines) == 1, said.err
        assert hub.repos["anna/bert"].files() == before

    def test_an_empty_one(self, hub, cli, run):
        hub.plant("anna/faces", {})
        assert cli("push", run, "anna/faces").status == 0
        assert "model.safetensors" in hub.repos["anna/faces"].files()

    def test_private_where_it_is_public(self, hub, cli, run):
        assert cli("push", run, "anna/faces").status == 0
        before = hub.repos["anna/faces"].at("main").oid
        for options in ([], ["--dry-run"]):
            said = cli("push", run, "anna/faces", "--private", *options)
            assert said.status == 2 and "public" in said.err and len(said.lines) == 1, said.err
        assert hub.repos["anna/faces"].at("main").oid == before
        assert cli("push", run, "anna/secret", "--private").status == 0
        assert cli("push", run, "anna/secret", "--private").status == 0


class TestWordsInTheWrongPlace:
    def test_the_repository_was_forgotten(self, hub, cli, run, here):
        (here / "runs").mkdir()
        run.rename(here / "runs/mine-0001")
        for words in (["runs/mine-0001"], ["anna/faces", "runs/mine-0001"], ["runs/mine-0001/model.safetensors"]):
            said = cli("push", *words)
            assert said.status == 2 and "the repository stands last" in said.err and len(said.lines) == 1, said.err
        assert not hub.requests

    def test_a_repository_that_is_called_like_a_run_here(self, hub, cli, run, here):
        (here / "anna").mkdir()
        run.rename(here / "anna/faces")
        assert cli("push", "anna/faces", "hub:anna/faces").status == 0
        assert "model.safetensors" in hub.repos["anna/faces"].files()
