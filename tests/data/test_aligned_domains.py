"""Pairs side by side: which half of which picture is in which domain, and lines that are made thicker."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgen.data.aligned_domains import aligned_domains
from imgen.data.changes import Part, part
from imgen.data.pictures import Pictures
from imgen.data.source import FolderSource
from imgen.errors import DataError
from imgen.testing import check_dataset


def pair(path: Path, left: int, right: int, width: int = 32, **options) -> None:
    """A picture whose halves have these greys."""
    pixels = np.full((16, width, 3), left, np.uint8)
    pixels[:, width // 2 :] = right
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


@pytest.fixture
def seven(tmp_path) -> Path:
    """Seven pairs: the left half of the i-th is i, the right one 100 + i."""
    for i in range(7):
        pair(tmp_path / f"pairs/{i}.png", i, 100 + i)
    return tmp_path / "pairs"


def greys(column) -> list[int]:
    if column is None:
        return []
    rows = column.fetch(np.arange(len(column)))
    assert (rows == rows[:, :1, :1, :1]).all(), "a half is of one grey"
    return rows[:, 0, 0, 0].tolist()


def made(root: Path, **settings) -> tuple[list[int], list[int], list[int], list[int]]:
    """Pictures to train on and held out, of a and of b."""
    data = aligned_domains(root=str(root), **{"size": 8, **settings})
    return tuple(greys(part.get(place)) for place in "ab" for part in (data.columns, data.test))


def test_the_first_half_supplies_a_and_the_rest_b(seven):
    assert made(seven) == ([0, 1, 2], [], [103, 104, 105, 106], [])
    assert made(seven, side_A="right") == ([100, 101, 102], [], [3, 4, 5, 6], [])
    assert made(seven, unpaired="all") == (list(range(7)), [], list(range(100, 107)), [])


def test_pairs_are_held_out_before_the_halving(seven):
    assert made(seven, n_test=2) == ([0, 1], [5, 6], [102, 103, 104], [105, 106])
    assert made(seven, n_test=2, unpaired="all") == ([0, 1, 2, 3, 4], [5, 6], [100, 101, 102, 103, 104], [105, 106])
    with pytest.raises(DataError, match=r"pairs: n_test is 7, but of both domains there are 7 pictures; at most 6"):
        made(seven, n_test=7)
    with pytest.raises(DataError, match=r"one picture to train on, which makes no two halves; use unpaired all"):
        made(seven, n_test=6)


@pytest.mark.parametrize("held", ["val", "test"])
def test_a_folder_holds_the_pairs(tmp_path, held):
    for i in range(4):
        pair(tmp_path / f"set/train/{i}.png", i, 100 + i)
    for i in (8, 9):
        pair(tmp_path / f"set/{held}/{i}.png", i, 100 + i)
    assert made(tmp_path / "set", n_test=1) == ([0, 1], [8, 9], [102, 103], [108, 109])
    data = aligned_domains(root=str(tmp_path / "set"), size=8, domain_A="edges", domain_B="shoes")
    check_dataset(data)
    assert data.aligned and data.spec.domains == ("edges", "shoes")
    assert data.test_names["a"] == data.test_names["b"] == [f"{held}/8.png", f"{held}/9.png"]
    assert data.report.lines() == [
        "6 images",
        "a: edges, 2 to train on, 2 held out",
        "b: shoes, 2 to train on, 2 held out",
    ]


def test_a_shuffle_by_seed_stays_disjoint(seven):
    shares = [made(seven, n_test=1, shuffle=seed) for seed in (0, 0, 1, 2)]
    assert shares[0] == shares[1] and len({str(share) for share in shares}) == 3
    for a, held, b, held_b in shares:
        assert sorted([*a, *(grey - 100 for grey in b)]) == [0, 1, 2, 3, 4, 5] and len(a) == 3
        assert (held, held_b) == ([6], [106])


def test_a_broken_pair_is_missing_on_both_sides(seven):
    for name in ("1.png", "4.png", "6.png"):
        (seven / name).write_bytes(b"")
    assert made(seven, n_test=2) == ([0], [5], [102, 103], [105])
    pair(seven / "1.png", 1, 101, width=2)
    assert made(seven, n_test=2)[0] == [0, 1]
    Image.new("RGB", (1, 8)).save(seven / "1.png")
    data = aligned_domains(root=str(seven), size=8)
    assert data.report.unreadable["1.png"] == "one pixel wide, which makes no two halves"


def test_a_pair_of_which_one_side_cannot_be_used_is_held_out_by_neither(tmp_path):
    for i in range(5):
        # The left half of the fourth is a pixel narrower than the crop.
        pair(tmp_path / f"set/{i}.png", i, 100 + i, width=33 if i == 3 else 34)
    assert made(tmp_path / "set", n_test=2, crop="17x16+0+0") == ([0], [4], [101, 102], [104])


def test_zips(seven, tmp_path):
    with zipfile.ZipFile(tmp_path / "pairs.zip", "w") as file:
        for path in seven.iterdir():
            file.write(path, f"deeper/{'val' if path.stem > '4' else 'train'}/{path.name}")
    assert made(tmp_path / "pairs.zip") == ([0, 1], [5, 6], [102, 103, 104], [105, 106])


def test_names_must_differ(seven):
    with pytest.raises(DataError, match="domain_A and domain_B are both shoes"):
        made(seven, domain_A="shoes", domain_B="shoes")


def test_an_odd_width_is_cut_below_the_middle():
    image = Image.fromarray(np.arange(5, dtype=np.uint8)[None].repeat(2, 0))
    assert np.asarray(Part("left")(image)).tolist() == [[0, 1]] * 2
    assert np.asarray(Part("right")(image)).tolist() == [[2, 3, 4]] * 2
    assert part("whole") is None and part("whole", True) == Part("whole", True)


def test_a_line_of_one_pixel_becomes_three_wide():
    pixels = np.full((7, 9, 3), 255, np.uint8)
    pixels[:, 4] = 0
    wide = np.asarray(Part("whole", thicken=True)(Image.fromarray(pixels)))
    assert (wide[:, 3:6] == 0).all() and (wide[:, :3] == 255).all() and (wide[:, 6:] == 255).all()


def test_only_the_first_domain_is_made_thicker(tmp_path):
    """At full size, before the resize: a line of one pixel of 32 is a third as dark as one of three."""
    pixels = np.full((32, 64, 3), 255, np.uint8)
    pixels[:, 16::32] = 0
    for i in range(2):
        (tmp_path / "set").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / f"set/{i}.png")
    dark = {}
    for thicken in (False, True):
        data = aligned_domains(root=str(tmp_path / "set"), size=8, thicken=thicken)
        dark[thicken] = [float(255 - data.columns[place].fetch(np.arange(1)).float().mean()) for place in "ab"]
    assert dark[True][0] == pytest.approx(3 * dark[False][0], rel=0.1) and dark[True][1] == dark[False][1]


def test_halves_of_a_jpeg_are_of_the_whole_picture(tmp_path):
    """Decoded at an eighth, a half of 25 pixels would be cut in the wrong place."""
    pair(tmp_path / "set/1.jpg", 0, 250, width=410, quality=95)
    for side, grey in (("left", 0), ("right", 250)):
        column = Pictures(FolderSource(tmp_path / "set"), ["1.jpg"], size=4, crop="none", change=Part(side))
        assert abs(column.fetch(np.arange(1)).float() - grey).max() <= 2


def test_a_survey_tells_changes_apart(tmp_path):
    """What is unreadable as a half may be readable as a whole."""
    (tmp_path / "set").mkdir()
    Image.new("RGB", (1, 8)).save(tmp_path / "set/1.png")
    pair(tmp_path / "set/2.png", 1, 2)
    found = {}
    for change in (Part("left"), None, Part("right")):
        column = Pictures(FolderSource(tmp_path / "set"), ["1.png", "2.png"], size=8, change=change)
        found[change] = list(column.survey())
        assert column.select(np.array([0])).change == change
    assert found == {Part("left"): ["1.png"], None: [], Part("right"): ["1.png"]}


def test_real_pairs(shared_data):
    data = aligned_domains(root=str(shared_data("facades")), domain_A="photo", domain_B="labels", size=32)
    check_dataset(data)
    assert [len(part[place]) for place in "ab" for part in (data.columns, data.test)] == [30, 20, 30, 20]
    assert not set(data.columns["a"].names) & set(data.columns["b"].names)
    # Label maps are mostly blue, photos are not.
    blue = {
        place: (rows := column.decode_all().float())[:, 2].mean() - rows[:, 0].mean()
        for place, column in data.columns.items()
    }
    assert blue["b"] > 80 > 20 > blue["a"]


def test_real_edges(shared_data):
    root = str(shared_data("edges2shoes_mini"))
    thin, thick = (aligned_domains(root=root, side_A="right", thicken=thicken, size=64) for thicken in (False, True))
    light = [float(data.columns["a"].decode_all().float().mean()) for data in (thin, thick)]
    assert light[0] > light[1] + 10
