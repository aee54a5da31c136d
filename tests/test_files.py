"""Files that are written whole or not at all."""

from __future__ import annotations

import os

import pytest

from imgen.files import replacing, write


def test_written_with_its_folders(tmp_path):
    write(tmp_path / "a/b.txt", "grüß")
    write(tmp_path / "a/c.bin", b"\0\1")
    assert (tmp_path / "a/b.txt").read_text(encoding="utf8") == "grüß"
    assert (tmp_path / "a/c.bin").read_bytes() == b"\0\1"
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"b.txt", "c.bin"}


@pytest.mark.parametrize("fault", ["writing", "fsync", "replace"])
def test_a_failure_at_any_moment_keeps_the_old_content(fault, tmp_path, monkeypatch):
    path = tmp_path / "a"
    write(path, "old")

    def fail(*args):
        raise OSError("disk full")

    if fault == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    if fault == "replace":
        monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OSError, match="disk full"), replacing(path) as file:
        file.write(b"new")
        assert path.read_text() == "old"
        if fault == "writing":
            fail()
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path], "no part is left"


def test_a_link_is_replaced_and_what_it_pointed_to_is_not(tmp_path):
    (tmp_path / "real").write_text("kept")
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "link", "new")
    assert (tmp_path / "real").read_text() == "kept"
    assert (tmp_path / "link").read_text() == "new"
