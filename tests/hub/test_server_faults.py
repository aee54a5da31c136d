"""What goes wrong on the Hub for tests by order, and what its own client makes of it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants, hf_hub_download
from huggingface_hub.errors import (
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)
from server import HubServer, Planted, Repository
from server_client import WEIGHTS, commit, fill, lately


@pytest.fixture
def faces(hub: HubServer) -> Repository:
    """A repository that the client made and filled."""
    return fill(hub)


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


@lately
def test_a_client_that_sends_by_xet_finds_none(hub: HubServer, faces: Repository, hub_environment) -> None:
    pytest.importorskip("hf_xet")
    hub_environment(HF_HUB_DISABLE_XET=None)
    hub.forget()
    with pytest.raises(ConnectionError, match="404 Not Found"):
        commit(new__safetensors=b"1")
    assert [each.brief for each in hub.seen("GET")] == ["GET /api/models/anna/faces/xet-write-token/main 404"]
