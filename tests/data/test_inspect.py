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
