"""Two domains of pictures that nothing pairs: what every such data set is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from imgen.data.pictures import Report
from imgen.data.spec import Column, DataSpec

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Domains:
    """Pictures of two domains, "a" and "b", each with some held out for tests.

    spec: its `domains` are the names of "a" and "b". columns: to train on. test: held out, under the same two names;
    a domain without any is not in it. aligned: whether row i of both held-out columns shows the same thing.
    test_names: of the held-out pictures, by domain, where they have names.
    report: what became of the pictures; origin: how they were read.
    """

    unpaired: ClassVar[bool] = True

    spec: DataSpec
    columns: Mapping[str, Tensor | Column]
    test: Mapping[str, Tensor | Column] = field(default_factory=dict)
    aligned: bool = False
    test_names: Mapping[str, list[str]] = field(default_factory=dict)
    report: Report | None = None
    origin: Mapping[str, str] = field(default_factory=dict)
