"""The picture of the toy: where points of each source mode went, the modes they should meet, and what the judge thinks.

The plot of the paper: translated points in the colour of their source mode, target modes as crosses, the
discriminator's value over the plane as ground. Source: the toy's figure in arXiv 1703.05192, section 3.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor, nn

from imgen.algorithm import Batch
from imgen.images import to_float, to_tensor
from imgen_discogan.networks import CrossDomain
from imgen_discogan.toy.modes import five_modes, nearest, ten_modes

COLOURS = (
    *((214, 69, 65), (31, 119, 190), (35, 155, 86), (240, 150, 25), (130, 80, 185)),
    *((20, 175, 180), (225, 95, 165), (140, 100, 70), (125, 140, 30), (70, 80, 110)),
)
"""One for each source mode, in order; after the last the first comes again."""

LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
"""The judge's values that have a contour; that of 0.5, where it cannot decide, is the darkest."""

_PAPER, _FAKE, _REAL = (252, 252, 250), (250, 248, 244), (214, 230, 241)
_INK, _LINE = (45, 48, 56), (150, 156, 166)
_ROOM = 1.7  # half of the window's side, in halves of the target modes' extent
_FINER = 3  # drawn so many times larger, and then reduced
_GRID = 160  # places along a side at which the judge is asked


def plot(
    points: Tensor,
    source: Tensor,
    targets: Tensor,
    judge: Callable[[Tensor], Tensor] | None = None,
    size: int = 256,
) -> Tensor:
    """A picture of translated points, (3, size, size) in [-1, 1], on the CPU.

    points: coloured by `source`, the mode that each came from; those outside the window stand at its edge.
    targets: modes to be met, as crosses; they alone set the window, so that the pictures of a run can be compared.
    judge: gives the probability that each of (N, 2) points is real; the ground is bluer where it is higher, and
    has contours at `LEVELS`. It is called without gradients on the device of `points`.

    Shapes: points: (N, 2), source: (N,), targets: (M, 2) -> (3, size, size).
    """
    middle, reach = window(targets)
    whole = size * _FINER
    ground = np.full((whole, whole, 3), _PAPER, np.uint8) if judge is None else _ground(judge, points, targets, whole)
    image = Image.fromarray(ground)
    draw = ImageDraw.Draw(image, "RGBA")
    unit = whole / 256

    def pixels(places: Tensor) -> NDArray[np.float64]:
        at = places.detach().double().cpu().numpy()
        return (np.stack([at[:, 0] - middle[0], middle[1] - at[:, 1]], axis=1) / reach + 1) * (whole / 2)

    edge = 3.5 * unit
    for (x, y), mode in zip(pixels(points), source.tolist(), strict=True):
        if math.isfinite(x) and math.isfinite(y):
            x, y = (min(max(place, edge), whole - edge) for place in (x, y))
            _dot(draw, x, y, 1.9 * unit, (*COLOURS[int(mode) % len(COLOURS)], 185))
    for colour, arm, width in (((255, 255, 255, 210), 4.1, 2.6), ((*_INK, 255), 3.6, 1.1)):
        for x, y in pixels(targets):
            _cross(draw, x, y, arm * unit, round(width * unit), colour)
    return to_float(to_tensor(image.resize((size, size), Image.Resampling.BOX)))


def plots(model: CrossDomain, batch: Batch, judges: Mapping[str, nn.Module | None], size: int) -> Tensor:
    """A plot for each direction of a model of points, side by side: (1, directions, 3, size, size).

    judges: the discriminator of each domain, where there is one.
    """
    modes = {"a": five_modes(), "b": ten_modes()}
    drawn = []
    for way, (source, target) in zip(model.ways, (("a", "b"), ("b", "a")), strict=False):
        points, judge = batch[source], judges[target]
        came_from = nearest(points, modes[source].to(points.device))
        asked = judge and partial(_belief, judge)
        drawn.append(plot(model.translate(points, way), came_from, modes[target], asked, size))
    return torch.stack(drawn)[None]


def _belief(judge: nn.Module, points: Tensor) -> Tensor:
    """The probability of being real that a discriminator gives to points."""
    score: Tensor = judge(points)[0]
    return score.sigmoid().flatten()


def window(targets: Tensor) -> tuple[tuple[float, float], float]:
    """The middle of the part of the plane that is shown, and half its side: the target modes with room around."""
    low, high = targets.min(dim=0).values, targets.max(dim=0).values
    x, y = ((low + high) / 2).tolist()
    return (x, y), _ROOM * float((high - low).max()) / 2 or 1.0


def _ground(judge: Callable[[Tensor], Tensor], points: Tensor, targets: Tensor, whole: int) -> NDArray[np.uint8]:
    """The judge's value over the window as colours and contours, (whole, whole, 3)."""
    value = _smooth(_asked(judge, points, targets), whole)
    rgb = np.array(_FAKE) + value[..., None] * (np.array(_REAL) - np.array(_FAKE))
    steep = np.hypot(*np.gradient(value)) + 1e-9
    for level in LEVELS:
        # The distance to the contour in pixels, to first order; nothing on a plain that lies at the level.
        width = whole / 256 * (0.55 if level == 0.5 else 0.35)
        cover = np.clip(width + 0.5 - np.abs(value - level) / steep, 0, 1) * (steep > 1e-6)
        rgb += (cover * (0.9 if level == 0.5 else 0.55))[..., None] * (np.array(_LINE) - rgb)
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


def _asked(judge: Callable[[Tensor], Tensor], points: Tensor, targets: Tensor) -> NDArray[np.float32]:
    """What the judge says at a grid of places, the upmost first, (_GRID, _GRID) in [0, 1]."""
    (x, y), reach = window(targets)
    steps = ((torch.arange(_GRID) + 0.5) / _GRID * 2 - 1) * reach
    down, right = torch.meshgrid(y - steps, x + steps, indexing="ij")
    places = torch.stack([right.flatten(), down.flatten()], dim=1).to(points)
    with torch.no_grad():
        said = judge(places).detach().float().cpu().reshape(_GRID, _GRID)
    return said.nan_to_num(0).clamp(0, 1).numpy()


def _smooth(grid: NDArray[np.float32], whole: int) -> NDArray[np.float64]:
    """A grid of values enlarged without corners, (whole, whole)."""
    enlarged = Image.fromarray(grid).resize((whole, whole), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(enlarged, np.float64), 0, 1)


def _dot(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, colour: tuple[int, int, int, int]) -> None:
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _cross(
    draw: ImageDraw.ImageDraw, x: float, y: float, arm: float, width: int, colour: tuple[int, int, int, int]
) -> None:
    draw.line((x - arm, y - arm, x + arm, y + arm), fill=colour, width=width)
    draw.line((x - arm, y + arm, x + arm, y - arm), fill=colour, width=width)
