"""The Hub for tests, as the Hub's own client finds it: files arrive, come back, and every refusal is the Hub's."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd as Add
from huggingface_hub import CommitOperationCopy as Copy
from huggingface_hub import CommitOperationDelete as Delete
from huggingface_hub import HfApi, constants, create_repo, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from server import BEN_TOKEN, READ_TOKEN, TOKEN, HubServer, Repository
from server_client import CARD, WEIGHTS, commit, fill


@pytest.fixture
def faces(hub: HubServer) -> Repository:
    """A repository that the client made and filled."""
    return fill(hub)


def test_files_arrive_and_are_listed(hub: HubServer, faces: Repository) -> None:
    api = HfApi()
    assert api.whoami()["name"] == "anna"
    assert faces.files() == {
        "README.md": CARD,
        "config.json": b"{}",
        "model.safetensors": WEIGHTS,
        "sheets/fixed.png": b"\x89PNG\0",
    }
    told = {each.path: each for each in api.list_repo_tree("anna/faces", recursive=True, expand=True)}
    assert told["model.safetensors"].lfs.sha256 == hashlib.sha256(WEIGHTS).hexdigest()
    assert told["config.json"].blob_id == "9e26dfeeb6e641a33dae4961196235bdb965b21b", "git hash-object of {}"
    assert told["sheets"].last_commit.title == told["config.json"].last_commit.title == "First"
    assert api.model_info("anna/faces").sha == faces.commits[0].oid
    assert [each.title for each in api.list_repo_commits("anna/faces")] == ["First", "initial commit"]
    assert [each.path for each in api.get_paths_info("anna/faces", ["sheets", "none", "README.md"])] == [
        "sheets",
        "README.md",
    ]


def test_only_what_changed_is_sent_again(hub: HubServer, faces: Repository) -> None:
    hub.forget()
    before = faces.commits[0].oid
    assert commit(model__safetensors=WEIGHTS, config__json=b"{}") == before, "nothing changed, no commit"
    commit(model__safetensors=WEIGHTS, config__json=b'{"a": 1}')
    assert faces.commits[0].changed == ("config.json",) and faces.commits[0].parent == before
    assert not hub.seen("PUT")
    (sent,) = hub.seen("POST", "/commit/main$")
    assert sent.received < 500


def test_files_are_removed_and_copied(faces: Repository) -> None:
    steps = [Delete("sheets/"), Copy("model.safetensors", "old.safetensors"), Copy("config.json", "old.json")]
    HfApi().create_commit("anna/faces", operations=steps, commit_message="Moved")
    assert sorted(faces.files()) == ["README.md", "config.json", "model.safetensors", "old.json", "old.safetensors"]
    with pytest.raises(HfHubHTTPError, match="doesn't exist"):
        HfApi().create_commit("anna/faces", operations=[Add("new", b"1"), Delete("none")], commit_message="Half")
    assert "new" not in faces.files(), "all of a commit or nothing"


def test_downloads_and_the_storage_sees_no_token(hub: HubServer, faces: Repository) -> None:
    folder = Path(snapshot_download("anna/faces"))
    assert folder.is_relative_to(hub.home)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert faces.downloads == 1
    assert hub.seen("GET", "^/anna/faces/[0-9a-f]{64}$")
    stored = [each for each in hub.requests if each.host == "storage"]
    assert stored and not any(each.authorized for each in stored)
    assert all(each.authorized for each in hub.requests if each.host == "hub")
    hub.forget()
    assert snapshot_download("anna/faces") == str(folder)
    assert not [each for each in hub.seen("GET") if "resolve" in each.path or each.host == "storage"], "cached"


def test_a_fresh_cache_downloads_again(hub: HubServer, faces: Repository, fresh_cache) -> None:
    first = Path(hf_hub_download("anna/faces", "config.json"))
    cache = fresh_cache()
    second = Path(hf_hub_download("anna/faces", "config.json"))
    assert first != second and second.is_relative_to(cache) and faces.downloads == 2


def test_branches_tags_and_shortened_commits(faces: Repository) -> None:
    api = HfApi()
    first = faces.commits[0].oid
    api.create_tag("anna/faces", tag="v1")
    api.create_branch("anna/faces", branch="try/out")
    api.create_commit("anna/faces", operations=[Add("n", b"2")], commit_message="Aside", revision="try/out")
    commit(n=b"1")
    for rev, holds in {"main": b"1", "try/out": b"2", faces.commits[0].oid[:8]: b"1"}.items():
        assert Path(hf_hub_download("anna/faces", "n", revision=rev)).read_bytes() == holds
    assert api.model_info("anna/faces", revision="v1").sha == first
    assert {each.name for each in api.list_repo_refs("anna/faces").branches} == {"main", "try/out"}
    with pytest.raises(HfHubHTTPError) as caught:
        api.create_tag("anna/faces", tag="v1")
    assert caught.value.response.status_code == 409
    api.delete_tag("anna/faces", tag="v1")
    with pytest.raises(RevisionNotFoundError, match="Invalid rev id: v1"):
        api.model_info("anna/faces", revision="v1")
    with pytest.raises(RevisionNotFoundError):
        api.create_commit("anna/faces", operations=[Add("n", b"2")], commit_message="Where?", revision="none")


def test_listings_come_in_pages(hub: HubServer, faces: Repository) -> None:
    hub.page_size = 2
    assert len(list(HfApi().list_repo_tree("anna/faces", recursive=True))) == 6
    assert len(hub.seen("GET", "/tree/")) == 3


def test_large_files_in_parts(hub: HubServer, faces: Repository) -> None:
    hub.part_size = 70_000
    content = random.Random(1).randbytes(200_000)
    commit(new__safetensors=content)
    assert faces.files()["new.safetensors"] == content
    assert len(hub.seen("PUT", hashlib.sha256(content).hexdigest())) == 3


def test_private_repositories_are_not_known_to_others(hub: HubServer) -> None:
    api = HfApi()
    api.create_repo("anna/secret", private=True)
    assert hub.repos["anna/secret"].private and api.model_info("anna/secret").private
    for token, status in {False: 401, BEN_TOKEN: 404, "hf_wrong": 401}.items():
        with pytest.raises(HfHubHTTPError) as caught:
            HfApi(token=token).model_info("anna/secret")
        assert caught.value.response.status_code == status
        assert isinstance(caught.value, RepositoryNotFoundError) == (token != "hf_wrong")
    with pytest.raises(RepositoryNotFoundError):
        hf_hub_download("anna/secret", "config.json", token=False)
    assert HfApi(token=READ_TOKEN).model_info("anna/secret").sha
    hub.plant("anna/asked", {"config.json": b"{}"}).gated = True
    with pytest.raises(GatedRepoError):
        hf_hub_download("anna/asked", "config.json", token=BEN_TOKEN)


@pytest.mark.parametrize("token, status", [(READ_TOKEN, 403), (BEN_TOKEN, 403), (False, 401), ("hf_wrong", 401)])
def test_who_may_not_write(faces: Repository, token: str | bool, status: int) -> None:
    with pytest.raises(HfHubHTTPError) as caught:
        commit(HfApi(token=token), n=b"1")
    assert caught.value.response.status_code == status
    with pytest.raises(HfHubHTTPError) as caught:
        HfApi(token=token).create_repo("anna/other")
    assert caught.value.response.status_code == status
    assert "n" not in faces.files()


def test_a_repository_that_exists_and_a_parent_that_is_none(faces: Repository) -> None:
    assert create_repo("anna/faces", exist_ok=True).repo_id == "anna/faces"
    with pytest.raises(HfHubHTTPError) as caught:
        create_repo("anna/faces")
    assert caught.value.response.status_code == 409
    first = faces.commits[0].oid
    assert commit(parent=first, n=b"1") == faces.commits[0].oid
    with pytest.raises(HfHubHTTPError, match="A commit has happened since") as caught:
        commit(parent=first, n=b"2")
    assert caught.value.response.status_code == 412 and faces.files()["n"] == b"1"


def test_a_card_with_broken_metadata_is_refused(faces: Repository) -> None:
    for card, words in {
        b"---\nlicense: [\n---\n": "Invalid YAML",
        b"---\nmodel-index:\n- name: a\n  results:\n  - task: {type: b}\n---\n": "metrics.* is required",
    }.items():
        with pytest.raises(ValueError, match=words):
            commit(README__md=card)
    assert faces.files()["README.md"] == CARD
    with pytest.warns(UserWarning, match="empty or missing yaml"):
        commit(README__md=b"Words alone\n")


def test_ranges(hub: HubServer, faces: Repository) -> None:
    from huggingface_hub.utils import get_session

    for path in ("config.json", "model.safetensors"):
        whole = faces.files()[path]
        for asked, status, holds in [
            ("bytes=1-1", 206, whole[1:2]),
            ("bytes=-1", 206, whole[-1:]),
            ("bytes=1-", 206, whole[1:]),
            (f"bytes={len(whole)}-", 416, b""),
        ]:
            headers = {"Range": asked, "authorization": f"Bearer {TOKEN}"}
            got = get_session().get(f"{hub.endpoint}/anna/faces/resolve/main/{path}", headers=headers)
            assert (got.status_code, got.content) == (status, holds)


def test_offline_the_cache_answers(hub: HubServer, faces: Repository, hub_environment) -> None:
    path = hf_hub_download("anna/faces", "config.json")
    hub_environment(HF_HUB_OFFLINE="1")
    hub.forget()
    assert hf_hub_download("anna/faces", "config.json") == path
    with pytest.raises(LocalEntryNotFoundError):
        hf_hub_download("anna/faces", "README.md")
    assert hub.requests == []


def test_a_process_uses_it_through_its_environment(hub: HubServer, faces: Repository) -> None:
    code = "import huggingface_hub as h; print(open(h.hf_hub_download('anna/faces', 'config.json')).read())"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | hub.env, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "{}\n"), done.stderr


def test_the_client_is_its_own_again_afterwards() -> None:
    assert "127.0.0.1" not in constants.ENDPOINT
