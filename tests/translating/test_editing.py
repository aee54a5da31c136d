"""`imgen translate` with models that edit attributes: which edit is meant, one after another, there and back."""

from __future__ import annotations

import json

import numpy as np
import pytest

ABLE = "it edits Smiling (0 or 1), hair (Black_Hair, Blond_Hair), age (0-10 to 71+)"


@pytest.fixture
def translate(cli, here):
    """Runs the command, which must succeed, into `out`: gives the paths below it, in the order in which they came."""

    def run(*argv, status=0, out="out"):
        said = cli("translate", *argv, "--out", out, "--no-manifest")
        assert said.status == status, said
        return [line.removeprefix(f"{out}/") for line in said.out.splitlines()]

    return run


@pytest.mark.parametrize(
    ("argv", "makes"),
    [
        (["--to", "smiling=1"], ["Smiling"]),
        (["--to", "not-smiling"], ["not Smiling"]),
        (["--style_B", "hair=blond"], ["Blond_Hair"]),
        (["--style_A", "black", "--style_B", "blond"], ["Blond_Hair"]),
        (["--to", "age=35"], ["21-70"]),
        (["--to", "71+"], ["71+"]),
        (["--to", "black", "--to", "blond"], ["Black_Hair", "Blond_Hair"]),
        (["--to", "blond", "--to", "black"], ["Blond_Hair", "Black_Hair"]),
        (["--to", "smiling", "--to", "71+", "--to", "smiling=0"], ["Smiling", "71+", "not Smiling"]),
    ],
)
def test_edits(argv, makes, editor, draw, opened, translate, painted):
    shown = draw("a.png")
    assert translate(editor, "a.png", *argv) == ["a.png", "sheet.png"]
    assert (opened("out/a.png") == painted(shown, *makes)).all()
    stages = [painted(shown, *makes[:count]) for count in range(len(makes) + 1)]
    sheet = opened("out/sheet.png")
    for column, stage in enumerate(stages):
        assert (sheet[:, 18 * column : 18 * column + 16] == stage).all()
    # The way back is on the sheet where it is said what was there.
    back = [painted(stages[-1], "Black_Hair")] if "--style_A" in argv else []
    assert sheet.shape[1] == 18 * (len(stages) + len(back)) - 2
    assert all((sheet[:, -16:] == stage).all() for stage in back)


def test_one_after_another_is_what_each_makes_of_the_file_before(editor, draw, opened, translate):
    draw("a.png")
    translate(editor, "a.png", "--to", "blond", "--to", "age=3", "--to", "smiling", out="chain")
    translate(editor, "a.png", "--to", "blond", out="1")
    translate(editor, "1/a.png", "--to", "age=3", out="2")
    translate(editor, "2/a.png", "--to", "smiling", out="3")
    assert (opened("chain/a.png") == opened("3/a.png")).all()


def test_there_and_back(editor, draw, opened, translate, painted):
    shown = draw("a.png")
    argv = ("--style_A", "black", "--style_B", "blond")
    assert translate(editor, "a.png", *argv, "--cycle", out="1") == ["a.png", "a.back.png", "sheet.png"]
    assert (opened("1/a.back.png") == painted(shown, "Blond_Hair", "Black_Hair")).all()
    assert translate(editor, "a.png", *argv, "--chain", "3", "--no-sheet", out="2") == ["a.1.png", "a.2.png", "a.3.png"]
    assert (opened("2/a.3.png") == painted(shown, "Blond_Hair", "Black_Hair", "Blond_Hair")).all()
    translate(editor, "a.png", "--style_A", "age=5", "--to", "age=80", "--cycle", out="3")
    assert (opened("3/a.back.png") == painted(shown, "71+", "0-10")).all()


