"""What scores that fit something to codes ask of them, and how they tell their tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from imgen.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from imgen.data.spec import Factor


def several_codes(codes: NDArray[np.floating], score: str) -> None:
    """Raises `DataError` where a score that compares codes with each other is given one alone."""
    if codes.shape[1] < 2:
        raise DataError(f"{score} compares codes with each other; this model has one alone")


def several_factors(factors: Sequence[Factor], score: str) -> None:
    """Raises `DataError` where a score that compares factors with each other is given one alone."""
    if len(factors) < 2:
        raise DataError(f"{score} compares factors with each other; this data has '{factors[0].name}' alone")


def several_values(factors: Sequence[Factor], places: NDArray[np.integer], score: str) -> None:
    """Raises `DataError` where all rows show the same value of a factor. Shapes: places: (n, K)."""
    for factor, column in zip(factors, places.T, strict=True):
        if np.ptp(column) == 0:
            raise DataError(
                f"{score} needs more rows: all {len(column):,} show the same value of the factor '{factor.name}'"
            )


def same_values(
    factors: Sequence[Factor], fitted: NDArray[np.integer], tested: NDArray[np.integer], score: str
) -> None:
    """Raises `DataError` where a value is shown by rows that are fitted to alone, or by held-out rows alone.

    Shapes: fitted: (n, K), tested: (m, K).
    """
    for factor, ours, theirs in zip(factors, fitted.T, tested.T, strict=True):
        for missing, of, setting in (
            (np.setdiff1d(ours, theirs), f"{len(theirs):,} held-out rows", "test"),
            (np.setdiff1d(theirs, ours), f"{len(ours):,} rows to fit to", "train"),
        ):
            if len(missing):
                raise DataError(
                    f"{score} needs every value of a factor among the {of}, and {len(missing)} of '{factor.name}' are "
                    f"not; set {setting} higher, or leave out things with rare values"
                )


def steady_codes(codes: NDArray[np.floating]) -> list[int]:
    """Which codes never vary, counted from 0. Shapes: codes: (n, D)."""
    return [int(code) for code in np.flatnonzero(np.ptp(codes, axis=0) == 0)]


def counted(codes: Sequence[int]) -> str:
    """Codes in words: `code 3`, `codes 3, 5`; counted from 0."""
    return ("code " if len(codes) == 1 else "codes ") + ", ".join(map(str, codes))


def listed(some: NDArray[Any]) -> Any:
    """Numbers as plain lists, None for what is no number: JSON has no name for it."""
    plain = some.astype(object)
    plain[~np.isfinite(some)] = None
    return plain.tolist()
