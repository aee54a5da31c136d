"""Ages in bins, genders and races of twelve names, worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from imgen.data.spec import Attribute
from imgen.data.utkface_labels import AGES, age_bins, utkface_attributes
from imgen.errors import DataError
from imgen.testing import check_dataset

NAMES = [  # age, gender (0 male, 1 female), race (white, black, asian, indian, others); in the order of the names
    "100_1_2_20170105174847679.jpg.chip.png",
    "10_0_0_20170110225227587.png",
    "11_1_0_20170110225227587.png",
    "20_0_4_20170103201924664.png",
    "26_0_1_20170103201924664.png",
    "26_1_3_20170103201924664.png",
    "39_1_20170116174525125.png",  # without a race, as some of the real ones
    "60_0_0_20170110203512075.png",
    "70_1_1_20170110203512075.png",
    "71_1_4_20170110203512075.png",
    "9_1_1_20170110203512075.png",
    "portrait.png",
]
THREE = ("0-19", "20-59", "60+")


@pytest.fixture
def faces(tmp_path, noisy) -> Path:
    """The pictures of the names; the red of each is its age."""
    (tmp_path / "faces/part1").mkdir(parents=True)
    for name in NAMES:
        (tmp_path / "faces/part1" / name).write_bytes(noisy(int(name.split("_")[0]) if "_" in name else 0))
    return tmp_path / "faces"


def made(root: Path, **settings):
    return utkface_attributes(root=str(root), size=16, **{"n_test": 0, "ages": THREE, **settings})


def seen(part) -> list[int]:
    """The ages of pictures, by their pixels."""
    return part["images"].fetch(np.arange(len(part["images"])))[:, 0, 0, 0].tolist()


def test_all_three(faces):
    data = made(faces, attrs=("race", "age", "Gender"))
    check_dataset(data)
    assert data.spec.attributes == (
        Attribute("race", ("white", "black", "asian", "indian", "others")),
        Attribute("age", THREE),
        Attribute("gender", ("male", "female")),
    )
    assert seen(data.columns) == [100, 10, 11, 20, 26, 26, 60, 70, 71, 9]
    assert data.truth.tolist() == [
        *([2, 2, 1], [0, 0, 0], [0, 0, 1], [4, 1, 0], [1, 1, 0], [3, 1, 1], [0, 2, 0], [1, 2, 1], [4, 2, 1]),
        [1, 0, 1],
    ]
    assert data.report.lines() == [
        "10 images",
        "10 to train on, 0 held out",
        "race: labels of white 3 of 3, black 3 of 3, asian 1 of 1, indian 1 of 1, others 2 of 2; unknown 0",
        "age: labels of 0-19 3 of 3, 20-59 3 of 3, 60+ 4 of 4; unknown 0",
        "gender: labels of male 4 of 4, female 6 of 6; unknown 0",
        "2 pictures not named <age>_<gender>_<race>_<date>.jpg left out, such as part1/39_1_20170116174525125.png",
    ]


def test_ages_outside_every_bin_are_unknown(faces):
    data = made(faces, ages=("9-10", "26", " 60 - 70"))
    assert data.spec.attributes[0].values == ("9-10", "26", "60-70")
    assert data.truth[:, 0].tolist() == [-1, 0, -1, -1, 1, 1, 2, 2, -1, 0]


def test_so_many_labels_held_out_evenly(faces):
    data = made(faces, n_test=2, labels_per_value=2)
    check_dataset(data)
    # Of ten in the order of their names the third and the eighth.
    assert seen(data.test) == [11, 70] and data.test["attributes"].tolist() == [[0], [2]]
    labels = data.columns["attributes"][:, 0]
    assert [int((labels == value).sum()) for value in (-1, 0, 1, 2)] == [2, 2, 2, 2]
    assert data.test_names["images"] == [f"part1/{NAMES[2]}", f"part1/{NAMES[8]}"]


def test_bins():
    assert list(age_bins(AGES).values())[:2] == [(0, 10), (11, 20)] and age_bins(AGES)["71+"] == (71, 999)
    assert age_bins(("5", "6-7")) == {"5": (5, 5), "6-7": (6, 7)}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"ages": ("0-20", "20-39", "40+")}, "ages: 20-39 does not begin after 0-20 ends; write them from young to"),
        ({"ages": ("40+", "0-39")}, "ages: 0-39 does not begin after 40+ ends"),
        ({"ages": ("0-19", "39-20")}, "ages: '39-20' are none: 39 is more than 20"),
        ({"ages": ("young", "old")}, "ages: 'young' are none; write them as 0-19, 25 or 40+"),
        ({"ages": ("0-19",)}, "ages has 1 value; two or more are wanted, such as 0-39, 40+"),
        ({"ages": ()}, "ages has 0 values; two or more"),
        ({"ages": ("0-99", "101+")}, "none of 10 pictures to train on is labelled 101+; leave it out"),
        ({"attrs": ("age", "Age")}, "attrs: the attribute age is named twice; name it once"),
        ({"attrs": ("hair",)}, "no attribute is called 'hair'; there are age, gender, race"),
        ({"attrs": ()}, "attrs names no attribute; there are age, gender, race"),
        ({"n_test": 10}, "n_test is 10, but there are 10 pictures; at most 9 can be held out"),
        ({"labels_per_value": 4}, "labels_per_value is 4, but of the pictures to train on 3 are labelled 0-19"),
    ],
)
def test_what_is_wrong_is_told(faces, settings, said):
    with pytest.raises(DataError) as caught:
        made(faces, **settings)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_real_faces(shared_data):
    data = utkface_attributes(root=str(shared_data("utkface")), size=16, n_test=50, labels_per_value=10)
    check_dataset(data)
    assert data.spec.attributes == (Attribute("age", AGES),)
    ages = [int(Path(name).name.split("_")[0]) for name in data.columns["images"].names]
    assert [AGES[place] for place in data.truth[:, 0]] == [AGES[min(7, max(0, (age - 1) // 10))] for age in ages]
    labels = data.columns["attributes"]
    assert [int((labels == value).sum()) for value in range(8)] == [10] * 8
    held = sorted(int(Path(name).name.split("_")[0]) for name in data.test_names["images"])
    assert len(held) == 50 and held[0] < 5 and held[-1] > 70