def test_a_source_of_another_attribute_is_told(editor, draw, cli, opened, painted):
    shown = draw("a.png")
    said = cli("translate", editor, "a.png", "--style_A", "smiling", "--to", "blond", "--out", "out")
    assert said.status == 0
    assert said.lines == ["imgen: --style_A Smiling is of Smiling and says nothing of hair, of which Blond_Hair is"]
    assert (opened("out/a.png") == painted(shown, "Blond_Hair")).all()
    assert opened("out/sheet.png").shape[1] == 34, "nobody knows the way back"


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--to", "hair"], f"hair is one of Black_Hair, Blond_Hair; say which, as in hair=Black_Hair; {ABLE}"),
        (["--to", "age"], "age is one of 0-10, 11-20, 21-70, 71+; say which, as in age=0-10; it"),
        (
            ["--to", "not blond"],
            "hair is one of Black_Hair, Blond_Hair, and cannot just be 'not Blond_Hair'; say which",
        ),
        (["--to", "blnd"], "no style is called 'blnd'; did you mean 'blond'? It edits Smiling"),
        (["--to", "moustache"], f"no style is called 'moustache'; {ABLE}"),
        (["--to", "hair=green"], "no value of hair is called 'green'; there are Black_Hair, Blond_Hair; it edits"),
        (["--to", "smiling=2"], "no value of Smiling is called '2'; there are Smiling, not Smiling"),
        (["--to", "age=-3"], "no value of age is called '-3'; "),
        (["--to", "blond", "--to", "eyeglasses"], f"no style is called 'eyeglasses'; {ABLE}"),
        (["--style_A", "green", "--to", "blond"], "no style is called 'green'; it edits"),
        (["--style_A", "black"], "--style_A Black_Hair says what is shown: say with --to what to make of it; it edits"),
        (["--style_A", "black", "--to", "black hair"], "from Black_Hair to Black_Hair there is nothing to translate"),
        (["--to", "blond", "--cycle"], "the way back from Blond_Hair is to what was shown: give --style_A, such as Bl"),
        (["--to", "blond", "--chain", "2", "--style_A", "smiling"], "give --style_A, such as Black_Hair"),
        (["--to", "blond", "--to", "smiling", "--cycle"], "give --to once"),
        (["--every", "--to", "blond"], "--every and --to exclude each other"),
        (["--every", "--style_A", "blond"], "--every and --style_A exclude each other"),
        (["--every-of", "hair", "--style_B", "blond"], "--every-of and --style_B exclude each other"),
        (["--every", "--cycle"], "--every and --cycle exclude each other"),
        (["--every-of", "age", "--chain", "2"], "--every-of and --chain exclude each other"),
        (["--every", "--every-of", "age"], "--every and --every-of exclude each other"),
        (["--every-of", "ages"], f"no attribute is called 'ages'; did you mean 'age'? It{ABLE[2:]}"),
        (["--every-of", "teeth"], f"no attribute is called 'teeth'; {ABLE}"),
        (["--every-of", ""], "a style needs a name"),
        (["--every", "--out", "b.png"], "--out b.png: --every and --every-of write many files; give a folder"),
        (["--to", "blond", "--out", "b.png", "--manifest"], "--out b.png: --manifest goes with a folder"),
        (["--every", "--out", "full"], "full/71+: a file is in the way; give another --out"),
    ],
)
def test_a_wrong_request(argv, says, editor, draw, cli, tree, here):
    draw("a.png")
    (here / "full").mkdir()
    (here / "full/71+").touch()
    before = tree(here)
    said = cli("translate", editor, "a.png", *argv)
    assert (said.status, said.out, len(said.lines)) == (2, "", 1), said
    assert says in said.err
    assert tree(here) == before, "something was written"


def test_every_needs_a_model_that_edits(run, make_run, draw, cli):
    draw("a.png")
    for argv, option in ((["--every"], "--every"), (["--every-of", "hair"], "--every-of")):
        said = cli("translate", run, "a.png", *argv)
        assert (said.status, said.out, len(said.lines)) == (2, "", 1)
        assert f"{option} needs a model that edits attributes of any picture; this one translates apples to" in said.err
    free = make_run("runs/free", can="free")
    assert "this one translates any picture to Male" in cli("translate", free, "a.png", "--every-of", "hair").err
    assert cli(
        "translate", free, "a.png", "--every", "--no-manifest", "--no-sheet", "--out", "out"
    ).out.splitlines() == [f"out/{name}/a.png" for name in ("Male", "not_Male", "Blond_Hair", "Black_Hair")]


