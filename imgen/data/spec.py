"""What a data set is, to a model and to the loader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


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
        """Raises `TypeError`, `KeyError` or `ValueError` where `told` is not what `to_json` gave."""
        channels, height, width = (int(size) for size in told["image"])
        return cls(
            image=(channels, height, width),
            group=int(told.get("group", 1)),
            attributes=tuple(
                Attribute(str(each["name"]), tuple(str(value) for value in each["values"]))
                for each in told.get("attributes", ())
            ),
            factors=tuple(
                Factor(str(each["name"]), int(each["size"]), bool(each["ordered"])) for each in told.get("factors", ())
            ),
            domains=tuple(str(name) for name in told.get("domains", ())),
            vector=int(told.get("vector", 0)),
            people=str(told.get("people", "")),
            about=str(told.get("about", "")),
        )


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
    #     """For every entry of a batch the rows of its column, (n,) or (n, group): a function of `rng` alone."""
