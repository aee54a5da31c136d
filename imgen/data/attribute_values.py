"""Attributes with values as people name them, from the columns of a table: `Smiling`, `hair=Black_Hair|Blond_Hair`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imgen.data.attributes import Attributes
from imgen.data.labels import UNKNOWN, binary
from imgen.data.spec import Attribute
from imgen.errors import DataError
from imgen.names import style

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Meant:
    """An attribute, and the columns that tell its values.

    holds: one column for what is had or lacked, or one for each value; lacks: columns of which none may hold.
    """

    attribute: Attribute
    holds: tuple[str, ...]
    lacks: tuple[str, ...] = ()

    def of(self, table: Attributes) -> NDArray[np.int64]:
        """The place of the value of each picture, or UNKNOWN where none or several hold."""
        if len(self.holds) == 1:
            told = table.of(self.holds[0])
            return np.where(told == 0, UNKNOWN, told == 1).astype(np.int64)
        has = np.stack([table.of(column) == 1 for column in self.holds])
        barred = np.zeros(has.shape[1], bool)
        for column in self.lacks:
            barred |= table.of(column) == 1
        one = (np.count_nonzero(has, axis=0) == 1) & ~barred
        return np.where(one, np.argmax(has, axis=0), UNKNOWN)


def column(name: str) -> Meant:
    """The attribute of having what this column tells of."""
    return Meant(binary(name, name), (name,))


def meant(texts: Sequence[str], columns: Sequence[str]) -> list[Meant]:
    """What attributes are meant: `Smiling`, `gender=Male`, or `hair=Black_Hair | Blond_Hair | not Brown_Hair`.

    columns: those that there are; names are found in any spelling.
    Raises: `DataError` where a column is unknown or named twice, a value stands alone, or two have one name.
    """
    if not texts:
        raise DataError("attrs names no attribute; name some, such as Smiling or hair=Black_Hair|Blond_Hair")
    found = [_meant(text, columns) for text in texts]
    _check_once([column for each in found for column in each.holds], "the column", "name it once")
    _check_once([each.attribute.name for each in found], "the attribute", "give one another name, as in mouth=Smiling")
    _check_once([value for each in found for value in each.attribute.values], "the value", "values must differ")
    return found


def table_truth(table: Attributes, wanted: Sequence[Meant]) -> NDArray[np.int64]:
    """All that a table tells of these attributes, (pictures, attributes)."""
    return np.stack([each.of(table) for each in wanted], axis=1)


def _meant(text: str, columns: Sequence[str]) -> Meant:
    name, equals, told = text.partition("=")
    if not equals:
        name, told = "", text
    elif not name.strip():
        raise DataError(f"attrs: '{text}' has no name before the '='; write it as gender=Male")
    parts = [part.strip() for part in told.split("|")]
    if not all(parts):
        raise DataError(f"attrs: '{text}' names no column between two bars; write it as hair=Black_Hair|Blond_Hair")
    try:
        styles = [style(part, columns) for part in parts]
    except DataError as error:
        raise DataError(f"attrs: '{text}': {error}") from error
    holds = tuple(each.attribute for each in styles if each.positive)
    lacks = tuple(each.attribute for each in styles if not each.positive)
    _check_once([*holds, *lacks], f"'{text}': the column", "name it once")
    if not holds:
        raise DataError(f"attrs: '{text}' names no value; {lacks[0]} alone has two: having it and lacking it")
    if len(holds) == 1 and lacks:
        raise DataError(f"attrs: '{text}' has the one value {holds[0]}; name another column, as in A|B|not C")
    name = " ".join(name.split())
    if len(holds) == 1:
        return Meant(binary(name or holds[0], holds[0]), holds)
    return Meant(Attribute(name or _shared(holds), holds), holds, lacks)


def _shared(columns: Sequence[str]) -> str:
    """The last word that all columns share, such as `hair`, or all of them."""
    last = {re.split(r"[\W_]+", column.strip("_ "))[-1].casefold() for column in columns}
    return last.pop() if len(last) == 1 and last != {""} else "|".join(columns)


def _check_once(names: Sequence[str], what: str, right: str) -> None:
    seen: dict[str, str] = {}
    for name in names:
        # People type them in any spelling.
        plain = re.sub(r"[\W_]+", " ", name.casefold()).strip() or name
        if plain in seen:
            also = "" if seen[plain] == name else f" and {seen[plain]}"
            raise DataError(f"attrs: {what} {name}{also} is named twice; {right}")
        seen[plain] = name
