"""Data sets that have one picture of every combination of their factors' values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from imgen.data.pictures import Progress, Report, in_order, tell
from imgen.data.spec import DataSpec, Factor, fetch
from imgen.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

_TOGETHER = 512  # pictures for a thread at a time


@dataclass(frozen=True)
class Axis:
    """A factor and its values, in order. With one value it never varies, and is none."""

    name: str
    values: tuple[float, ...]
    ordered: bool = True

    @property
    def varies(self) -> bool:
        return len(self.values) > 1


@dataclass(frozen=True)
class Grid:
    """All combinations of the values of some axes, row by row: the last axis changes fastest."""

    axes: tuple[Axis, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of values of each axis."""
        return tuple(len(axis.values) for axis in self.axes)

    @property
    def rows(self) -> int:
        """Number of combinations."""
        return math.prod(self.sizes)

    @property
    def varying(self) -> Grid:
        """The same rows by the axes that vary alone."""
        return Grid(tuple(axis for axis in self.axes if axis.varies))

    @property
    def factors(self) -> tuple[Factor, ...]:
        """What a spec says of the axes that vary."""
        return tuple(Factor(axis.name, len(axis.values), axis.ordered) for axis in self.axes if axis.varies)

    def values(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Values of rows, (n, axes)."""
        places = np.unravel_index(rows, self.sizes)
        return np.stack([np.array(axis.values)[each] for axis, each in zip(self.axes, places, strict=True)], axis=1)

    def places(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """Which of its values each is, (n, axes).

        Raises: `DataError` where one is none of its axis.
        """
        values = np.asarray(values, np.float64)
        if values.ndim != 2 or values.shape[1] != len(self.axes):
            names = ", ".join(axis.name for axis in self.axes)
            raise DataError(f"values of factors are {values.shape}; a picture has {len(self.axes)}: {names}")
        places = np.empty(values.shape, np.int64)
        for column, axis in enumerate(self.axes):
            known = np.array(axis.values)
            # Values may have been kept as 32-bit floats meanwhile.
            slack = 1e-4 * (known[1:] - known[:-1]).min(initial=1.0)
            place = np.searchsorted(known, values[:, column] - slack).clip(max=len(known) - 1)
            near = np.abs(values[:, column] - known[place]) <= slack
            if not near.all():
                wrong = values[~near, column][0]
                raise DataError(
                    f"{wrong:g} is no value of the factor '{axis.name}'; it has {len(known)} from {known[0]:g} to "
                    f"{known[-1]:g}"
                )
            places[:, column] = place
        return places

    def rows_of(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """The row of each combination of values, (n,).

        Raises: `DataError` where a value is none of its axis.
        """
        return np.asarray(np.ravel_multi_index(tuple(self.places(values).T), self.sizes), np.int64)


@dataclass(frozen=True)
class Drawn:
    """A column of pictures that are drawn when they are fetched: `draw(rows)` gives uint8, (n, H, W)."""

    draw: Callable[[NDArray[np.int64]], NDArray[np.uint8]]
    shape: tuple[int, int, int, int]
    dtype: torch.dtype = torch.uint8

    def fetch(self, rows: NDArray[np.int64]) -> Tensor:
        """The pictures of these rows: uint8, (n, 1, H, W)."""
        return torch.from_numpy(self.draw(rows))[:, None]

    def decode_all(self, workers: int | None = None, *, told: Progress | None = None) -> Tensor:
        """All pictures, drawn by several threads; `told` is called with pictures done and in all."""
        pictures = torch.empty(self.shape, dtype=self.dtype)
        count = self.shape[0]
        parts = [np.arange(first, min(first + _TOGETHER, count)) for first in range(0, count, _TOGETHER)]
        for rows, part in zip(parts, in_order(self.fetch, parts, workers), strict=True):
            pictures[int(rows[0]) : int(rows[-1]) + 1] = part
            tell(told, int(rows[-1]) + 1, count)
        return pictures


@dataclass(frozen=True, kw_only=True)
class Gridded:
    """An `imgen.data.factors.Factored` with one picture of every combination; a batch walks through all of them."""

    spec: DataSpec
    columns: dict[str, Any]
    grid: Grid
    """Of the factors in `spec`."""
    report: Report
    origin: dict[str, str]

    def draw_factors(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Values of n pictures, (n, K): every combination is as likely."""
        return self.grid.values(rng.integers(0, self.grid.rows, n))

    def factors_of(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Values of rows, (len(rows), K)."""
        return self.grid.values(rows)

    def places(self, factors: NDArray[np.float64]) -> NDArray[np.int64]:
        """Which of its values each is, from 0, (n, K).

        Raises: `DataError` where a value is none of a factor's.
        """
        return self.grid.places(factors)

    def show(self, factors: NDArray[np.float64]) -> Tensor:
        """Pictures of given values (n, K): uint8, (n, 1, H, W).

        Raises: `DataError` where a value is none of a factor's.
        """
        return fetch(self.columns["images"], self.grid.rows_of(factors))


def gridded(grid: Grid, images: Any, *, about: str, origin: dict[str, str]) -> Gridded:
    """The data set of a grid: `images` is its column, a row for each combination, in order.

    Raises: `DataError` where nothing varies.
    """
    if not grid.factors:
        raise DataError("nothing varies: all factors have one value; give one of them 2 or more")
    spec = DataSpec(image=tuple(images.shape[1:]), factors=grid.factors, about=about)
    report = Report(images=grid.rows)
    return Gridded(spec=spec, columns={"images": images}, grid=grid.varying, report=report, origin=origin)


def evenly(count: int, first: float, last: float) -> tuple[float, ...]:
    """So many values from `first` to `last`, both among them; one alone is in the middle."""
    values: Sequence[float] = np.linspace(first, last, count).tolist() if count > 1 else [(first + last) / 2]
    return tuple(values)
