"""Whatever a Hub answers, a line says what is wrong and what would be right, and nothing is half done."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A weights file, trained once."""
    from imgen.cli import main

    folder = tmp_path_factory.mktemp("made")
    (folder / "tiny.yaml").write_text(
        """\
algorithm: {name: sddcgan, d_identity: 4, d_observation: 4, dim: 4}
dataset: {name: shapes, identities: 6, photos: 4, size: 16}
train: {steps: 1, batch: 4, preview_every: 0, tensorboard: false}
"""
    )
    assert main(["train", str(folder / "tiny.yaml"), "--out", str(folder / "run")]) == 0
    return folder / "run/model.safetensors"


@pytest.fixture
def weights(made, here) -> Path:
    shutil.copy(made, here / "model.safetensors")
    return here / "model.safetensors"


STATUSES = [
    (401, 2, "hf auth login"),
    (403, 2, "may write"),
    (404, 2, "no such repository"),
    (409, 1, "push again"),
    (429, 1, "wait"),
    (503, 1, "later"),
]


@pytest.mark.parametrize(("status", "exit_status", "remedy"), STATUSES)
def test_a_commit_that_is_refused(hub, cli, weights, status, exit_status, remedy):
    assert cli("push", weights, "anna/faces").status == 0
    hub.plant("anna/faces", {"README.md": b"changed by hand"})
    before = hub.repos["anna/faces"].files()
    hub.fail("POST", "/commit/", status=status, times=None)
    said = cli("push", weights, "anna/faces")
    assert said.status == exit_status, said.err
    assert len(said.lines) == 1 and remedy in said.err, said.err
    assert hub.repos["anna/faces"].files() == before, "the repository stays whole"


@pytest.mark.parametrize(("status", "exit_status", "remedy"), [row for row in STATUSES if row[0] != 409])
def test_a_listing_that_is_refused(hub, cli, weights, status, exit_status, remedy):
    hub.plant("anna/faces", {"model.safetensors": weights.read_bytes()})
    hub.fail("GET", "/api/models/", status=status, times=None)
    said = cli("sample", "anna/faces")
    assert said.status == exit_status, said.err
    assert len(said.lines) == 1, said.err
    assert remedy in said.err or status in (403, 404), said.err


def test_an_upload_that_is_cut_goes_on_or_fails_whole(hub, cli, weights):
    hub.fail("PUT", ".", status=500, times=None)
    said = cli("push", weights, "anna/faces")
    assert said.status == 1 and len(said.lines) == 1, said.err
    assert "model.safetensors" not in hub.repos["anna/faces"].files()
    hub.faults.clear()
    assert cli("push", weights, "anna/faces").status == 0
    assert hub.repos["anna/faces"].files()["model.safetensors"] == weights.read_bytes()


