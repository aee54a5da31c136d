"""Manifests: what was written, what was made of what, and what the model tells of both."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

GREYS = {"Smiling": (20, 60), "hair": (20, 60), "age": (20, 60, 100, 140)}
VALUES = ["not Smiling", "Smiling", "Black_Hair", "Blond_Hair", "0-10", "11-20", "21-70", "71+"]


def told(shown: np.ndarray) -> list[float]:
    """What the plugin's model tells of (H, W, C) with sides of 16, worked by hand."""
    found = []
    for place, greys in enumerate(GREYS.values()):
        mean = shown[place * 16 // 3 : (place + 1) * 16 // 3].astype(np.float64).mean()
        weights = np.exp(-np.abs(mean - np.array(greys)) / 20)
        found += list(weights / weights.sum())
    return found


@pytest.fixture
def read(here):
    """The rows of `out/manifest.csv`, and what `out/manifest.json` holds."""

    def both(out="out"):
        with (here / out / "manifest.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        return rows, json.loads((here / out / "manifest.json").read_text())

    return both


def test_each_file_with_what_is_told_of_it(editor, draw, opened, cli, read):
    drawn = {name: draw(f"in/{name}", n) for n, name in enumerate(("a.png", "sub/b.png"))}
    said = cli("translate", editor, "in", "--to", "blond", "--to", "71+", "--out", "out")
    assert said.out.splitlines() == [
        *(f"out/{name}" for name in ("a.png", "sub/b.png", "sheet.png", "manifest.csv", "manifest.json"))
    ]
    rows, whole = read()
    assert list(rows[0]) == ["file", "picture", "heads", *(f"{s}:{v}" for s in ("in", "out") for v in VALUES)]
    assert [(row["file"], row["picture"], row["heads"]) for row in rows] == [
        (name, f"in/{name}", "Blond_Hair > 71+") for name in drawn
    ]
    for row, (name, shown) in zip(rows, drawn.items(), strict=True):
        for side, pixels in (("in", shown), ("out", opened(f"out/{name}"))):
            for value, wanted in zip(VALUES, told(pixels), strict=True):
                assert len(row[f"{side}:{value}"].partition(".")[2]) == 4
                assert float(row[f"{side}:{value}"]) == pytest.approx(wanted, abs=1e-4)
        assert float(row["out:71+"]) > 0.8 and float(row["out:Blond_Hair"]) > 0.8
    assert (whole["model"], whole["name"]) == (f"{editor}/model.safetensors", "workshop")
    assert [each["file"] for each in whole["files"]] == list(drawn)
    for row, each in zip(rows, whole["files"], strict=True):
        assert (each["picture"], each["heads"]) == (row["picture"], ["Blond_Hair", "71+"])
        for side in ("in", "out"):
            assert list(each[side]) == ["Smiling", "hair", "age"]
            flat = {value: share for shares in each[side].values() for value, share in shares.items()}
            assert flat == {value: float(row[f"{side}:{value}"]) for value in VALUES}


def test_every_value(editor, draw, cli, read):
    for n in range(40):
        draw(f"in/{n:02d}.png", n)
    for out, batch in (("1", 3), ("2", 7), ("3", 64)):
        assert cli("translate", editor, "in", "--every", "--out", out, "--batch", batch).status == 0
    rows, whole = read("1")
    assert [row["file"] for row in rows] == [
        f"{value.replace(' ', '_')}/{n:02d}.png" for n in range(40) for value in VALUES
    ]
    assert [row["heads"] for row in rows] == VALUES * 40
    assert all(float(row[f"out:{row['heads']}"]) > 0.7 for row in rows)
    assert read("2") == read("3") == (rows, whole), "neither threads nor batches show"


@pytest.mark.parametrize("fit", ["crop", "native", "tile"])
def test_scores_are_of_the_size_of_training(fit, editor, draw, cli, read, monkeypatch):
    import stranger_orchard

    seen = []
    plain = stranger_orchard.Painter.classify

    def look(self, images):
        seen.append(tuple(images.shape[1:]))
        return plain(self, images)

    monkeypatch.setattr(stranger_orchard.Painter, "classify", look)
    draw("in/a.png", size=(23, 40)), draw("in/b.png", size=(50, 16))
    assert cli("translate", editor, "in", "--to", "blond", "--fit", fit, "--out", "out").status == 0
    assert set(seen) == {(3, 16, 16)}
    assert all(0 < float(row["out:Blond_Hair"]) < 1 for row in read()[0])


def test_there_and_back_has_a_row_for_each_file(editor, draw, cli, read):
    draw("a.png")
    argv = ("--style_A", "black", "--to", "blond")
    assert cli("translate", editor, "a.png", *argv, "--cycle", "--out", "out").status == 0
    rows, _ = read()
    assert [(row["file"], row["heads"]) for row in rows] == [
        ("a.png", "Blond_Hair"),
        ("a.back.png", "Blond_Hair > Black_Hair"),
    ]
    assert float(rows[1]["out:Black_Hair"]) > 0.8 > float(rows[0]["out:Black_Hair"])
    # The sheet has the way back too, but no file of its own.
    assert cli("translate", editor, "a.png", *argv, "--out", "o").status == 0
    assert [row["heads"] for row in read("o")[0]] == ["Blond_Hair"]


@pytest.mark.parametrize(
    ("model", "argv", "there"),
    [
        ("workshop", ["--to", "blond"], True),
        ("workshop", ["--to", "blond", "--no-manifest"], False),
        ("brush", ["--to", "blond"], False),
        ("brush", ["--to", "blond", "--manifest"], True),
        ("brush", ["--every"], True),
        ("brush", ["--every-of", "age"], True),
        ("brush", ["--every-of", "age", "--no-manifest"], False),
    ],
)
def test_when_there_is_one(model, argv, there, make_editor, draw, cli, here):
    draw("a.png")
    run = make_editor(model=model)
    told = json.loads(cli("translate", run, "a.png", *argv, "--out", "out", "--json").out)
    assert told["manifest"] == ([f"out/manifest.{kind}" for kind in ("csv", "json")] if there else [])
    assert not any("manifest" in path for path in told["paths"])
    assert (here / "out/manifest.csv").exists() == there == (here / "out/manifest.json").exists()


def test_a_model_between_two_domains_tells_no_scores(run, draw, cli, read):
    draw("a.png")
    assert cli("translate", run, "a.png", "--cycle", "--manifest", "--out", "out").status == 0
    rows, whole = read()
    assert rows == [
        {"file": "a.png", "picture": "a.png", "heads": "pears"},
        {"file": "a.back.png", "picture": "a.png", "heads": "pears > apples"},
    ]
    assert [list(each) for each in whole["files"]] == [["file", "picture", "heads"]] * 2


def test_what_is_skipped_is_not_in_it(editor, draw, cli, read, here):
    draw("in/b.png"), draw("in/d.png")
    for name in ("in/a.png", "in/c.png"):
        (here / name).write_text("no picture")
    assert cli("translate", editor, "in", "--every-of", "hair", "--out", "out").status == 1
    assert [row["picture"] for row in read()[0]] == ["in/b.png"] * 2 + ["in/d.png"] * 2
    (here / "in/b.png").unlink(), (here / "in/d.png").unlink()
    assert cli("translate", editor, "in", "--every", "--out", "none").status == 1
    assert not (here / "none").exists()


def test_held_out_pictures_have_names_of_their_own(editor, cli, read):
    assert cli("translate", editor, "--every-of", "hair", "--out", "out", "-n", "2").status == 0
    pictures = [row["picture"] for row in read()[0]]
    # The run as it was given, and not where on this machine it lies.
    assert pictures == [f"{editor}: held-out picture {place}/face0" for place in (0, 0, 1, 1)]


def test_a_manifest_that_is_there_is_kept(editor, draw, cli, here):
    draw("a.png")
    (here / "out").mkdir()
    (here / "out/manifest.json").write_text("mine")
    said = cli("translate", editor, "a.png", "--to", "blond", "--out", "out")
    assert said.status == 2 and "out/manifest.json: exists already; give --overwrite" in said.err
    assert (here / "out/manifest.json").read_text() == "mine"
    assert cli("translate", editor, "a.png", "--to", "blond", "--out", "out", "--overwrite").status == 0
    assert json.loads((here / "out/manifest.json").read_text())["files"][0]["file"] == "a.png"


def test_names_that_are_no_text_and_numbers_that_are_none(editor, draw, here, monkeypatch):
    import os
    from io import BytesIO, TextIOWrapper

    import stranger_orchard

    from imgen.cli import main

    draw('in/a, "b".png')
    (here / "in" / os.fsdecode(b"\xff.png")).write_bytes((here / 'in/a, "b".png').read_bytes())
    monkeypatch.setattr(
        stranger_orchard.Painter,
        "classify",
        lambda self, images: [images.new_full((len(images), len(each.values)), np.nan) for each in self.paints],
    )
    typed = TextIOWrapper(BytesIO(), "utf8")
    monkeypatch.setattr("sys.stdout", typed)
    assert main(["translate", str(editor), "in", "--to", "blond", "--out", "out", "--no-sheet"]) == 0
    assert typed.buffer.getvalue().splitlines()[:2] == [b'out/a, "b".png', b"out/\xff.png"]
    with (here / "out/manifest.csv").open(newline="", errors="surrogateescape") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == ['a, "b".png', os.fsdecode(b"\xff.png")]
    assert rows[0]["in:Smiling"] == ""
    files = json.loads((here / "out/manifest.json").read_text())["files"]
    assert [each["file"] for each in files] == [row["file"] for row in rows]
    assert files[0]["out"]["hair"] == {"Black_Hair": None, "Blond_Hair": None}


def test_a_classifier_that_breaks_its_word_is_told(editor, draw, cli, monkeypatch):
    import stranger_orchard

    plain = stranger_orchard.Painter.classify
    monkeypatch.setattr(stranger_orchard.Painter, "classify", lambda self, images: plain(self, images)[:2])
    draw("a.png")
    said = cli("translate", editor, "a.png", "--to", "blond", "--out", "out")
    assert said.status == 1 and len(said.lines) == 1
    assert "a.png: the model cannot take 16x16: it classifies as" in said.err
    assert cli("translate", editor, "a.png", "--to", "blond", "--out", "o", "--no-manifest").status == 0
