"""A folder for each value, and one of which nothing is known."""

from __future__ import annotations

import numpy as np
import pytest

from imgen.data.folder_labels import folder_attributes
from imgen.data.spec import Attribute
from imgen.errors import DataError
from imgen.testing import check_dataset


@pytest.fixture
def place(tmp_path, noisy):
    """Puts so many pictures into folders: `place({"train/ink": 3})`; the red of each is its number."""

    def put(folders: dict[str, int]):
        number = 0
        for folder, count in folders.items():
            (tmp_path / "set" / folder).mkdir(parents=True, exist_ok=True)
            for _ in range(count):
                number += 1
                (tmp_path / "set" / folder / f"{number:02d}.png").write_bytes(noisy(number))
        return tmp_path / "set"

    return put


def numbers(part) -> list[int]:
    return part["images"].fetch(np.arange(len(part["images"])))[:, 0, 0, 0].tolist()


def made(root, **settings):
    return folder_attributes(root=str(root), size=16, **settings)


def test_folders_of_values(place):
    root = place({"ink": 3, "oil": 2, "Unlabelled": 4})
    data = made(root, n_test=1, attribute="technique")
    check_dataset(data)
    assert data.spec.attributes == (Attribute("technique", ("ink", "oil")),)
    # Of five that are labelled the third is held out, and none of the others.
    assert numbers(data.test) == [3] and data.test["attributes"].tolist() == [[0]]
    assert dict(zip(numbers(data.columns), data.truth[:, 0].tolist(), strict=True)) == {
        1: 0,
        2: 0,
        4: 1,
        5: 1,
        **dict.fromkeys((6, 7, 8, 9), -1),
    }
    assert data.report.lines() == [
        "9 images",
        "8 to train on, 1 held out",
        "technique: labels of ink 2 of 2, oil 2 of 2; unknown 4",
    ]


def test_folders_of_parts(place, noisy):
    root = place({"train/ink": 3, "train/oil": 2, "train/mixed": 2, "test/ink": 1, "test/oil": 1, "test/clay": 1})
    (root / "train/loose.png").write_bytes(noisy(99))
    data = made(root, labels_per_value=1)
    check_dataset(data)
    assert numbers(data.test) == [8, 9] and data.test["attributes"].tolist() == [[0], [1]]
    assert sorted(numbers(data.columns)) == [1, 2, 3, 4, 5, 6, 7]
    assert sorted(data.columns["attributes"][:, 0].tolist()) == [-1] * 5 + [0, 1]
    assert "2 pictures in no such folder left out" in data.report.lines()


def test_a_tenth_is_held_out_unless_told(place):
    root = place({"ink": 10, "oil": 10, "mixed": 30})
    assert len(made(root).test_names["images"]) == 2
    assert not made(root, n_test=0).test


@pytest.mark.parametrize(
    ("folders", "settings", "said"),
    [
        ({"ink": 2}, {}, "there are no folders of pictures; wanted are two or more, one for each value"),
        ({"ink": 2, "mixed": 2}, {}, "the only folder of pictures is ink; wanted are two or more"),
        ({"train/": 2}, {}, "there are no folders of pictures"),
        ({"ink": 2, "oil": 2}, {"n_test": 4}, "n_test is 4, but there are 4 pictures"),
        ({"ink": 2, "oil": 3}, {"labels_per_value": 3}, "labels_per_value is 3, but of the pictures to train on 2 are"),
    ],
)
def test_what_is_wrong_is_told(place, folders, settings, said):
    with pytest.raises(DataError) as caught:
        made(place(folders), **settings)
    assert said in str(caught.value) and "\n" not in str(caught.value)