def test_a_connection_that_is_cut_in_the_middle_of_an_upload(hub, cli, weights):
    hub.cut(".", after_bytes=weights.stat().st_size // 2, method="PUT")
    said = cli("push", weights, "anna/faces")
    if said.status:
        assert said.status == 1 and len(said.lines) == 1, said.err
        assert "model.safetensors" not in hub.repos["anna/faces"].files()
        assert cli("push", weights, "anna/faces").status == 0
    assert hub.repos["anna/faces"].files()["model.safetensors"] == weights.read_bytes()


def test_somebody_else_pushes_at_the_same_moment(hub, cli, weights, monkeypatch):
    from imgen.hub import client

    cli("push", weights, "anna/faces")
    send = client.commit

    def after_another(*arguments):
        hub.plant("anna/faces", {"README.md": b"theirs, later"})
        return send(*arguments)

    hub.plant("anna/faces", {"README.md": b"theirs"})
    monkeypatch.setattr(client, "commit", after_another)
    said = cli("push", weights, "anna/faces")
    assert said.status == 1 and "push again" in said.err and len(said.lines) == 1, said.err
    assert hub.repos["anna/faces"].files()["README.md"] == b"theirs, later"


def test_a_wrong_token(hub, cli, weights, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    said = cli("push", weights, "anna/faces")
    assert said.status == 2 and "does not accept this token" in said.err and "hf_wrong" not in said.err


def test_no_token(hub, cli, weights, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    said = cli("push", weights, "anna/faces")
    assert said.status == 2 and "hf auth login" in said.err and len(said.lines) == 1, said.err


def test_nobody_is_there(hub, cli, weights):
    hub.stop()
    said = cli("push", weights, "anna/faces")
    assert said.status == 1 and "does not answer" in said.err and len(said.lines) == 1, said.err
    assert cli("pull", "anna/faces").status == 1


def test_a_repository_that_is_not_there(hub, cli, here):
    said = cli("sample", "anna/nothing")
    assert said.status == 2 and "no such repository" in said.err and len(said.lines) == 1


def test_a_repository_that_is_no_model_of_imgen(hub, cli, here):
    hub.plant("anna/bert", {"pytorch_model.bin": b"x", "config.json": b"{}"})
    said = cli("sample", "anna/bert")
    assert said.status == 2 and "no model of imgen" in said.err and len(said.lines) == 1


@pytest.mark.parametrize("words", [("push", "faces"), ("push", "a", "b", "c/d"), ("pull", "no name"), ("push",)])
def test_words_that_mean_nothing(hub, cli, here, words):
    said = cli(*words)
    assert said.status == 2 and len(said.lines) == 1
    assert not hub.requests


def test_a_cache_that_cannot_be_made(hub, cli, weights, here, hub_environment):
    """What is wrong on this disk is not told to be the Hub's fault, and nothing of a cache is used in its place."""
    assert cli("push", weights, "anna/faces").status == 0
    (here / "full").write_text("a file")
    hub_environment(HF_HUB_CACHE=str(here / "full/hub"))
    said = cli("pull", "anna/faces")
    assert said.status == 1 and len(said.lines) == 1, said.err
    assert "does not answer" not in said.err and "HF_HOME" in said.err and "full/hub" in said.err


def test_a_full_disk(hub, cli, weights, monkeypatch, fresh_cache):
    assert cli("push", weights, "anna/faces").status == 0
    fresh_cache()

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device", "/cache/x")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", full)
    said = cli("pull", "anna/faces")
    assert said.status == 1 and len(said.lines) == 1 and "is full" in said.err


def test_a_cache_that_nobody_may_write_to(hub, cli, weights, monkeypatch):
    """What was fetched is used, though which commit the branch is at cannot be noted."""
    from imgen import files

    assert cli("push", weights, "anna/faces").status == 0
    commit = hub.repos["anna/faces"].at("main").oid
    assert cli("pull", f"anna/faces@{commit}").status == 0

    def refused(path, content):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(files, "write", refused)
    said = cli("pull", "anna/faces")
    assert said.status == 0, said.err


class TestTheFolderOfACopy:
    def test_one_that_is_taken_is_refused_before_anything_is_fetched(self, hub, cli, weights, here):
        (here / "mine").mkdir()
        (here / "mine/notes").write_text("x")
        said = cli("pull", "anna/faces", "--out", "mine")
        assert said.status == 2 and "is there already" in said.err and not hub.requests

    @pytest.mark.parametrize("out", [".", "../empty"])
    def test_an_empty_one_that_is_there_is_filled(self, hub, cli, weights, here, monkeypatch, out):
        """It may be the working folder or the place of a disk, which cannot be removed."""
        assert cli("push", weights, "anna/faces").status == 0
        (here / "empty").mkdir()
        monkeypatch.chdir(here / "empty")
        node = (here / "empty").stat().st_ino
        said = cli("pull", "anna/faces", "--out", out)
        assert said.status == 0, said.err
        assert {path.name for path in (here / "empty").iterdir()} == {"README.md", "config.json", "model.safetensors"}
        assert (here / "empty").stat().st_ino == node

    @pytest.mark.parametrize("there", [True, False])
    def test_an_interrupted_copy_leaves_nothing(self, hub, cli, weights, here, monkeypatch, there):
        assert cli("push", weights, "anna/faces").status == 0
        copied = shutil.copyfile

        def interrupted(source, target):
            copied(source, target)
            raise KeyboardInterrupt

        if there:
            (here / "theirs").mkdir()
        monkeypatch.setattr(shutil, "copyfile", interrupted)
        before = sorted(here.rglob("*"))
        said = cli("pull", "anna/faces", "--out", "theirs")
        assert said.status == 130 and said.out == "" and sorted(here.rglob("*")) == before


def test_a_folder_that_hides_a_repository(hub, cli, weights, here):
    assert cli("push", weights, "anna/faces").status == 0
    (here / "anna").mkdir()
    said = cli("sample", "anna/faces")
    assert said.status == 2 and "hub:anna/faces" in said.err and len(said.lines) == 1
    assert cli("sample", "hub:anna/faces").status == 0
