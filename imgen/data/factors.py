"""What data sets with known factors of variation have in common, for whatever measures what models find in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from imgen.data.spec import DataSpec

BINS = 20
"""Equal parts into which an interval is cut where a factor's values are to be counted."""


@runtime_checkable
class Factored(Protocol):
    """A data set of which it is known what its pictures show, and that can show anything of the kind.

    Its `spec.factors` name the factors in order, K of them. A factor that never varies is none. Values are those that a
    metric may compute with: kinds are numbered from 0, angles in radians, all else as the data set says.
    """

    spec: DataSpec

    def draw_factors(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Values of n pictures, (n, K): each factor by itself, as its data set has it, with replacement."""

    def factors_of(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Values of rows of the column "images", (len(rows), K)."""

    def places(self, factors: NDArray[np.float64]) -> NDArray[np.int64]:
        """Which of its values each is, from 0, (n, K). Intervals are cut into `BINS` equal parts.

        Raises: `DataError` where a value is none of a factor's.
        """

    def show(self, factors: NDArray[np.float64]) -> Tensor:
        """Pictures of given values (n, K): uint8, (n, C, H, W).

        Raises: `DataError` where a value is none of a factor's, or where this data set cannot make pictures anew.
        """
