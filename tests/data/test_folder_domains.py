"""Two folders, two domains: every layout, what is held out, and what is said where they cannot be told apart."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgen.data.folder_domains import folder_domains
from imgen.data.source import open_source
from imgen.data.splits import split
from imgen.errors import DataError
from imgen.testing import check_dataset


@pytest.fixture
def filled(tmp_path, noisy):
    """Pictures under these names in a folder `set`; the red of each is its place in the list."""

    def fill(*names: str) -> Path:
        for tag, name in enumerate(names):
            (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "set" / name).write_bytes(noisy(tag))
        return tmp_path / "set"

    return fill


def reds(column) -> list[int]:
    return [] if column is None else column.fetch(np.arange(len(column)))[:, 0, 0, 0].tolist()


def who(data) -> tuple[tuple[str, ...], list[int], list[int], list[int], list[int]]:
    """The names of the domains; pictures to train on and held out, of a and of b."""
    return data.spec.domains, *(reds(part.get(place)) for place in "ab" for part in (data.columns, data.test))


LAYOUTS = [
    (["trainA/1.png", "trainB/1.png", "testA/1.png", "testB/1.png"], {}, (("A", "B"), [0], [2], [1], [3])),
    (["x/trainA/1.png", "x/trainB/1.png", "x/testB/1.png"], {}, (("A", "B"), [0], [], [1], [2])),
    (["train/A/1.png", "train/B/1.png", "val/A/1.png", "test/A/1.png"], {}, (("A", "B"), [0], [3], [1], [])),
    (["train/A/1.png", "train/B/1.png", "val/A/1.png"], {}, (("A", "B"), [0], [2], [1], [])),
    (["A/1.png", "B/1.png", "C/1.png", "loose.png"], {}, (("A", "B"), [0], [], [1], [])),
    (["A/1.png", "B/1.png"], {"domain_A": "horse", "domain_B": "zebra"}, (("horse", "zebra"), [0], [], [1], [])),
    (["actresses/face/1.png", "actors/face/1.png"], {}, (("actors", "actresses"), [1], [], [0], [])),
    (["actors/face/1.png", "actresses/face/1.png"], {"domain_A": "Actresses"}, None),
    (["x/1.png", "y/1.png", "z/1.png"], {"domain_A": "z", "domain_B": "x"}, (("z", "x"), [2], [], [0], [])),
    (["x/1.png", "y/1.png"], {"domain_B": "x"}, (("y", "x"), [1], [], [0], [])),
    (["train_cat/1.png", "train_dog/1.png", "test_dog/1.png"], {}, (("cat", "dog"), [0], [], [1], [2])),
    (["test_shots/1.png", "trained/1.png"], {}, (("test_shots", "trained"), [0], [], [1], [])),
]


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(("names", "settings", "expected"), LAYOUTS, ids=[" ".join(row[0]) for row in LAYOUTS])
def test_layouts(filled, tmp_path, names, settings, expected, zipped):
    root = filled(*names)
    if zipped:
        with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
            for path in root.rglob("*.png"):
                file.write(path, path.relative_to(root).as_posix())
        root = tmp_path / "set.zip"
    expected = expected or (("actresses", "actors"), [1], [], [0], [])
    assert who(folder_domains(root=str(root), size=24, **settings)) == expected


def test_the_last_of_each_are_held_out(filled):
    root = str(filled(*(f"a/{i:02}.png" for i in range(23)), *(f"b/{i}.png" for i in range(4))))
    data = folder_domains(root=root, size=24)
    check_dataset(data)
    assert who(data) == (("a", "b"), list(range(21)), [21, 22], [23, 24, 25, 26], [])
    assert data.test_names == {"a": ["a/21.png", "a/22.png"]} and not data.aligned
    assert who(folder_domains(root=root, size=24, n_test=1))[3:] == ([23, 24, 25], [26])
    assert who(folder_domains(root=root, size=24, n_test=0))[2::2] == ([], [])
    with pytest.raises(DataError, match=r"n_test is 4, but of b there are 4 pictures; at most 3 can be held out"):
        folder_domains(root=root, n_test=4)


def test_a_folder_each(filled, tmp_path):
    root = filled("bags/train/1.png", "bags/val/1.png", "shoes/1.png", "shoes/2.png", "shoes/extras/3.png")
    data = folder_domains(root_A=str(root / "bags"), root_B=str(root / "shoes"), size=24, n_test=1)
    assert who(data) == (("bags", "shoes"), [0], [1], [2, 3], [4])
    with pytest.raises(DataError, match="root_A and root_B are one"):
        folder_domains(root_A=str(root), root_B=str(root))
    for given in ({}, {"root_A": "x"}, {"root": "x", "root_A": "y", "root_B": "z"}):
        with pytest.raises(DataError, match="needs either root, or both root_A and root_B"):
            folder_domains(**given)


def test_folders_of_one_name(filled):
    root = filled("actors/face/1.png", "actresses/face/1.png")
    both = {"root_A": str(root / "actors/face"), "root_B": str(root / "actresses/face"), "size": 24}
    assert who(folder_domains(**both))[0] == ("actors/face", "actresses/face")
    assert who(folder_domains(**both, domain_A="men", domain_B="women"))[0] == ("men", "women")
    with pytest.raises(DataError, match="both domains are called x"):
        folder_domains(**both, domain_A="x", domain_B="x")


def test_halves_of_pairs(tmp_path):
    """The photos, on the right of one set and on the left of the other."""
    for name, left, right in (("bags", 10, 20), ("shoes", 30, 40)):
        (tmp_path / name).mkdir()
        pixels = np.full((16, 33, 3), left, np.uint8)
        pixels[:, 16:] = right
        Image.fromarray(pixels).save(tmp_path / name / "1.png")
    data = folder_domains(
        root_A=str(tmp_path / "bags"),
        side_A="right",
        root_B=str(tmp_path / "shoes"),
        side_B="left",
        size=8,
        crop="none",
    )
    assert [data.columns[place].fetch(np.arange(1)).unique().tolist() for place in "ab"] == [[20], [30]]


def test_unreadable_pictures_are_left_out_and_told(filled):
    root = filled("trainA/1.png", "trainA/2.png", "trainB/1.png", "testA/1.png", "testA/2.png", "other/1.png")
    for name in ("trainA/1.png", "testA/1.png"):
        (root / name).write_bytes(b"")
    data = folder_domains(root=str(root), domain_A="A", domain_B="B", size=24)
    assert who(data) == (("A", "B"), [1], [4], [2], [])
    assert data.report.lines() == [
        "3 images",
        "a: A, 1 to train on, 1 held out",
        "b: B, 1 to train on, 0 held out",
        "1 pictures in other folders left out",
        "trainA/1.png: skipped: empty file",
        "testA/1.png: skipped: empty file",
    ]
    (root / "trainA/2.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"set: no picture of A to train on can be read"):
        folder_domains(root=str(root), domain_A="A", domain_B="B", size=24)


@pytest.mark.parametrize(
    ("names", "settings", "said"),
    [
        (["1.png"], {}, r"set: the folders of pictures are none; wanted are trainA and trainB, A and B"),
        (
            ["x/1.png", "y/1.png", "z/1.png"],
            {},
            r"the folders of pictures are x, y, z; .*chosen by domain_A and domain_B",
        ),
        (["x/1.png", "y/1.png"], {"domain_A": "X", "domain_B": "w"}, r"the folders of pictures are x, y"),
        (["x/1.png", "y/1.png"], {"domain_A": "x", "domain_B": "x"}, r"domain_A and domain_B are both x"),
        (["trainA/1.png", "testB/1.png"], {}, r"set: B has no pictures to train on"),
        (["readme/1.txt"], {}, r"set: holds no pictures; wanted are"),
    ],
)
def test_what_cannot_be_told_apart(filled, names, settings, said):
    with pytest.raises(DataError, match=said) as caught:
        folder_domains(root=str(filled(*names)), **settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("names", "train", "test", "outside"),
    [
        (["1.png", "x/2.png"], ["1.png", "x/2.png"], [], 0),
        (["train/1.png", "val/1.png"], ["train/1.png"], ["val/1.png"], 0),
        (["w/Train/1.png", "w/test/1.png", "w/val/1.png", "w/2.png"], ["w/Train/1.png"], ["w/test/1.png"], 2),
        (["1.png", "test/1.png"], ["1.png"], ["test/1.png"], 0),
        (["train/1.png"], ["train/1.png"], [], 0),
        (["val/1.png"], ["val/1.png"], [], 0),
    ],
)
def test_splits(filled, names, train, test, outside):
    found = split(open_source(filled(*names)))
    assert (found.train, found.test, found.outside) == (train, test, outside)


def test_real_photos(shared_data):
    data = folder_domains(
        root_A=str(shared_data("edges2shoes_mini")), side_A="left", root_B=str(shared_data("facades")), side_B="left"
    )
    check_dataset(data)
    assert [len(part[place]) for place in "ab" for part in (data.columns, data.test)] == [10, 10, 60, 20]
