"""Codes of pictures that are given: teapots, of which the paper's metrics read groups from a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

import numpy as np

from imgen.data.factored.teapots import Groups as Pictures
from imgen.data.factored.teapots import Teapots
from imgen.data.spec import fetch
from imgen.errors import DataError
from imgen.metrics.disentanglement.representation import Groups, ModelCodes, Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

_TOGETHER = 2048  # pictures that are read at once
_SHARE_HELD_OUT = 3  # one row of so many
_SPLIT_SEED = 0


@dataclass(frozen=True)
class GivenCodes(ModelCodes):
    """What an encoder makes of teapots: rows are those of the data set, groups those of its file if it has one."""

    @property
    def stored_groups(self) -> tuple[int, int] | None:
        """How many groups the file has, and of what size."""
        return None if self._pictures is None else cast("tuple[int, int]", self._pictures.images.shape[:2])

    def rows(self, n: int, rng: np.random.Generator, held_out: bool = False) -> Rows:
        """Different pictures of the data set; a third, ever the same, is held out.

        Raises: `DataError` where there are not so many.
        """
        order = np.random.default_rng(_SPLIT_SEED).permutation(self.things)
        aside = self.things // _SHARE_HELD_OUT
        mine = rng.permutation(order[:aside] if held_out else order[aside:])
        if n > len(mine):
            what, setting = ("held-out pictures", "held_out") if held_out else ("pictures", "rows")
            raise DataError(f"needs {n:,} {what}; there are {len(mine):,}: set {setting}={len(mine)}, or give more")
        values = self.dataset.factors_of(mine[:n])
        return Rows(self._encoded(self._read(mine[:n]), rng), values, self.dataset.places(values))

    def groups(self, count: int, size: int, rng: np.random.Generator, in_turn: bool = True) -> Groups:
        """The first groups of the file, or drawn ones where there is no file.

        Raises: `DataError` where the file has not so many, or there is none and the pictures are not imgen's own.
        """
        if self._pictures is None:
            return super().groups(count, size, rng, in_turn)
        have, of = self._pictures.images.shape[:2]
        if count > have or size > of:
            raise DataError(
                f"needs {count:,} groups of {size}; the file has {have:,} of {of}: set groups={min(count, have)} and "
                f"group_size={min(size, of)}"
            )
        codes = self._encoded(self._read_groups(self._pictures, count, size), rng)
        return Groups(codes.reshape(count, size, -1), self._pictures.labels[:count])

    @cached_property
    def _pictures(self) -> Pictures | None:
        teapots = cast(Teapots, self.dataset)
        return None if teapots.metric_data is None else teapots.groups()

    def _read(self, rows: NDArray[np.int64]) -> Iterator[Tensor]:
        column = self.dataset.columns["images"]  # type: ignore[attr-defined]
        for start in range(0, len(rows), _TOGETHER):
            yield fetch(column, rows[start : start + _TOGETHER])

    @staticmethod
    def _read_groups(pictures: Pictures, count: int, size: int) -> Iterator[Tensor]:
        together = max(1, _TOGETHER // size)
        for start in range(0, count, together):
            yield pictures.images.fetch(np.arange(start, min(start + together, count)))[:, :size].flatten(0, 1)
