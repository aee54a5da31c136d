"""`imgen translate` as people use it: what is read, what is made of it, and where it goes."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from io import BytesIO, TextIOWrapper

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def translate(cli, here):
    """Runs the command, which must succeed, into `out`: gives the paths below it, in the order in which they came."""

    def run(*argv, status=0, out="out"):
        said = cli("translate", *argv, "--out", out)
        assert said.status == status, said
        return [line.removeprefix(f"{out}/") for line in said.out.splitlines()]

    return run


@pytest.fixture
def typed(monkeypatch):
    """Puts lines on standard input."""

    def put(*lines):
        monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO("".join(f"{line}\n" for line in lines).encode())))

    return put


def test_a_picture_is_translated(run, draw, opened, translate):
    shown = draw("a.png")
    assert translate(run, "a.png") == ["a.png", "sheet.png"]
    assert (opened("out/a.png") == 255 - shown).all()


def test_a_former_state_of_a_run_is_a_model(run, draw, opened, translate, here):
    shown = draw("a.png")
    kept = here / "elsewhere/checkpoints/step-00000007"
    shutil.copytree(run, here / "elsewhere")
    kept.mkdir(parents=True)
    (here / "elsewhere/model.safetensors").rename(kept / "ema.safetensors")
    assert translate("elsewhere@7", "a.png") == ["a.png", "sheet.png"]
    assert (opened("out/a.png") == 255 - shown).all()


def test_a_sheet_has_there_and_back_in_rows(run, draw, opened, translate):
    drawn = [draw(f"in/{n:02d}.png", n) for n in range(18)]
    assert translate(run, "in", "--batch", "5")[-1] == "sheet.png"
    sheet = opened("out/sheet.png")
    assert sheet.shape == (16 * 18 - 2, 3 * 18 - 2, 3)
    for row, shown in enumerate(drawn[:16]):
        cells = [sheet[18 * row : 18 * row + 16, 18 * column : 18 * column + 16] for column in range(3)]
        assert (cells[0] == shown).all()
        assert (cells[1] == 255 - shown).all()
        assert (cells[2] == np.roll(255 - shown, 1, axis=2)).all()


def test_a_sheet_without_a_way_back(make_run, draw, opened, translate):
    shown = draw("a.png")
    translate(make_run(can="one"), "a.png")
    assert (opened("out/sheet.png")[:, 18:] == 255 - shown).all()
    assert opened("out/sheet.png").shape == (16, 34, 3)


def test_no_sheet(run, draw, translate, tree, here):
    draw("a.png")
    assert translate(run, "a.png", "--no-sheet") == ["a.png"]
    assert list(tree(here / "out")) == ["a.png"]


@pytest.mark.parametrize(
    ("argv", "forward"),
    [
        ([], True),
        (["--style_A", "apples", "--style_B", "pears"], True),
        (["--style-A", "pears", "--style-B", "apples"], False),
        (["--style-a", "PEARS"], False),
        (["--style_b", "apples"], False),
        (["--to", "apples"], False),
        (["--to", "Pears"], True),
    ],
)
def test_directions(argv, forward, run, draw, opened, translate):
    shown = draw("a.png")
    translate(run, "a.png", *argv)
    assert (opened("out/a.png") == (255 - shown if forward else np.roll(shown, 1, axis=2))).all()


def test_one_after_another(run, draw, opened, translate):
    shown = draw("a.png")
    assert translate(run, "a.png", "--to", "pears", "--to", "apples") == ["a.png", "sheet.png"]
    assert (opened("out/a.png") == np.roll(255 - shown, 1, axis=2)).all()
    assert opened("out/sheet.png").shape == (16, 3 * 18 - 2, 3)


@pytest.mark.parametrize("name", ["not male", "not-Male", "male=0", "!male"])
def test_a_lack_is_a_style(name, make_run, draw, opened, translate):
    shown = draw("a.png")
    translate(make_run(can="free"), "a.png", "--to", name)
    assert (opened("out/a.png") == np.roll(shown, 1, axis=2)).all()


def test_cycle(run, draw, opened, translate):
    shown = draw("a.png")
    assert translate(run, "a.png", "--cycle") == ["a.png", "a.back.png", "sheet.png"]
    assert (opened("out/a.png") == 255 - shown).all()
    assert (opened("out/a.back.png") == np.roll(255 - shown, 1, axis=2)).all()
    assert opened("out/sheet.png").shape == (16, 3 * 18 - 2, 3)


def test_chain(run, draw, opened, translate):
    shown = draw("a.png")
    assert translate(run, "a.png", "--chain", "4") == ["a.1.png", "a.2.png", "a.3.png", "a.4.png", "sheet.png"]
    sheet = opened("out/sheet.png")
    assert sheet.shape == (16, 5 * 18 - 2, 3)
    for stage in range(1, 5):
        shown = 255 - shown if stage % 2 else np.roll(shown, 1, axis=2)
        assert (opened(f"out/a.{stage}.png") == shown).all()
        assert (sheet[:, 18 * stage : 18 * stage + 16] == shown).all()


def test_names_and_structure_are_kept(run, draw, translate, here):
    for name in ("in/b.png", "in/sub/deep/a.JPG", "in/sub/c.bmp", "in/.hidden.png", "in/.git/x.png", "other/e.jpeg"):
        draw(name)
    (here / "in/notes.txt").write_text("no picture")
    paths = translate(run, "other/e.jpeg", "in")
    assert paths == ["e.jpeg", "b.png", "sub/c.png", "sub/deep/a.JPG", "sheet.png"]
    assert Image.open(here / "out/e.jpeg").format == Image.open(here / "out/sub/deep/a.JPG").format == "JPEG"
    assert Image.open(here / "out/sub/c.png").format == "PNG"


def test_a_picture_that_is_given_twice_is_translated_once(run, draw, translate):
    draw("in/a.png")
    assert translate(run, "in", "./in/a.png", "in/*.png") == ["a.png", "sheet.png"]


def test_patterns(run, draw, translate, here):
    for name in ("in/x/a.png", "in/y/a.png", "in/y/b.jpg", "in/y/.c.png"):
        draw(name)
    (here / "in/x/a.txt").touch()
    assert translate(run, "in/*/a.*", out="1") == ["x/a.png", "y/a.png", "sheet.png"]
    assert translate(run, "in/**/*.png", out="2") == ["x/a.png", "y/a.png", "sheet.png"]
    assert translate(run, "in/y/?.*", out="3") == ["a.png", "b.jpg", "sheet.png"]
    assert translate(run, "in/[xy]", out="4") == ["x/a.png", "y/a.png", "y/b.jpg", "sheet.png"]


def test_a_name_with_brackets_is_no_pattern(run, draw, translate):
    draw("a[1].png")
    assert translate(run, "a[1].png")[0] == "a[1].png"


def test_paths_on_standard_input(run, draw, translate, typed):
    draw("x y.png"), draw("in/b.png"), draw("c.png")
    typed("x y.png", "", "in")
    assert translate(run, "-", "c.png") == ["x y.png", "b.png", "c.png", "sheet.png"]


def test_a_missing_path_on_standard_input_is_skipped(run, draw, cli, typed):
    draw("a.png")
    typed("gone.png", "a.png")
    said = cli("translate", run, "-", "--out", "out")
    assert said.status == 1 and said.out.startswith("out/a.png\n")
    assert "imgen: gone.png: cannot be read: No such file or directory" in said.lines


def test_a_zip(run, draw, opened, translate, here):
    shown = draw("a.png")
    with zipfile.ZipFile(here / "in.zip", "w") as file:
        file.write(here / "a.png", "faces/a.png")
    assert translate(run, "in.zip") == ["faces/a.png", "sheet.png"]
    assert (opened("out/faces/a.png") == 255 - shown).all()


def test_held_out_pictures(run, opened, cli, here):
    said = cli("translate", "-n", "4")
    assert said.status == 0
    assert said.out.splitlines() == [
        *(f"translations/fruit-0001-pears/fruit/apple{n}.png" for n in range(4)),
        "translations/fruit-0001-pears/sheet.png",
    ]
    assert said.lines == ["using runs/fruit-0001/model.safetensors"]
    sheet = opened("translations/fruit-0001-pears/sheet.png")
    made = opened("translations/fruit-0001-pears/fruit/apple2.png")
    assert (made == 255 - sheet[36:52, :16]).all()
    assert (sheet[36:52, 18:34] == made).all()
    said = cli("translate", "--to", "apples")
    assert [path.split("/", 1)[1] for path in said.out.splitlines()] == [
        *(f"fruit-0001-apples/0000{n}.png" for n in range(3)),
        "fruit-0001-apples/sheet.png",
    ]


def test_the_newest_run_that_can(make_run, draw, cli):
    for age, (path, settings) in enumerate(
        {
            "runs/old": {"domains": ("cats", "dogs")},
            "runs/one": {"can": "one"},
            "runs/mute": {"model": "mute"},
            "runs/points": {"vector": 2},
        }.items()
    ):
        made = make_run(path, **settings)
        os.utime(made / "recipe.yaml", (age, age))
    draw("a.png")
    assert cli("translate", "a.png").lines == ["using runs/one/model.safetensors"]
    assert cli("translate", "a.png", "--to", "dogs").lines == ["using runs/old/model.safetensors"]
    # One way only is not to and fro.
    assert cli("translate", "a.png", "--cycle", "--out", "o").lines == ["using runs/old/model.safetensors"]
    said = cli("translate", "a.png", "--to", "cat", "--style_A", "apples", "--out", "p")
    assert said.status == 2 and len(said.lines) == 1
    assert "translates apples to pears" in said.err
    said = cli("translate", "a.png", "--to", "peras", "--out", "p")
    assert said.status == 2 and "did you mean 'pears'" in said.err and "runs/one" in said.err


def test_an_input_is_not_taken_for_a_model(run, draw, cli):
    draw("faces/a.png")
    assert cli("translate", "faces").lines == ["using runs/fruit-0001/model.safetensors"]
    assert cli("translate", run / "model.safetensors", "faces", "--out", "o").lines == []


def test_weights_in_a_folder_of_their_own(run, draw, translate, here):
    (here / "mine").mkdir()
    (here / run / "model.safetensors").rename(here / "mine/model.safetensors")
    draw("a.png")
    assert translate("mine", "a.png") == ["a.png", "sheet.png"]


def test_json(run, draw, cli, here):
    draw("a.png")
    (here / "b.png").write_text("no picture")
    said = cli("translate", run, "a.png", "b.png", "--cycle", "--json")
    assert said.status == 1
    told = json.loads(said.out)
    folder = "translations/fruit-0001-pears"
    assert told["model"] == "runs/fruit-0001/model.safetensors"
    assert told["ways"] == [{"source": "apples", "target": "pears"}, {"source": "pears", "target": "apples"}]
    assert told["paths"] == [f"{folder}/a.png", f"{folder}/a.back.png", f"{folder}/sheet.png"]
    assert list(told["skipped"]) == ["b.png"] and "not a picture" in told["skipped"]["b.png"]


def test_gif(run, draw, translate, here):
    for n in range(3):
        draw(f"in/{n}.png", n)
    assert translate(run, "in", "--gif", "--no-sheet")[-1] == "sheet.gif"
    with Image.open(here / "out/sheet.gif") as file:
        assert file.n_frames > 10 and file.size == (34, 34)


def test_one_file(run, draw, opened, translate, cli, here, tree):
    shown = draw("a.png")
    said = cli("translate", run, "a.png", "--out", "new/b.png")
    assert (said.status, said.out) == (0, "new/b.png\n")
    assert (opened("new/b.png") == 255 - shown).all()
    assert list(tree(here / "new")) == ["b.png"]
    assert cli("translate", run, "a.png", "--out", "new/c.jpg", "--cycle").out == "new/c.jpg\nnew/c.back.jpg\n"


@pytest.mark.parametrize("format", ["png", "jpg", "webp"])
def test_formats(format, run, draw, translate, here):
    draw("in/a.png"), draw("in/b.jpeg")
    kept = "b.jpeg" if format == "jpg" else f"b.{format}"
    paths = translate(run, "in", "--format", format)
    assert paths == [f"a.{format}", kept, "sheet.png"]
    wanted = {"jpg": "JPEG"}.get(format, format.upper())
    assert [Image.open(here / "out" / path).format for path in paths[:2]] == [wanted, wanted]


def test_the_first_few(run, draw, translate):
    for n in range(4):
        draw(f"in/{n}.png")
    assert translate(run, "in", "-n", "2", "--no-sheet") == ["0.png", "1.png"]


def test_what_was_written_is_no_input_of_the_next(run, draw, translate):
    draw("in/a.png")
    assert translate(run, "in", out="in/out") == ["a.png", "sheet.png"]
    assert translate(run, "in", "--overwrite", out="in/out") == ["a.png", "sheet.png"]


def test_without_out_every_translation_has_a_folder_of_its_own(run, draw, cli, here):
    shown = draw("a.png")
    for _ in range(2):
        assert cli("translate", run).status == 0
    said = cli("translate", run, ".", "--no-sheet")
    assert said.out == "translations/fruit-0001-pears-3/a.png\n", "earlier translations are no input"
    assert (np.asarray(Image.open(here / said.out.strip())) == 255 - shown).all()
    folders = sorted(path.name for path in (here / "translations").iterdir())
    assert folders == ["fruit-0001-pears", "fruit-0001-pears-2", "fruit-0001-pears-3"]
    assert cli("translate", run, "--overwrite").status == 0
    assert len(list((here / "translations").iterdir())) == 3


def test_an_animation_fades_from_stage_to_stage_and_back():
    from imgen.translating.sheets import faded

    row = np.stack([np.full((1, 2, 2), value, np.uint8) for value in (0, 90, 180, 7)])
    frames = [np.asarray(frame) for frame in faded([row] * 3, 2, hold=2, fade=2)]
    assert [int(frame[0, 0]) for frame in frames] == [0, 0, 30, 60, 90, 90, 120, 150, 180, 180, 120, 60]
    assert frames[0].shape == (6, 6) and (frames[0][4:, 4:] == 255).all(), "three of four cells are filled"


def test_a_long_translation_tells_how_far_it_is(run, draw, cli, monkeypatch):
    from imgen.commands import progress

    for n in range(5):
        draw(f"in/{n}.png", n)
    assert cli("translate", run, "in", "--out", "quick").lines == []
    monkeypatch.setattr(progress, "_PAUSE", 0)
    said = cli("translate", run, "in", "--batch", "2", "--out", "out")
    assert [line.split(",")[0] for line in said.lines] == [f"translated {n} of 5" for n in (2, 4, 5)]
    assert said.out.splitlines()[0] == "out/0.png"
    assert cli("translate", run, "in", "--json", "--out", "o").status == 0


def test_every_core_has_batches_of_its_own_where_there_are_many(run, draw, opened, translate, here):
    import torch

    threads = torch.get_num_threads()
    shown = [draw(f"in/{n:03d}.png", n) for n in range(60)]
    (here / "in/030.png").write_text("no picture")
    paths = translate(run, "in", "--batch", "3", status=1)
    assert paths == [*(f"{n:03d}.png" for n in range(60) if n != 30), "sheet.png"]
    assert all((opened(f"out/{n:03d}.png") == 255 - shown[n]).all() for n in range(60) if n != 30)
    sheet = opened("out/sheet.png")
    assert all((sheet[18 * n : 18 * n + 16, :16] == shown[n]).all() for n in range(16))
    assert torch.get_num_threads() == threads
