"""`imgen push` and `imgen pull` over HTTP, with the client that users have."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from imgen.hub.reference import origin_of
from imgen.model import read_model, write_model

OURS = {"README.md", "config.json", "metrics.jsonl", "model.safetensors", "recipe.yaml", "sheets/preview.png"}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A run of a few steps with a sheet and a metric, trained once."""
    from imgen.cli import main

    folder = tmp_path_factory.mktemp("made")
    recipe = folder / "faces.yaml"
    recipe.write_text(
        """\
algorithm: {name: sddcgan, d_identity: 4, d_observation: 4, dim: 4}
dataset: {name: shapes, identities: 6, photos: 4, size: 16}
metrics: [{name: ms-ssim-diversity, pairs: 16}]
train: {steps: 4, batch: 4, log_every: 1, preview_every: 4, save_every: 2, tensorboard: false}
"""
    )
    assert main(["train", str(recipe), "--out", str(folder / "run")]) == 0
    return folder / "run"


@pytest.fixture
def run(made, here) -> Path:
    """A copy of it in the working folder."""
    shutil.copytree(made, here / "mine")
    return here / "mine"


def sample(cli, model: str | Path, out: str) -> bytes:
    said = cli("sample", model, "--seed", 3, "--out", out)
    assert said.status == 0, said.err
    return Path(out).read_bytes()


