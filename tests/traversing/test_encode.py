"""`imgen encode`: pictures to codes, as tables."""

from __future__ import annotations

import csv
import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image


def value(level: int) -> float:
    """What a level is to a model."""
    return float(np.float32(level) / np.float32(127.5) - np.float32(1))


def table(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.fixture
def pictures(draw):
    """Forty pictures in a folder; the left half of each tells its number."""
    for number in range(40):
        draw(f"in/{number % 3}/{number:02d}.png", 5 * number, 255)
    return "in"


def test_a_table_on_the_screen(cli, run, draw):
    draw("a.png", 255, 0)
    draw("b.png", 51, 204)
    said = cli("encode", run, "a.png", "b.png")
    assert (said.status, said.err) == (0, "")
    assert said.out.splitlines()[0] == "file,right,left"
    assert said.out.splitlines()[1] == "a.png,-1.0,1.0"
    assert [float(code) for code in table(said.out)[2][1:]] == pytest.approx([0.6, -0.6])


def test_csv_json_and_npz_tell_the_same(cli, run, pictures):
    for name in ("a.csv", "a.json", "deep/a.npz"):
        said = cli("encode", run, pictures, "--out", name)
        assert (said.status, said.out) == (0, f"{name}\n")
    with open("a.csv", encoding="utf8", newline="") as file:  # noqa: PTH123 - csv wants the newlines as they are
        rows = list(csv.DictReader(file))
    objects = json.loads(open("a.json").read())  # noqa: PTH123, SIM115
    with np.load("deep/a.npz", allow_pickle=False) as file:
        files, names, codes = file["files"], file["names"], file["codes"]
    assert codes.dtype == np.float32 and codes.shape == (40, 2) and names.tolist() == ["right", "left"]
    assert files.tolist() == [row["file"] for row in rows] == [each["file"] for each in objects]
    assert files[0] == "in/0/00.png" and len(set(files.tolist())) == 40
    for name, column in zip(names, codes.T, strict=True):
        assert [np.float32(row[name]) for row in rows] == column.tolist() == [np.float32(o[name]) for o in objects]
    told = {file: row[1] for file, row in zip(files, codes, strict=True)}
    assert all(told[f"in/{n % 3}/{n:02d}.png"] == pytest.approx(value(5 * n), abs=1e-6) for n in range(40))


@pytest.mark.parametrize("more", [[], ["--sampled"], ["--sampled", "--seed", "5"]])
def test_a_picture_s_codes_do_not_depend_on_the_others(more, cli, run, pictures):
    rows = {row[0]: row for row in table(cli("encode", run, pictures, *more).out)}
    for name in ("in/0/00.png", "in/1/37.png"):
        (_, alone) = table(cli("encode", run, name, *more).out)
        assert alone == rows[name]


def test_draws_follow_from_the_seed_and_the_picture(cli, run, draw):
    draw("a.png", 255, 0)
    draw("b.png", 255, 1)
    draw("copy.png", 255, 0)
    mean, first, again, other = (
        np.array([row[1:] for row in table(cli("encode", run, "a.png", "b.png", "copy.png", *more).out)[1:]], float)
        for more in ([], ["--sampled"], ["--sampled", "--seed", "0"], ["--sampled", "--seed", "1"])
    )
    assert (first == again).all() and (first != other).all() and (first != mean).all()
    noise = first - mean
    assert (noise[0] == noise[2]).all() and not np.allclose(noise[0], noise[1], atol=1e-3)


def test_forward_passes_have_one_size(cli, run, pictures):
    from imgen.plugins import installed

    assert cli("encode", run, pictures).status == 0
    batches = installed().registry("models").get("read-dials").load().batches
    assert batches and set(batches) == {16}


def test_names_of_files_are_quoted(cli, run, draw):
    draw('a, "b".png', 255, 0)
    draw("c\nd.png", 255, 0)
    assert [row[0] for row in table(cli("encode", run, 'a, "b".png', "c\nd.png").out)] == [
        "file",
        'a, "b".png',
        "c\nd.png",
    ]


def test_files_folders_zips_and_standard_input(cli, run, draw, here, monkeypatch):
    draw("a.png", 255, 0)
    draw("in/b.png", 255, 0)
    with zipfile.ZipFile("c.zip", "w") as archive:
        archive.write(draw("d.png", 255, 0), "below/d.png")
    said = cli("encode", run, "a.png", "in", "c.zip", "i*/*.png")
    assert [row[0] for row in table(said.out)[1:]] == ["a.png", "in/b.png", "c.zip/below/d.png"]
    stdin = type("", (), {"buffer": io.BytesIO(b"in/b.png\na.png\n")})
    monkeypatch.setattr("sys.stdin", stdin)
    assert [row[0] for row in table(cli("encode", run, "-").out)[1:]] == ["in/b.png", "a.png"]


@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_the_pictures_of_an_array(ending, cli, run, draw, here):
    draw("a.png", 255, 0)
    shown = np.zeros((20, 16, 16), np.uint8)
    shown[np.arange(20), :, :8] = np.arange(20, dtype=np.uint8)[:, None, None]
    shown[:, :, 8:] = 255
    np.savez_compressed("many.npz", imgs=shown, latents=np.zeros((20, 3)))
    np.save("many.npy", shown)
    said = cli("encode", run, f"many.{ending}", "a.png")
    rows = table(said.out)[1:]
    assert [row[0] for row in rows] == ["a.png", *(f"many.{ending}[{number}]" for number in range(20))]
    assert [float(row[2]) for row in rows[1:]] == pytest.approx([value(level) for level in range(20)], abs=1e-6)
    assert all(float(row[1]) == 1 for row in rows[1:])
    np.savez("bad.npz", imgs=np.zeros(3))
    said = cli("encode", run, "bad.npz")
    assert said.status == 2 and len(said.lines) == 1 and said.err.startswith("imgen: bad.npz: ")


def test_bad_pictures_are_told_and_the_good_ones_encoded(cli, run, draw, here):
    draw("in/a.png", 255, 0)
    (here / "in/b.png").write_bytes(b"no picture")
    said = cli("encode", run, "in", "--out", "codes.csv")
    assert (said.status, said.out) == (1, "codes.csv\n")
    assert said.lines == ["imgen: in/b.png: " + said.lines[0].partition("b.png: ")[2]]
    assert len((here / "codes.csv").read_text().splitlines()) == 2
    told = json.loads(cli("encode", run, "in", "--json").out)
    assert told["pictures"] == 1 and list(told["skipped"]) == ["in/b.png"]
    assert told["rows"] == [{"file": "in/a.png", "right": -1.0, "left": 1.0}] and told["codes"] == ["right", "left"]


def test_where_no_picture_can_be_read_nothing_is_written(cli, run, here):
    (here / "b.png").write_bytes(b"no picture")
    said = cli("encode", run, "b.png", "--out", "deep/codes.npz")
    assert (said.status, said.out) == (1, "") and not (here / "deep").exists()
    assert cli("encode", run, "b.png").out == ""


def test_json_with_a_file_tells_the_file(cli, run, draw):
    draw("a.png", 255, 0)
    told = json.loads(cli("encode", run, "a.png", "--out", "a.npz", "--json").out)
    assert told == {
        "model": f"{run}/model.safetensors",
        "codes": ["right", "left"],
        "pictures": 1,
        "paths": ["a.npz"],
        "skipped": {},
    }


def test_pictures_are_brought_to_what_was_trained_on(cli, run, here):
    wide = np.zeros((32, 96, 3), np.uint8)
    wide[:, 48:64] = 255
    wide[:, 64:] = 100
    Image.fromarray(wide).save("wide.png")
    middle, whole, chosen = (
        [float(code) for code in table(cli("encode", run, "wide.png", *more).out)[1][1:]]
        for more in ([], ["--crop", "none"], ["--crop", "32x32+64+0"])
    )
    assert middle == pytest.approx([1, -1], abs=0.1)
    assert whole == pytest.approx([value(152), -1], abs=0.1)
    assert chosen == pytest.approx([value(100)] * 2, abs=0.01)


def test_a_file_that_is_there_is_kept_unless_told_otherwise(cli, run, draw, here):
    draw("a.png", 255, 0)
    (here / "a.csv").write_text("mine")
    said = cli("encode", run, "a.png", "--out", "a.csv")
    assert said.status == 2 and said.lines == [
        "imgen: a.csv: exists already; give --overwrite to replace it, or another --out"
    ]
    assert (here / "a.csv").read_text() == "mine"
    assert cli("encode", run, "a.png", "--out", "a.csv", "--overwrite").status == 0
    assert (here / "a.csv").read_text() == "file,right,left\na.png,-1.0,1.0\n"


def test_the_newest_run_that_reads_codes_is_taken(cli, run, make_run, draw):
    draw("a.png", 255, 0)
    make_run("runs/new-0001", model="dials")
    said = cli("encode", "a.png")
    assert (said.status, said.lines) == (0, [f"using {run}/model.safetensors"])


def test_a_state_that_a_run_keeps_is_a_model(cli, run, draw, here):
    draw("a.png", 255, 0)
    (run / "checkpoints/step-00000003").mkdir(parents=True)
    (run / "checkpoints/step-00000003/ema.safetensors").write_bytes((run / "model.safetensors").read_bytes())
    run.rename(elsewhere := here / "elsewhere")
    assert cli("encode", "elsewhere@3", "a.png").status == 0
    said = cli("encode", "elsewhere@4", "a.png")
    assert said.status == 2 and "keeps no such checkpoint; it has 3" in said.err
    assert cli("traverse", "elsewhere@3", "--from", "a.png").status == 0
    assert elsewhere.is_dir()


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "give pictures to encode, as in `imgen encode MODEL FOLDER`"),
        (["gone.png"], "gone.png: no such picture, folder or run"),
        (["a.png", "--out", "a.txt"], "--out a.txt: give a file that ends in .csv, .json or .npz"),
        (["a.png", "--out", "folder.csv"], "--out folder.csv: give a file that ends in"),
        (["a.png", "--out", "a.png/codes.csv"], "a.png: cannot be written to"),
        (["a.png", "--seed", "3"], "--seed goes with --sampled"),
        (["a.png", "--crop", "0"], "--crop: crop '0' is not known"),
        (["a.png", "--device", "tpu"], "--device tpu: not usable here"),
    ],
)
def test_a_wrong_request_is_one_line_and_writes_nothing(argv, says, cli, run, draw, here, tree):
    draw("a.png", 1, 2)
    (here / "folder.csv").mkdir()
    before = tree(here)
    said = cli("encode", run, *argv)
    assert (said.status, said.out, len(said.lines)) == (2, "", 1), said
    assert says in said.err
    assert tree(here) == before


