"""Every value of every attribute at once: folders, sheets, strips, and that each is what it is alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

HEADS = ["not Smiling", "Smiling", "Black_Hair", "Blond_Hair", "0-10", "11-20", "21-70", "71+"]
FOLDERS = [head.replace(" ", "_") for head in HEADS]
MODELS = ["brush", "painter", "workshop"]


@pytest.fixture
def every(cli, here):
    """Makes every value into `out`: gives the paths below it."""

    def run(*argv, out="out", option=("--every",)):
        said = cli("translate", *argv, *option, "--out", out, "--no-manifest")
        assert (said.status, said.err) == (0, ""), said
        return [line.removeprefix(f"{out}/") for line in said.out.splitlines()]

    return run


@pytest.mark.parametrize("model", MODELS)
def test_every_value_has_a_folder_and_a_column(model, make_editor, draw, opened, every, painted):
    drawn = {name: draw(f"in/{name}", n) for n, name in enumerate(("a.png", "sub/b.png", "sub/deep/a.png"))}
    assert every(make_editor(model=model), "in") == [
        *(f"{folder}/{name}" for name in drawn for folder in FOLDERS),
        "sheet.png",
    ]
    sheet = opened("out/sheet.png")
    assert sheet.shape == (3 * 18 - 2, 9 * 18 - 2, 3)
    for row, (name, shown) in enumerate(drawn.items()):
        cells = [sheet[18 * row : 18 * row + 16, 18 * column : 18 * column + 16] for column in range(9)]
        assert (cells[0] == shown).all()
        for head, folder, cell in zip(HEADS, FOLDERS, cells[1:], strict=True):
            assert (opened(f"out/{folder}/{name}") == painted(shown, head)).all()
            assert (cell == painted(shown, head)).all()


def test_an_editor_that_is_asked_for_nothing_makes_all_that_it_can(editor, draw, every):
    draw("a.png")
    assert every(editor, "a.png", option=()) == [*(f"{folder}/a.png" for folder in FOLDERS), "sheet.png"]


def test_the_values_of_one_attribute_in_order(editor, draw, opened, every, painted):
    shown = draw("a.png")
    assert every(editor, "a.png", option=("--every-of", "AGE")) == [
        *(f"{folder}/a.png" for folder in FOLDERS[4:]),
        "sheet.png",
    ]
    sheet = opened("out/sheet.png")
    assert sheet.shape == (16, 5 * 18 - 2, 3)
    assert (sheet[:, -16:] == painted(shown, "71+")).all()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("fit", ["resize", "crop", "native", "tile"])
def test_each_is_what_it_is_alone(fit, model, make_editor, draw, opened, every, cli):
    for n, size in enumerate([(16, 16), (24, 41), (5, 9)]):
        draw(f"in/{n}.png", n, size, channels=4)
    run = make_editor(model=model)
    every(run, "in", "--fit", fit, "--batch", "2")
    for head, folder in zip(HEADS, FOLDERS, strict=True):
        said = cli("translate", run, "in", "--to", head, "--fit", fit, "--out", f"alone/{folder}", "--no-manifest")
        assert said.status == 0
        for n in range(3):
            assert (opened(f"out/{folder}/{n}.png") == opened(f"alone/{folder}/{n}.png")).all()


@pytest.mark.parametrize("fit", ["resize", "native", "tile"])
def test_what_is_shared_is_done_once(fit, editor, draw, every, cli, monkeypatch):
    """A model that can do several at once is asked once for every batch, or tiles; one after another it is not."""
    import stranger_orchard

    calls = []
    plain = stranger_orchard.Brush.__init__

    def init(self, data):
        plain(self, data)
        self.calls = calls

    monkeypatch.setattr(stranger_orchard.Brush, "__init__", init)
    draw("a.png", size=(16, 16))
    every(editor, "a.png", "--fit", fit)
    assert calls == [HEADS]
    calls.clear()
    every(editor, "a.png", "--fit", fit, option=("--to", "blond", "--to", "71+"), out="o")
    assert calls == [["Blond_Hair"], ["71+"]]


def test_short_of_memory_goes_in_parts(editor, draw, opened, every, painted, monkeypatch, cli):
    import stranger_orchard

    plain, alone = stranger_orchard.Workshop.translate_all, stranger_orchard.Brush.translate

    def one_picture(self, images, ways):
        if len(images) > 1:
            raise torch.OutOfMemoryError("no memory")
        return plain(self, images, ways)

    drawn = [draw(f"in/{n}.png", n) for n in range(3)]
    monkeypatch.setattr(stranger_orchard.Workshop, "translate_all", one_picture)
    every(editor, "in", out="1")
    monkeypatch.setattr(stranger_orchard.Workshop, "translate_all", lambda *_: one_picture(None, drawn, None))
    every(editor, "in", out="2")
    for out in "12":
        for n, shown in enumerate(drawn):
            assert all((opened(f"{out}/{f}/{n}.png") == painted(shown, h)).all() for f, h in zip(FOLDERS, HEADS))  # noqa: B905

    def too_large(self, images, way):
        if images.shape[2] > 16:
            raise torch.OutOfMemoryError("no memory")
        return alone(self, images, way)

    monkeypatch.setattr(stranger_orchard.Brush, "translate", too_large)
    draw("b.png", size=(32, 32))
    said = cli("translate", editor, "b.png", "--every", "--fit", "native", "--out", "o")
    assert said.status == 1
    assert said.lines == ["imgen: b.png: 32x32 is too large for the memory of cpu; take --fit tile"]


def test_a_model_that_gives_too_few_is_told(editor, draw, cli, monkeypatch):
    import stranger_orchard

    plain = stranger_orchard.Workshop.translate_all
    monkeypatch.setattr(stranger_orchard.Workshop, "translate_all", lambda *asked: plain(*asked)[1:])
    draw("a.png")
    said = cli("translate", editor, "a.png", "--every", "--out", "out")
    assert said.status == 1 and said.lines == ["imgen: a.png: the model gives 7 pictures for 8 translations"]


@pytest.mark.parametrize("format", ["jpg", "webp"])
def test_formats(format, editor, draw, every, here):
    draw("in/a.png"), draw("in/b.jpeg")
    paths = every(editor, "in", "--format", format, "--no-sheet")
    kept = "b.jpeg" if format == "jpg" else "b.webp"
    assert paths == [f"{folder}/{name}" for name in (f"a.{format}", kept) for folder in FOLDERS]
    assert {Image.open(here / "out" / path).format for path in paths} == {{"jpg": "JPEG", "webp": "WEBP"}[format]}


def test_strips_step_through_the_values(editor, draw, every, here, painted):
    drawn = [draw(f"in/{n}.png", n) for n in range(3)]
    assert every(editor, "in", "--gif", "--no-sheet", option=("--every-of", "age"))[-1] == "sheet.gif"
    with Image.open(here / "out/sheet.gif") as file:
        assert file.n_frames == 4 and file.size == (34, 34)
        for frame, head in enumerate(HEADS[4:]):
            file.seek(frame)
            assert file.info["duration"] == 800
            shown = np.asarray(file.convert("RGB")).astype(int)
            # The band of a value has one grey, which a palette keeps.
            grey = painted(drawn[0], head)[-1, 0, 0]
            assert np.abs(shown[12:16, :16] - grey).max() < 12
    assert every(editor, "in", "--gif", "--no-sheet", out="fades")[-1] == "sheet.gif"
    with Image.open(here / "fades/sheet.gif") as file:
        assert file.n_frames > 9 * 8


def test_frames_are_the_stages_in_a_grid():
    from imgen.translating.sheets import stepped

    row = np.stack([np.full((1, 2, 2), value, np.uint8) for value in (0, 90, 180, 7)])
    frames = [np.asarray(frame) for frame in stepped([row] * 3)]
    assert [int(frame[0, 0]) for frame in frames] == [90, 180, 7]
    assert all(frame.shape == (6, 6) and (frame[4:, 4:] == 255).all() for frame in frames)


def test_headings_stand_where_there_is_room():
    from imgen.translating.sheets import headed

    names = ["input", "not\nSmiling", "Blond_Hair"]
    plain = Image.new("RGB", (3 * 66 - 2, 64), "black")
    sheet = np.asarray(headed(plain, names, 64))
    height = len(sheet) - 64
    assert 8 < height < 30 and (sheet[height:] == 0).all()
    for column in range(3):
        above = sheet[:height, 66 * column : 66 * column + 64]
        assert above.min() < 128 and (above[0] == 255).all() and (above[-1] == 255).all()
    narrow = Image.new("L", (3 * 18 - 2, 16))
    assert headed(narrow, names, 16) is narrow


def test_headings_are_on_the_sheet(make_editor, draw, opened, cli):
    draw("a.png", size=(64, 64))
    run = make_editor(image=(3, 64, 64))
    assert cli("translate", run, "a.png", "--every", "--out", "out").status == 0
    assert opened("out/sheet.png").shape[0] > 64 + 8
    assert cli("translate", run, "a.png", "--to", "blond", "--out", "o").status == 0
    assert opened("o/sheet.png").shape[0] == 64


def test_every_core_has_batches_of_its_own_where_there_are_many(editor, draw, opened, every, painted):
    shown = [draw(f"in/{n:03d}.png", n) for n in range(40)]
    assert every(editor, "in", "--batch", "3") == [
        *(f"{folder}/{n:03d}.png" for n in range(40) for folder in FOLDERS),
        "sheet.png",
    ]
    for head, folder in zip(HEADS, FOLDERS, strict=True):
        assert all((opened(f"out/{folder}/{n:03d}.png") == painted(shown[n], head)).all() for n in range(40))


def test_few_stages_wait_at_once(editor, draw, every, monkeypatch):
    """However many are made of a picture, those that wait to be written are bounded by memory."""
    from imgen.translating import engine

    for n in range(30):
        draw(f"in/{n:02d}.png", n)
    monkeypatch.setattr(engine, "_HELD", 20_000)
    made = []
    plain = engine.Engine._translated

    def look(self, batch, outcome):
        made.append(self._made)
        return plain(self, batch, outcome)

    monkeypatch.setattr(engine.Engine, "_translated", look)
    assert len(every(editor, "in", "--fit", "native", "--batch", "1", "--no-sheet")) == 240
    assert max(made) < 20_000 + 8 * 768, "all of them are 184,320 bytes"


def test_names_of_folders_are_safe_and_no_two_the_same():
    from imgen.translating.outputs import folder_names

    styles = [
        "71+",
        "0-10",
        "not Smiling",
        "not_smiling",
        "../../etc",
        "a/b",
        "a b",
        "..",
        "",
        "sheet.png",
        "ä",
        "x" * 300,
    ]
    names = folder_names([*styles, "-rf", "manifest.csv"])
    assert names[:4] == ["71+", "0-10", "not_Smiling", "not_smiling-2"]
    assert len({name.casefold() for name in names}) == len(names)
    assert all(name and "/" not in name and name.strip("-.") == name and len(name) <= 64 for name in names)
    assert not {"sheet.png", "manifest.csv"} & set(names)


def test_what_is_there_is_kept(editor, draw, cli, here):
    draw("a.png"), draw("out/71+/a.png", 1)
    said = cli("translate", editor, "a.png", "--every", "--out", "out")
    assert said.status == 2 and "out/71+/a.png: exists already; give --overwrite" in said.err
    assert cli("translate", editor, "a.png", "--every", "--out", "out", "--overwrite").status == 0
    said = cli("translate", editor, "out", "--every", "--out", "out", "--overwrite")
    assert said.status == 2 and "is a picture to be translated" in said.err
