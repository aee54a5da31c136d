"""Edges of figures whose outline is known, and the two domains made of pictures and their edges."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from imgen.data.edges import Edges, continued, drawn, edge_domains
from imgen.testing import check_dataset


def block(size: int = 40, low: int = 10, high: int = 29, grey: int = 0) -> Image.Image:
    """A square from `low` to `high`, both within it, on white."""
    image = Image.new("L", (size, size), 255)
    ImageDraw.Draw(image).rectangle((low, low, high, high), fill=grey)
    return image


def test_a_square_has_four_thin_edges():
    lines = drawn(block(), blur=1.0, threshold=10)
    middle = lines[20]
    assert np.flatnonzero(middle).tolist() in ([9, 29], [9, 30], [10, 29], [10, 30])
    assert lines[:, 20].sum() == 2
    # Nothing inside, nothing outside.
    assert not lines[14:26, 14:26].any() and not lines[:7].any() and not lines[:, 33:].any()


def test_slanted_edges_are_thin_too():
    image = Image.new("L", (60, 60), 255)
    ImageDraw.Draw(image).polygon([(30, 8), (52, 30), (30, 52), (8, 30)], fill=0)
    for turned in (image, image.rotate(20, fillcolor=255)):
        lines = drawn(turned, blur=1.5, threshold=8)
        blocks = lines[1:, 1:] & lines[:-1, 1:] & lines[1:, :-1] & lines[:-1, :-1]
        assert not blocks.any()
        # The outline of a square of 31 pixels a side: 88 in steps over corners, 176 in steps over sides.
        assert 85 < lines.sum() < 180


def test_weak_lines_stay_where_they_continue_strong_ones():
    """w: weak, S: strong; what leads to no S is left out, and corners count as touching."""
    rows = ["www....w", "...w...w", "....Sww.", ".......w", "ww......"]
    weak = np.array([[mark != "." for mark in row] for row in rows])
    strong = np.array([[mark == "S" for mark in row] for row in rows])
    kept = continued(strong, weak)
    assert ["".join(".#"[mark] for mark in row) for row in kept.astype(int)] == [
        *("###....#", "...#...#", "....###.", ".......#", "........")
    ]
    assert not continued(np.zeros_like(weak), weak).any()


def test_a_line_that_fades_is_followed():
    """A step that shrinks from left to right: the line goes on to where a step alone would begin none."""
    pixels = np.full((40, 120), 200, np.uint8)
    pixels[20:] = np.linspace(0, 200, 120)
    end = np.flatnonzero(drawn(Image.fromarray(pixels), 1.5, 20)[18:23].any(0)).max()
    alone = pixels.copy()
    alone[20:] = pixels[20:, [90]]
    assert 95 < end < 110 and not drawn(Image.fromarray(alone), 1.5, 20).any()


def test_a_picture_without_edges_is_white():
    for image in (Image.new("RGB", (30, 20), "white"), Image.new("L", (1, 1)), Image.linear_gradient("L")):
        drawing = Edges()(image)
        assert (
            drawing.size == image.size
            and drawing.mode == image.mode
            and drawing.getextrema()
            in (
                (255, 255),
                ((255, 255),) * 3,
            )
        )


def test_drawings_are_black_on_white_and_as_large_as_the_picture():
    large = block(512, 100, 400).convert("RGB")
    thin, thick = (np.asarray(Edges(thicken=thicken)(large))[:, :, 0] for thicken in (False, True))
    assert thin.shape == (512, 512) and thin[250, 250] == thin[20, 20] == 255
    # Two edges, each of one or three pixels of 256.
    assert [int((255 - line[256].astype(int)).sum() / 255 + 0.5) for line in (thin, thick)] == [4, 12]
    assert np.array_equal(thick, np.asarray(Edges()(large))[:, :, 0])


@pytest.fixture
def blocks(tmp_path):
    for i in range(5):
        block(32, 8, 20, grey=40 * i).convert("RGB").save(tmp_path / f"{i}.png")
    return tmp_path


@pytest.mark.parametrize("channels", [1, 3])
def test_edges_of_some_and_photos_of_others(blocks, channels):
    data = edge_domains(root=str(blocks), size=32, n_test=1, blur=1, threshold=5, channels=channels)
    check_dataset(data)
    assert data.spec.domains == ("edges", "photos") and data.aligned
    assert data.columns["a"].names == ["0.png", "1.png"] and data.columns["b"].names == ["2.png", "3.png"]
    assert data.test_names == {"a": ["4.png"], "b": ["4.png"]}
    photos = data.columns["b"].fetch(np.arange(2))
    assert photos[:, 0, 14, 14].tolist() == [80, 120]
    edges = data.columns["a"].fetch(np.arange(2))
    assert edges[:, 0, 14, 14].tolist() == [255, 255] and edges[:, 0, 14, 7:10].amin(1).tolist() == [0, 0]


def test_real_shoes(shared_data):
    """A clean drawing: mostly white, some lines on every picture, and these where the shoe is."""
    data = edge_domains(root=str(shared_data("shoes")), size=64)
    check_dataset(data)
    assert [len(part[place]) for place in "ab" for part in (data.columns, data.test)] == [90, 20, 90, 20]
    edges, photos = (data.test[place].decode_all().float().mean(1) for place in "ab")
    dark = (edges < 128).float().mean((1, 2))
    assert dark.min() > 0.02 and dark.max() < 0.35
    bare = (photos > 252).float()
    assert float(((edges < 128) * bare).sum() / (edges < 128).sum()) < 0.5
