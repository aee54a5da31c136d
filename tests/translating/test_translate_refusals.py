"""What `imgen translate` refuses, in one line and before anything is written, and what it skips."""

from __future__ import annotations

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def refused(cli, here, tree):
    """Runs a command that must be refused with nothing written: gives its one line."""

    def run(*argv) -> str:
        before = tree(here)
        said = cli("translate", *argv)
        assert (said.status, said.out) == (2, ""), said
        assert len(said.lines) == 1 and said.err.startswith("imgen"), said.err
        assert tree(here) == before, "something was written"
        return said.err

    return run


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["a.png", "--style_A", "pears", "--style_B", "PEARS"], "--style_A and --style_B are both 'PEARS'"),
        (["a.png", "--style_A", "pears", "--style_B", "pears!"], "from pears to pears there is nothing to translate"),
        (["a.png", "--style_B", "peers"], "no style is called 'peers'; did you mean 'pears'? It translates apples to"),
        (["a.png", "--style_B", "plums"], "it translates apples to pears and pears to apples"),
        (["a.png", "--style_B", "not pears"], "this model knows no style 'not pears'; it translates"),
        (["a.png", "--style_B", " "], "a style needs a name"),
        (["a.png", "--to", "pears", "--style_B", "pears"], "--style_B and --to exclude each other"),
        (["a.png", "--to", "pears", "--to", "pears"], "from pears to pears there is nothing"),
        (["a.png", "--to", "pears", "--to", "apples", "--cycle"], "give --to once"),
        (["a.png", "--cycle", "--chain", "3"], "--cycle and --chain exclude each other"),
        (["a.png", "--fit", "squeeze"], "squeeze"),
        (["a.png", "--out", "b.gif"], "--out b.gif: a file is written as .png, .jpg or .webp"),
        (["a.png", "in/b.png", "--out", "c.png"], "--out c.png: one file for 2 pictures; give a folder"),
        (["a.png", "--out", "c.png", "--gif"], "--gif and --format go with a folder"),
        (["a.png", "--out", "text/deep"], "text/deep: cannot be written to: Not a directory; give another --out"),
        (["a.png", "--device", "tpu"], "--device tpu: not usable here"),
        (["nowhere.png"], "nowhere.png: no such picture, folder or run"),
        (["a.png", "b.safetensors"], "b.safetensors: no such file"),
        (["empty"], "empty: holds no pictures (bmp, gif,"),
        (["in/*.webp"], "in/*.webp: matches no picture"),
        (["text.zip"], "text.zip: neither a folder nor a zip"),
        (["a.png", "other/a.png"], "/a.png: both a.png and other/a.png would be written here"),
        (["in", "--format", "png"], "/b.png: both in/b.jpg and in/b.png would be written here"),
        (["sheet.png"], "/sheet.png: both the sheet and sheet.png would be written here"),
        (["in/b.png", "--out", "in"], "in/b.png: is a picture to be translated, and never overwritten"),
        (["in/b.png", "--out", "in", "--overwrite"], "in/b.png: is a picture to be translated, and never overwritten"),
        (["in/b.png", "--out", "in/b.png", "--overwrite"], "in/b.png: is a picture to be translated, and never"),
        (["in/b.png", "--out", "link", "--overwrite"], "link/b.png: is a picture to be translated, and never"),
        (["clear.png", "--out", "b.jpg"], "clear.png: has transparency, which b.jpg could not keep; write a .png"),
    ],
)
def test_a_wrong_request(argv, says, run, draw, refused, here):
    for name in ("a.png", "in/b.png", "in/b.jpg", "other/a.png", "sheet.png"):
        draw(name)
    draw("clear.png", channels=4)
    (here / "empty").mkdir()
    (here / "link").symlink_to("in")
    for name in ("text", "text.zip", "empty/.hidden.png", "empty/readme.md"):
        (here / name).write_text("text")
    assert says in refused(run, *argv)


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "there are no runs under runs/"),
        (["a.png"], "there are no runs under runs/"),
        (["runs/gone", "a.png"], "runs/gone: no such file or run"),
        (["gone.safetensors"], "gone.safetensors: no such file or run"),
    ],
)
def test_no_model(argv, says, refused, draw):
    draw("a.png")
    assert says in refused(*argv)


