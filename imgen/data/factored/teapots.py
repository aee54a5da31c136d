"""3D teapots of which rotation, colour or light are known: the published layout, drawn by imgen or by others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from imgen.binding import Place
from imgen.data.factored.teapot import published
from imgen.data.factored.teapot.picture import render
from imgen.data.factored.teapot.rendering import METRIC, TRAIN
from imgen.data.factored.teapot.scene import SIZE, VARIANTS, Variant, check, draw, scenes
from imgen.data.factors import BINS
from imgen.data.pictures import Report
from imgen.data.spec import DataSpec, Factor
from imgen.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

_HOW = "draw the teapots with `imgen data make teapots`"
_FIRST = 4  # rows that tell whether imgen drew the pictures


@dataclass(frozen=True)
class Groups:
    """Groups of pictures in each of which one factor has one value: what the published metrics are measured on.

    images: a column, (M, L, C, H, W) uint8, of which `fetch(groups)` gives some; labels: the place of the factor, (M,).
    """

    images: published.Pictures
    labels: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Teapots:
    """An `imgen.data.factors.Factored` of given pictures; `teapots` makes it.

    latents: (N, K), of the rows of "images"; metric_data: the file of groups, or None.
    """

    spec: DataSpec
    columns: Mapping[str, published.Pictures]
    report: Report
    origin: Mapping[str, str]
    variant: Variant
    latents: NDArray[np.float64]
    root: Path
    metric_data: Path | None

    def draw_factors(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Values of n pictures, (n, K): directions are uniform on the sphere, their angles therefore are not."""
        return draw(self.variant, n, rng)

    def factors_of(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Values of rows, (len(rows), K)."""
        return self.latents[rows]

    def places(self, factors: NDArray[np.float64]) -> NDArray[np.int64]:
        """Which of `BINS` equal parts of its interval each is in, from 0, (n, K).

        Raises: `DataError` where a value is outside of its factor's interval.
        """
        check(self.variant, factors)
        low, high = np.array([(span.low, span.high) for span in self.variant.factors]).T
        return np.clip(((factors - low) / (high - low) * BINS).astype(np.int64), 0, BINS - 1)

    def show(self, factors: NDArray[np.float64]) -> Tensor:
        """Pictures of given values (n, K), drawn by imgen: uint8, (n, C, H, W).

        Raises: `DataError` where a value is none of a factor's, or where the data set's pictures are not imgen's own.
        """
        if not self._ours:
            raise DataError(
                f"{self.root}: not drawn by this version of imgen: its pictures are given, and others of the kind "
                f"cannot be shown; {_HOW}"
            )
        return torch.from_numpy(_render(self.variant, factors))

    def groups(self) -> Groups:
        """The groups of the metric file, for measures that are defined on it.

        Raises: `DataError` where there is no such file, or it is not one of this data.
        """
        if self.metric_data is None:
            raise DataError(f"{self.root}: has no {METRIC} beside it; give its path as metric_data, or {_HOW}")
        images, labels = published.groups(self.metric_data)
        if labels.min() < 0 or labels.max() >= len(self.variant.factors):
            raise DataError(
                f"{self.metric_data}: labels from {labels.min()} to {labels.max()}; variant {self.variant.letter} has "
                f"the factors 0 to {len(self.variant.factors) - 1}"
            )
        return Groups(images, labels)

    @cached_property
    def _ours(self) -> bool:
        rows = np.arange(min(_FIRST, len(self.latents)))
        drawn = torch.from_numpy(_render(self.variant, self.latents[rows]))
        return torch.equal(drawn, self.columns["images"].fetch(rows))


def teapots(
    *, root: Place, variant: Literal["auto", "colours", "turns", "lights"] = "auto", metric_data: Place = ""
) -> Teapots:
    """3D teapots at 64x64, of which rotation, colour or light are known, in the files of `imgen data make teapots`.

    The factors of colours are azimuth, elevation, red, green and blue; of turns gamma, beta and alpha; of lights those
    of turns, light_azimuth and light_polar.

    Settings:
        root: folder with train_data/data.npz, as `imgen data make teapots` writes it, or that file
        variant: what varies: colours (A), turns (B), lights (C), or auto: what the latents look like
        metric_data: file of groups; left out, metric_data/data.npz beside the other, if it is there

    Raises: `DataError` where a file is missing, damaged, or not of teapots.
    """
    path = Path(root).expanduser()
    if path.is_dir():
        if not (path / TRAIN).is_file():
            raise DataError(f"{path}: has no {TRAIN}; {_HOW}, or give the folder where it is")
        path = path / TRAIN
    images, latents = published.training(path)
    chosen = _recognised(path, latents) if variant == "auto" else VARIANTS[variant]
    try:
        check(chosen, latents)
    except DataError as error:
        raise DataError(f"{path}: not of variant {chosen.letter} ({chosen.name}): {error}") from None
    beside = path.parent.parent / METRIC
    groups = Path(metric_data).expanduser() if metric_data else beside if beside.is_file() else None
    whose = f"3D teapots, variant {chosen.letter} ({chosen.name}), from {Path(root).name}"
    return Teapots(
        spec=DataSpec(
            image=(3, SIZE, SIZE),
            factors=tuple(Factor(span.name, 0) for span in chosen.factors),
            about=f"{whose}: {len(latents):,} drawn pictures at {SIZE}x{SIZE}; nobody's face",
        ),
        columns={"images": images},
        report=Report(images=len(latents)),
        origin={"layout": "teapots", "variant": chosen.name},
        variant=chosen,
        latents=latents,
        root=path,
        metric_data=groups,
    )


def _recognised(path: Path, latents: NDArray[np.float64]) -> Variant:
    """The first variant whose intervals hold all latents: colours are in narrower ones than lights."""
    for variant in VARIANTS.values():
        try:
            check(variant, latents)
        except DataError:
            continue
        return variant
    raise DataError(
        f"{path}: 'latents' {latents.shape} are those of no variant: there are 5 of colours and of lights, 3 of turns, "
        "in radians or from 0 to 1"
    )


def _render(variant: Variant, factors: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.moveaxis(render(scenes(variant, np.asarray(factors, np.float64))), -1, 1))
