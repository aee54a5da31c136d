"""Points of the plane in two domains, five modes on a circle and ten on an arc: the toy on which collapse is seen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import numpy as np
import torch
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray
from torch import Tensor

from imgen.binding import Count, NonNegative
from imgen.data.spec import DataSpec

RADIUS = 2.0
"""Of the circle and of the arc."""


@dataclass(frozen=True, kw_only=True)
class Modes:
    """Points of two domains, "a" and "b", that nothing pairs.

    columns, test: points to train on and points held out. modes: where the modes of each domain are.
    sigma: standard deviation of a mode along either axis. test_mode: which mode each held-out point came from.

    Shapes: columns, test: float32 (N, 2); modes: float32 (5, 2) and (10, 2); test_mode: int64 (N,).
    """

    unpaired: ClassVar[bool] = True

    spec: DataSpec
    columns: Mapping[str, Tensor]
    test: Mapping[str, Tensor]
    modes: Mapping[str, Tensor]
    sigma: float
    test_mode: Mapping[str, Tensor]
    aligned: bool = False
    test_names: Mapping[str, list[str]] = field(default_factory=dict)
    report: None = None
    origin: Mapping[str, str] = field(default_factory=dict)


def toy_modes(
    *,
    points: Count = 100_000,
    n_test: Count = 2_000,
    sigma: Annotated[float, Gt(0)] = 0.1,
    size: Annotated[int, Ge(32), Le(2048)] = 256,
    seed: NonNegative = 0,
) -> Modes:
    """Points around five modes on a circle ("a") and around ten on an arc ("b"), every mode as likely as another.

    The published toy gives no numbers; these are ours. Five: radius 2 around (-2, -2), angles 0 to 288 degrees in
    steps of 72. Ten: radius 2 around (2, 2), angles 90 to 360 degrees in steps of 30. A point is its mode plus
    isotropic Gaussian noise.

    Settings:
        points: points to train on in each domain [points]
        n_test: points held out in each domain [points]
        sigma: standard deviation of every mode along either axis
        size: width and height of the plots [pixels]
        seed: the seed of all points

    Source: the toy of arXiv 1703.05192, section 3.1, which draws 5 modes and 10 modes on an arc.
    """
    places = {"a": five_modes(), "b": ten_modes()}
    # Training and held-out points have streams of their own: more of one changes nothing of the other.
    train, test = (
        {
            name: sample(place, n, sigma, np.random.default_rng([seed, split, domain]))
            for domain, (name, place) in enumerate(places.items())
        }
        for split, n in enumerate((points, n_test))
    )
    return Modes(
        spec=DataSpec(
            image=(3, size, size),
            vector=2,
            domains=("five modes", "ten modes"),
            about=f"points of the plane drawn by imgen: Gaussian modes, 5 on a circle and 10 on an arc, "
            f"{points:,} points each; free of any rights",
        ),
        columns={name: drawn for name, (drawn, _) in train.items()},
        test={name: drawn for name, (drawn, _) in test.items()},
        modes=places,
        sigma=sigma,
        test_mode={name: mode for name, (_, mode) in test.items()},
    )


def five_modes() -> Tensor:
    """The modes of "a", (5, 2)."""
    return _around((-2.0, -2.0), np.arange(5) * 72.0)


def ten_modes() -> Tensor:
    """The modes of "b", (10, 2)."""
    return _around((2.0, 2.0), np.arange(90.0, 361.0, 30.0))


def sample(places: Tensor, n: int, sigma: float, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Points around modes, and the mode of each. Shapes: places: (M, 2) -> float32 (n, 2) and int64 (n,)."""
    mode = torch.from_numpy(rng.integers(0, len(places), n))
    noise = torch.from_numpy(rng.standard_normal((n, 2)) * sigma).float()
    return places[mode] + noise, mode


def distances(points: Tensor, places: Tensor) -> Tensor:
    """How far every point is from every mode. Shapes: points: (N, 2), places: (M, 2) -> (N, M)."""
    # The quick way, over inner products, loses what a distance near 0 has to tell.
    return torch.cdist(points, places.to(points), compute_mode="donot_use_mm_for_euclid_dist")


def nearest(points: Tensor, places: Tensor) -> Tensor:
    """The mode that each point is closest to. Shapes: points: (N, 2), places: (M, 2) -> int64 (N,)."""
    return distances(points, places).argmin(dim=1)


def _around(middle: tuple[float, float], degrees: NDArray[np.floating]) -> Tensor:
    """Places on a circle, (M, 2)."""
    angles = degrees * (math.pi / 180)
    return torch.from_numpy(np.array(middle) + RADIUS * np.stack([np.cos(angles), np.sin(angles)], axis=1)).float()
