"""What codes and factors in arrays must be, and what is found in them: numbers, values of factors, rows by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imgen.data.factors import BINS
from imgen.data.spec import Factor
from imgen.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MOST_VALUES = 100
"""Different values that a factor may have; one with more is an interval, cut into `BINS` equal parts to be counted."""


def placed(values: NDArray[np.float64], name: str, ordered: bool = True) -> tuple[Factor, NDArray[np.int64]]:
    """A factor by its values (n,), and which of them each is: its rank, or, of an interval, the part it lies in.

    Raises: `DataError` where it never varies.
    """
    known, ranks = np.unique(values, return_inverse=True)
    if len(known) < 2:
        raise DataError(f"the factor '{name}' has the value {known[0]:g} alone; leave out what never varies")
    if not ordered or len(known) <= MOST_VALUES:
        return Factor(name, len(known), ordered), ranks.reshape(-1)
    parts = ((values - known[0]) / (known[-1] - known[0]) * BINS).astype(np.int64)
    return Factor(name, 0), parts.clip(0, BINS - 1)


def codes_of(given: ArrayLike, what: str, dimensions: int = 2) -> NDArray[np.float32]:
    """Codes as every score takes them.

    Raises: `DataError` where they are not finite numbers with so many dimensions.
    """
    form = {2: "(rows, codes)", 3: "(groups, rows, codes)"}[dimensions]
    codes = numbers(given, what, dimensions, form)
    with np.errstate(over="ignore"):
        small = codes.astype(np.float32)
    _finite(small, what)
    return small


def numbers(given: ArrayLike, what: str, dimensions: int, form: str) -> NDArray[np.float64] | NDArray[np.integer]:
    """An array of finite numbers with so many dimensions, none of which is empty.

    Raises: `DataError` where it is anything else.
    """
    array = np.asarray(given)
    if array.dtype.kind not in "biuf":
        raise DataError(f"'{what}' holds {array.dtype}; give numbers")
    if array.ndim != dimensions or 0 in array.shape:
        raise DataError(f"'{what}' is {array.shape}; give {form}")
    _finite(array, what)
    return array


def finite_codes(codes: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same, (..., D), of a model.

    Raises: `DataError` where some are no numbers, as of a model whose training went astray.
    """
    wrong = ~np.isfinite(codes).reshape(-1, codes.shape[-1]).all(axis=0)
    if wrong.any():
        raise DataError(f"code {wrong.argmax()} is not a number for some things; nothing can be said of such codes")
    return codes


def _finite(array: NDArray[np.floating] | NDArray[np.integer], what: str) -> None:
    wrong = ~np.isfinite(array)
    if wrong.any():
        where = ", ".join(str(place) for place in np.argwhere(wrong)[0])
        raise DataError(f"'{what}' has {wrong.sum():,} values that are not finite, the first at [{where}]")


def distinct(of: NDArray[np.int64], size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """For each of M numbers, `size` different whole numbers below it, in any order: (M,) -> (M, size).

    Source: Floyd's sampling, Bentley, "A sample of brilliance", Communications of the ACM 30(9), 1987.
    """
    drawn = np.full((len(of), size), -1, np.int64)
    for done in range(size):
        last = of - size + done
        some = rng.integers(0, last + 1)
        taken = (drawn[:, :done] == some[:, None]).any(axis=1)
        drawn[:, done] = np.where(taken, last, some)
    return rng.permuted(drawn, axis=1)  # which numbers come last is not by chance before
