"""Two domains that imgen draws itself and that share factors nobody tells the model of: hue and angle."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
import torch
from annotated_types import Ge, Le

from imgen.binding import Count, NonNegative
from imgen.data.pictures import Report
from imgen.data.shapes import PATTERNS, SHAPES, Factors, render
from imgen.data.spec import DataSpec
from imgen.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

Kind = Literal["disc", "square", "triangle", "star", "heart", "cross"]
Shared = Literal["hue", "angle", "both"]

HUES = (0.0, math.radians(240))
"""From red over green to blue: an arc, so that a hue is a number with an order, and two hues far apart look so."""
ANGLES = (-math.radians(60), math.radians(60))
STILL_HUE, STILL_ANGLE = math.radians(40), 0.0
"""What a factor that is not shared stands at."""
RADIUS = 0.34
_COLOURED = 0.12
_THIRDS = 2 * math.pi / 3


@dataclass(frozen=True, kw_only=True)
class DrawnDomains:
    """A drawn `imgen.data.domains.Domains` whose factors can be read back from any picture."""

    unpaired: ClassVar[bool] = True
    aligned: ClassVar[bool] = False

    spec: DataSpec
    columns: Mapping[str, Tensor]
    test: Mapping[str, Tensor]
    shared: tuple[str, ...]
    report: Report

    def read(self, images: Tensor) -> dict[str, Tensor]:
        """The shared factors of pictures, generated ones too: radians, (N,), NaN where there is none to be seen.

        Shapes: `images`: (N, 3, H, W) in [-1, 1].
        """
        return {name: reading for name, reading in read(images).items() if name in self.shared}


def drawn_domains(
    *,
    domain_A: Kind = "square",
    domain_B: Kind = "disc",
    shared: Shared = "both",
    pictures: Count = 2000,
    n_test: Annotated[int, Ge(3)] = 200,
    size: Annotated[int, Ge(16), Le(512)] = 32,
    seed: NonNegative = 0,
) -> DrawnDomains:
    """Two kinds of drawn figures that share hue and angle: a translator has to discover which figure fits which.

    Half of each figure is white, so that its angle can be seen. No picture of one domain has a partner in the other.

    Settings:
        domain_A: figure of the first domain
        domain_B: figure of the second domain
        shared: what varies, in both domains alike
        pictures: to train on, of each domain [pictures]
        n_test: held out, of each domain [pictures]
        size: width and height of a picture [pixels]
        seed: the seed of all that is drawn

    Raises: `DataError` where both domains are one.
    """
    if domain_A == domain_B:
        raise DataError(f"drawn-domains: domain_A and domain_B are both '{domain_A}'; choose two different figures")
    names = ("hue", "angle") if shared == "both" else (shared,)
    drawn = {}
    for place, (key, kind) in enumerate((("a", domain_A), ("b", domain_B))):
        rng = np.random.default_rng([seed, place])
        drawn[key] = render(_factors(kind, pictures + n_test, names, rng), size)
    about = f"drawn by imgen: {domain_A}s and {domain_B}s that share {' and '.join(names)}; free of any rights"
    return DrawnDomains(
        spec=DataSpec(image=(3, size, size), domains=(domain_A, domain_B), about=about),
        columns={key: images[:pictures] for key, images in drawn.items()},
        test={key: images[pictures:] for key, images in drawn.items()},
        shared=names,
        report=Report(images=2 * pictures, notes=(f"{n_test:,} more of each domain are held out",)),
    )


def _factors(kind: Kind, n: int, shared: tuple[str, ...], rng: np.random.Generator) -> Factors:
    hue, angle = (torch.from_numpy(column).float() for column in rng.random((n, 2)).T)
    still = torch.zeros(n)
    return Factors(
        shape=torch.full((n,), SHAPES.index(kind)),
        hue=HUES[0] + (HUES[1] - HUES[0]) * hue if "hue" in shared else still + STILL_HUE,
        pattern=torch.full((n,), PATTERNS.index("halves")),
        x=still,
        y=still,
        rotation=ANGLES[0] + (ANGLES[1] - ANGLES[0]) * angle if "angle" in shared else still + STILL_ANGLE,
        size=still + RADIUS,
        background=still,
    )


def read(images: Tensor) -> dict[str, Tensor]:
    """Hue and angle of pictures of these domains in radians, each (N,); NaN where no colour, or no white, is seen.

    The hue is that of the summed colour; the angle is the direction from the coloured part to the white one.
    Shapes: `images`: (N, 3, H, W) in [-1, 1].
    """
    rgb = (images.float() + 1) / 2
    thirds = torch.arange(3, device=rgb.device) * _THIRDS
    across = torch.einsum("nchw,c->nhw", rgb, thirds.cos())
    along = torch.einsum("nchw,c->nhw", rgb, thirds.sin())
    chroma = torch.hypot(across, along)
    colour = chroma * (chroma > _COLOURED)
    white = ((rgb.amin(1) - 0.5) / 0.4).clamp(0, 1)
    hue = torch.atan2((along * (colour > 0)).sum((1, 2)), (across * (colour > 0)).sum((1, 2)))
    # The arc's middle is furthest from where the reading jumps.
    middle = sum(HUES) / 2
    hue = (hue - middle + math.pi) % (2 * math.pi) - math.pi + middle
    (x_white, y_white), (x_colour, y_colour) = _middle(white), _middle(colour)
    angle = torch.atan2(x_colour - x_white, y_white - y_colour)
    # A thirtieth of the picture is far less than half a figure, and more than a few stray pixels.
    area = images.shape[-1] * images.shape[-2] / 30
    coloured, marked = colour.sum((1, 2)) > _COLOURED * area, white.sum((1, 2)) > 0.3 * area
    nan = torch.full_like(hue, math.nan)
    return {"hue": torch.where(coloured, hue, nan), "angle": torch.where(coloured & marked, angle, nan)}


def _middle(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Where the weights (N, H, W) have their middle: right and down."""
    total = weight.sum((1, 2)).clamp(min=1e-6)
    right = (weight.sum(1) * torch.arange(weight.shape[2], device=weight.device)).sum(1) / total
    down = (weight.sum(2) * torch.arange(weight.shape[1], device=weight.device)).sum(1) / total
    return right, down