class TestPush:
    def test_all_that_a_reader_needs_and_nothing_else(self, hub, cli, run):
        said = cli("push", run, "anna/faces")
        assert said.status == 0, said.err
        assert said.out == f"{hub.endpoint}/anna/faces\n"
        files = hub.repos["anna/faces"].files()
        assert set(files) - {".gitattributes"} == OURS
        assert files["model.safetensors"] == (run / "model.safetensors").read_bytes()
        card = files["README.md"].decode()
        assert "imgen sample anna/faces" in card and "sheets/preview.png" in card
        config = json.loads(files["config.json"])
        assert config["library_name"] == "imgen" and config["name"] == "sddcgan"
        assert yaml.safe_load(files["recipe.yaml"])["dataset"]["name"] == "shapes"
        assert not hub.repos["anna/faces"].private

    def test_private(self, hub, cli, run):
        assert cli("push", run, "anna/faces", "--private").status == 0
        assert hub.repos["anna/faces"].private
        assert cli("sample", "anna/faces").status == 0

    def test_the_newest_run_where_none_is_named(self, hub, cli, run, here):
        (here / "runs").mkdir()
        run.rename(here / "runs/mine-0001")
        said = cli("push", "anna/faces")
        assert said.status == 0 and "using runs/mine-0001" in said.err

    def test_the_same_again_changes_nothing(self, hub, cli, run):
        cli("push", run, "anna/faces")
        before, count = hub.repos["anna/faces"].at("main").oid, len(hub.seen("PUT"))
        said = cli("push", run, "anna/faces")
        assert said.status == 0 and "holds all of it already" in said.err
        assert hub.repos["anna/faces"].at("main").oid == before
        assert len(hub.seen("PUT")) == count

    def test_only_what_changed_is_sent(self, hub, cli, run):
        cli("push", run, "anna/faces")
        count = len(hub.seen("PUT"))
        assert cli("evaluate", run, "-m", "ms-ssim-diversity", "-s", "pairs=8").status == 0
        assert cli("push", run, "anna/faces", "-m", "A further number").status == 0
        (newest, *_) = hub.repos["anna/faces"].commits
        assert newest.title == "A further number"
        assert set(newest.changed) == {"README.md", "metrics.jsonl"}
        assert len(hub.seen("PUT")) == count, "weights and sheets were there already"

    def test_what_is_out_of_date_goes_and_what_is_not_ours_stays(self, hub, cli, run):
        hub.plant("anna/faces", {"sheets/old.png": b"x", "notes.txt": b"mine"})
        assert cli("push", run, "anna/faces").status == 0
        files = hub.repos["anna/faces"].files()
        assert "sheets/old.png" not in files and files["notes.txt"] == b"mine"

    def test_words_between_the_markers_stay(self, hub, cli, run):
        cli("push", run, "anna/faces")
        card = hub.repos["anna/faces"].files()["README.md"].decode()
        before, begin, rest = re.split(r"(<!-- [^>]*begin[^>]*-->\n)", card, maxsplit=1)
        _, end, after = re.split(r"(<!-- [^>]*end[^>]*-->)", rest, maxsplit=1)
        hub.plant("anna/faces", {"README.md": f"{before}{begin}Anna's own words.\n{end}{after}".encode()})
        shutil.rmtree(run / "previews")
        assert cli("push", run, "anna/faces").status == 0
        card = hub.repos["anna/faces"].files()["README.md"].decode()
        assert "Anna's own words." in card and "sheets/preview.png" not in card

    def test_a_branch(self, hub, cli, run):
        cli("push", run, "anna/faces")
        assert cli("push", run, "anna/faces", "--revision", "small", "--no-sheets").status == 0
        there = hub.repos["anna/faces"]
        assert "sheets/preview.png" in there.files() and "sheets/preview.png" not in there.files("small")
        assert "imgen sample anna/faces@small" in there.files("small")["README.md"].decode()
        assert cli("sample", "anna/faces@small", "--out", "small.png").status == 0

    def test_dry_run(self, hub, cli, run, tree):
        before = tree(run)
        said = cli("push", run, "anna/faces", "--dry-run")
        assert said.status == 0 and said.out.startswith("---\n")
        assert "model.safetensors" in said.err and "nothing was published" in said.err
        told = json.loads(cli("push", run, "anna/faces", "--dry-run", "--json").out)
        assert {file["path"] for file in told["files"]} == OURS
        assert {file["state"] for file in told["files"]} == {"new"}
        assert not hub.repos and tree(run) == before

    def test_a_dry_run_needs_no_hub(self, cli, run, monkeypatch, hub):
        hub.fail("*", ".", status=401, times=None)
        said = cli("push", run, "anna/faces", "--dry-run")
        assert said.status == 0 and "was not asked" in said.err

    def test_a_former_state_of_a_run(self, hub, cli, run):
        assert cli("push", f"{run}@2", "anna/faces").status == 0
        files = hub.repos["anna/faces"].files()
        assert files["model.safetensors"] == (run / "checkpoints/step-00000002/ema.safetensors").read_bytes()
        assert json.loads(files["config.json"])["origin"]["step"] == 2
        assert hashlib.sha256(files["model.safetensors"]).hexdigest() in files["README.md"].decode()

    def test_weights_without_a_run(self, hub, cli, run, here):
        shutil.copy(run / "model.safetensors", here / "model.safetensors")
        assert cli("push", "model.safetensors", "anna/faces").status == 0
        assert set(hub.repos["anna/faces"].files()) - {".gitattributes"} == {
            "README.md",
            "config.json",
            "model.safetensors",
        }
        said = cli("push", "model.safetensors", "anna/faces", "--full")
        assert said.status == 2 and "no training state" in said.err

    def test_what_nobody_could_pull_is_not_pushed(self, hub, cli, run):
        with (run / "recipe.yaml").open("a") as file:
            file.write("notes: " + "x" * 100_000 + "\n")
        said = cli("push", run, "anna/faces")
        assert said.status == 2 and "recipe.yaml" in said.err and len(said.lines) == 1, said.err
        assert not hub.repos


