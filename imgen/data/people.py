"""Parts of the people of a data set, which share nobody, whatever else is chosen."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imgen.data.spec import DataSpec

People = Literal["all", "train", "embedding", "validation", "test"]
"""Everybody, or a part: whom generators learn from, whom embeddings learn from, and two parts to measure on."""

SHARES: Mapping[str, float] = {"train": 0.5, "embedding": 0.3, "validation": 0.1, "test": 0.1}
"""About how many of the people are in each part."""


@runtime_checkable
class Peopled(Protocol):
    """A data set that knows who each picture shows, and whose people come in parts."""

    spec: DataSpec
    columns: Mapping[str, Any]
    identity: NDArray[np.int64]
    """(N,) who each picture of the column `images` shows: a place in `identity_names`."""
    identity_names: list[str]

    def among(self, people: People) -> Peopled:
        """The same data set with these of its people, whichever it has itself.

        Raises: `DataError` where it has none of them.
        """


def part_of(name: str) -> str:
    """The part that somebody is in: it hangs on the name alone, so that who else there is makes no difference.

    The first eight bytes of the name's SHA-256, as a number from 0 to 1, fall into one of four intervals as long as
    `SHARES`, in that order.
    """
    place = int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8], "big") / 2**64
    end = 0.0
    for part, share in SHARES.items():
        end += share
        if place < end:
            return part
    return part  # what the shares' sum lacks of 1 is the last one's


def are_among(names: Iterable[str], people: People) -> NDArray[np.bool_]:
    """Which of these people are in a part."""
    return np.array([people in ("all", part_of(str(name))) for name in names], bool)
