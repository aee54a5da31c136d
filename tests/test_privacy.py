"""Nothing of this machine leaves: places in settings, and what texts tell."""

from __future__ import annotations

import socket
from pathlib import Path

from imgen.binding import Place
from imgen.data.folder import images
from imgen.privacy import missing_places, placeless, traces, unplaced


def factory(*, root: Place, embedding: Place = "oracle", crop: str = "center") -> None:
    """A factory with places."""


class TestPlaceless:
    def test_a_place_becomes_the_settings_name(self):
        assert placeless({"root": "faces", "crop": "none"}, factory) == {"root": "ROOT", "crop": "none"}

    def test_a_default_stays(self):
        assert placeless({"root": "", "embedding": "oracle"}, factory) == {"root": "", "embedding": "oracle"}
        assert placeless({"embedding": "runs/mine"}, factory) == {"embedding": "EMBEDDING"}

    def test_what_begins_like_a_path_goes_wherever_it_stands(self):
        told = {"note": "~/faces", "deep": {"files": ["/srv/a", "b"]}, "drive": "C:\\faces", "ratio": "1/2"}
        assert placeless(told) == {
            "note": "NOTE",
            "deep": {"files": ["FILES", "b"]},
            "drive": "DRIVE",
            "ratio": "1/2",
        }

    def test_a_shipped_data_set_marks_its_root(self):
        assert placeless({"root": "2024", "size": 64}, images) == {"root": "ROOT", "size": 64}


class TestMissingPlaces:
    def test_what_was_replaced_is_known_again(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        published = placeless({"root": "/srv/faces", "embedding": "oracle", "crop": "CROP"}, factory)
        assert missing_places(published, factory) == ["root"]
        (tmp_path / "ROOT").mkdir()
        assert missing_places(published, factory) == []


class TestTraces:
    def test_folders_of_people(self):
        assert traces("made in /home/alice/faces, I think") == ["/home/alice/faces"]
        assert traces("C:\\Users\\alice\\faces") == ["C:\\Users\\alice\\faces"]

    def test_the_working_folder_and_the_home(self):
        assert str(Path.cwd()) in traces(f"read {Path.cwd()}/x")

    def test_the_host_and_the_user(self, monkeypatch):
        monkeypatch.setattr(socket, "gethostname", lambda: "quiet-lake.example.org")
        monkeypatch.setenv("LOGNAME", "alice")
        assert traces("trained by alice on quiet-lake") == ["alice", "quiet-lake"]
        assert traces("malice on Quiet-Lake.example.org") == ["quiet-lake", "quiet-lake.example.org"]
        assert traces("imgen sample alice/faces", allowed=["alice/faces"]) == []

    def test_an_ordinary_text_has_none(self, monkeypatch):
        monkeypatch.setenv("LOGNAME", "root")
        monkeypatch.setattr(socket, "gethostname", lambda: "localhost")
        assert traces("root: ROOT\nhttps://example.org/home/page and 1/2 of /all/ the rest") == []

    def test_other_disks_and_what_json_makes_of_paths(self):
        assert traces("in /gpfs/group7/faces and /data2/faces.") == ["/gpfs/group7/faces", "/data2/faces."]
        assert traces('"C:\\\\Users\\\\alice"') == ["C:\\\\Users\\\\alice"]

    def test_a_name_as_json_writes_it(self, monkeypatch):
        monkeypatch.setenv("LOGNAME", "jürgen")
        assert traces('{"by": "j\\u00fcrgen"}') == ["jürgen"]

    def test_a_folder_that_is_called_like_the_repository(self, monkeypatch, tmp_path):
        folder = tmp_path / "anna/faces"
        folder.mkdir(parents=True)
        monkeypatch.chdir(folder)
        assert str(folder) in traces(f"read {folder}", allowed=["anna/faces", "anna"])
        assert traces(f"read {folder}/x", allowed=[str(tmp_path)]) == []
        assert traces(f"read {folder}", allowed=[""]) != []

    def test_tokens_and_passwords_are_found_but_not_told(self):
        token = "hf_" + "aB3" * 11
        assert traces(f"url: https://example.org/?t={token}", allowed=[token]) == ["hf_..."]
        assert traces("url: https://anna:secret@example.org/x") == ["https://name:password@..."]

    def test_a_folder_that_is_part_of_an_address(self, monkeypatch):
        monkeypatch.setattr("imgen.privacy._places", lambda: ["/data"])
        assert traces("https://example.org/data/x and /database") == []
        assert traces("in /data") == ["/data"]


def test_folders_are_taken_out_of_a_text(monkeypatch):
    monkeypatch.setattr("imgen.privacy._places", lambda: ["/srv/a"])
    assert unplaced("no pictures in /srv/a/b, /srv/a and https://example.org") == (
        "no pictures in FOLDER, FOLDER and https://example.org"
    )
