"""Two domains of solids seen from all sides, where the azimuth of every picture is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from imgen.data.pictures import Report
from imgen.data.spec import Column, DataSpec

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Views:
    """All that `imgen.data.domains.Domains` tells, and from where each picture was seen.

    Nothing pairs the domains, and no batch holds an azimuth: azimuths are for measurements.

    spec: its `domains` are the names of "a" and "b". columns: to train on. test: held out, under the same two names.
    azimuth, test_azimuth: of every row of `columns` and of `test`, float32 (N,), by domain [degrees]; 0 shows the
    front, and both signs occur. A domain whose azimuths are not known is missing.
    aligned: whether row i of both held-out columns shows the same thing. test_names: of the held-out pictures.
    report: what became of the pictures; origin: how they were read.
    """

    unpaired: ClassVar[bool] = True

    spec: DataSpec
    columns: Mapping[str, Tensor | Column]
    azimuth: Mapping[str, Tensor]
    test: Mapping[str, Tensor | Column] = field(default_factory=dict)
    test_azimuth: Mapping[str, Tensor] = field(default_factory=dict)
    aligned: bool = False
    test_names: Mapping[str, list[str]] = field(default_factory=dict)
    report: Report | None = None
    origin: Mapping[str, str] = field(default_factory=dict)
