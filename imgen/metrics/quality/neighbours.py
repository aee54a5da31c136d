"""Fidelity and diversity apart: which features lie among the nearest neighbours of the other set's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TILE = 4096  # features on either side of a block of distances: 128 MiB as float64
_SAME = 1e-12  # of the squares of two features: what less lies between them is rounding
_TIE = 1e-9  # of a squared radius: a distance that is closer to it is equal to it


@dataclass(frozen=True)
class Neighbourhoods:
    """Shares and means that `neighbourhoods` explains."""

    precision: float
    recall: float
    density: float
    coverage: float


def neighbourhoods(
    made: NDArray[np.floating],
    real: NDArray[np.floating],
    *,
    neighbours: int = 3,
    density_neighbours: int = 5,
    device: torch.device | str = "cpu",
) -> Neighbourhoods:
    """Precision, recall, density and coverage of made features (M, D) beside real ones (N, D).

    A feature's radius of k is its distance to the k-th nearest other one of its own set. With k = `neighbours`,
    precision is the share of made features within the radius of any real one, or on it, and recall the share of real
    ones within that of any made one. With k = `density_neighbours`, density is the mean over made features of the
    number of real ones whose radius they are strictly within, divided by k, and coverage the share of real ones that
    have a made one strictly within their radius. Distances are float64, in blocks: never all at once.

    Raises: `ValueError` where a set has k features or fewer.
    Source: Kynkäänniemi, Karras, Laine, Lehtinen, Aila, "Improved precision and recall metric for assessing generative
    models", 2019, equations 1 and 2; Naeem, Oh, Uh, Choi, Yoo, "Reliable fidelity and diversity metrics for generative
    models", 2020, equations 3 and 4.
    """
    most = max(neighbours, density_neighbours)
    if min(len(made), len(real)) <= most:
        raise ValueError(f"{most} neighbours need {most + 1} features or more of either set")
    # About the middle of the real ones: far from 0, distances would be what rounding leaves of large numbers.
    middle = torch.from_numpy(real.mean(axis=0, dtype="float64")).to(device)
    a, b = (torch.from_numpy(each) for each in (made, real))
    own_b = _radii(b, (neighbours, density_neighbours), middle)
    own_a = _radii(a, (neighbours,), middle)
    within = torch.zeros(len(a), dtype=torch.bool, device=device)
    reached, covered = (torch.zeros(len(b), dtype=torch.bool, device=device) for _ in range(2))
    inside = 0
    for rows in _tiles(len(a)):
        for columns in _tiles(len(b)):
            apart = _squares(a[rows], b[columns], middle)
            within[rows] |= (apart <= own_b[neighbours][columns] * (1 + _TIE)).any(dim=1)
            reached[columns] |= (apart <= own_a[neighbours][rows, None] * (1 + _TIE)).any(dim=0)
            inner = apart < own_b[density_neighbours][columns] * (1 - _TIE)
            covered[columns] |= inner.any(dim=0)
            inside += int(inner.sum())
    return Neighbourhoods(
        precision=_share(within),
        recall=_share(reached),
        density=inside / (density_neighbours * len(a)),
        coverage=_share(covered),
    )


def _radii(features: Tensor, ks: tuple[int, ...], middle: Tensor) -> dict[int, Tensor]:
    """For each k, of every feature the squared distance to its k-th nearest other one, (N,)."""
    nearest = []
    for rows in _tiles(len(features)):
        found = torch.empty((len(features[rows]), 0), dtype=torch.float64, device=middle.device)
        for columns in _tiles(len(features)):
            apart = _squares(features[rows], features[columns], middle)
            if rows == columns:
                apart.fill_diagonal_(torch.inf)
            k = min(max(ks), found.shape[1] + apart.shape[1])
            found = torch.cat([found, apart.topk(min(k, apart.shape[1]), largest=False).values], dim=1)
            found = found.topk(k, largest=False).values
        nearest.append(found)
    every = torch.cat(nearest)
    return {k: every[:, k - 1] for k in ks}


def _squares(a: Tensor, b: Tensor, middle: Tensor) -> Tensor:
    """Squared distances of all pairs, float64 (len(a), len(b)), where the middle is."""
    x, y = (each.to(middle.device).double() - middle for each in (a, b))
    sizes = (x**2).sum(dim=1)[:, None] + (y**2).sum(dim=1)
    apart = torch.addmm(sizes, x, y.T, alpha=-2)
    return torch.where(apart > _SAME * sizes, apart, 0)


def _tiles(count: int) -> list[slice]:
    return [slice(start, min(start + _TILE, count)) for start in range(0, count, _TILE)]


def _share(which: Tensor) -> float:
    return float(which.double().mean())
