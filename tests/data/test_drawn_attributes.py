"""Drawn pictures with attributes, and the oracle that reads them: from drawings made by other means, too."""

from __future__ import annotations

import math
import time
from itertools import product

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch.nn.functional import avg_pool2d, interpolate, pad

from imgen.data.drawn_attributes import DrawnAttributes, drawn_attributes
from imgen.data.figures import ATTRIBUTES, Look, render, values
from imgen.data.figures_oracle import read
from imgen.data.labels import UNKNOWN
from imgen.errors import DataError
from imgen.testing import check_dataset

EVERY = tuple(ATTRIBUTES)
ALL = tuple(ATTRIBUTES.values())
PAINTS = {"red": (200, 45, 40), "green": (40, 170, 70), "blue": (40, 60, 200)}


def floats(images: torch.Tensor) -> torch.Tensor:
    return images.float() / 127.5 - 1


def noisy(images: torch.Tensor, sigma: float = 0.1) -> torch.Tensor:
    return images + sigma * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))


def soft(images: torch.Tensor) -> torch.Tensor:
    """A quarter of each pixel from its neighbours on either side, across and down."""
    return (images + avg_pool2d(pad(images, (1, 1, 1, 1), "replicate"), 3, 1)) / 2


def by_hand(
    shape: str = "disc",
    colour: str = "red",
    striped: bool = False,
    border: bool = False,
    light: bool = False,
    *,
    size: int = 32,
    width: float = 0.42,
    turn: float = 0.0,
    middle: tuple[float, float] = (0.5, 0.5),
) -> torch.Tensor:
    """A picture by Pillow, (1, 3, size, size): corners sharp, shades and stripes other than imgen's own."""
    fine = 16 * size
    figure = Image.new("RGB", (fine, fine), PAINTS[colour])
    draw = ImageDraw.Draw(figure)
    for at in (-0.21, 0.21) if striped else ():
        top = fine * (0.5 + width * (at - 0.09))
        draw.rectangle((0, top, fine, top + fine * width * 0.18), fill=(255, 255, 255))
    outline = Image.new("L", (fine, fine), 0)
    half = fine * width / 2
    box = (fine / 2 - half, fine / 2 - half, fine / 2 + half, fine / 2 + half)
    pen = ImageDraw.Draw(outline)
    (pen.ellipse if shape == "disc" else pen.rectangle)(box, fill=255)
    moved = {"angle": turn, "translate": tuple(round(fine * (at - 0.5)) for at in middle)}
    picture = Image.new("RGB", (fine, fine), (190, 190, 185) if light else (25, 25, 45))
    picture.paste(figure.rotate(**moved), (0, 0), outline.rotate(**moved))
    if border:
        ImageDraw.Draw(picture).rectangle((0, 0, fine - 1, fine - 1), outline=(250, 200, 60), width=fine // 16)
    pixels = np.array(picture.resize((size, size), Image.Resampling.BOX))
    return floats(torch.from_numpy(pixels).permute(2, 0, 1)[None])


@pytest.fixture(scope="module")
def drawn() -> DrawnAttributes:
    return drawn_attributes(attributes=EVERY, pictures=960, n_test=96, seed=3)


def test_pictures_and_labels_are_as_the_contract_says(drawn: DrawnAttributes) -> None:
    check_dataset(drawn)
    check_dataset(drawn_attributes(pictures=200, n_test=1, labels_per_value=5, sampler="balanced"))
    assert drawn.spec.image == (3, 32, 32)
    assert [attribute.name for attribute in drawn.spec.attributes] == list(EVERY)
    names = [name for attribute in drawn.spec.attributes for name in attribute.values]
    assert len(set(names)) == len(names) == 11
    assert drawn.columns["images"].shape == (960, 3, 32, 32)
    assert drawn.test["attributes"].shape == (96, 5)
    assert torch.equal(torch.as_tensor(drawn.columns["attributes"]), drawn.truth)
    assert drawn.report is not None and drawn.report.lines()[0] == "960 images"


def test_every_combination_of_values_is_as_frequent(drawn: DrawnAttributes) -> None:
    combinations, counts = drawn.truth.unique(dim=0, return_counts=True)
    assert len(combinations) == 48 and (counts == 20).all()
    assert not torch.equal(drawn.truth[:48], drawn.truth[48:96])


def test_a_picture_is_a_function_of_the_seed_and_its_number_alone(drawn: DrawnAttributes) -> None:
    fewer = drawn_attributes(attributes=EVERY, pictures=50, n_test=7, seed=3)
    for one, other in ((fewer.columns, drawn.columns), (fewer.test, drawn.test)):
        for name in ("images", "attributes"):
            part = torch.as_tensor(one[name])
            assert torch.equal(part, torch.as_tensor(other[name])[: len(part)])
    others = drawn_attributes(attributes=EVERY, pictures=50, n_test=7, seed=4)
    assert not torch.equal(torch.as_tensor(others.columns["images"]), torch.as_tensor(fewer.columns["images"]))
    assert not torch.equal(torch.as_tensor(fewer.test["images"]), torch.as_tensor(fewer.columns["images"])[:7])


def test_what_is_not_labelled_stays_at_its_first_value() -> None:
    data = drawn_attributes(attributes=("pattern", "colour"), pictures=60, n_test=1)
    assert [attribute.name for attribute in data.spec.attributes] == ["pattern", "colour"]
    seen = read(floats(torch.as_tensor(data.columns["images"])), ALL)
    assert torch.equal(seen[:, [2, 1]], data.truth)
    assert (seen[:, [0, 3, 4]] == 0).all()


def test_so_many_labels_of_each_value_are_left() -> None:
    data = drawn_attributes(pictures=400, n_test=1, labels_per_value=7)
    labels = torch.as_tensor(data.columns["attributes"])
    for column, attribute in enumerate(data.spec.attributes):
        for value in range(len(attribute.values)):
            assert (labels[:, column] == value).sum() == 7
    assert (data.truth != UNKNOWN).all()
    assert torch.equal(labels[labels != UNKNOWN], data.truth[labels != UNKNOWN])
    first = drawn_attributes(pictures=400, n_test=1, labels_per_value=7, split="first")
    assert (torch.as_tensor(first.columns["attributes"])[:14] != UNKNOWN).all()
    assert (torch.as_tensor(first.columns["attributes"])[21:] == UNKNOWN).all()
    rows = drawn_attributes(pictures=400, n_test=1, labels_per_value=7, sampler="balanced", labelled_fraction=1.0).draw(
        50, np.random.default_rng(0)
    )["images"]
    assert (labels[torch.from_numpy(rows)] != UNKNOWN).any(1).all()


def test_wrong_requests_are_told_in_a_line() -> None:
    with pytest.raises(DataError, match="drawn-attributes: attributes has shape twice; name one or more of shape, col"):
        drawn_attributes(attributes=("shape", "border", "shape"))
    with pytest.raises(DataError, match="drawn-attributes: attributes is empty"):
        drawn_attributes(attributes=())
    with pytest.raises(DataError, match="drawn-attributes: labels_per_value is 30"):
        drawn_attributes(pictures=48, labels_per_value=30)


def test_drawing_is_quick() -> None:
    start = time.process_time()
    drawn_attributes()
    assert time.process_time() - start < 4, "2,400 pictures take about 0.4 s of one core"


@pytest.mark.parametrize("size", [16, 24, 32, 48, 64])
@pytest.mark.parametrize("attributes", [EVERY[:4], EVERY])
def test_the_oracle_reads_what_was_drawn(size, attributes) -> None:
    data = drawn_attributes(attributes=attributes, pictures=480, n_test=1, size=size, seed=8)
    images = floats(torch.as_tensor(data.columns["images"]))
    assert torch.equal(data.read_attributes(images), data.truth)
    right = (data.read_attributes(noisy(images)) == data.truth).float().mean(0)
    assert right.min() >= (0.995 if size > 16 else 0.99)
    right = (data.read_attributes(noisy(soft(images))) == data.truth).float().mean(0)
    assert right.min() >= 0.99


@pytest.mark.parametrize("size", [16, 32, 64])
def test_the_oracle_reads_drawings_made_by_other_means(size) -> None:
    places = [(0.5, 0.5, 0.0, 0.42), (0.44, 0.55, 8.0, 0.38), (0.55, 0.46, -12.0, 0.48)]
    for shape, colour, striped, border, light in product(
        ("disc", "square"), PAINTS, (False, True), (False, True), (False, True)
    ):
        wanted = [shape == "square", list(PAINTS).index(colour), striped, border, light]
        for x, y, turn, width in places:
            picture = by_hand(shape, colour, striped, border, light, size=size, width=width, turn=turn, middle=(x, y))
            seen = read(picture, ALL)[0].tolist()
            assert seen == wanted, f"{shape, colour, striped, border, light} at {x, y, turn, width}: {seen}"


@pytest.mark.parametrize("size", [16, 32])
@pytest.mark.parametrize("attribute", range(5))
def test_an_edit_that_is_half_made_is_read_as_such(size, attribute) -> None:
    """From a value to the next, faded over: the old one at 0.2, the new one at 0.8, and the turn about the middle."""
    n = 96
    look, before = Look.draw(n, np.random.default_rng(3)), values(n, ALL, np.random.default_rng(1))
    after = before.copy()
    before[:, attribute], after[:, attribute] = 0, 1
    one, other = (floats(render(shown, ALL, look, size)) for shown in (before, after))
    share = [(read(torch.lerp(one, other, part), ALL)[:, attribute] == 1).float().mean() for part in (0.25, 0.5, 0.8)]
    assert share[0] < 0.05 and share[2] > 0.95 and 0.15 <= share[1] <= 1
    turns = [
        (read(torch.lerp(one, other, part / 40), ALL)[:, attribute] == 1).float().mean().item() for part in range(41)
    ]
    assert 0.42 < 1 - sum(turns) / 41 < 0.58, "on average the reading turns about half-way"


def test_other_attributes_do_not_change_with_one() -> None:
    look, shown = Look.draw(96, np.random.default_rng(5)), values(96, ALL, np.random.default_rng(6))
    for column, attribute in enumerate(ALL):
        other = shown.copy()
        other[:, column] = (other[:, column] + 1) % len(attribute.values)
        assert torch.equal(read(floats(render(other, ALL, look, 32)), ALL), torch.from_numpy(other))


@pytest.mark.parametrize(("level", "ground"), [(-1.0, 0), (-0.6, 0), (0.5, 1), (1.0, 1)])
def test_a_blank_picture_has_no_figure(level, ground) -> None:
    wanted = [[UNKNOWN, UNKNOWN, UNKNOWN, 0, ground]]
    blank = torch.full((1, 3, 32, 32), level)
    assert read(blank, ALL).tolist() == wanted
    assert read(noisy(blank), ALL).tolist() == wanted
    framed = blank.clone()
    mask = torch.ones(32, 32, dtype=torch.bool)
    mask[2:-2, 2:-2] = False
    framed[:, :, mask] = torch.tensor([0.92, 0.52, -0.56])[:, None]
    assert read(framed, ALL).tolist() == [[UNKNOWN, UNKNOWN, UNKNOWN, 1, ground]]


def test_what_is_no_figure_has_no_form() -> None:
    noise = torch.rand(50, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert (read(noise, ALL)[:, [0, 2]] == UNKNOWN).float().mean() > 0.95
    clouds = interpolate(torch.randn(50, 3, 5, 5, generator=torch.Generator().manual_seed(0)), size=32, mode="bicubic")
    assert (read(clouds, ALL)[:, [0, 2]] == UNKNOWN).float().mean() > 0.9
    spot = by_hand(width=0.15)
    assert read(spot, ALL)[0, :3].tolist() == [UNKNOWN] * 3
    grey = by_hand().mean(1, keepdim=True).expand(-1, 3, -1, -1)
    assert read(grey, ALL)[0, :3].tolist() == [UNKNOWN] * 3


def test_a_figure_and_its_stripes_must_be_whole() -> None:
    """One thin stripe is no pattern, a frame on one side is none, and a figure that is all but gone has nothing."""
    plain, striped = by_hand("square"), by_hand("square", striped=True)
    one = plain.clone()
    one[..., 12:13, :] = striped[..., 12:13, :]
    assert read(one, ALL)[0, 2] == 0
    side = plain.clone()
    side[..., :2] = by_hand(border=True)[..., :2]
    assert read(side, ALL)[0, 3] == 0
    ground = by_hand()[..., :1, :1]
    assert read(torch.lerp(ground.expand_as(plain), plain, 0.1), ALL)[0, :3].tolist() == [UNKNOWN] * 3
    assert read(torch.lerp(ground.expand_as(plain), plain, 0.7), ALL)[0].tolist() == [1, 0, 0, 0, 0]


def test_hues_turn_half_way_between_two_colours() -> None:
    def mixed(share: float) -> torch.Tensor:
        return torch.lerp(by_hand("square", "red"), by_hand("square", "blue"), share)

    assert [read(mixed(share), ALL)[0, 1].item() for share in (0.0, 0.3, 0.7, 1.0)] == [0, 0, 2, 2]


def test_colours_are_far_apart() -> None:
    """Of the drawn pictures, the hue in the figure's middle is within 20 degrees of its name's."""
    data = drawn_attributes(attributes=("colour",), pictures=300, n_test=1)
    middle = torch.as_tensor(data.columns["images"])[:, :, 15:17, 15:17].float().mean((2, 3))
    thirds = torch.arange(3) * (2 * math.pi / 3)
    hue = torch.atan2(middle @ thirds.sin(), middle @ thirds.cos()) - data.truth[:, 0] * (2 * math.pi / 3)
    off = ((hue + math.pi) % (2 * math.pi) - math.pi).abs().rad2deg()
    assert off.max() < 20 and off.std() > 2