def test_a_model_that_translates_no_pictures(make_run, draw, refused):
    draw("a.png")
    make_run("runs/mute", model="mute"), make_run("runs/points", vector=2)
    assert "'mute' does not translate pictures" in refused("runs/mute", "a.png")
    assert "translates vectors and no pictures" in refused("runs/points", "a.png")
    assert "none of the 2 runs under runs/ has a model that translates pictures" in refused("a.png")


def test_one_way_only(make_run, draw, refused):
    draw("a.png")
    model = make_run(can="one")
    for argv in (["--cycle"], ["--chain", "2"]):
        assert "has no way back from pears; it translates apples to pears" in refused(model, "a.png", *argv)
    assert "has no way from pears to apples" in refused(model, "a.png", "--style_A", "pears", "--style_B", "apples")
    assert "has no way from pears;" in refused(model, "a.png", "--style_A", "pears")


def test_several_ways_from_anything(make_run, draw, refused, cli):
    draw("a.png")
    model = make_run(can="free")
    assert "has no way from Male" in refused(model, "a.png", "--style_A", "male")
    able = "it translates any picture to Male, not Male, Blond_Hair and Black_Hair"
    assert able in refused(model, "a.png", "--to", "moustache")
    assert cli("translate", model, "a.png", "--style_A", "male", "--to", "not male", "--cycle").status == 0


@pytest.mark.parametrize(
    ("run", "says"),
    [
        ({"data": "held: 0"}, "its data set holds out no pictures of apples; give pictures to translate"),
        ({"can": "free"}, "this model translates any pictures; give pictures to translate"),
        ({"image": (3, 8, 8)}, "its data set holds out no pictures of apples"),
    ],
)
def test_nothing_held_out(run, says, make_run, refused):
    assert says in refused(make_run(**run))


def test_nothing_held_out_of_a_model_on_its_own(run, refused, here):
    (here / run / "recipe.yaml").unlink()
    assert "this model is in no run" in refused(run)


def test_a_recipe_that_can_no_longer_be_read(make_run, refused):
    assert "recipe.yaml:2: " in refused(make_run(data="hold: 3"))


def test_nothing_on_standard_input(run, refused, monkeypatch):
    from io import BytesIO, TextIOWrapper

    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(b"\n")))
    assert "standard input: no paths; give one a line" in refused(run, "-")


def test_files_that_are_there_are_kept(run, draw, cli, refused, here):
    for n in range(3):
        draw(f"in/{n}.png", n)
    (here / "out").mkdir()
    (here / "out/1.png").write_text("mine")
    line = refused(run, "in", "--out", "out")
    assert "out/1.png: exists already; give --overwrite to replace, or another --out" in line
    assert cli("translate", run, "in", "--out", "out", "--overwrite").status == 0
    assert Image.open(here / "out/1.png").size == (16, 16)
    assert "out/sheet.png: exists already, and 3 more; " in refused(run, "in", "--out", "out")
    (here / "out/2.png").unlink(), (here / "out/2.png").mkdir()
    assert "out/2.png: a folder is in the way" in refused(run, "in", "--out", "out", "--overwrite")


def test_a_damaged_model_leaves_no_folder(run, draw, refused, here):
    draw("a.png")
    content = bytearray((here / run / "model.safetensors").read_bytes())
    content[-2] ^= 1
    (here / run / "model.safetensors").write_bytes(content)
    assert "damaged" in refused(run, "a.png")


