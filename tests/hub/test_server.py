"""The Hub for tests, as the Hub's own client finds it: files arrive, come back, and every refusal is the Hub's."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path

import huggingface_hub
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
from server import BEN_TOKEN, READ_TOKEN, TOKEN, HubServer, Planted, Repository

# Clients before 1.24 give up where a connection ends too early, try less often, and send by LFS where Xet is absent.
lately = pytest.mark.skipif(
    tuple(map(int, huggingface_hub.__version__.split(".")[:2])) < (1, 24), reason="clients before 1.24 do less"
)
WEIGHTS = random.Random(0).randbytes(200_000)
CARD = b"---\nlicense: mit\n---\nWords\n"


@pytest.fixture
def faces(hub: HubServer) -> Repository:
    """A repository that the client made and filled."""
    create_repo("anna/faces")
    files = {"model.safetensors": WEIGHTS, "config.json": b"{}", "README.md": CARD, "sheets/fixed.png": b"\x89PNG\0"}
    HfApi().create_commit(
        "anna/faces", operations=[Add(name, content) for name, content in files.items()], commit_message="First"
    )
    return hub.repos["anna/faces"]


def commit(api: HfApi | None = None, *, parent: str | None = None, **files: bytes) -> str:
    done = (api or HfApi()).create_commit(
        "anna/faces",
        operations=[Add(name.replace("__", "."), content) for name, content in files.items()],
        commit_message="Next",
        parent_commit=parent,
    )
    return done.oid


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


@lately
def test_an_upload_that_is_cut_starts_again(hub: HubServer, faces: Repository, waits: list[float]) -> None:
    hub.cut("^/anna/faces/[0-9a-f]{64}", after_bytes=50_000, method="PUT")
    content = random.Random(2).randbytes(200_000)
    commit(new__safetensors=content)
    assert faces.files()["new.safetensors"] == content
    assert [(each.received, each.status) for each in hub.seen("PUT")][-2:] == [(50_000, 0), (200_000, 200)]
    assert waits == [1]


@lately
def test_an_upload_that_is_always_cut_leaves_the_repository_whole(hub: HubServer, faces: Repository) -> None:
    hub.cut("", after_bytes=50_000, method="PUT", times=None)
    before = faces.commits[0]
    with pytest.raises(RuntimeError, match=r"new\.safetensors"):
        commit(config__json=b"[]", new__safetensors=random.Random(2).randbytes(200_000))
    assert faces.commits[0] is before and len(hub.seen("PUT")) > 3


@lately
def test_a_download_that_is_cut_goes_on_where_it_was(
    hub: HubServer, faces: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The client keeps what it has by pieces of this size, ten megabytes otherwise.
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 10_000)
    hub.cut("[0-9a-f]{64}", after_bytes=50_000, method="GET")
    assert Path(hf_hub_download("anna/faces", "model.safetensors")).read_bytes() == WEIGHTS
    first, second = hub.seen("GET", "[0-9a-f]{64}")
    assert (first.status, first.sent, first.range) == (200, 50_000, "")
    assert (second.status, second.sent, second.range) == (206, 150_000, "bytes=50000-")


def test_a_download_that_is_reset(hub: HubServer, faces: Repository) -> None:
    hub.cut("[0-9a-f]{64}", after_bytes=50_000, method="GET", reset=True)
    with pytest.raises(Exception, match="Connection reset by peer"):
        hf_hub_download("anna/faces", "model.safetensors")


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


def test_a_commit_whose_answer_is_lost_has_happened(hub: HubServer, faces: Repository) -> None:
    hub.lose("POST", "/commit/")
    with pytest.raises(Exception, match="disconnected"):
        commit(n=b"1")
    assert faces.files()["n"] == b"1"
    hub.cut("/commit/", after_bytes=20)
    with pytest.raises(Exception, match="disconnected"):
        commit(n=b"2")
    assert faces.files()["n"] == b"1"


@lately
def test_statuses_by_order(hub: HubServer, faces: Repository, waits: list[float]) -> None:
    for status in (401, 403, 404, 409, 429, 500, 503):
        hub.fail("POST", "/commit/", status)
        with pytest.raises(HfHubHTTPError) as caught:
            commit(n=b"1")
        assert caught.value.response.status_code == status
        assert isinstance(caught.value, RepositoryNotFoundError) == (status == 404)
    assert waits == [], "the client does not repeat a commit"
    commit(n=b"1")
    hub.fail("POST", "/preupload/", 429, headers={"Retry-After": "7"})
    hub.fail("PUT", "", 503, times=2)
    commit(new__safetensors=b"2")
    assert waits == [8, 1, 2]
    hub.fail("HEAD", "", 503, times=None)
    with pytest.raises(LocalEntryNotFoundError):
        hf_hub_download("anna/faces", "config.json")


def test_a_delay_is_as_long_as_told(hub: HubServer, faces: Repository) -> None:
    hub.delay("HEAD", "config", seconds=0.3)
    with pytest.raises(LocalEntryNotFoundError), pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.file_download._ETAG_RETRY_TIMEOUT", 0.01, raising=False)
        hub.delay("HEAD", "config", seconds=0.3, times=None)
        hf_hub_download("anna/faces", "config.json", etag_timeout=0.01)


def test_planted_files_lie_as_told(hub: HubServer) -> None:
    raw = {"type": "file", "path": "../raw", "size": 1, "oid": "0" * 40}
    planted = {
        "../up.json": b"1",
        "short.json": Planted(b"12345", size=2),
        "wrong.safetensors": Planted(b"12345", etag="0" * 64, large=True),
        "link": Planted(b"/etc/hostname", kind="symlink"),
    }
    hub.plant("ben/bad", planted, tree_entries=[raw])
    told = {each.path: each for each in HfApi().list_repo_tree("ben/bad", recursive=True)}
    assert {"../up.json", "../raw", "short.json", "wrong.safetensors", "link"} <= told.keys()
    assert told["short.json"].size == 2 and told["wrong.safetensors"].lfs.sha256 == "0" * 64
    assert "../raw" in HfApi().list_repo_files("ben/bad")
    with pytest.raises(OSError, match="Consistency check failed"):
        hf_hub_download("ben/bad", "short.json")
    # The client believes the header: sums are for those who read the file.
    assert Path(hf_hub_download("ben/bad", "wrong.safetensors")).read_bytes() == b"12345"


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


@lately
def test_a_client_that_sends_by_xet_finds_none(hub: HubServer, faces: Repository, hub_environment) -> None:
    pytest.importorskip("hf_xet")
    hub_environment(HF_HUB_DISABLE_XET=None)
    hub.forget()
    with pytest.raises(ConnectionError, match="404 Not Found"):
        commit(new__safetensors=b"1")
    assert [each.brief for each in hub.seen("GET")] == ["GET /api/models/anna/faces/xet-write-token/main 404"]


def test_the_client_is_its_own_again_afterwards() -> None:
    assert "127.0.0.1" not in constants.ENDPOINT