class TestNothingOfThisMachineLeaves:
    def test_places_become_names(self, hub, cli, run, here):
        text = (run / "recipe.yaml").read_text()
        content = yaml.safe_load(text)
        content["dataset"] = {"name": "images", "root": str(here / "faces"), "size": 16}
        (run / "recipe.yaml").write_text(yaml.safe_dump(content))
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        for line in lines:
            line["data"] = {"name": "images", "root": str(here / "faces")}
        (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        said = cli("push", run, "anna/faces", "--full")
        assert said.status == 0, said.err
        files = hub.repos["anna/faces"].files()
        assert yaml.safe_load(files["recipe.yaml"])["dataset"]["root"] == "ROOT"
        assert json.loads(files["metrics.jsonl"].splitlines()[0])["data"]["root"] == "ROOT"
        for path, content in files.items():
            for told in (str(here), str(Path.home()) + "/"):
                assert told.encode() not in content, path

    def test_what_is_found_all_the_same_is_refused(self, hub, cli, run, monkeypatch):
        monkeypatch.setattr("socket.gethostname", lambda: "shapes")
        said = cli("push", run, "anna/faces")
        assert said.status == 2 and "tells 'shapes'" in said.err and "--allow" in said.err
        assert not hub.repos
        assert cli("push", run, "anna/faces", "--allow", "shapes").status == 0

    def test_the_token_is_nowhere(self, hub, cli, run, monkeypatch):
        token = "hf_" + "secret" * 5
        monkeypatch.setenv("HF_TOKEN", token)
        said = cli("push", run, "anna/faces")
        assert said.status == 2 and token not in said.err + said.out
        assert "token" in said.err


class TestPull:
    def test_the_same_pictures_from_a_fresh_cache(self, hub, cli, run, fresh_cache):
        mine = sample(cli, run, "mine.png")
        cli("push", run, "anna/faces")
        fresh_cache()
        said = cli("pull", "anna/faces")
        assert said.status == 0, said.err
        assert "use it: imgen sample anna/faces" in said.err
        folder = Path(said.out.strip())
        assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == OURS
        assert origin_of(folder).repo == "anna/faces"
        assert sample(cli, "anna/faces", "theirs.png") == mine

    def test_nothing_is_fetched_twice(self, hub, cli, run, fresh_cache):
        cli("push", run, "anna/faces")
        fresh_cache()
        cli("pull", "anna/faces")
        hub.forget()
        assert cli("pull", "anna/faces").status == 0
        assert not hub.seen("*", "/resolve/")
        assert hub.repos["anna/faces"].downloads == 1

    def test_a_revision(self, hub, cli, run):
        cli("push", run, "anna/faces")
        first = hub.repos["anna/faces"].at("main").oid
        hub.plant("anna/faces", {"model.safetensors": b"broken"})
        assert cli("sample", f"anna/faces@{first}", "--out", "a.png").status == 0
        assert cli("sample", "anna/faces", "--out", "b.png").status == 2
        said = cli("sample", "anna/faces@v9", "--out", "c.png")
        assert said.status == 2 and "no such revision" in said.err

    def test_files_are_named_after_the_repository(self, hub, cli, run):
        cli("push", run, "anna/faces")
        said = cli("sample", "anna/faces")
        assert Path(said.out.strip()).name.startswith("anna-faces-")

    def test_offline(self, hub, cli, run, fresh_cache, monkeypatch):
        import huggingface_hub

        cli("push", run, "anna/faces")
        fresh_cache()
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        said = cli("sample", "anna/faces")
        assert said.status == 2 and "not in the cache" in said.err
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
        cli("pull", "anna/faces")
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        hub.forget()
        assert cli("sample", "anna/faces", "--out", "a.png").status == 0
        assert not hub.requests

    def test_a_hub_that_does_not_answer(self, hub, cli, run, fresh_cache):
        cli("push", run, "anna/faces")
        fresh_cache()
        cli("pull", "anna/faces")
        hub.fail("*", ".", status=503, times=None)
        said = cli("sample", "anna/faces", "--out", "a.png")
        assert said.status == 0 and "using what was fetched before" in said.err

    def test_an_interrupted_download_goes_on(self, hub, cli, run, fresh_cache, monkeypatch):
        cli("push", run, "anna/faces")
        fresh_cache()
        # What is on the disk is whole pieces, of 10 MB otherwise.
        monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1024)
        size = (run / "model.safetensors").stat().st_size
        (sent,) = {request.path for request in hub.seen("PUT") if request.received == size}
        hub.cut(re.escape(Path(sent).name), after_bytes=size // 2, method="GET")
        said = cli("pull", "anna/faces")
        if said.status:
            assert said.status == 1 and len(said.lines) == 1, said.err
            said = cli("pull", "anna/faces")
        assert said.status == 0
        assert (Path(said.out.strip()) / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()
        assert any(request.range for request in hub.requests), "it went on where it was"

    def test_a_copy_of_ones_own(self, hub, cli, run, here):
        cli("push", run, "anna/faces")
        assert cli("pull", "anna/faces", "--out", "theirs").out == "theirs\n"
        assert not any(path.is_symlink() for path in (here / "theirs").rglob("*"))
        assert cli("sample", "theirs", "--out", "a.png").status == 0
        said = cli("pull", "anna/faces", "--out", "theirs")
        assert said.status == 2 and "is there already" in said.err

    def test_others_go_on_with_a_run(self, hub, cli, run, here):
        """To the bit, as if it had never been elsewhere."""
        cli("push", run, "anna/faces", "--full")
        assert "imgen train theirs" in cli("pull", "anna/faces", "--full", "--out", "theirs").err
        for folder in ("mine", "theirs"):
            assert cli("train", folder, "--steps", 6).status == 0
        mine, theirs = (read_model(here / folder / "model.safetensors")[1] for folder in ("mine", "theirs"))
        assert mine.keys() == theirs.keys() and all(mine[name].equal(theirs[name]) for name in mine)
        cli("push", run, "anna/faces", "--full")
        states = [path for path in hub.repos["anna/faces"].files() if path.endswith("state.json")]
        assert states == ["checkpoints/step-00000006/state.json"]

    def test_the_cache_is_no_place_to_train_in(self, hub, cli, run, tree):
        cli("push", run, "anna/faces", "--full")
        folder = Path(cli("pull", "anna/faces", "--full").out.strip())
        before = tree(folder)
        said = cli("train", folder, "--steps", 6)
        assert said.status == 2 and "imgen pull anna/faces@" in said.err and len(said.lines) == 1
        assert tree(folder) == before

    def test_no_training_state(self, hub, cli, run):
        cli("push", run, "anna/faces")
        said = cli("pull", "anna/faces", "--full", "--out", "theirs")
        assert said.status == 2 and "--full" in said.err and len(said.lines) == 1
        said = cli("train", "anna/faces")
        assert said.status == 2 and "imgen pull anna/faces --full" in said.err

    def test_numbers_of_a_pulled_model_stay_out_of_the_cache(self, hub, cli, run):
        cli("push", run, "anna/faces")
        folder = Path(cli("pull", "anna/faces").out.strip())
        before = (folder / "metrics.jsonl").read_bytes()
        said = cli("evaluate", "anna/faces", "-m", "ms-ssim-diversity", "-s", "pairs=8", "--out", "numbers.jsonl")
        assert said.status == 0, said.err
        assert (folder / "metrics.jsonl").read_bytes() == before
        assert Path("numbers.jsonl").is_file()

    def test_every_command_takes_it(self, hub, cli, run):
        cli("push", run, "anna/faces")
        assert "sddcgan" in cli("info", "anna/faces").out
        assert cli("traverse", "anna/faces", "--codes", "identity[0:1]", "--out", "t.png").status == 0
        assert "anna/faces" not in cli("translate", "anna/faces").out

    def test_a_missing_plugin_is_named_and_not_installed(self, hub, cli, run):
        config, tensors = read_model(run / "model.safetensors")
        config = dataclasses.replace(config, name="their-model", plugin="their (imgen-their 1.2)")
        write_model(run / "model.safetensors", config, tensors)
        assert cli("push", run, "anna/faces").status == 0
        said = cli("pull", "anna/faces")
        assert said.status == 0 and "imgen install imgen-their" in said.err, said.err
        said = cli("sample", "anna/faces")
        assert said.status == 2 and "imgen install imgen-their" in said.err and len(said.lines) == 1


def test_a_folder_that_is_missing_is_not_looked_for_on_the_hub(hub, cli, here):
    (here / "runs").mkdir()
    said = cli("sample", "runs/faces-0001")
    assert said.status == 2 and "no such file or run" in said.err
    assert not hub.requests
