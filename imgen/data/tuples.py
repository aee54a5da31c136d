"""Tuples of distinct pictures that share an identity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imgen.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Tuples:
    """Draws tuples of k distinct pictures of one identity, every identity as likely as any other.

    Source: SD-GAN section 3 draws identities uniformly; the authors' released sampler favours identities with
    many pictures and, for k above 2, lets duplicates through. Both are put right here.
    """

    def __init__(self, identity: NDArray[np.int64], k: int, min_images: int | None = None) -> None:
        """identity: (N,) which identity each picture shows, from 0; min_images: fewest pictures of a usable identity.

        Raises: `DataError` where no identity has enough pictures.
        """
        self.k = k
        self.min_images = max(k, min_images or k)
        counts = np.bincount(identity) if len(identity) else np.zeros(0, np.int64)
        self.usable = np.flatnonzero(counts >= self.min_images)
        self.too_few = np.flatnonzero((counts > 0) & (counts < self.min_images))
        if not len(self.usable):
            most = int(counts.max()) if len(counts) else 0
            raise DataError(
                f"no identity has {self.min_images} pictures or more (the most is {most}); "
                f"a tuple needs {k} different pictures of one identity"
            )
        # Pictures in order of identity: those of identity i are order[start[i] : start[i] + counts[i]].
        self._order = np.argsort(identity, kind="stable")
        self._start = np.cumsum(counts) - counts
        self._counts = counts

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Rows of n tuples, (n, k), distinct within a tuple and in random order."""
        who = self.usable[rng.integers(len(self.usable), size=n)]
        counts = self._counts[who]
        picks = np.empty((n, self.k), np.int64)
        for column in range(self.k):
            # The j-th pick is uniform over what is left: skip over the earlier picks, smallest first.
            pick = rng.integers(counts - column)
            for earlier in np.sort(picks[:, :column], axis=1).T:
                pick += pick >= earlier
            picks[:, column] = pick
        return self._order[self._start[who][:, None] + picks]
