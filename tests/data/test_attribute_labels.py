"""Who is labelled with what, worked out by hand on twelve rows; and the authors' parts at full size."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from imgen.binding import build, check
from imgen.data import attribute_labels
from imgen.data.attribute_labels import attributes
from imgen.data.labels import Shown
from imgen.data.pictures import Pictures
from imgen.data.samplers import listed
from imgen.data.spec import Attribute
from imgen.errors import DataError
from imgen.testing import check_dataset

ROWS = {  # Male, Smiling, Black_Hair, Blond_Hair, Brown_Hair
    1: (1, -1, 1, -1, -1),
    2: (-1, 1, -1, 1, -1),
    3: (-1, 0, 1, -1, -1),
    4: (-1, 1, -1, 1, -1),
    5: (1, 1, -1, 1, 1),
    6: (-1, 1, 1, 1, -1),
    7: (1, -1, 1, -1, -1),
    8: (-1, 0, -1, -1, 1),
    9: (-1, 1, -1, 1, -1),
    10: (-1, -1, 1, -1, -1),
    11: (1, 1, -1, 1, -1),
    12: (-1, 0, 1, -1, -1),
}
TABLE = "12\nMale Smiling Black_Hair Blond_Hair Brown_Hair\n" + "".join(
    f"{row:06d}.jpg  {' '.join(map(str, values))}\n" for row, values in ROWS.items()
)
HAIR = "hair=Black_Hair|Blond_Hair|not Brown_Hair"


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


def made(root: Path, *attrs: str, **settings):
    return attributes(root=str(root), attrs=attrs, size=16, **{"n_test": 2, **settings})


def test_what_is_known_and_what_is_held_out(twelve):
    data = made(twelve, "Smiling", "gender=male", HAIR)
    check_dataset(data)
    assert data.spec.attributes == (
        Attribute("Smiling", ("not Smiling", "Smiling")),
        Attribute("gender", ("not Male", "Male")),
        Attribute("hair", ("Black_Hair", "Blond_Hair")),
    )
    assert rows(data.columns["images"]) == list(range(1, 11)) and rows(data.test["images"]) == [11, 12]
    expected = [[0, 1, 0], [1, 0, 1], [-1, 0, 0], [1, 0, 1], [1, 1, -1]]
    expected += [[1, 0, -1], [0, 1, 0], [-1, 0, -1], [1, 0, 1], [0, 0, 0]]
    assert data.columns["attributes"].tolist() == expected == data.truth.tolist()
    assert data.columns["attributes"].dtype == torch.int64
    assert data.test["attributes"].tolist() == [[1, 1, 1], [-1, 0, 0]]
    assert data.test_names["images"] == ["img_align_celeba/000011.png", "img_align_celeba/000012.png"]
    assert data.report.lines() == [
        "12 images",
        "10 to train on, 2 held out",
        "Smiling: labels of not Smiling 3 of 3, Smiling 5 of 5; unknown 2",
        "gender: labels of not Male 7 of 7, Male 3 of 3; unknown 0",
        "hair: labels of Black_Hair 4 of 4, Blond_Hair 3 of 3; unknown 3",
    ]


def test_so_many_labels_of_each_value(twelve):
    data = made(twelve, "Smiling", HAIR, labels_per_value=2, split_seed=5)
    check_dataset(data)
    labels = data.columns["attributes"].numpy()
    assert [[(labels[:, place] == value).sum() for value in (0, 1)] for place in (0, 1)] == [[2, 2], [2, 2]]
    seen = labels != -1
    assert np.array_equal(labels[seen], data.truth.numpy()[seen])
    # What is held out is known in full, and all that is known is still there for classifiers.
    assert data.test["attributes"].tolist() == [[1, 1], [-1, 0]]
    assert (data.truth[:, 0] >= 0).sum() == 8
    assert "Smiling: labels of not Smiling 2 of 3, Smiling 2 of 5; unknown 2" in data.report.lines()
    again, other = (
        made(twelve, "Smiling", HAIR, labels_per_value=2, split_seed=seed).columns["attributes"] for seed in (5, 6)
    )
    assert np.array_equal(again, labels) and not np.array_equal(other, labels)


def test_first_last_skip_and_the_official_parts(twelve):
    data = made(twelve, "male", partition="first", n_test=3, skip=2)
    assert rows(data.test["images"]) == [3, 4, 5] and rows(data.columns["images"]) == list(range(6, 13))
    assert "2 pictures left out by skip or partition" in data.report.lines()
    none = made(twelve, "male", n_test=0)
    assert len(none.columns["images"]) == 12 and not none.test and not none.test_names
    parts = {**dict.fromkeys(range(1, 8), 0), 8: 1, **dict.fromkeys((9, 10, 11), 2)}
    lines = "".join(f"{row:06d}.jpg {part}\n" for row, part in parts.items())
    (twelve / "list_eval_partition.txt").write_text(lines)
    data = made(twelve, "male", partition="celeba", skip=1)
    assert rows(data.columns["images"]) == [2, 3, 4, 5, 6, 7] and rows(data.test["images"]) == [9, 10, 11]
    assert "3 pictures left out by skip or partition" in data.report.lines()


class Listed:
    """As many pictures as CelebA has, none of which is ever read."""

    def __init__(self, table: bytes, count: int) -> None:
        self.path, self.tables, self.refused = Path("made"), ["list_attr_celeba.txt"], {}
        self.names = [f"{row:06d}.jpg" for row in range(1, count + 1)]
        self.table = table

    def read(self, name):
        assert name == "list_attr_celeba.txt"
        return self.table

    def stamp(self, name):
        return 0, 0


def test_the_authors_parts_and_labels_at_full_size(monkeypatch):
    """Test pictures 000003 to 004999, and 197,600 to train on, whose first are labelled and listed ten times more."""
    count = 202_599
    rng = np.random.default_rng(0)
    hair = rng.integers(0, 4, count)
    cells = np.stack([rng.integers(0, 2, count), hair == 0, hair == 1], axis=1) * 2 - 1
    lines = (f"{row:06d}.jpg {a} {b} {c}" for row, (a, b, c) in enumerate(cells.tolist(), 1))
    table = f"{count}\nMale Black_Hair Blond_Hair\n" + "\n".join(lines)
    monkeypatch.setattr(attribute_labels, "open_source", lambda *_: Listed(table.encode(), count))
    monkeypatch.setattr(Pictures, "survey", lambda self: {})
    data = attributes(
        root="made",
        attrs=("gender=Male", "hair=black|blond"),
        partition="first",
        n_test=4997,
        skip=2,
        labels_per_value=5000,
        split="first",
        oversample=10,
    )
    assert data.test_names["images"][0] == "000003.jpg" and data.test_names["images"][-1] == "004999.jpg"
    names = data.columns["images"].names
    assert len(data.test_names["images"]) == 4997 and len(names) == 197_600
    assert (names[0], names[-1]) == ("005000.jpg", "202599.jpg")
    labels = data.columns["attributes"].numpy()
    drawn = listed(Shown(labels, data.chosen), 10)
    assert len(drawn) == 497_600
    assert (labels[drawn, 0] != -1).mean() == pytest.approx(0.2211, abs=5e-5)
    assert data.chosen[drawn].mean() == pytest.approx(0.6632, abs=5e-5)
    # Of the hair of those that were chosen, half is neither black nor blond, and stays unknown.
    assert (labels[:30_000, 1] == -1).mean() == pytest.approx(0.5, abs=0.02) and (labels[30_000:] == -1).all()


@pytest.mark.parametrize(
    ("settings", "share"),
    [
        ({"oversample": 4}, None),
        ({"sampler": "balanced", "labelled_fraction": 0.5}, 0.5),
        ({"sampler": "balanced", "labelled_fraction": 1.0}, 1.0),
    ],
)
def test_samplers(twelve, settings, share):
    data = made(twelve, "Smiling", labels_per_value=1, n_test=0, **settings)
    check_dataset(data)
    drawn = np.concatenate([data.draw(4, np.random.default_rng(step))["images"] for step in range(1000)])
    labelled = (data.columns["attributes"].numpy()[drawn, 0] != -1).mean()
    # Two of twelve are labelled: with four copies more, ten of twenty.
    assert labelled == pytest.approx(0.5 if share is None else share, abs=0.03)
    batch = data.draw(4, np.random.default_rng(0))
    assert batch.keys() == {"images", "attributes"} and np.array_equal(batch["images"], batch["attributes"])


def test_rare_values_made_frequent(twelve):
    data = made(twelve, "male", n_test=0, balance=("MALE",), balance_ratio=1.0)
    drawn = np.concatenate([data.draw(8, np.random.default_rng(step))["attributes"] for step in range(500)])
    assert data.truth[drawn, 0].double().mean() == pytest.approx(0.5, abs=0.04)
    only = made(twelve, "male", n_test=0, balance=("male",), balance_ratio="only_pos")
    drawn = np.concatenate([only.draw(2, np.random.default_rng(step))["attributes"] for step in range(20)])
    assert set((drawn + 1).tolist()) == {1, 5, 7, 11}


def test_what_is_told_of_it(twelve):
    (twelve / "img_align_celeba/000003.png").unlink()
    (twelve / "img_align_celeba/000009.png").write_bytes(b"")
    (twelve / "other.png").write_bytes(b"")
    (twelve / "list_attr_celeba.txt").write_text(TABLE.replace("12\n", "202599\n", 1))
    data = made(twelve, "male")
    check_dataset(data)
    assert rows(data.columns["images"]) == [1, 2, 4, 5, 6, 7, 8, 10]
    assert data.report.lines() == [
        "10 images",
        "8 to train on, 2 held out",
        "Male: labels of not Male 5 of 5, Male 3 of 3; unknown 0",
        "1 rows of the table without a picture left out, such as 000003.jpg",
        "1 pictures without a row left out, such as other.png",
        "the table says that it has 202,599 rows, and has 12",
        "img_align_celeba/000009.png: skipped: empty file",
    ]
    assert "twelve" in data.spec.about and data.origin == {"layout": "attributes", "crop": "center"}


@pytest.mark.parametrize(
    ("attrs", "settings", "said"),
    [
        (("smilling",), {}, "attrs: 'smilling': no attribute is called 'smilling'; did you mean 'Smiling'"),
        ((), {}, "attrs names no attribute"),
        (
            (HAIR,),
            {"labels_per_value": 5},
            "list_attr_celeba.txt: labels_per_value is 5, but of the pictures to train on 4 are labelled Black_Hair",
        ),
        (("male",), {"n_test": 12}, "n_test is 12, but there are 12 pictures; at most 11 can be held out"),
        (("male",), {"skip": 12}, "skip is 12, which leaves none of 12 pictures"),
        (("male",), {"skip": 11, "n_test": 1}, "n_test is 1, but there are 1 pictures; at most 0 can be held out"),
        (("male",), {"partition": "celeba"}, "no list_eval_partition.txt"),
        (("male",), {"n_test": 2, "skip": 7}, "none of 3 pictures to train on is labelled Male; leave it out"),
        (
            ("male",),
            {"split": "first", "labels_per_value": 1, "skip": 1},
            "none of 9 pictures to train on is labelled Male",
        ),
        (("male",), {"balance": ("smiling",)}, "balance: no attribute is called 'smiling'; there is Male"),
        (("male",), {"balance": ("male",), "sampler": "balanced"}, "balance is for the sampler 'uniform'"),
        (("male",), {"oversample": 2, "sampler": "balanced"}, "oversample is for the sampler 'uniform'"),
        (("male",), {"split_file": "x.csv", "labels_per_value": 2}, "leave labels_per_value out"),
        (("male",), {"split_file": "x.csv"}, "x.csv: cannot be read: No such file or directory; `imgen data split`"),
        (("male",), {"crop": "round"}, "crop 'round' is not known"),
    ],
)
def test_what_leaves_nothing_is_told(twelve, attrs, settings, said):
    with pytest.raises(DataError) as caught:
        made(twelve, *attrs, **settings)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("Male\nx.jpg 1\n", "none of its 1 pictures, such as x.jpg, is in"),
        ("Male\n1.jpg 1\n1.jpg 1\n", "list_attr_celeba.txt:3: 1.jpg has a row already"),
        ("Male\n000001.jpg 1\n000001.gif -1\n", "000001.jpg and 000001.gif are both of img_align_celeba/000001.png"),
        ("Male\n000001.jpg 2\n", "list_attr_celeba.txt:2: Male is '2'; it must be 1 or -1, or 0 for unknown"),
        ("name,Male\n000001.jpg,\n000002.jpg,\n", "none of 2 pictures to train on is labelled not Male"),
        ("Male\n", "a table without rows"),
    ],
)
def test_tables_that_say_nothing(twelve, table, said):
    (twelve / "list_attr_celeba.txt").write_text(table)
    with pytest.raises(DataError) as caught:
        made(twelve, "male", n_test=0)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_official_parts_of_other_pictures(twelve):
    (twelve / "list_eval_partition.txt").write_text("000099.jpg 0\n")
    with pytest.raises(DataError, match="none of 12 pictures is in the official parts"):
        made(twelve, "male", partition="celeba")
    (twelve / "list_eval_partition.txt").write_text("".join(f"{row:06d}.jpg 2\n" for row in ROWS))
    with pytest.raises(DataError, match="no picture to train on is left"):
        made(twelve, "male", partition="celeba")


def test_pictures_that_cannot_be_read(twelve):
    for path in (twelve / "img_align_celeba").iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(DataError, match="none of 12 pictures can be read"):
        made(twelve, "male")


def test_zips(twelve, tmp_path):
    with zipfile.ZipFile(tmp_path / "twelve.zip", "w") as file:
        for path in twelve.rglob("*.*"):
            file.write(path, path.relative_to(twelve).as_posix())
    zipped, plain = (made(root, "male", HAIR) for root in (tmp_path / "twelve.zip", twelve))
    assert rows(zipped.columns["images"]) == rows(plain.columns["images"])
    assert torch.equal(zipped.truth, plain.truth) and torch.equal(zipped.test["attributes"], plain.test["attributes"])


def test_settings_as_a_recipe_gives_them(twelve):
    checked, problems = check(attributes, {"root": str(twelve), "attrs": "male", "n_test": 2, "size": 16})
    assert not problems and checked["attrs"] == ["male"] and checked["balance_ratio"] == 0.55
    assert build(attributes, settings=checked).spec.attributes[0].name == "Male"
    wrong = {"root": "x", "attrs": ["y"], "labels_per_value": 0, "labelled_fraction": 2, "balance_ratio": "both"}
    told = [problem.text.split(" must be ")[0] for problem in check(attributes, wrong)[1]]
    assert sorted(told) == ["balance_ratio", "labelled_fraction", "labels_per_value"]


def test_a_recipe_that_asks_for_what_is_not_there(twelve, cli, tiny):
    tiny.write_text(
        tiny.read_text().replace(
            "  name: shapes\n  identities: 6\n  photos: 4\n",
            f"  name: attributes\n  root: {twelve}\n  attrs: [male, {HAIR}]\n  n_test: 2\n",
        )
    )
    for given, said in [
        (["--attrs", "smilling"], "attrs: 'smilling': no attribute is called 'smilling'; did you mean 'Smiling'?"),
        (["--labels_per_value", "5"], "labels_per_value is 5, but of the pictures to train on 3 are labelled Male"),
        (["--split_file", "absent.csv"], "absent.csv: cannot be read: No such file or directory"),
    ]:
        said_of_it = cli("train", tiny, *given)
        assert said_of_it.status == 2 and not said_of_it.out
        assert len(said_of_it.lines) == 1 and said in said_of_it.err


def test_real_faces(shared_data):
    data = attributes(
        root=str(shared_data("celeba_attr")), attrs=("Smiling", HAIR), size=16, n_test=100, labels_per_value=50
    )
    check_dataset(data)
    table = (shared_data("celeba_attr") / "list_attr_celeba.txt").read_text().splitlines()
    names, lines = table[1].split(), [line.split() for line in table[2:]]
    smiling, black, blond, brown = (
        1 + names.index(name) for name in ("Smiling", "Black_Hair", "Blond_Hair", "Brown_Hair")
    )
    hair = {("1", "-1", "-1"): 0, ("-1", "1", "-1"): 1}
    expected = [[int(row[smiling] == "1"), hair.get((row[black], row[blond], row[brown]), -1)] for row in lines]
    assert data.truth.tolist() + data.test["attributes"].tolist() == expected
    labels = data.columns["attributes"]
    assert [int((labels[:, place] == value).sum()) for place in (0, 1) for value in (0, 1)] == [50] * 4