def test_what_a_model_lacks_is_told(cli, make_run, draw):
    draw("a.png", 1, 2)
    blind = make_run("runs/blind-0001", model="dials")
    said = cli("encode", blind, "a.png")
    assert said.status == 2 and said.lines == [
        f"imgen: {blind}/model.safetensors: its model 'dials' reads no codes from pictures; give one that does"
    ]
    assert "none of the 1 runs under runs/ has a model that reads codes" in cli("encode", "a.png").err


def test_what_is_no_number_is_null_in_json():
    from imgen.encoding import as_csv, as_objects

    codes = np.array([[np.nan, np.inf, 0.1]], np.float32)
    assert as_objects(["a", "b", "c"], ["x"], codes) == [{"file": "x", "a": None, "b": None, "c": 0.1}]
    assert as_csv(["a", "b", "c"], ["x"], codes) == b"file,a,b,c\nx,nan,inf,0.1\n"


def test_names_that_are_no_text(cli, real_cli, run, draw, here, write_plugin):
    """Bytes of a file's name that are not UTF-8 come out as they went in."""
    import os

    name = b"\xff\xe9.png"
    try:
        os.rename(draw("a.png", 255, 0), name)  # noqa: PTH104 - bytes, as no text can be such a name
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")
    home = {"PYTHONPATH": str(write_plugin.home)}
    assert real_cli("encode", run, ".", "--out", "a.csv", **home).status == 0
    assert (here / "a.csv").read_bytes() == b"file,right,left\n\xff\xe9.png,-1.0,1.0\n"
    assert cli("encode", run, ".", "--out", "a.npz").status == 0
    with np.load("a.npz", allow_pickle=False) as file:
        assert os.fsencode(str(file["files"][0])) == name
    assert cli("encode", run, ".", "--out", "a.json").status == 0
    assert os.fsencode(json.loads((here / "a.json").read_text())[0]["file"]) == name
    said = real_cli("traverse", run, "--from", ".", **home)
    assert said.status == 0, said.err
