"""The checks of data sets and of settings fail for what breaks each of their promises."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from imgen import DataSpec
from imgen.binding import Count
from imgen.testing import check_dataset, check_settings


@dataclass
class Grey:
    """Twenty pictures of two pixels by two."""

    spec: DataSpec = field(default_factory=lambda: DataSpec(image=(1, 2, 2)))
    columns: dict[str, Tensor] = field(
        default_factory=lambda: {
            "images": torch.randint(0, 256, (20, 1, 2, 2), generator=torch.Generator().manual_seed(0)).byte()
        }
    )


@dataclass
class Drawn(Grey):
    """Pairs of pictures, by rows that `how` draws."""

    spec: DataSpec = field(default_factory=lambda: DataSpec(image=(1, 2, 2), group=2))
    how: Any = None

    def draw(self, n, rng):
        return {"images": self.how(n, rng) if self.how else pairs_of(rng, n)}


def pairs_of(rng, n):
    return rng.permuted(np.tile(np.arange(20), (n, 1)), axis=1)[:, :2]


class Backwards:
    """A column that gives rows in an order of its own."""

    shape, dtype = (20, 1, 2, 2), torch.uint8

    def fetch(self, rows):
        return Grey().columns["images"][torch.from_numpy(np.sort(rows))]


HIDDEN = np.random.default_rng(0)
GREY = Grey().columns["images"]


@pytest.mark.parametrize(
    ("dataset", "told"),
    [
        (Drawn(how=lambda n, rng: pairs_of(HIDDEN, n)), "a function of `rng` alone"),
        (Drawn(how=lambda n, rng: np.random.rand(n, 20).argsort(axis=1)[:, :2]), "a function of `rng` alone"),
        (Drawn(how=lambda n, rng: np.zeros((n, 2), np.int64)), "twice in one group"),
        (Drawn(how=lambda n, rng: np.tile([19, 20], (n, 1))), "from 0 to 19"),
        (Drawn(how=lambda n, rng: np.arange(n)), "rows of 'images' are"),
        (Drawn(how=lambda n, rng: [[0, 1]] * n), "must be int64"),
        (Grey(columns={"images": GREY.float()}), "must be torch.uint8"),
        (Grey(columns={"images": GREY, "labels": torch.zeros(19)}), "all must have as many"),
        (Grey(columns={"images": GREY, "attributes": torch.zeros(20, 2)}), "spec names 0"),
        (Grey(columns={"images": Backwards()}), "in the order asked for"),
        (Grey(columns={}), "at least one column"),
        (Grey(spec=DataSpec(image=(3, 2, 2))), "spec.image is"),
        (Grey(spec=DataSpec(image=(1, 2, 2), group=2)), "can make groups"),
        (Grey(spec={"image": (1, 2, 2)}), "must be a DataSpec"),
    ],
)
def test_a_broken_data_set_fails(dataset, told):
    check_dataset(Grey())
    check_dataset(Drawn())
    with pytest.raises(AssertionError, match=told):
        check_dataset(dataset)


def silent(*, size: Count = 1) -> None:
    """Says nothing of its setting."""


def untyped(*, size=1) -> None:
    """Nothing to check by.

    Settings:
        size: of something
    """


def ill_fitting(*, size: Count = 0) -> None:
    """A default that no recipe could give.

    Settings:
        size: of something
    """


def wordless(*, size: Count = 1) -> None: ...


@pytest.mark.parametrize(
    ("factory", "told"),
    [
        (silent, "does not say what 'size' means"),
        (untyped, "no type annotation"),
        (ill_fitting, "does not fit its own annotation"),
        (wordless, "no docstring"),
    ],
)
def test_settings_that_are_broken_fail(factory, told):
    with pytest.raises(AssertionError, match=told):
        check_settings(factory)
