"""`imgen traverse`: what is written, from latents and from pictures."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence


def grey(value: float) -> int:
    """The level that a value in [-1, 1] is written as."""
    return round((value + 1) * 127.5)


def quarters(path: Path, row: int, column: int, side: int = 16) -> list[int]:
    """The four levels of a picture on a plain sheet: left, right, and both of noise."""
    pixels = np.asarray(Image.open(path).convert("L"))
    cell = pixels[row * (side + 2) :, column * (side + 2) :][:side, :side]
    half = side // 2
    parts = [cell[:half, :half], cell[:half, half:], cell[half:, :half], cell[half:, half:]]
    assert all((part == part[0, 0]).all() for part in parts)
    return [int(part[0, 0]) for part in parts]


def plain(cli, *argv) -> Path:
    said = cli("traverse", "--plain", "--scale", "1", *argv)
    assert said.status == 0, said.err
    return Path(said.out.strip())


def test_as_it_stands_it_shows_every_code_of_the_newest_run(cli, run):
    said = cli("traverse")
    assert said.status == 0
    assert said.out == "samples/dials-0001-traverse-seed0.png\n"
    assert said.lines[0] == f"using {run}/model.safetensors"
    # Pictures of 16x16 are enlarged four times; names stand beside them.
    width, height = Image.open(said.out.strip()).size
    assert width > 10 * 66 and height == 3 * 66 - 2


def test_rows_are_codes_and_columns_values_and_nothing_else_moves(cli, run):
    path = plain(cli, run, "--steps", 3)
    assert Image.open(path).size == (3 * 18 - 2, 3 * 18 - 2)
    shown = [[quarters(path, row, column) for column in range(3)] for row in range(3)]
    left, right, a, b = shown[0][0][0], *shown[0][0][1:]
    left = shown[1][0][0]
    assert shown[0] == [[grey(value), right, a, b] for value in (-1, 0, 1)]
    assert shown[1] == [[left, grey(value), a, b] for value in (-0.5, 0, 0.5)]
    # Its span is not said, so draws tell: the middle 95 of 100.
    noise = [cell[2] for cell in shown[2]]
    assert [cell[2:] for cell in shown[2]] == [[level, level] for level in noise]
    assert noise[0] == pytest.approx(grey(-0.95), abs=2) and noise[2] == pytest.approx(grey(0.95), abs=2)


def test_chosen_coordinates_in_the_order_of_choice(cli, run):
    path = plain(cli, run, "--codes", "noise[1],0", "--values", "-1,1")
    first, second = ([quarters(path, row, column) for column in range(2)] for row in range(2))
    assert [cell[3] for cell in first] == [0, 255] and first[0][:3] == first[1][:3]
    assert [cell[0] for cell in second] == [0, 255] and second[0][1:] == second[1][1:]


@pytest.mark.parametrize("words", [["--range", "-0.5", "1"], ["--range", "-0.5,1"], ["--range=-0.5,1"]])
def test_a_range_in_either_spelling(words, cli, run):
    path = plain(cli, run, "--codes", "left", "--steps", 4, *words)
    assert [quarters(path, 0, column)[0] for column in range(4)] == [grey(value) for value in (-0.5, 0, 0.5, 1)]


def test_the_first_base_is_the_same_however_many_there_are(cli, run):
    one = np.asarray(Image.open(plain(cli, run, "--out", "one.png")))
    three = np.asarray(Image.open(plain(cli, run, "--bases", 3, "--out", "three.png")))
    assert (three[: len(one)] == one).all() and not (three[-len(one) :] == one).all()
    again = plain(cli, run, "--out", "again.png", "--seed", 1)
    assert not (np.asarray(Image.open(again)) == one).all()


def test_a_sheet_for_each_code_has_values_down_and_bases_across(cli, run):
    said = cli("traverse", run, "--by", "code", "--bases", 2, "--steps", 3, "--plain", "--scale", 1, "--codes", "0:4")
    folder = Path("samples/dials-0001-traverse-seed0")
    assert said.out.split() == [str(folder / f"{name}.png") for name in ("left", "right", "noise-0", "noise-1")]
    path = folder / "left.png"
    assert Image.open(path).size == (2 * 18 - 2, 3 * 18 - 2)
    shown = [[quarters(path, row, column) for column in range(2)] for row in range(3)]
    assert [row[0][0] for row in shown] == [row[1][0] for row in shown] == [0, 128, 255]
    assert shown[0][0][1:] != shown[0][1][1:], "columns are bases"


def test_an_animation_of_each_code_goes_to_and_fro(cli, run):
    said = cli("traverse", run, "--gif", "--steps", 4, "--bases", 3, "--plain", "--scale", 1, "--codes", "left,noise")
    paths = [Path(line) for line in said.out.split()]
    assert [path.name for path in paths] == ["left.gif", "noise.gif"]
    frames = [np.asarray(frame.convert("L")) for frame in ImageSequence.Iterator(Image.open(paths[0]))]
    assert frames[0].shape == (16, 3 * 18 - 2)
    wanted = [grey(value) for value in (-1, -1 / 3, 1 / 3, 1, 1 / 3, -1 / 3)]
    assert [int(frame[0, 0]) for frame in frames] == pytest.approx(wanted, abs=1)
    assert [int(frame[0, -10]) for frame in frames] == pytest.approx(wanted, abs=1)


def test_titles_tell_the_code_and_its_value(cli, run):
    titled = cli("traverse", run, "--gif", "--steps", 2, "--codes", "left", "--out", "a.gif")
    bare = cli("traverse", run, "--gif", "--steps", 2, "--codes", "left", "--out", "b.gif", "--plain")
    assert (titled.status, bare.status, titled.out) == (0, 0, "a.gif\n")
    assert Image.open("a.gif").height > Image.open("b.gif").height == 64


def test_every_picture_by_itself(cli, run):
    said = cli("traverse", run, "--files", "--out", "each", "--steps", 2, "--bases", 2, "--codes", "left,right")
    names = [f"base00{b}_row00{r}_value00{v}.png" for b in range(2) for r in range(2) for v in range(2)]
    assert said.out.split() == [f"each/{name}" for name in names]
    assert Image.open("each/base001_row000_value001.png").size == (16, 16)
    assert quarters(Path("each/base001_row000_value001.png"), 0, 0)[0] == 255


def test_one_file_of_many_is_not_waited_for(cli, run, monkeypatch):
    """The disk takes longer to say that a file is there for good than the picture took to make."""
    waited: list[int] = []
    monkeypatch.setattr(os, "fsync", waited.append)
    assert cli("traverse", run, "--files", "--out", "each", "--steps", 2).status == 0
    assert cli("sample", run, "-n", 2, "--files", "--out", "some").status == 0
    assert len(list(Path("some").iterdir())) == 2 and not waited
    assert cli("sample", run, "-n", 2, "--out", "sheet.png").status == 0
    assert len(waited) == 1


def test_json_tells_how_much_each_row_changes(cli, run):
    said = cli("traverse", run, "--json", "--steps", 2, "--bases", 2, "--codes", "left,noise", "--range", "-1", "1")
    told = json.loads(said.out)
    assert (told["model"], told["seed"], told["skipped"]) == (f"{run}/model.safetensors", 0, {})
    assert told["paths"] == ["samples/dials-0001-traverse-seed0.png"] and Path(told["paths"][0]).is_file()
    left, noise = told["rows"]
    assert left == {"name": "left", "coordinates": [0], "values": [-1, 1], "change": 255 / 4}
    assert noise == {"name": "noise", "coordinates": [2, 3], "values": [-1, 1], "change": 255 / 2}


def test_the_change_is_told_the_largest_first(cli, run):
    said = cli("traverse", run, "--steps", 2)
    assert said.lines == ["imgen: change along each row, of 255: " + said.lines[0].partition("255: ")[2]]
    told = [part.split() for part in said.lines[0].partition("255: ")[2].split(", ")]
    assert [name for name, _ in told] == ["noise", "left", "right"]
    assert [float(far) for _, far in told][1:] == [63.8, 31.8]


def test_colour_is_kept(cli, make_run):
    run = make_run(image=(3, 16, 16))
    assert Image.open(plain(cli, run)).mode == "RGB"
    assert cli("traverse", run).status == 0


class TestFrom:
    """Starting from pictures."""

    def test_a_block_shows_the_picture_what_is_made_of_it_and_then_the_rows(self, cli, run, draw):
        draw("a.png", 255, 64)
        path = plain(cli, run, "--from", "a.png", "--steps", 3, "--codes", "left,right")
        assert path.name == "dials-0001-traverse-from-seed0.png"
        assert quarters(path, 0, 0) == [255, 64, 255, 64], "the picture itself"
        left, right, *noise = quarters(path, 0, 1)
        assert (left, right) == (255, 64), "read and made again"
        assert quarters(path, 1, 0) == quarters(path, 1, 1) == [255] * 4, "empty"
        assert [quarters(path, 0, column) for column in (2, 3, 4)] == [[level, 64, *noise] for level in (0, 128, 255)]
        assert [quarters(path, 1, column) for column in (2, 3, 4)] == [[255, level, *noise] for level in (64, 128, 191)]

    def test_a_picture_is_shown_the_same_whatever_else_is(self, cli, run, draw):
        draw("in/a.png", 10, 20)
        draw("in/b.png", 30, 40)
        both = np.asarray(Image.open(plain(cli, run, "--from", "in", "--out", "both.png")))
        alone = np.asarray(Image.open(plain(cli, run, "--from", "in/b.png", "--out", "alone.png")))
        assert (both[-len(alone) :] == alone).all() and len(both) > 2 * len(alone)

    def test_what_a_shell_makes_of_a_pattern_is_understood(self, cli, run, draw):
        for name in "abc":
            draw(f"in/{name}.png", 10, 20)
        for argv in (
            [run, "--from", "in/a.png", "in/b.png", "in/c.png"],
            ["--from", "in/a.png", "in/b.png", "in/c.png"],
        ):
            said = cli("traverse", *argv, "--by", "code", "--plain", "--scale", 1, "--steps", 2)
            assert said.status == 0
            # Picture, made again, two values; three bases.
            assert Image.open(said.out.split()[0]).size == (3 * 18 - 2, 4 * 18 - 2)

    def test_pictures_of_other_sizes_and_colours_are_brought_to_those_of_training(self, cli, run, draw):
        draw("a.png", 200, 100, size=64, mode="RGB")
        path = plain(cli, run, "--from", "a.png", "--steps", 2)
        assert quarters(path, 0, 1)[:2] == pytest.approx([200, 100], abs=12)

    def test_bad_pictures_are_told_and_the_good_ones_shown(self, cli, run, draw, here):
        draw("in/a.png", 10, 20)
        (here / "in/b.png").write_bytes(b"no picture")
        said = cli("traverse", run, "--from", "in", "--steps", 2)
        assert said.status == 1 and said.lines[0].startswith("imgen: in/b.png: not a picture in a known format")
        assert Path(said.out.strip()).is_file()

    def test_json_tells_the_codes_that_were_read(self, cli, run, draw):
        draw("in/a.png", 255, 51)
        told = json.loads(cli("traverse", run, "--from", "in", "--json").out)
        (picture,) = told["pictures"]
        assert list(picture) == ["file", "right", "left"]
        assert picture == pytest.approx({"file": "in/a.png", "right": -0.6, "left": 1})

    def test_where_no_picture_can_be_read_nothing_is_written(self, cli, run, here):
        (here / "b.png").write_bytes(b"no picture")
        said = cli("traverse", run, "--from", "b.png")
        assert (said.status, said.out, len(said.lines)) == (1, "", 1)
        assert not (here / "samples").exists()

    def test_animations_show_the_pictures_above(self, cli, run, draw):
        draw("a.png", 255, 64)
        said = cli("traverse", run, "--from", "a.png", "--gif", "--plain", "--scale", 1, "--codes", "left")
        image = Image.open(said.out.strip())
        assert image.size == (16, 34)
        assert np.asarray(image.convert("L"))[:16].tolist() == np.asarray(Image.open("a.png")).tolist()

    def test_files_hold_the_pictures_too(self, cli, run, draw):
        draw("a.png", 255, 64)
        said = cli("traverse", run, "--from", "a.png", "--files", "--steps", 2, "--codes", "left")
        assert [Path(line).name for line in said.out.split()] == [
            *("base000_picture.png", "base000_made-again.png"),
            *("base000_row000_value000.png", "base000_row000_value001.png"),
        ]

    def test_the_newest_run_that_reads_codes_is_taken(self, cli, run, make_run, draw):
        make_run("runs/new-0001", model="dials")
        draw("a.png", 1, 2)
        assert cli("traverse").lines[0] == "using runs/new-0001/model.safetensors"
        assert cli("traverse", "--from", "a.png").lines[0] == f"using {run}/model.safetensors"


def test_the_newest_run_that_has_the_codes_is_taken(cli, run, make_run):
    make_run("runs/new-0001", model="mute")
    assert cli("traverse", "--codes", "left").lines[0] == f"using {run}/model.safetensors"


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (
            ["--codes", "lift"],
            "model.safetensors: --codes: no code is called 'lift'; did you mean 'left'? (it has left",
        ),
        (["--codes", "noise[2]"], "'noise[2]' is none of the coordinates 0 to 1 of 'noise' (it has left = 0, right"),
        (["--codes", "4"], "'4' is none of the coordinates 0 to 3 of the latent"),
        (["--values", "1,x"], "--values '1,x': give numbers, as in --values -1,1"),
        (["--values", "nan"], "--values 'nan': give numbers"),
        (["--range", "1"], "--range '1': give the first and the last value"),
        (["--range", "1,2,3"], "--range '1,2,3': give the first and the last value"),
        (["--values", "1", "--steps", "3"], "--values and --steps exclude each other"),
        (["--values", "1", "--range", "0", "1"], "--values and --range exclude each other"),
        (["--gif", "--files"], "leave --files and --by code out"),
        (["--by", "code", "--files"], "leave --by code out"),
        (["--from", "a.png", "--bases", "2"], "--from and --bases exclude each other"),
        (["a.png"], "there is one MODEL, and 'a.png' is one too many; pictures are given with --from"),
        (["--from", "gone.png"], "gone.png: no such picture, folder or run"),
        (["--from", "a.png", "--crop", "round"], "--crop: crop 'round' is not known"),
        (["--from", "a.png", "--out", "a.png"], "a.png: is a picture to start from, and never overwritten"),
        (["--out", "a.gif"], "--out a.gif: this writes a .png file"),
        (["--by", "code", "--out", "b.png"], "--out b.png: this writes several files; give a folder"),
        (["--files", "--out", "b.png"], "--out b.png: this writes several files; give a folder"),
        (["--gif", "--codes", "0", "--out", "b.png"], "--out b.png: this writes a .gif file"),
        (["--steps", "1000", "--bases", "1000", "--scale", "64"], "3,000,000 such pictures are too many at once"),
        (["--steps", "1"], "1 is not in the range"),
        (["--device", "tpu"], "--device tpu: not usable here"),
    ],
)
def test_a_wrong_request_is_one_line_and_writes_nothing(argv, says, cli, run, draw, here, tree):
    draw("a.png", 1, 2)
    before = tree(here)
    said = cli("traverse", run, *argv)
    assert (said.status, said.out, len(said.lines)) == (2, "", 1), said
    assert says in said.err
    assert tree(here) == before


def test_what_a_model_lacks_is_told(cli, make_run, draw):
    draw("a.png", 1, 2)
    make_run("runs/mute-0001", model="mute")
    assert "makes no pictures from latents, so there is no code to move" in cli("traverse", "runs/mute-0001").err
    assert "none of the 1 runs under runs/ has a model that can be traversed" in cli("traverse").err
    blind = make_run("runs/blind-0001", model="dials")
    said = cli("traverse", blind, "--from", "a.png")
    assert said.status == 2 and said.lines == [
        f"imgen: {blind}/model.safetensors: this model reads no codes from pictures, so it cannot start --from them; "
        "leave --from out"
    ]
    said = cli("traverse", "--codes", "lift")
    assert said.status == 2 and "no code is called 'lift'; did you mean 'left'?" in said.lines[-1]
    assert "none of the 2 runs" in cli("traverse", "--from", "a.png").err


def test_a_generator_of_identities_moves_each_code_as_a_whole(cli, tiny):
    assert cli("train", tiny).status == 0
    said = cli("traverse", "--steps", 3, "--json", "--bases", 2, "--codes", "identity,observation[0:2],7")
    told = json.loads(said.out)
    assert [row["name"] for row in told["rows"]] == ["identity", "observation[0]", "observation[1]", "observation[3]"]
    assert [row["coordinates"] for row in told["rows"]] == [[0, 1, 2, 3], [4], [5], [7]]
    assert all(row["values"] == [-1, 0, 1] for row in told["rows"])
    assert Path(told["paths"][0]).is_file() and all(row["change"] > 0 for row in told["rows"])
