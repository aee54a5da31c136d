"""Sheets with names: every picture is there, in its place and unchanged, and names stand beside it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import features

from imgen.images import sheet
from imgen.traversing import sheets
from imgen.traversing.sheets import Block


def cells(rows: int, columns: int, side: int = 32, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, (rows, columns, channels, side, side), np.uint8)


@pytest.mark.parametrize(
    ("sides", "scale"),
    [((64, 64), 1), ((63, 63), 2), ((32, 32), 2), ((16, 16), 4), ((8, 8), 4), ((32, 128), 2), ((256, 256), 1)],
)
def test_small_pictures_are_enlarged_to_64_pixels_but_four_times_at_most(sides, scale):
    assert sheets.scale_of(*sides) == scale


def test_enlarging_repeats_pixels():
    assert sheets.enlarged(np.array([[1, 2], [3, 4]], np.uint8), 2).tolist() == [
        *([[1, 1, 2, 2]] * 2),
        *([[3, 3, 4, 4]] * 2),
    ]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([-1, 0, 1], ["-1", "0", "1"]),
        ([-1, -0.6, -0.2, 0.2, 0.6, 1], ["-1.0", "-0.6", "-0.2", "0.2", "0.6", "1.0"]),
        ([-1, -1 / 3, 1 / 3, 1], ["-1.00", "-0.33", "0.33", "1.00"]),
        ([-0.001, 0.999], ["0.00", "1.00"]),
        ([0.001, 0.002], ["0.001", "0.002"]),
        ([3], ["3"]),
    ],
)
def test_values_are_told_in_few_places(values, told):
    assert sheets.numbers(values) == told


def test_a_plain_page_is_the_sheet():
    shown = cells(2, 3)
    page = sheets.page([Block(shown, [("a", "")] * 2, ["1", "2", "3"], "base")], plain=True)
    assert page == sheet(shown)


@pytest.mark.skipif(not features.check("freetype2"), reason="PIL was built without FreeType")
class TestNames:
    def test_pictures_are_at_the_lower_right_unchanged_and_names_around_them(self):
        shown = cells(2, 3)
        page = np.asarray(sheets.page([Block(shown, [("code1", "change 3.0")] * 2, ["-1", "0", "1"], "base 0")]))
        plain = np.asarray(sheet(shown))
        height, width = plain.shape
        assert (page[-height:, -width:] == plain).all()
        left, top = page[-height:, :-width], page[:-height, -width:]
        for row in range(2):
            assert left[row * 34 : row * 34 + 32].min() < 100, f"no name at row {row}"
        for column in range(3):
            assert top[:, column * 34 : column * 34 + 32].min() < 150, f"no value over column {column}"
        assert page[:-height, :-width].min() < 100, "no name of the block"
        # Nothing is cut off: white at the edges.
        assert page[0].min() == 255 and page[:, 0].min() == 255
        assert left[:, -1].min() == 255

    def test_without_names_of_columns_and_block_there_is_no_room_for_them(self):
        shown = cells(1, 2)
        page = sheets.page([Block(shown, [("code1", "")], ["", ""])])
        assert page.height == 32 and page.width > sheet(shown).width

    def test_columns_that_are_too_narrow_are_named_in_part(self):
        shown = cells(1, 20, side=8)
        names = [f"{value:.2f}" for value in np.linspace(-1, 1, 20)]
        page = np.asarray(sheets.page([Block(shown, [("", "")], names)]))
        ink = page[:-8].min(axis=0) < 150
        # Between two names there is room.
        runs = np.flatnonzero(np.diff(np.flatnonzero(ink)) > 3)
        assert 3 <= len(runs) + 1 <= 10

    @pytest.mark.parametrize("columns", [2, 7])
    def test_names_of_columns_are_never_cut_off(self, columns):
        names = [f"a very long name of a picture {place}.png" for place in range(columns)]
        page = np.asarray(sheets.page([Block(cells(1, columns), [("code1", "")], names, "code1")]))
        head = page[:-32]
        start = page.shape[1] - columns * 34 + 2
        assert head[:, start:].min() < 150
        assert head[:, -1].min() == 255 and head[:, start - 4 : start].min() == 255

    def test_blocks_stand_below_one_another_and_in_line(self):
        one, two = cells(1, 2), cells(2, 2)
        blocks = [Block(one, [("a", "")], ["", ""], "a name"), Block(two, [("a longer name", ""), ("b", "")], ["", ""])]
        page = np.asarray(sheets.page(blocks))
        width = sheet(one).width
        assert (page[-66:, -width:] == np.asarray(sheet(two))).all()
        above = page[:-66]
        assert any((above[y : y + 32, -width:] == np.asarray(sheet(one))).all() for y in range(len(above) - 31))

    def test_long_names_are_shortened_at_their_start(self):
        assert sheets.short("x" * 90 + "tail.png") == "..." + "x" * 29 + "tail.png"
        assert sheets.short(" a\nb ") == "a b"

    def test_all_frames_of_an_animation_are_as_wide_as_the_longest_title(self):
        frames = [sheet(cells(1, 1, side=16))] * 2
        made = sheets.titled(frames, ["code1 1", "observation[12] -0.25"])
        assert made[0].size == made[1].size and made[0].width > 60
        assert made[0].height > 16
        assert np.asarray(made[0]).min() < 100
        pixels = np.asarray(made[1])
        start = (made[1].width - 16) // 2
        assert (pixels[-16:, start : start + 16] == np.asarray(frames[0])).all()
        assert pixels[:, 0].min() == 255 and pixels[:, -1].min() == 255
