"""Fetching from a real server: good files, wrong ones, cut connections, and no server at all."""

from __future__ import annotations

import hashlib
import re
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from imgen.errors import DataError
from imgen.metrics.quality import fetching, inception
from imgen.metrics.quality.fetching import cache_folder, fetch, is_right

CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Serves(BaseHTTPRequestHandler):
    """/good as it should be; /cut closes half way; /unsized says no length; /slow never comes; else 404."""

    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(1)
            return
        if self.path not in ("/good", "/cut", "/unsized"):
            self.send_error(404)
            return
        self.send_response(200)
        if self.path != "/unsized":
            self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: len(CONTENT) // 2] if self.path == "/cut" else CONTENT)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    serving = ThreadingHTTPServer(("127.0.0.1", 0), Serves)
    serving.daemon_threads = True
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{serving.server_address[1]}"
    serving.shutdown()
    serving.server_close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", ["good", "unsized"])
@pytest.mark.parametrize("digits", [8, 64])
def test_a_right_file_takes_its_name(server, tmp_path, path, digits):
    into = tmp_path / "deep" / "file"
    assert fetch(f"{server}/{path}", into, SHA256[:digits], most=len(CONTENT)) == into
    assert into.read_bytes() == CONTENT and left(tmp_path) == ["file"]
    assert is_right(into, SHA256[:digits]) and not is_right(into, "00") and not is_right(tmp_path / "none", "")


@pytest.mark.parametrize(
    ("path", "sha256", "most", "why"),
    [
        ("good", "0" * 64, 10**6, f"its sha256 is {SHA256}, not 0000"),
        ("cut", SHA256, 10**6, "the connection was cut after 128,000 of 256,000 bytes"),
        ("good", SHA256, 1000, "larger than the 1,000 bytes expected"),
        ("missing", SHA256, 10**6, "the server says 404"),
        ("slow", SHA256, 10**6, "the server does not answer"),
    ],
)
def test_anything_else_leaves_what_was_there(server, tmp_path, path, sha256, most, why):
    into = tmp_path / "file"
    into.write_bytes(b"before")
    with pytest.raises(DataError, match=re.escape(why)) as told:
        fetch(f"{server}/{path}", into, sha256, most=most, silence=0.3)
    assert f"put it at {into}" in str(told.value) and "\n" not in str(told.value)
    assert into.read_bytes() == b"before" and left(tmp_path) == ["file"]


def test_a_server_that_takes_too_long_is_left(server, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "_PIECE", 1000)
    with pytest.raises(DataError, match="longer than 0 s"):
        fetch(f"{server}/good", tmp_path / "file", SHA256, most=10**6, together=0)
    assert not left(tmp_path)


def test_without_a_network_it_says_what_to_put_where(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DataError, match=f"Connection refused; get it from there yourself and put it at {tmp_path}/x"):
        fetch(f"http://127.0.0.1:{port}/x", tmp_path / "x", SHA256, most=10**6)
    with pytest.raises(DataError, match="could not be fetched"):
        fetch("nowhere", tmp_path / "x", SHA256, most=10**6)


def test_weights_are_fetched_once_and_again_where_damaged(server, monkeypatch):
    for name, value in (("URL", f"{server}/good"), ("SHA256", SHA256), ("BYTES", len(CONTENT))):
        monkeypatch.setattr(inception, name, value)
    path = inception.weights_file(None)
    assert path == cache_folder() / "pt_inception-2015-12-05-6726825d.pth"
    monkeypatch.setattr(inception, "URL", "http://127.0.0.1:9/none")
    assert inception.weights_file(None) == path
    path.write_bytes(CONTENT[:-1])
    monkeypatch.setattr(inception, "URL", f"{server}/good")
    assert inception.weights_file(None).read_bytes() == CONTENT
    assert inception.weights_file(str(path)) == path


def test_given_weights_must_be_the_published_ones(tmp_path):
    other = tmp_path / "other.pth"
    with pytest.raises(DataError, match=r"other.pth: no such file; it should be pt_inception-2015-12-05-6726825d.pth"):
        inception.weights_file(str(other))
    other.write_bytes(CONTENT)
    with pytest.raises(DataError, match="does not have the sha256 of pt_inception"):
        inception.weights_file(str(other))
    assert other.read_bytes() == CONTENT
