"""The checks of data sets, of factors and of settings fail for what breaks each of their promises."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from imgen import DataSpec
from imgen.binding import Count
from imgen.data.factored.drawn_sprites import drawn_sprites
from imgen.data.spec import Factor
from imgen.errors import DataError
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


class Sprites:
    """A small data set with factors, of which a method can be put in the place of another."""

    def __init__(self, **broken):
        made = drawn_sprites(size=8, scales=2, positions=3)
        for name in ("spec", "columns", "draw_factors", "factors_of", "places", "show"):
            setattr(self, name, getattr(made, name))
        self.made = made
        for name, how in broken.items():
            setattr(self, name, partial(how, made) if callable(how) else how)


def cannot(made, values):
    made.places(values)
    raise DataError("the pictures are files; there are no others")


def forgiving(made, values):
    return made.places(np.where(np.isnan(values), 0.5, values))


def nearest(made, values):
    return made.show(np.clip(values, 0.5, 1) if values.max() > 1 else values)


SPRITES = drawn_sprites(size=8, scales=2, positions=3)
OTHERS = (Factor("size", 2), *SPRITES.spec.factors[1:])


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ({"draw_factors": lambda made, n, rng: made.draw_factors(n, HIDDEN)}, "other values for the same rng"),
        ({"draw_factors": lambda made, n, rng: made.draw_factors(n, rng).astype("f4")}, "array of float64"),
        ({"draw_factors": lambda made, n, rng: made.draw_factors(n, rng)[:, 1:]}, "a column for each of spec.factors"),
        ({"draw_factors": lambda made, n, rng: made.draw_factors(1, rng).repeat(n, 0)}, "never varies 'scale'"),
        ({"draw_factors": lambda made, n, rng: made.draw_factors(n, rng) * np.nan}, "no numbers"),
        ({"factors_of": lambda made, rows: made.factors_of(np.sort(rows))}, "in the order asked for"),
        ({"factors_of": lambda made, rows: made.factors_of(rows)[0]}, "a column for each"),
        ({"factors_of": lambda made, rows: made.factors_of(17 - rows)}, "other pictures than those rows"),
        ({"places": lambda made, values: made.places(values) + 1}, "from 1 to 2; it has 2, from 0"),
        ({"places": lambda made, values: made.places(values).astype("f8")}, "array of int64"),
        ({"places": lambda made, values: made.places(values) * 0}, "several values of 'scale' one place"),
        (
            {"places": lambda made, values: made.places(values + 0.01)},
            "places refuses what draw_factors gives: 1.01 is no",
        ),
        ({"factors_of": lambda made, rows: made.factors_of(rows + 1)}, "factors_of refuses rows of 'images'"),
        ({"places": forgiving}, "places takes nan for 'scale'"),
        (
            {"places": lambda made, values: made.places(values.reshape(-1, 3) if values.size > 6 else [[0.5, 0, 0]])},
            "takes",
        ),
        ({"show": nearest}, "show takes 1000000000.0 for"),
        ({"show": lambda made, values: made.show(values).float()}, r"torch.float32; it must be \(4, 1, 8, 8\)"),
        ({"show": lambda made, values: made.show(values)[:, 0]}, "it must be"),
        ({"show": lambda made, values: made.show(values) // len(values)}, "whatever is shown beside it"),
        ({"show": lambda made, values: 255 - made.show(values)}, "other pictures than those rows"),
        ({"columns": {"pictures": SPRITES.columns["images"]}}, "a column 'images', which is not there"),
        ({"spec": replace(SPRITES.spec, factors=())}, "says that it knows factors"),
        ({"spec": replace(SPRITES.spec, factors=(Factor("scale", 1), *OTHERS[1:]))}, "one that never varies is none"),
        ({"spec": replace(SPRITES.spec, factors=(Factor("position x", 2), *OTHERS[1:]))}, "a name of its own"),
    ],
)
def test_broken_factors_fail(broken, told):
    check_dataset(Sprites())
    check_dataset(Sprites(show=cannot))
    with pytest.raises(AssertionError, match=told):
        check_dataset(Sprites(**broken))


def test_factors_that_nothing_tells_of_fail():
    with pytest.raises(AssertionError, match="it must have draw_factors"):
        check_dataset(Grey(spec=DataSpec(image=(1, 2, 2), factors=OTHERS)))


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
