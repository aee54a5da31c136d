"""Folders and zips: what is found in them, and what is refused."""

from __future__ import annotations

import os
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from imgen.data import source as source_module
from imgen.data.source import open_source
from imgen.errors import DataError


def zipped(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


MEMBERS = {
    "b/2.JPG": b"two",
    "a.png": b"one",
    "b/notes.txt": b"text",
    "b/.hidden.png": b"",
    "__MACOSX/b/2.jpg": b"",
    ".git/x.png": b"",
    "b/readme.md": b"",
}


def test_a_folder_and_a_zip_tell_the_same(tmp_path):
    for name, data in MEMBERS.items():
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(data)
    for path in (tmp_path / "set", zipped(tmp_path / "set.zip", MEMBERS)):
        source = open_source(str(path))
        assert source.names == ["a.png", "b/2.JPG"]
        assert source.tables == ["b/notes.txt"]
        assert source.read("b/2.JPG") == b"two"
        assert source.stamp("a.png")[0] == 3
        assert source.refused == {}


def test_what_is_missing_says_what_would_do(tmp_path):
    with pytest.raises(DataError, match=r"faces: no such folder or file; give a folder or a zip of cats.*'shapes'"):
        open_source(tmp_path / "faces", "cats")
    (tmp_path / "plain").write_bytes(b"text")
    with pytest.raises(DataError, match="neither a folder nor a zip"):
        open_source(tmp_path / "plain")


def test_links_are_followed_and_loops_end(tmp_path):
    (tmp_path / "set" / "a").mkdir(parents=True)
    (tmp_path / "elsewhere.png").write_bytes(b"far")
    (tmp_path / "set" / "a" / "linked.png").symlink_to(tmp_path / "elsewhere.png")
    (tmp_path / "set" / "a" / "back").symlink_to(tmp_path / "set", target_is_directory=True)
    (tmp_path / "set" / "broken.png").symlink_to(tmp_path / "nowhere.png")
    source = open_source(tmp_path / "set")
    assert source.names == ["a/linked.png", "broken.png"]
    assert source.read("a/linked.png") == b"far"
    with pytest.raises(DataError, match="No such file"):
        source.read("broken.png")
    assert source.stamp("broken.png") == (-1, -1)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(DataError, match="not a plain file"):
        open_source(tmp_path).read("pipe.png")


def test_names_that_lead_out_of_a_zip_are_refused(tmp_path):
    bad = ["../out.png", "/etc/x.png", "a/../../b.png", "C:/x.png", "a\\b.png"]
    source = open_source(zipped(tmp_path / "z.zip", {**dict.fromkeys(bad, b"x"), "good.png": b"y"}))
    assert source.names == ["good.png"]
    assert sorted(source.refused) == sorted(bad)


def test_bombs_are_refused_unread(tmp_path, monkeypatch):
    big = bytes(17 * 2**20)
    source = open_source(zipped(tmp_path / "z.zip", {"zeros.png": big}))
    with pytest.raises(DataError, match="as no picture is"):
        source.read("zeros.png")
    # The same bytes are allowed where they take their room in the zip, and up to the limit only.
    stored = open_source(zipped(tmp_path / "s.zip", {"zeros.png": big}, zipfile.ZIP_STORED))
    assert stored.read("zeros.png") == big
    (tmp_path / "zeros.png").write_bytes(big)
    monkeypatch.setattr(source_module, "MAX_BYTES", 16 * 2**20)
    for source in (stored, open_source(tmp_path)):
        with pytest.raises(DataError, match="16 MiB allowed"):
            source.read("zeros.png")


def test_unbounded_methods_and_damage_in_a_zip(tmp_path):
    with pytest.raises(DataError, match="deflate"):
        open_source(zipped(tmp_path / "b.zip", {"a.png": b"x" * 99}, zipfile.ZIP_BZIP2)).read("a.png")
    path = zipped(tmp_path / "c.zip", {"a.png": b"x" * 99}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"xxx", b"xyx", 1))
    with pytest.raises(DataError, match="damaged in the zip"):
        open_source(path).read("a.png")


def test_a_zip_is_read_by_many_threads(tmp_path):
    members = {f"{i:03}.png": os.urandom(5000) for i in range(100)}
    source = open_source(zipped(tmp_path / "z.zip", members))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(source.read, source.names * 3)) == list(members.values()) * 3
