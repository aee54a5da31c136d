"""Faces by what their names tell, worked out by hand on twelve names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from imgen.data.source import open_source
from imgen.data.utkface import group, read_faces, utkface_domains
from imgen.errors import DataError
from imgen.testing import check_dataset

NAMES = [  # age, gender (0 male, 1 female), race (white, black, asian, indian, others)
    "100_1_2_20170105174847679.jpg.chip.png",
    "10_0_0_20170110225227587.png",
    "19_1_0_20170110225227587.png",
    "20_0_4_20170103201924664.png",
    "26_0_1_20170103201924664.png",
    "26_1_3_20170103201924664.png",
    "39_1_20170116174525125.png",  # without a race, as some of the real ones
    "60_0_0_20170110203512075.png",
    "61_1_5_20170110203512075.png",  # there is no such race
    "71_1_4_20170110203512075.png",
    "9_1_1_20170110203512075.png",
    "portrait.png",
]


@pytest.fixture
def faces(tmp_path, noisy) -> Path:
    """The pictures of the names; the red of each is its age."""
    (tmp_path / "faces/part1").mkdir(parents=True)
    for name in NAMES:
        (tmp_path / "faces/part1" / name).write_bytes(noisy(int(name.split("_")[0]) if "_" in name else 0))
    return tmp_path / "faces"


def made(root: Path, **settings) -> tuple[tuple[str, ...], list[int], list[int], list[int], list[int]]:
    """Names of the domains; ages to train on and held out, of a and of b."""
    data = utkface_domains(root=str(root), size=24, **{"n_test": 0, **settings})
    ages = (
        data_part[place].fetch(np.arange(len(data_part[place])))[:, 0, 0, 0].tolist() if place in data_part else []
        for place in "ab"
        for data_part in (data.columns, data.test)
    )
    return data.spec.domains, *ages


MEN, WOMEN = [10, 20, 26, 60], [100, 19, 26, 71, 9]
TRUTH = [
    ({"style_A": "male"}, (("male", "female"), MEN, [], WOMEN, [])),
    ({"style_A": "Female"}, (("female", "male"), WOMEN, [], MEN, [])),
    ({"style_A": "not-female", "style_B": "f"}, None),
    ({"style_A": "not-female", "style_B": "female"}, (("male", "female"), MEN, [], WOMEN, [])),
    ({"by": "race", "style_A": "white"}, (("white", "not white"), [10, 19, 60], [], [100, 20, 26, 26, 71, 9], [])),
    ({"by": "race", "style_A": "black", "style_B": "others"}, (("black", "others"), [26, 9], [], [20, 71], [])),
    (
        {"by": "age", "style_A": "0-19", "style_B": "60-"},
        (("0-19", "60-"), [10, 19, 9], [], [100, 60, 71], []),
    ),
    ({"by": "age", "style_A": "26"}, (("26", "not 26"), [26, 26], [], [100, 10, 19, 20, 60, 71, 9], [])),
    ({"by": "age", "style_A": "not 20-"}, (("not 20-", "20-"), [10, 19, 9], [], [100, 20, 26, 26, 60, 71], [])),
    # Those in both are in neither.
    ({"by": "age", "style_A": "-25", "style_B": "20-60"}, (("0-25", "20-60"), [10, 19, 9], [], [26, 26, 60], [])),
    (
        {"by": "age", "style_A": "-25", "style_B": "26-", "constraint": "gender=female"},
        (("0-25", "26-"), [19, 9], [], [100, 26, 71], []),
    ),
    ({"style_A": "male", "constraint": "age=20-60"}, (("male", "female"), [20, 26, 60], [], [26], [])),
    ({"style_A": "male", "constraint": "race=not-white"}, (("male", "female"), [20, 26], [], [100, 26, 71, 9], [])),
    # Of four the second, of five the third: in the middle, not the last.
    ({"style_A": "male", "n_test": 1}, (("male", "female"), [10, 20, 60], [26], [100, 19, 71, 9], [26])),
]


@pytest.mark.parametrize(("settings", "expected"), TRUTH, ids=[str(list(row[0].values())) for row in TRUTH])
def test_the_truth_table(faces, settings, expected):
    if expected is None:
        with pytest.raises(DataError, match=r"style_B: no gender is called 'f'; there are female, male"):
            made(faces, **settings)
    else:
        assert made(faces, **settings) == expected


def test_other_names_are_counted(faces):
    assert [Path(name).name for name in read_faces(open_source(faces)).malformed] == [NAMES[6], NAMES[8], NAMES[11]]
    data = utkface_domains(root=str(faces), size=24, style_A="male", constraint="age=20-60", n_test=0)
    check_dataset(data)
    assert data.report.lines() == [
        "4 images",
        "a: male, 3 to train on, 0 held out",
        "b: female, 1 to train on, 0 held out",
        "constraint: 4 of 9 pictures are age 20-60",
        "3 pictures not named <age>_<gender>_<race>_<date>.jpg left out, such as part1/39_1_20170116174525125.png",
    ]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"style_A": "male", "style_B": "not-female"}, "style_A and style_B are both male"),
        ({"style_A": "mail"}, "style_A: no gender is called 'mail'; did you mean 'male'"),
        ({"style_A": "white"}, "style_A: no gender is called 'white'; there are female, male"),
        ({"by": "age", "style_A": "young"}, "style_A: 'young' are no ages; write them as 0-19, 60- or 25"),
        ({"by": "age", "style_A": "-"}, "style_A: '-' are no ages"),
        ({"by": "age", "style_A": "30-20"}, "style_A: '30-20' are no ages: 30 is more than 20"),
        ({"by": "age", "style_A": "0-19", "style_B": "101-"}, "faces: style_B: none of 9 pictures is age 101-"),
        ({"by": "age", "style_A": "10-20", "style_B": "5-30"}, "3 pictures are both 10-20 and 5-30, which leaves none"),
        ({"style_A": "male", "constraint": "female"}, "constraint: 'female' is none; write it as gender=female"),
        (
            {"style_A": "male", "constraint": "hair=black"},
            "no constraint is called 'hair'; there are age, gender, race",
        ),
        ({"style_A": "male", "constraint": "age=200-"}, "faces: constraint: none of 9 pictures is age 200-"),
        (
            {"style_A": "male", "constraint": "gender=male"},
            "style_B: none of 4 pictures that are gender male is gender female",
        ),
        ({"style_A": "male", "n_test": 4}, "n_test is 4, but of male there are 4 pictures; at most 3 can be held out"),
    ],
)
def test_what_leaves_nobody_is_told(faces, settings, said):
    with pytest.raises(DataError, match=said) as caught:
        made(faces, **settings)
    assert "\n" not in str(caught.value)


def test_no_such_names(tmp_path, noisy):
    (tmp_path / "portrait.png").write_bytes(noisy(1))
    with pytest.raises(DataError, match=r"none of 1 pictures is named <age>_<gender>_<race>_<date>.jpg"):
        made(tmp_path, style_A="male")


def test_ages_as_they_are_written():
    assert [str(group("age", text, "x")) for text in ("7", " 0-19 ", "-19", "60-", "not-60-", "!5", "not 3 - 4")] == [
        *("7", "0-19", "0-19", "60-", "not 60-", "not 5", "not 3-4")
    ]


def test_real_faces(shared_data):
    data = utkface_domains(
        root=str(shared_data("utkface")), style_A="0-19", style_B="60-", by="age", size=16, n_test=10
    )
    check_dataset(data)
    ages = {
        place: sorted(int(Path(name).name.split("_")[0]) for name in (*column.names, *data.test_names[place]))
        for place, column in data.columns.items()
    }
    assert ages["a"][-1] <= 19 and ages["b"][0] >= 60 and data.test["a"].shape == (10, 3, 16, 16)
    # Spread over the ages, and not the last by name alone.
    held = [int(Path(name).name.split("_")[0]) for name in data.test_names["a"]]
    assert min(held) < 5 and max(held) > 12
