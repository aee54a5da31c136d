"""The pictures that a table of attributes tells of, and the official parts of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imgen.data.attributes import Attributes, locate, read_partition
from imgen.data.source import Source
from imgen.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def pictures_of(source: Source, table: Attributes) -> list[str | None]:
    """The picture of each row of a table, None where it is missing. Raises: `DataError` where all are."""
    found = locate(source, table.names)
    if not any(found):
        raise DataError(
            f"{table.where}: none of its {len(table.names):,} pictures, such as {table.names[0]}, is in {source.path}"
        )
    return found


def official(source: Source, table: Attributes, n_test: int) -> NDArray[np.int64]:
    """0 for a row to train on, 1 for one held out, -1 for all others, by the official parts."""
    parts = read_partition(source)
    part = np.array([parts.get(name, -1) for name in table.names])
    if not n_test:
        return np.where(part == 0, 0, -1)
    return np.where(part == 0, 0, np.where(part == (2 if (part == 2).any() else 1), 1, -1))


def left_out(source: Source, table: Attributes, found: list[str | None]) -> list[str]:
    """What to say of rows without a picture, of pictures without a row, and of a count that is wrong."""
    absent = [name for name, path in zip(table.names, found, strict=True) if path is None]
    told = []
    if absent:
        told.append(f"{len(absent):,} rows of the table without a picture left out, such as {absent[0]}")
    if without := set(source.names) - set(found):
        told.append(f"{len(without):,} pictures without a row left out, such as {min(without)}")
    if table.told not in (None, len(table.names)):
        told.append(f"the table says that it has {table.told:,} rows, and has {len(table.names):,}")
    return told
