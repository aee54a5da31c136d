"""Codes and factors that are kept in arrays, of any model and any data, instead of an encoder and a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imgen.data.spec import Factor
from imgen.errors import DataError
from imgen.metrics.disentanglement.checked import codes_of, distinct, numbers, placed
from imgen.metrics.disentanglement.representation import Groups, Rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_SHARE_HELD_OUT = 3  # one row of so many
_SPLIT_SEED = 0


@dataclass(frozen=True)
class ArrayCodes:
    """A `Representation` in arrays.

    A third of the rows is held out, by chance but ever the same, unless `held_out_rows` are kept apart already: what is
    fitted to `rows` is never tested on one of them. Scores that test nothing may take `any_rows`.

    factors: of variation, in order. all_rows: codes with what they show.
    held_out_rows: others, to test on. different_codes: codes of other things, whose factors nobody needs.
    own_groups: groups that were made beforehand; otherwise groups are rows that have one value in common.
    """

    factors: Sequence[Factor]
    all_rows: Rows
    held_out_rows: Rows | None = None
    different_codes: NDArray[np.float32] | None = None
    own_groups: Groups | None = None

    @property
    def things(self) -> int:
        """Rows, but for those that are held out."""
        return len(self.all_rows.codes)

    @property
    def different(self) -> int:
        """Codes that `anywhere` has."""
        return len(self._anywhere)

    @property
    def rows_to_fit_to(self) -> int:
        """As many as `rows` has beside those that are held out."""
        return self.things if self.held_out_rows is not None else self.things - self.things // _SHARE_HELD_OUT

    @property
    def stored_groups(self) -> tuple[int, int] | None:
        """How many groups there are already, and of what size."""
        return None if self.own_groups is None else self.own_groups.codes.shape[:2]

    @property
    def _anywhere(self) -> NDArray[np.float32]:
        return self.all_rows.codes if self.different_codes is None else self.different_codes

    def rows(self, n: int, rng: np.random.Generator, held_out: bool = False) -> Rows:
        """n rows, the same whatever `rng`.

        Raises: `DataError` where there are not so many.
        """
        setting, what = ("test", "held-out rows") if held_out else ("train", "rows to fit to")
        if self.held_out_rows is not None:
            return _first(self.held_out_rows if held_out else self.all_rows, n, what, setting)
        aside = self.things // _SHARE_HELD_OUT
        mine = self._shuffled[-aside:] if held_out else self._shuffled[:-aside]
        return _first(_at(self.all_rows, mine), n, what, setting)

    def any_rows(self, n: int) -> Rows:
        """n of all rows: as they stand where all are asked for, and fewer by chance, but ever the same.

        Raises: `DataError` where there are not so many.
        """
        as_they_stand = n == self.things or self.held_out_rows is not None
        return _first(self.all_rows if as_they_stand else _at(self.all_rows, self._shuffled), n, "rows", "rows")

    def anywhere(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Codes of n different rows, by chance, or of all as they stand.

        Raises: `DataError` where there are not so many.
        """
        _enough(n, self.different, "different rows", "rows")
        every = n == self.different
        return self._anywhere if every else self._anywhere[rng.permutation(self.different)[:n]]

    def groups(self, count: int, size: int, rng: np.random.Generator, in_turn: bool = True) -> Groups:
        """The first of the groups that are there already, or of factors by chance, groups of different rows.

        In a group that is drawn, all rows have the value of one that is drawn by chance, of those whose value enough
        others share; of an interval, a value in the same of its parts.
        Raises: `DataError` where there are not so many.
        """
        if in_turn and self.own_groups is not None:
            have, of = self.own_groups.codes.shape[:2]
            if count > have or size > of:
                raise DataError(
                    f"needs {count:,} groups of {size}; there are {have:,} of {of}: set groups={min(count, have)} and "
                    f"group_size={min(size, of)}, or give more"
                )
            return Groups(self.own_groups.codes[:count, :size], self.own_groups.labels[:count])
        factors = len(self.factors)
        labels = np.arange(count) % factors if in_turn else rng.integers(0, factors, count)
        codes = np.empty((count, size, self.all_rows.codes.shape[1]), np.float32)
        for factor in range(factors):
            mine = np.flatnonzero(labels == factor)
            if len(mine):
                codes[mine] = self.all_rows.codes[self._alike(factor, len(mine), size, rng)]
        return Groups(codes, labels.astype(np.int64))

    @property
    def _shuffled(self) -> NDArray[np.int64]:
        return np.random.default_rng(_SPLIT_SEED).permutation(self.things)

    def _alike(self, factor: int, count: int, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Rows that share a value of the factor, (count, size)."""
        places = self.all_rows.places[:, factor]
        order, sizes = np.argsort(places, kind="stable"), np.bincount(places)
        large = np.flatnonzero(sizes[places] >= size)
        if not len(large):
            raise DataError(
                f"needs {size} rows that share a value of the factor '{self.factors[factor].name}'; there are at most "
                f"{sizes.max()}: set group_size={_even(int(sizes.max()))}, or give more rows"
            )
        shared = places[rng.choice(large, count)]
        return np.asarray(order[(np.cumsum(sizes) - sizes)[shared][:, None] + distinct(sizes[shared], size, rng)])


def array_codes(
    codes: ArrayLike, factors: ArrayLike, names: Sequence[str] = (), ordered: Sequence[bool] = ()
) -> ArrayCodes:
    """Codes (n, D) and factors' values (n, K), row for row.

    names: of factors; factor 1, factor 2 ... where none are given. ordered: whether the values of each lie along a
    line; all do where nothing is said. Kinds are numbered from 0, in the order of their values.
    Raises: `DataError` where codes or factors are no such arrays, or a factor never varies.
    """
    z, y = codes_of(codes, "codes"), numbers(factors, "factors", 2, "(rows, factors)").astype(np.float64)
    if len(z) != len(y):
        raise DataError(f"there are {len(z):,} rows of codes but {len(y):,} of factors; give a row of each for a thing")
    told = list(names) or [f"factor {number}" for number in range(1, y.shape[1] + 1)]
    along = [bool(each) for each in ordered] or [True] * y.shape[1]
    for what, given in (("names", told), ("ordered", along)):
        if len(given) != y.shape[1]:
            raise DataError(f"'{what}' has {len(given)} entries for {y.shape[1]} factors; give one for each")
    if len(z) < 2 * _SHARE_HELD_OUT:
        raise DataError(f"there are {len(z)} rows; give {2 * _SHARE_HELD_OUT} or more")
    if len(set(told)) < len(told):
        raise DataError(f"two factors have the same name: {', '.join(told)}; give each its own")
    places = np.empty(y.shape, np.int64)
    found = []
    for k, (name, line) in enumerate(zip(told, along, strict=True)):
        factor, places[:, k] = placed(y[:, k], name, line)
        found.append(factor)
    values = np.where([factor.ordered for factor in found], y, places)
    return ArrayCodes(tuple(found), Rows(z, values, places))


def _at(rows: Rows, places: NDArray[np.int64]) -> Rows:
    return Rows(rows.codes[places], rows.values[places], rows.places[places])


def _first(rows: Rows, n: int, what: str, setting: str) -> Rows:
    _enough(n, len(rows.codes), what, setting)
    return Rows(rows.codes[:n], rows.values[:n], rows.places[:n])


def _enough(n: int, have: int, what: str, setting: str) -> None:
    if n > have:
        raise DataError(f"needs {n:,} {what}; there are {have:,}: set {setting}={have}, or give more")


def _even(number: int) -> int:
    return max(2, number - number % 2)