def bomb(width: int, height: int) -> bytes:
    """A PNG of a hundred bytes with a large header."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


def test_broken_pictures_are_skipped(run, draw, cli, here, opened):
    shown = draw("in/good.png")
    draw("in/half.png", size=(64, 64)), draw("in/one.png", size=(1, 1))
    (here / "in/half.png").write_bytes((here / "in/half.png").read_bytes()[:-4000])
    (here / "in/text.png").write_text("no picture")
    (here / "in/none.png").touch()
    (here / "in/bomb.png").write_bytes(bomb(60_000, 60_000))
    os.mkfifo(here / "in/pipe.png")
    (here / "in/loose.png").symlink_to("gone")
    said = cli("translate", run, "in", "--out", "out")
    assert said.status == 1
    assert said.out.splitlines() == ["out/good.png", "out/one.png", "out/sheet.png"]
    reasons = {
        "bomb.png": "more than the 64 million pixels allowed",
        "half.png": "damaged",
        "loose.png": "cannot be read: No such file",
        "none.png": "empty file",
        "pipe.png": "not a plain file",
        "text.png": "not a picture in a known format",
    }
    assert len(said.lines) == len(reasons)
    for line, (name, reason) in zip(said.lines, reasons.items(), strict=True):
        assert line.startswith(f"imgen: in/{name}: {reason}")
    assert (opened("out/good.png") == 255 - shown).all()
    assert opened("out/one.png").shape == (1, 1, 3)
    assert opened("out/sheet.png").shape[0] == 34


@pytest.mark.parametrize("fit", ["resize", "tile"])
def test_only_broken_pictures(fit, run, cli, here):
    (here / "text.png").write_text("no picture")
    said = cli("translate", run, "text.png", "--fit", fit, "--out", "new/out")
    assert (said.status, said.out, len(said.lines)) == (1, "", 1)
    assert not (here / "new").exists()


def test_what_the_model_cannot_take_is_skipped(run, draw, cli, monkeypatch, here):
    """A model that fails at one size does not take the others with it."""
    draw("a.png"), draw("b.png", size=(20, 16))
    import stranger_orchard

    plain = stranger_orchard.Tint.translate

    def picky(self, images, way):
        if images.shape[2] == 20:
            raise RuntimeError("no\nsuch size")
        return plain(self, images, way)

    monkeypatch.setattr(stranger_orchard.Tint, "translate", picky)
    said = cli("translate", run, "a.png", "b.png", "--fit", "native", "--out", "out")
    assert said.status == 1 and said.out == "out/a.png\nout/sheet.png\n"
    assert said.lines == ["imgen: b.png: the model cannot take 16x20: no such size"]
    monkeypatch.setattr(stranger_orchard.Tint, "translate", lambda self, images, way: images[..., 1:])
    said = cli("translate", run, "b.png", "--fit", "native", "--out", "o")
    assert said.lines == ["imgen: b.png: the model gives 15x20 for 16x20; take --fit resize, crop or tile"]


def test_an_animation_gives_its_first_picture(run, cli, here):
    frames = [Image.fromarray(np.full((16, 16, 3), value, np.uint8)) for value in (250, 0)]
    frames[0].save(here / "a.gif", save_all=True, append_images=frames[1:])
    said = cli("translate", run, "a.gif", "--out", "out")
    assert said.status == 0 and said.out == "out/a.png\nout/sheet.png\n"
    assert said.lines == ["imgen: a.gif: is animated; only its first picture is translated"]
    assert np.asarray(Image.open(here / "out/a.png").convert("RGB")).max() < 10


def test_a_failure_while_writing_leaves_the_old_file_whole(run, draw, cli, here, monkeypatch, tree):
    draw("a.png"), draw("out/a.png", 1)
    before = tree(here / "out")

    def full(self, file, **settings):
        file.write(b"part")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    said = cli("translate", run, "a.png", "--out", "out", "--overwrite")
    assert said.status == 1 and len(said.lines) == 1 and "free some space" in said.err
    assert tree(here / "out") == before
