"""The toy's picture: points where they belong, in their colours, on the judge's ground."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from imgen_discogan.toy.modes import five_modes, ten_modes
from imgen_discogan.toy.plot import COLOURS, plot, window


def colour_at(picture: Tensor, place: Tensor, targets: Tensor) -> list[int]:
    """The colour of a place of the plane, as 0 to 255."""
    (x, y), reach = window(targets)
    size = picture.shape[1]
    column = int((float(place[0] - x) / reach + 1) * size / 2)
    row = int((float(y - place[1]) / reach + 1) * size / 2)
    return ((picture[:, row, column] + 1) * 127.5).round().int().tolist()


def test_the_window_is_the_targets_with_room_around() -> None:
    (x, y), reach = window(ten_modes())
    assert (x, y) == pytest.approx((2, 2)) and reach == pytest.approx(3.4)
    assert window(torch.zeros(1, 2))[1] > 0


def test_points_have_the_colour_of_their_source() -> None:
    ten = ten_modes()
    places = torch.tensor([[2.0, 2.0], [1.0, 1.0], [3.0, 3.0]])
    # The same place several times: nothing of the ground shines through.
    picture = plot(places.repeat(8, 1), torch.tensor([0, 3, 7]).repeat(8), ten, size=512)
    assert picture.shape == (3, 512, 512) and picture.dtype == torch.float32
    assert picture.min() >= -1 and picture.max() <= 1
    for place, mode in zip(places, (0, 3, 7), strict=True):
        assert colour_at(picture, place, ten) == pytest.approx(COLOURS[mode], abs=6)
    assert len(set(COLOURS)) == 10


def test_targets_are_crosses_and_far_or_broken_points_do_no_harm() -> None:
    ten = ten_modes()
    points = torch.tensor([[90.0, 2.0], [float("nan"), 0.0], [float("inf"), 0.0]])
    picture = plot(points, torch.tensor([0, 1, 2]), ten)
    assert max(colour_at(picture, ten[4], ten)) < 90
    red = (picture[0] - picture[2] > 0.5).nonzero()
    assert len(red) and red[:, 1].min() > 245, "a point outside stands at the edge"


def test_the_ground_shows_the_judge() -> None:
    five = five_modes()
    (x, _), _ = window(five)
    asked: list[int] = []

    def judge(points: Tensor) -> Tensor:
        assert not torch.is_grad_enabled()
        asked.append(len(points))
        return torch.sigmoid(4 * (points[:, 0] - x))

    picture = plot(torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64), five, judge)
    left, right = (colour_at(picture, torch.tensor([x + side, -2.0]), five) for side in (-2.9, 2.9))
    assert asked and left[0] > right[0] + 20 and right[2] > right[0] + 10
    middle = colour_at(picture, torch.tensor([x, 0.6]), five)
    assert sum(middle) < sum(right) - 60, "the contour of 0.5 is darker than either side"
    flat = plot(torch.zeros(0, 2), torch.zeros(0), five, lambda points: torch.full((len(points),), 0.5))
    assert len(flat[:, :8].flatten(1).unique(dim=1).T) == 1, "a judge that cannot decide has no contours"
