"""What `inspect` says of sets whose content is known."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from imgen.data.identities import identities
from imgen.data.inspect import inspect
from imgen.data.pack import pack
from imgen.errors import DataError


def test_everything_there_is(people, encoded, noisy, bomb):
    root = people(anna=4, bert=2, cleo=2, dora=1)
    (root / "anna" / "big.jpg").write_bytes(encoded(Image.new("L", (300, 200)), "JPEG"))
    (root / "bert" / "cut.png").write_bytes(noisy(1, 64, 64)[:500])
    (root / "cleo" / "vast.png").write_bytes(bomb)
    report = inspect(root)
    assert (report.kind, report.layout, report.images, report.identities) == ("folder", "folders", 10, 4)
    assert report.photos is not None
    assert (report.photos.min, report.photos.median, report.photos.max) == (1, 2, 5)
    assert report.photos.histogram == {1: 1, 2: 2, 5: 1}
    assert report.sizes == {"24x24": 9, "300x200": 1} and (report.smallest, report.largest) == ("24x24", "300x200")
    assert report.modes == {"RGB": 9, "L": 1} and report.formats == {"PNG": 9, "JPEG": 1}
    assert set(report.unreadable) == {"bert/cut.png", "cleo/vast.png"}
    assert "64 million" in report.unreadable["cleo/vast.png"]
    assert report.bytes_at_64 == 10 * 12288
    told = json.loads(json.dumps(report.to_json()))
    assert told["images"] == 10 and told["photos"]["max"] == 5
    assert any("cleo/vast.png: more than" in line for line in report.lines())


def test_a_set_that_is_no_layout_is_told_all_the_same(tmp_path, noisy):
    for i in range(3):
        (tmp_path / f"{'abc'[i]}.png").write_bytes(noisy(i))
    report = inspect(tmp_path)
    assert report.layout is None and report.identities is None and report.images == 3
    assert "no layout" in report.remark and report.lines()[-1].startswith("remark")
    with pytest.raises(DataError, match="gives none of the 3 pictures"):
        inspect(tmp_path, layout="names")


def test_other_splits_are_mentioned(tmp_path, noisy):
    for i, name in enumerate(["train/a_1_x.png", "train/a_2_x.png", "val/b_1_x.png"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(noisy(i))
    report = inspect(tmp_path)
    assert report.images == 2 and report.remark.startswith("1 images outside train/")


def test_a_packed_set(people, tmp_path):
    path = pack(identities(root=str(people(anna=3, bert=2)), size=16), tmp_path / "set")
    report = inspect(path)
    assert (report.kind, report.layout, report.images, report.identities) == ("packed", "folders", 5, 2)
    assert report.sizes == {"16x16": 5} and report.photos is not None and report.photos.histogram == {2: 1, 3: 1}
    told = bytearray(path.read_bytes())
    told[-50] ^= 4
    path.write_bytes(told)
    with pytest.raises(DataError, match="damaged"):
        inspect(path)


TABLE = "name,Male,Black_Hair,Blond_Hair\na.png,1,1,-1\nb.png,-1,1,1\nc.png,,-1,1\nd.png,1,-1,1\ne.png,1,1,1\n"


@pytest.fixture
def table(tmp_path, noisy):
    """Of five rows a picture is missing and one cannot be read."""
    for i, name in enumerate("abcd"):
        (tmp_path / f"{name}.png").write_bytes(noisy(i) if name != "d" else b"")
    (tmp_path / "list_attr_made.csv").write_text(TABLE)
    return tmp_path


def test_labels_of_a_table(table):
    report = inspect(table)
    assert report.labels["Male"] == {"not Male": 1, "Male": 1, "unknown": 1}
    assert report.labels["Black_Hair"] == {"not Black_Hair": 1, "Black_Hair": 2, "unknown": 0}
    lines = report.lines()
    assert "  Male: 1 have it, 1 lack it, 1 not labelled" in lines
    assert "  Blond_Hair: 2 have it, 1 lack it, 0 not labelled" in lines
    assert json.loads(json.dumps(report.to_json()))["labels"]["Male"]["unknown"] == 1


def test_labels_as_a_model_would_learn_them(table, cli):
    said = cli("data", "inspect", table, "--attrs", "male", "hair=black|blond")
    assert said.status == 0
    assert [line for line in said.out.splitlines() if line.startswith("  ")][:2] == [
        "  Male: 1 have it, 1 lack it, 1 not labelled",
        "  hair: Black_Hair 1, Blond_Hair 1; 1 not labelled",
    ]
    told = json.loads(cli("data", "inspect", table, "--attrs", "hair=black|blond", "--json").out)
    assert told["labels"] == {"hair": {"Black_Hair": 1, "Blond_Hair": 1, "unknown": 1}}
    said = cli("data", "inspect", table, "--attrs", "mail")
    assert said.status == 2 and "no attribute is called 'mail'; did you mean 'Male'" in said.err and not said.out
    assert cli("data", "inspect", table, "male").status == 2


def test_labels_of_names(tmp_path, noisy, cli):
    for i, name in enumerate(["5_0_0_1.png", "25_1_4_2.png", "72_1_0_3.png", "other.png"]):
        (tmp_path / name).write_bytes(noisy(i))
    report = inspect(tmp_path)
    assert report.labels["gender"] == {"male": 1, "female": 2, "unknown": 0}
    assert {age: count for age, count in report.labels["age"].items() if count} == {"0-10": 1, "21-30": 1, "71+": 1}
    said = cli("data", "inspect", tmp_path, "--attrs", "race")
    assert "  race: white 2, black 0, asian 0, indian 0, others 1; 0 not labelled" in said.out.splitlines()
    assert "  age" not in said.out


def test_nothing_tells_of_attributes(people, cli):
    root = people(anna=3, bert=2)
    assert inspect(root).labels == {} and "labels" not in inspect(root).lines()
    said = cli("data", "inspect", root, "--attrs", "male")
    assert said.status == 2 and "no table of attributes inside or beside it" in said.err


def test_nothing_to_inspect(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        inspect(tmp_path / "absent")
    with pytest.raises(DataError, match="holds no pictures"):
        inspect(tmp_path)


def test_real_sets(real):
    report = inspect(real("celeba_attr"))
    assert (report.layout, report.images, report.identities) == ("celeba", 3000, 2036)
    assert report.photos is not None and report.photos.histogram == {1: 1318, 2: 520, 3: 158, 4: 34, 5: 4, 6: 2}
    report = inspect(real("omniglot/images_background_small1.zip"))
    assert (report.kind, report.identities, report.modes) == ("zip", 136, {"1": 2720})
    report = inspect(real("orl_faces"))
    assert (report.sizes, report.modes, report.formats) == ({"92x112": 200}, {"L": 200}, {"PPM": 200})
