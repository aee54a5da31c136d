"""The check of models fails for an editor that does several translations at once otherwise than one by one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from imgen import DataSpec
from imgen.model import Way
from imgen.testing import check_model


class Shades(nn.Module):
    """Makes pictures lighter or darker; those below break what `translate_all` promises."""

    multiple = 1

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))
        self.ways = [Way(None, value, "shade") for value in ("dark", "grey", "light")]

    def translate(self, images, way):
        return images * self.factor + self.ways.index(way)

    def translate_all(self, images, ways):
        return [self.translate(images, way) for way in ways]


class InItsOwnOrder(Shades):
    def translate_all(self, images, ways):
        return [self.translate(images, way) for way in self.ways if way in ways]


class MakesAll(Shades):
    def translate_all(self, images, ways):
        return [self.translate(images, way) for way in self.ways]


class Cheats(Shades):
    def translate_all(self, images, ways):
        return [self.translate(images, way) + 0.01 for way in ways]


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (InItsOwnOrder, "gives another picture than translate"),
        (MakesAll, "gives 3 for 2 ways"),
        (Cheats, "gives another picture than translate"),
    ],
)
def test_several_at_once_are_what_each_is_alone(model, told):
    data = DataSpec(image=(1, 2, 2))
    check_model(Shades(), data)
    with pytest.raises(AssertionError, match=told):
        check_model(model(), data)