def test_the_newest_run_that_can_edit(run, make_editor, draw, cli, here):
    import os

    editor = make_editor()
    for age, path in enumerate((editor, run)):
        os.utime(here / path / "recipe.yaml", (age, age))
    draw("a.png")
    said = cli("translate", "a.png", "--every")
    assert (said.status, said.lines) == (0, ["using runs/faces-0001/model.safetensors"])
    assert said.out.splitlines()[0] == "translations/faces-0001-every/not_Smiling/a.png"
    assert cli("translate", "a.png", "--to", "age=71+").out.startswith("translations/faces-0001-71+/a.png\n")
    assert cli("translate", "a.png").lines == ["using runs/fruit-0001/model.safetensors"]
    (here / editor / "recipe.yaml").unlink()
    said = cli("translate", "a.png", "--every")
    assert said.status == 2 and "--every needs a model that edits" in said.err


def test_held_out_pictures(editor, cli, opened, painted):
    said = cli("translate", "--to", "blond", "-n", "4", "--no-manifest")
    assert said.status == 0
    folder = "translations/faces-0001-Blond_Hair"
    names = ["0/face0.png", "1/face0.png", "0/face1.png", "1/face1.png"]
    assert said.out.splitlines() == [f"{folder}/{name}" for name in [*names, "sheet.png"]]
    sheet = opened(f"{folder}/sheet.png")
    for row, name in enumerate(names):
        made = opened(f"{folder}/{name}")
        assert (made == painted(sheet[18 * row : 18 * row + 16, :16], "Blond_Hair")).all()
        assert (made == sheet[18 * row : 18 * row + 16, 18:34]).all()


@pytest.mark.parametrize(
    ("run", "says"),
    [
        ({"data": "held: 0"}, "its data set holds out no pictures; give pictures to translate"),
        ({"image": (3, 8, 8)}, "its data set holds out no pictures; give"),
        ({"dataset": "orchard"}, "its data set holds out no pictures; give"),
    ],
)
def test_nothing_held_out(run, says, make_editor, cli):
    said = cli("translate", make_editor(**run), "--every")
    assert (said.status, said.out, len(said.lines)) == (2, "", 1)
    assert says in said.err


def test_json_tells_the_attribute(editor, draw, cli):
    draw("a.png")
    told = json.loads(cli("translate", editor, "a.png", "--to", "blond", "--to", "71+", "--json", "--no-manifest").out)
    assert told["ways"] == [
        {"source": None, "target": "Blond_Hair", "attribute": "hair"},
        {"source": None, "target": "71+", "attribute": "age"},
    ]
    assert told["manifest"] == [] and told["skipped"] == {}


def test_broken_pictures_are_skipped(editor, draw, cli, here, opened, painted):
    shown = draw("in/good.png")
    (here / "in/bad.png").write_text("no picture")
    said = cli("translate", editor, "in", "--every-of", "hair", "--no-manifest", "--out", "out")
    assert said.status == 1 and len(said.lines) == 1 and said.err.startswith("imgen: in/bad.png: not a picture")
    assert said.out.splitlines() == ["out/Black_Hair/good.png", "out/Blond_Hair/good.png", "out/sheet.png"]
    assert (opened("out/Blond_Hair/good.png") == painted(shown, "Blond_Hair")).all()
    (here / "in/good.png").unlink()
    said = cli("translate", editor, "in", "--every", "--out", "none")
    assert (said.status, said.out) == (1, "") and not (here / "none").exists()


def test_a_file_of_ones_own(editor, draw, opened, cli, painted, tree, here):
    shown = draw("a.png")
    assert cli("translate", editor, "a.png", "--to", "blond", "--out", "new/b.png").out == "new/b.png\n"
    assert list(tree(here / "new")) == ["b.png"], "a manifest goes with a folder"
    assert np.array_equal(opened("new/b.png"), painted(shown, "Blond_Hair"))
