"""What a data set is, to a model and to the loader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from imgen.strict_json import listed, text, whole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

# What a weights file may say of data: far more than any has, and little enough to be read without care.
_LONGEST_SIDE = 4096  # pixels
_MOST_CHANNELS = 64
_MOST = 1_000  # attributes, factors, domains, pictures of a group
_MOST_VALUES = 20_000
_MOST_NUMBERS = 2**22
_LONGEST_NAME = 300
_LONGEST_TEXT = 20_000


@dataclass(frozen=True)
class Attribute:
    """Something in which pictures differ, and the values that it takes, in order: ("not Smiling", "Smiling").

    No two values of a data set have the same name, whatever attributes they are of.
    """

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Factor:
    """Something in which drawn pictures differ, and of which it is known how they do.

    size: number of its values, or 0 where it is any number of an interval.
    ordered: whether its values lie along a line, as positions do; kinds, such as shapes, do not.
    """

    name: str
    size: int
    ordered: bool = True


@dataclass(frozen=True, kw_only=True)
class DataSpec:
    """What a model needs to know of its data, and what its weights file remembers of it.

    image: (channels, height, width) of one picture; where items are vectors, of the plots that show them.
    group: pictures in one item; above 1, "images" has a dimension for them: (B, group, C, H, W).
    domains: what the entries "a" and "b" show, where a data set has two domains, such as ("Blond_Hair", "not Male").
    vector: numbers in one item, where items are vectors, (B, vector), and no pictures.
    attributes: of the columns of "attributes", in order, where pictures are labelled.
    factors: of variation, in order, where they are known.
    people: which of them are shown, where pictures are of people: a part of `imgen.data.people`; '' where not told.
    about: what data this is, on what terms, and whose faces; for the model card.
    """

    image: tuple[int, int, int]
    group: int = 1
    attributes: tuple[Attribute, ...] = ()
    factors: tuple[Factor, ...] = ()
    domains: tuple[str, ...] = ()
    vector: int = 0
    people: str = ""
    about: str = ""

    @property
    def pictures(self) -> int:
        """Pictures, or vectors, in one item of a batch, over all its entries."""
        return self.group * max(1, len(self.domains))

    def to_json(self) -> dict[str, Any]:
        """As plain values; `from_json` gives the same spec back."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> DataSpec:
        """Raises `TypeError`, `KeyError` or `ValueError` where `told` is not what `to_json` gives, or beyond bounds."""
        channels, height, width = listed(told["image"], "image", 3)
        return cls(
            image=(
                whole(channels, "image: channels", 1, _MOST_CHANNELS),
                whole(height, "image: height", 1, _LONGEST_SIDE),
                whole(width, "image: width", 1, _LONGEST_SIDE),
            ),
            group=whole(told.get("group", 1), "group", 1, _MOST),
            attributes=_attributes(told.get("attributes", ())),
            factors=tuple(
                Factor(
                    text(each["name"], "a factor", _LONGEST_NAME),
                    whole(each["size"], "a factor's size", 0, _MOST_NUMBERS),
                    bool(each["ordered"]),
                )
                for each in listed(told.get("factors", ()), "factors", _MOST)
            ),
            domains=tuple(
                text(name, "a domain", _LONGEST_NAME) for name in listed(told.get("domains", ()), "domains", _MOST)
            ),
            vector=whole(told.get("vector", 0), "vector", 0, _MOST_NUMBERS),
            people=text(told.get("people", ""), "people", _LONGEST_NAME),
            about=text(told.get("about", ""), "about", _LONGEST_TEXT, lines=True),
        )


def _attributes(told: Any) -> tuple[Attribute, ...]:
    found = tuple(
        Attribute(
            text(each["name"], "an attribute", _LONGEST_NAME),
            tuple(
                text(value, "a value of an attribute", _LONGEST_NAME)
                for value in listed(each["values"], "values of an attribute", _MOST_VALUES)
            ),
        )
        for each in listed(told, "attributes", _MOST)
    )
    listed([value for each in found for value in each.values], "values of all attributes", _MOST_VALUES)
    return found


class Column(Protocol):
    """Rows that are fetched when needed, such as files to decode. A plain tensor is a column, too."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, ...) as the whole column would be as one tensor."""

    @property
    def dtype(self) -> Any:
        """The torch dtype of a row: `torch.uint8` for pictures."""

    def fetch(self, rows: NDArray[np.int64]) -> Tensor:
        """The given rows, (len(rows), ...), in that order. Called from several threads at once."""


def fetch(column: Tensor | Column, rows: NDArray[np.int64]) -> Tensor:
    """The given rows of any column, in that order."""
    import torch

    return column[torch.from_numpy(rows)] if isinstance(column, torch.Tensor) else column.fetch(rows)


class Dataset(Protocol):
    """Columns, and a way to draw the rows of a batch.

    Pictures are uint8, (rows, C, H, W): they become floats in [-1, 1] on the device.
    Without a method `draw`, batches walk through reshuffled epochs: all columns are of one length and walk together,
    or, where `unpaired` is true, each walks through epochs of its own.
    """

    spec: DataSpec
    columns: Mapping[str, Tensor | Column]

    # unpaired: bool = False

    # def draw(self, n: int, rng: np.random.Generator) -> Mapping[str, NDArray[np.int64]]:
    #     """For every entry of a batch the rows of its column, (n,) or (n, group): a function of `rng` alone.
    #
    #     Called from several threads, also for batches that are never used."""
