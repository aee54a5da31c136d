"""Who is in which domain, worked out by hand on twelve rows, and what is said where nobody is."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from imgen.binding import build, check
from imgen.data import pictures as pictures_module
from imgen.data.attribute_domains import attribute_domains
from imgen.errors import DataError
from imgen.testing import check_dataset

ROWS = {  # Male, Blond_Hair, Black_Hair, Eyeglasses
    1: (1, -1, 1, -1),
    2: (-1, 1, -1, -1),
    3: (-1, -1, 1, -1),
    4: (-1, 1, -1, 1),
    5: (1, 1, -1, -1),
    6: (-1, 1, 1, -1),
    7: (1, -1, 1, 1),
    8: (-1, -1, -1, -1),
    9: (-1, 1, -1, -1),
    10: (-1, -1, 1, -1),
    11: (1, -1, -1, -1),
    12: (-1, -1, 1, 1),
}
TABLE = "12\nMale Blond_Hair Black_Hair Eyeglasses\n" + "".join(
    f"{row:06d}.jpg  {' '.join(map(str, values))}\n" for row, values in ROWS.items()
)


@pytest.fixture
def twelve(tmp_path, noisy) -> Path:
    """The pictures of the twelve rows; the red of each is its number."""
    (tmp_path / "twelve/img_align_celeba").mkdir(parents=True)
    for row in ROWS:
        (tmp_path / f"twelve/img_align_celeba/{row:06d}.png").write_bytes(noisy(row))
    (tmp_path / "twelve/list_attr_celeba.txt").write_text(TABLE)
    return tmp_path / "twelve"


def rows(column) -> list[int]:
    """The numbers of the pictures, by their pixels."""
    return [] if column is None else column.fetch(np.arange(len(column)))[:, 0, 0, 0].tolist()


def made(root: Path, **settings) -> tuple[list[int], list[int], list[int], list[int]]:
    """Pictures to train on and held out, of a and of b."""
    data = attribute_domains(root=str(root), size=24, **{"n_test": 0, **settings})
    return tuple(rows(part.get(place)) for place in "ab" for part in (data.columns, data.test))


NOT_BLOND = [1, 3, 7, 8, 10, 11, 12]
TRUTH: list[tuple[dict, tuple[list[int], list[int], list[int], list[int]]]] = [
    ({"style_A": "blond"}, ([2, 4, 5, 6, 9], [], NOT_BLOND, [])),
    ({"style_A": "not-blond"}, (NOT_BLOND, [], [2, 4, 5, 6, 9], [])),
    ({"style_A": "Blond_Hair=0", "style_B": "glasses"}, None),
    ({"style_A": "not-blond", "style_B": "eyeglasses"}, ([1, 3, 8, 10, 11], [], [4], [])),
    ({"style_A": "blond", "style_B": "black"}, ([2, 4, 5, 9], [], [1, 3, 7, 10, 12], [])),
    ({"style_A": "black", "style_B": "blond"}, ([1, 3, 7, 10, 12], [], [2, 4, 5, 9], [])),
    ({"style_A": "blond", "style_B": "black", "overlap": "keep"}, ([2, 4, 5, 6, 9], [], [1, 3, 6, 7, 10, 12], [])),
    ({"style_A": "blond", "style_B": "black", "constraint": "male"}, ([5], [], [1, 7], [])),
    ({"style_A": "blond", "style_B": "black", "constraint": "not-male"}, ([2, 4, 9], [], [3, 10, 12], [])),
    ({"style_A": "blond", "constraint": "Male", "constraint_type": -1}, ([2, 4, 6, 9], [], [3, 8, 10, 12], [])),
    ({"style_A": "blond", "constraint": "Male", "constraint_type": "0"}, ([2, 4, 6, 9], [], [3, 8, 10, 12], [])),
    ({"style_A": "blond", "constraint": "Male", "constraint_type": 1}, ([5], [], [1, 7, 11], [])),
    ({"style_A": "male", "n_test": 1}, ([1, 5, 7], [11], [2, 3, 4, 6, 8, 9, 10], [12])),
    ({"style_A": "blond", "style_B": "black", "n_test": 2}, ([2, 4], [5, 9], [1, 3, 7], [10, 12])),
    ({"style_A": "blond", "attrs": ("Male", "blond")}, ([2, 4, 5, 6, 9], [], NOT_BLOND, [])),
]


@pytest.mark.parametrize(("settings", "expected"), TRUTH, ids=[str(list(row[0].values())) for row in TRUTH])
def test_the_truth_table(twelve, settings, expected):
    if expected is None:
        with pytest.raises(DataError, match=r"no attribute is called 'glasses'; did you mean 'Eyeglasses'"):
            made(twelve, **settings)
    else:
        assert made(twelve, **settings) == expected


def test_what_is_told_of_it(twelve):
    (twelve / "img_align_celeba/000003.png").unlink()
    (twelve / "img_align_celeba/000009.png").write_bytes(b"")
    (twelve / "other.png").write_bytes(b"")
    data = attribute_domains(
        root=str(twelve), size=24, style_A="blond", style_B="black", constraint="not-male", n_test=1
    )
    check_dataset(data)
    assert data.spec.domains == ("Blond_Hair", "Black_Hair") and data.spec.image == (3, 24, 24)
    assert data.unpaired and not data.aligned
    assert rows(data.columns["a"]) == [2] and data.test_names["a"] == ["img_align_celeba/000004.png"]
    assert rows(data.columns["b"]) == [10] and data.test_names["b"] == ["img_align_celeba/000012.png"]
    assert data.report.lines() == [
        "4 images",
        "a: Blond_Hair, 1 to train on, 1 held out",
        "b: Black_Hair, 1 to train on, 1 held out",
        "constraint: 7 of 11 pictures are not Male",
        "1 pictures are both Blond_Hair and Black_Hair: left out",
        "1 rows of the table without a picture left out, such as 000003.jpg",
        "1 pictures without a row left out, such as other.png",
        "img_align_celeba/000009.png: skipped: empty file",
    ]
    assert "twelve" in data.spec.about and data.origin["constraint"] == "not Male"


def test_a_domain_is_named_by_what_it_lacks(twelve):
    assert attribute_domains(root=str(twelve), style_A="blond", n_test=0).spec.domains == (
        "Blond_Hair",
        "not Blond_Hair",
    )
    assert attribute_domains(root=str(twelve), style_A="!male", n_test=0).spec.domains == ("not Male", "Male")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"style_A": "blond", "style_B": "blond hair"}, "style_A and style_B are both Blond_Hair; two domains must"),
        ({"style_A": "blond", "constraint_type": -1}, "constraint_type is -1, but there is no constraint"),
        (
            {"style_A": "blond", "constraint": "not-male", "constraint_type": -1},
            "constraint 'not-male' says what is lacking; leave constraint_type -1 out",
        ),
        (
            {"style_A": "blond", "style_B": "glasses", "constraint": "glasses"},
            "no attribute is called 'glasses'; did you mean 'Eyeglasses'",
        ),
        (
            {"style_A": "male", "constraint": "male"},
            "style_B: none of 4 pictures that are Male is not Male",
        ),
        (
            {"style_A": "blond", "style_B": "eyeglasses", "constraint": "male", "n_test": 1},
            "n_test is 1, but of Blond_Hair there are 1 pictures; at most 0 can be held out",
        ),
        ({"style_A": "blond", "n_test": 5}, "n_test is 5, but of Blond_Hair there are 5 pictures; at most 4 can"),
        ({"style_A": "blond", "attrs": ("Male",)}, "no attribute is called 'blond'; there is Male"),
        ({"style_A": "blond", "partition": "celeba"}, "no list_eval_partition.txt"),
        ({"style_A": "blond", "crop": "round"}, "crop 'round' is not known"),
    ],
)
def test_what_leaves_nobody_is_told(twelve, settings, said):
    with pytest.raises(DataError, match=said) as caught:
        made(twelve, **settings)
    assert "\n" not in str(caught.value)


def test_a_table_of_other_pictures(twelve):
    (twelve / "list_attr_celeba.txt").write_text("Male\nx.jpg 1\n")
    with pytest.raises(DataError, match=r"none of its 1 pictures, such as x.jpg, is in .*twelve$"):
        made(twelve, style_A="male")
    (twelve / "list_attr_celeba.txt").write_text("Male Young\n000001.jpg 1 1\n000002.jpg 1 1\n")
    with pytest.raises(DataError, match=r"constraint: none of 2 pictures is not Young$"):
        made(twelve, style_A="male", constraint="not-young")
    with pytest.raises(DataError, match=r"2 pictures are both Male and Young, which leaves none that is only Male"):
        made(twelve, style_A="male", style_B="young")


def test_the_official_parts(twelve):
    parts = {**dict.fromkeys((1, 2, 3, 4, 5), 0), **dict.fromkeys((6, 7, 8), 1), **dict.fromkeys((9, 10, 11, 12), 2)}

    def write() -> None:
        lines = "".join(f"{row:06d}.jpg {part}\n" for row, part in parts.items())
        (twelve / "list_eval_partition.txt").write_text(lines)

    write()
    official = {"style_A": "male", "partition": "celeba"}
    assert made(twelve, **official, n_test=200) == ([1, 5], [11], [2, 3, 4], [9, 10, 12])
    assert made(twelve, **official, n_test=0) == ([1, 5], [], [2, 3, 4], [])
    for row in (9, 10, 11, 12):
        del parts[row]
    write()
    assert made(twelve, **official, n_test=200) == ([1, 5], [7], [2, 3, 4], [6, 8])


def test_only_pictures_of_the_domains_are_decoded_and_only_once(twelve, monkeypatch):
    decoded: list[int] = []
    load: Callable = pictures_module.load
    monkeypatch.setattr(pictures_module, "load", lambda *args, **kw: decoded.append(1) or load(*args, **kw))
    settings = {"root": str(twelve), "style_A": "blond", "style_B": "black", "constraint": "not-male", "n_test": 1}
    data = attribute_domains(**settings)
    assert len(decoded) == 6
    rows(data.columns["a"]), rows(data.test["b"])
    assert len(decoded) == 6


def test_inspection_counts_the_attributes(twelve, cli):
    (twelve / "img_align_celeba/000012.png").unlink()
    said = cli("data", "inspect", twelve)
    assert said.status == 0
    assert "attributes   Male 4, Blond_Hair 5, Black_Hair 5, Eyeglasses 2" in said.out.splitlines()
    (twelve / "list_attr_celeba.txt").write_text("Male Young\n000001.jpg 1\n")
    said = cli("data", "inspect", twelve)
    assert said.status == 0 and "list_attr_celeba.txt:2: '000001.jpg 1' has 2 cells" in said.out
    (twelve / "list_attr_celeba.txt").write_text("Male Young\nother.jpg 1 1\n")
    assert "attributes" not in cli("data", "inspect", twelve).out


@pytest.mark.parametrize("beside", [False, True])
def test_zips(twelve, tmp_path, beside):
    with zipfile.ZipFile(tmp_path / "twelve.zip", "w") as file:
        for path in twelve.rglob("*.png" if beside else "*.*"):
            file.write(path, path.relative_to(twelve).as_posix())
    if beside:
        (tmp_path / "list_attr_celeba.txt").write_text(TABLE)
    assert made(tmp_path / "twelve.zip", style_A="male", n_test=1) == made(twelve, style_A="male", n_test=1)


@pytest.mark.parametrize(("given", "taken"), [(-1, "-1"), ("-1", "-1"), (1, "1"), (0, "0"), (None, None)])
def test_signs_as_a_recipe_gives_them(twelve, given, taken):
    settings = {"root": str(twelve), "style_A": "blond", "constraint": "male", "constraint_type": given, "n_test": 0}
    checked, problems = check(attribute_domains, settings)
    assert not problems and checked["constraint_type"] == taken
    data = build(attribute_domains, settings=checked)
    assert rows(data.columns["a"]) == ([5] if taken in ("1", None) else [2, 4, 6, 9])


def test_other_signs_are_refused():
    problems = check(attribute_domains, {"root": "x", "style_A": "y", "constraint_type": 2})[1]
    assert [problem.text for problem in problems] == ["constraint_type must be 1 | -1 | 0 or null, not 2"]


def test_real_faces(shared_data):
    data = attribute_domains(
        root=str(shared_data("celeba_attr")),
        style_A="blond",
        style_B="black",
        constraint="not-male",
        n_test=20,
        size=16,
    )
    check_dataset(data)
    assert not data.report.unreadable and {len(part) for part in data.test.values()} == {20}
    table = (shared_data("celeba_attr") / "list_attr_celeba.txt").read_text().splitlines()
    names, lines = table[1].split(), [line.split() for line in table[2:]]
    male, blond, black = (1 + names.index(name) for name in ("Male", "Blond_Hair", "Black_Hair"))
    a = [row[0] for row in lines if (row[male], row[blond], row[black]) == ("-1", "1", "-1")]
    assert [Path(name).name for name in (*data.columns["a"].names, *data.test_names["a"])] == a
