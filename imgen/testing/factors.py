"""Does a data set know the factors of its pictures, as `imgen.data.factors` promises?

PYTEST_DONT_REWRITE: the messages say all.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch

from imgen.data.factors import BINS, Factored
from imgen.data.spec import Dataset, fetch
from imgen.errors import DataError
from imgen.testing.told import blamed

_FEW, _MANY = 4, 500


def check_factors(dataset: Dataset) -> None:
    """Factors agree with the spec, values come from the random generator alone, and pictures show what they should.

    A data set that cannot make pictures anew may refuse to show any, by a `DataError`.
    """
    assert isinstance(dataset, Factored), (
        "spec.factors names factors; then it must have draw_factors, factors_of, places and show, as "
        "imgen.data.factors.Factored has"
    )
    factored = cast(Any, dataset)
    _check_names(dataset)
    drawn = _check_drawn(factored)
    rows = np.array([dataset.columns["images"].shape[0] - 1, 0, dataset.columns["images"].shape[0] // 2])
    with blamed("factors_of refuses rows of 'images'"):
        known = factored.factors_of(rows)
    _check_values(known, len(rows), factored, "factors_of(rows)")
    singly = np.concatenate([factored.factors_of(rows[place : place + 1]) for place in range(len(rows))])
    assert np.array_equal(known, singly), "factors_of must give rows in the order asked for, the same each time"
    for values, what in ((drawn, "draw_factors"), (known, "factors_of")):
        _check_places(factored, values, what)
    _check_refusals(factored, known)
    _check_shown(factored, drawn[:_FEW])
    try:
        shown = factored.show(known)
    except DataError:
        return
    pictures = fetch(dataset.columns["images"], rows)
    assert torch.equal(shown, pictures), "show(factors_of(rows)) gives other pictures than those rows of 'images' are"


def _check_names(dataset: Dataset) -> None:
    factors = dataset.spec.factors
    names = [factor.name for factor in factors]
    assert factors, "spec.factors is empty, but the data set says that it knows factors"
    assert len(set(names)) == len(names), f"spec.factors are {names}; each must have a name of its own"
    for factor in factors:
        assert factor.size == 0 or factor.size > 1, (
            f"the factor '{factor.name}' has {factor.size} values; one that never varies is none, and intervals have 0"
        )
    assert "images" in dataset.columns, "factors are those of the rows of a column 'images', which is not there"


def _check_drawn(dataset: Any) -> Any:
    # The draw between moves on whatever hidden state there is.
    drawn, _, again = (dataset.draw_factors(_MANY, np.random.default_rng(seed)) for seed in (0, 1, 0))
    _check_values(drawn, _MANY, dataset, f"draw_factors({_MANY}, rng)")
    assert np.array_equal(drawn, again), (
        "draw_factors gives other values for the same rng; it must follow from it alone"
    )
    _check_values(dataset.draw_factors(1, np.random.default_rng(0)), 1, dataset, "draw_factors(1, rng)")
    for factor, values in zip(dataset.spec.factors, drawn.T, strict=True):
        assert len(np.unique(values)) > 1, f"draw_factors never varies '{factor.name}'"
    return drawn


def _check_values(values: Any, count: int, dataset: Any, what: str) -> None:
    shape = (count, len(dataset.spec.factors))
    assert isinstance(values, np.ndarray) and values.dtype == np.float64, f"{what} must be an array of float64"
    assert values.shape == shape, f"{what} is {values.shape}, not {shape}: a column for each of spec.factors"
    assert np.isfinite(values).all(), f"{what} has values that are no numbers"


def _check_places(dataset: Any, values: Any, what: str) -> None:
    with blamed(f"places refuses what {what} gives"):
        places = dataset.places(values)
    assert isinstance(places, np.ndarray) and places.dtype == np.int64, "places must be an array of int64"
    assert places.shape == values.shape, f"places of {values.shape} values are {places.shape}"
    for column, factor in enumerate(dataset.spec.factors):
        size = factor.size or BINS
        low, high = places[:, column].min(), places[:, column].max()
        assert low >= 0 and high < size, (
            f"places of '{factor.name}' in what {what} gives are from {low} to {high}; it has {size}, from 0"
        )
        if factor.size:
            pairs = len({*zip(values[:, column].tolist(), places[:, column].tolist(), strict=True)})
            distinct = len(np.unique(places[:, column]))
            assert pairs == distinct, f"places gives several values of '{factor.name}' one place, or one value several"


def _check_refusals(dataset: Any, known: Any) -> None:
    for column, factor in enumerate(dataset.spec.factors):
        for wrong in (np.nan, 1e9):
            values = known.copy()
            values[0, column] = wrong
            for name in ("places", "show"):
                assert _refuses(dataset, name, values), (
                    f"{name} takes {wrong} for '{factor.name}'; it must be a DataError"
                )
    assert _refuses(dataset, "places", known[:, 1:]), "places takes values that are too few; it must be a DataError"


def _refuses(dataset: Any, name: str, values: Any) -> bool:
    try:
        getattr(dataset, name)(values)
    except DataError:
        return True
    return False


def _check_shown(dataset: Any, values: Any) -> None:
    try:
        shown = dataset.show(values)
    except DataError:
        return
    shape = (len(values), *dataset.spec.image)
    told = (tuple(shown.shape), shown.dtype)
    assert told == (shape, torch.uint8), f"show gives {told[0]}, {told[1]}; it must be {shape}, torch.uint8"
    singly = torch.cat([dataset.show(values[place : place + 1]) for place in range(len(values))])
    assert torch.equal(shown, singly), (
        "show must give the same picture for the same values, whatever is shown beside it"
    )
