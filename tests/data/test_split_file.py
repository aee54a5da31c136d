"""A split that is written gives, when read, the very same pictures, labels and batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from imgen.data.attribute_labels import attributes
from imgen.data.folder import images
from imgen.data.split_file import write_split
from imgen.data.utkface_labels import utkface_attributes
from imgen.errors import DataError
from imgen.testing import check_dataset

HAIR = "hair=Black_Hair|Blond_Hair"


@pytest.fixture
def thirty(tmp_path, noisy) -> Path:
    """Thirty pictures, some with odd names, in a table with gaps; the last cannot be read."""
    folder = tmp_path / "thirty"
    (folder / "pictures").mkdir(parents=True)
    rng = np.random.default_rng(1)
    lines = ["name,Male,Black_Hair,Blond_Hair"]
    for row in range(30):
        name = f"{row:02d}" + (" ünd" if row % 7 == 0 else "") + ".png"
        (folder / "pictures" / name).write_bytes(noisy(row))
        male, hair = rng.integers(0, 2), rng.integers(0, 3)
        cells = [("" if row % 5 == 0 else str(2 * male - 1)), str(2 * (hair == 0) - 1), str(2 * (hair == 1) - 1)]
        lines.append(",".join([name, *cells]))
    (folder / "pictures/29.png").write_bytes(b"")
    (folder / "list_attr_made.csv").write_text("\n".join(lines))
    return folder


def same(one, other) -> None:
    """Both give the same pictures, labels, parts and batches."""
    assert one.columns["images"].names == other.columns["images"].names
    assert one.test_names == other.test_names and one.spec.attributes == other.spec.attributes
    for a, b in (
        (one.columns["attributes"], other.columns["attributes"]),
        (one.truth, other.truth),
        (one.test["attributes"], other.test["attributes"]),
    ):
        assert torch.equal(a, b)
    assert np.array_equal(one.chosen, other.chosen)
    for step in range(5):
        drawn = (each.draw(7, np.random.default_rng(step))["images"] for each in (one, other))
        assert np.array_equal(*drawn)


SETTINGS = [
    {"labels_per_value": 3},
    {"labels_per_value": 4, "split_seed": 7, "partition": "first", "skip": 2},
    {"labels_per_value": 2, "split": "first"},
    {},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("drawing", [{"oversample": 3}, {"sampler": "balanced"}, {"balance": ("male",)}], ids=str)
def test_there_and_back(thirty, tmp_path, settings, drawing):
    base = {"root": str(thirty), "attrs": ("male", HAIR), "size": 16}
    written = attributes(**base, n_test=5, **{**settings, **drawing})
    write_split(tmp_path / "split.csv", written)
    read = attributes(**base, split_file=str(tmp_path / "split.csv"), **drawing)
    check_dataset(read)
    same(written, read)


def test_how_it_reads(thirty, tmp_path):
    data = attributes(root=str(thirty), attrs=("male", HAIR), size=16, n_test=5, labels_per_value=2, split="first")
    write_split(tmp_path / "split.csv", data)
    lines = (tmp_path / "split.csv").read_text().splitlines()
    assert lines[0] == "picture,part,Male,hair" and len(lines) == 30
    assert lines[1].startswith("pictures/00 ünd.png,train,") and lines[-1].startswith("pictures/28 ünd.png,test,")
    # Of what was chosen and has none of the values, a mark stays: it is listed more often, too.
    kinds = [line.split(",", 2)[2] for line in lines[1:25]]
    marked = [row for row, kind in enumerate(kinds) if kind == "?,?"]
    assert marked and all(data.chosen[row] and (data.columns["attributes"][row] == -1).all() for row in marked)
    # Held-out pictures carry all that is known of them.
    held = [line.split(",")[2:] for line in lines[25:]]
    names = [each.values for each in data.spec.attributes]
    told = [["" if v < 0 else names[k][v] for k, v in enumerate(row)] for row in data.test["attributes"].tolist()]
    assert held == told


def test_by_the_command_line(thirty, cli):
    asked = ["--attrs", "male", HAIR, "--labels-per-value", "3", "--split-seed", "2", "--n-test", "5"]
    said = cli("data", "split", thirty, "split.csv", *asked)
    assert said.status == 0 and said.out == "split.csv\n"
    assert "Male: labels of not Male 3 of" in said.err and "24 to train on, 5 held out" in said.err
    assert "pictures/29.png: skipped: empty file" in said.err
    base = {"root": str(thirty), "attrs": ("male", HAIR), "size": 16}
    same(attributes(**base, labels_per_value=3, split_seed=2, n_test=5), attributes(**base, split_file="split.csv"))
    said = cli("data", "split", thirty, "split.csv", *asked)
    assert said.status == 2 and "split.csv: exists already; name another file, or replace it" in said.err
    assert cli("data", "split", thirty, "split.csv", *asked, "--overwrite", "--json").out.split() == [
        *("{", '"path":', '"split.csv",', '"train":', "24,", '"test":', "5", "}")
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["OUT", "--attrs", "male"], "OUT: the file of a split ends in .csv"),
        (["folder.csv", "--attrs", "male", "--overwrite"], "folder.csv: a folder; name a file"),
        (["out.csv", "male"], "what is 'male'? Attributes are named by --attrs"),
        (["out.csv"], "dataset 'attributes': needs the setting 'attrs'"),
        (["out.csv", "--attrs", "mail"], "no attribute is called 'mail'; did you mean 'Male'"),
        (["out.csv", "--attrs", "male", "-s", "n_test"], "-s n_test: write it as -s KEY=VALUE"),
        (["out.csv", "--attrs", "male", "-s", "pages=3"], "dataset 'attributes': has no setting 'pages'"),
        (["out.csv", "--attrs", "male", "--n-test", "x"], "n_test must be a whole number >= 0, not 'x'"),
        (["out.csv", "--attrs", "male", "--split", "random"], "split must be exact | first, not 'random'"),
        (
            ["out.csv", "--attrs", "male", "--n-test", "1", "--labels-per-value", "99"],
            "labels_per_value is 99, but of the pictures",
        ),
        (["out.csv", "--attrs", "male", "--dataset", "attribute"], "no dataset is called 'attribute'; did you mean"),
        (["out.csv", "--attrs", "male", "--dataset", "images"], "dataset 'images': has no setting 'attrs'"),
    ],
)
def test_wrong_command_lines(thirty, cli, here, words, said):
    (here / "folder.csv").mkdir()
    result = cli("data", "split", thirty, *words)
    assert result.status == 2 and said in result.err and not result.out
    assert [path.name for path in here.glob("*.csv")] == ["folder.csv"] and not list(here.glob("folder.csv/*"))


def test_only_labelled_files_have_a_split(thirty, cli, tmp_path):
    said = cli("data", "split", thirty, "out.csv", "--dataset", "images")
    assert said.status == 2 and "only a data set of labelled files has a split to write" in said.err
    with pytest.raises(DataError, match="only a data set of labelled files"):
        write_split(tmp_path / "x.csv", images(root=str(thirty), size=16))


def test_ages_have_splits_too(tmp_path, noisy, cli):
    for row in range(12):
        (tmp_path / f"{5 * row + 5}_{row % 2}_0_{row}.png").write_bytes(noisy(row))
    settings = {"root": str(tmp_path), "attrs": ("age",), "size": 16}
    with_ages = {**settings, "ages": ("0-29", "30+")}
    written = utkface_attributes(**with_ages, n_test=3, labels_per_value=2)
    write_split(tmp_path / "split.csv", written)
    same(written, utkface_attributes(**with_ages, split_file=str(tmp_path / "split.csv")))
    asked = ["--n-test", "3", "--labels-per-value", "2", "-s", "ages=[0-29, 30+]"]
    said = cli("data", "split", tmp_path, "too.csv", "--dataset", "utkface-attributes", *asked)
    assert said.out == "too.csv\n" and Path("too.csv").read_text() == (tmp_path / "split.csv").read_text()
    with pytest.raises(DataError, match=r"split.csv:3: no value of age is called '0-29'; there are 0-10, 11-20"):
        utkface_attributes(**settings, split_file=str(tmp_path / "split.csv"))


def read(root, text, **settings):
    (root.parent / "made.csv").write_text(text)
    given = {"attrs": ("male", HAIR), "size": 16, **settings}
    return attributes(root=str(root), split_file=str(root.parent / "made.csv"), **given)


GOOD = "picture,part,Male,hair\n01.png,train,Male,Black_Hair\npictures/02.png,train,not Male,Blond_Hair\n"


def test_one_written_by_hand(thirty):
    """In any order, with names as in the table, values in any spelling; what it says counts more than the table."""
    lines = ["03.png,test,x,black,male", "02.png,train,,blond,not male", "01.png,train,,black,Male"]
    text = "\n".join(["picture,part,extra,hair,Male", *lines])
    data = read(thirty, text)
    assert data.columns["images"].names == ["pictures/01.png", "pictures/02.png"]
    assert data.columns["attributes"].tolist() == [[1, 0], [0, 1]] == data.truth.tolist()
    assert data.test["attributes"].tolist() == [[1, 0]]
    assert "27 pictures that are not in the split file left out" in data.report.lines()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "made.csv:1: '' is not the first line of a split; it must be picture,part,ATTRIBUTE"),
        ("name,Male\n", "made.csv:1: 'name,Male' is not the first line of a split"),
        ("picture,part,Male\n", "made.csv:1: has no column 'hair'; there is Male"),
        ("picture,part,Male,hair,Male\n", "made.csv:1: names Male twice"),
        ("picture,part,Male,hair\n", "made.csv: a split without pictures"),
        (GOOD + "99.png,train,,\n", "made.csv:4: 99.png is not in"),
        (GOOD + "01.png,test,,\n", "made.csv:4: 01.png has a row already, line 2"),
        (GOOD + "pictures/01.png,test,,\n", "made.csv:4: pictures/01.png has a row already, line 2"),
        (GOOD + "03.png,val,,\n", "made.csv:4: part is 'val'; it must be train or test"),
        (GOOD + "03.png,train,,\n\n04.png,train,,red\n", "made.csv:6: no value of hair is called 'red'; there are"),
        (GOOD + "03.png,train,,Blond_Hiar\n", "made.csv:4: no value of hair is called 'Blond_Hiar'; did you mean"),
        (GOOD + "03.png,train,\n", "made.csv:4: has 3 cells; the first line has 4"),
        (GOOD + '03.png,train,"Male,\n', "made.csv:4: unexpected end of data"),
        (GOOD.replace("train", "test"), "made.csv: all of 2 pictures are held out; none is to train on"),
        (GOOD.replace("Black_Hair", ""), "none of 2 pictures to train on is labelled Black_Hair"),
        ("picture,part,Male,hair\n29.png,train,Male,\n", "none of 1 pictures can be read"),
    ],
)
def test_splits_that_are_wrong(thirty, text, said):
    with pytest.raises(DataError) as caught:
        read(thirty, text)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_picture_that_the_table_does_not_know(thirty, noisy):
    (thirty / "new.png").write_bytes(noisy(99))
    with pytest.raises(DataError, match=r"made.csv:4: nothing is known of new.png: .* does not tell of it"):
        read(thirty, GOOD + "new.png,train,,\n")


def test_a_picture_that_cannot_be_read_is_reported(thirty):
    data = read(thirty, GOOD + "29.png,train,Male,Black_Hair\n")
    assert len(data.columns["images"]) == 2
    assert data.report.lines()[-1] == "pictures/29.png: skipped: empty file"
