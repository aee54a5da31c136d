"""Reads the attributes of a figure from its picture: colours are measured, forms compared with drawings.

Nothing is learned. It is meant for generated pictures, too: it bears blur, noise and colours that are a little off, and
what is half-way from one value to another is read as the one until the half, and as the other from there.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample, pad

from imgen.data.figures import ATTRIBUTES, CHROMA, FRAME, FRAME_WIDTH, GROUNDS, SIZES, Look, hues, render
from imgen.data.labels import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgen.data.spec import Attribute

_VIVID = CHROMA * math.sqrt(1.5)
"""How far a figure's colour is from grey."""
_FAINTEST = 0.3
"""Of that, below which no figure is seen."""
_SMALLEST = 0.3 * math.pi * SIZES[0] ** 2
"""Share of the picture, below which a figure is a spot: a third of the smallest that is drawn."""
_UNLIKE = 0.08
"""Mean squared difference from every drawing, above which a form is none: drawn ones stay below half of it."""
_GRID = 20
_EXTENT = 1.4
_TURNS = torch.arange(-90, 90, 6).deg2rad()
_CHUNK = 512


def read(images: Tensor, attributes: Sequence[Attribute]) -> Tensor:
    """The value of each of these attributes in pictures, int64 (N, A); -1 where there is nothing to read it from.

    Without a figure there is neither shape nor colour nor pattern, and what is like none of the figures has a colour
    alone; border and ground are always to be seen.
    Shapes: `images`: (N, 3, H, W) in [-1, 1], of equal sides, 16 or more.
    """
    parts = [_read(chunk) for chunk in images.detach().cpu().split(_CHUNK)]
    return torch.cat([torch.stack([part[attribute.name] for attribute in attributes], dim=1) for part in parts])


def _read(images: Tensor) -> dict[str, Tensor]:
    rgb = (images.float() + 1) / 2
    ground = _ground(rgb)
    paint, seen = _paint(rgb, ground)
    turned = torch.atan2(*(paint @ part for part in _circle())) % (2 * math.pi)
    apart = (turned[:, None] - hues(torch.arange(3)) + math.pi) % (2 * math.pi) - math.pi
    whole, forms = _forms(_share(rgb, ground, paint))
    seen = seen & (whole > _SMALLEST)
    unlike = torch.cdist(forms, _templates(images.shape[-1]).flatten(0, 2)).square() / forms.shape[1]
    least, nearest = unlike.view(-1, 4, len(_TURNS)).amin(2).min(1)
    formed = seen & (least < _UNLIKE)
    middle = sum(np.mean(ends) for ends in (GROUNDS[0][1], GROUNDS[1][0])) / 2
    return {
        "shape": (nearest // 2).masked_fill(~formed, UNKNOWN),
        "colour": apart.abs().argmin(1).masked_fill(~seen, UNKNOWN),
        "pattern": (nearest % 2).masked_fill(~formed, UNKNOWN),
        "border": (_frame(rgb, ground) > 0.5).long(),
        "ground": (ground.mean(1) > float(middle)).long(),
    }


def _inner(size: int) -> int:
    """Pixels from the edge to where neither the frame nor its blurred edge reaches."""
    return math.ceil(FRAME_WIDTH * size) + 1


def _ground(rgb: Tensor) -> Tensor:
    """The ground's colour (N, 3): the median between frame and figure, where a figure never fills the half."""
    size = rgb.shape[-1]
    start = _inner(size)
    inside, wide = rgb[..., start : size - start, start : size - start], max(1, size // 16)
    sides = [inside[..., :wide, :], inside[..., -wide:, :], inside[..., :wide].mT, inside[..., -wide:].mT]
    return torch.cat(sides, dim=2).flatten(2).median(dim=2).values


def _frame(rgb: Tensor, ground: Tensor) -> Tensor:
    """How far the edge is from the ground's colour to the frame's: 0 or less without a frame, 1 with one."""
    wide = max(1, int(FRAME_WIDTH * rgb.shape[-1]))
    edge = torch.ones(rgb.shape[-2:], dtype=torch.bool)
    edge[wide:-wide, wide:-wide] = False
    to_frame = torch.tensor(FRAME) - ground
    told = ((rgb[..., edge].mean(2) - ground) * to_frame).sum(1)
    # On a ground of the frame's own colour there is none to be seen.
    return told / to_frame.square().sum(1).clamp_min(0.05)


def _circle() -> tuple[Tensor, Tensor]:
    angles = torch.arange(3) * (2 * math.pi / 3)
    return angles.sin(), angles.cos()


def _vivid(rgb: Tensor, ground: Tensor) -> Tensor:
    """What is neither grey nor of the ground's tint: (N, 3, P), of the pixels inside the frame."""
    start = _inner(rgb.shape[-1])
    away = rgb[..., start:-start, start:-start] - ground[:, :, None, None]
    return (away - away.mean(1, keepdim=True)).flatten(2)


def _paint(rgb: Tensor, ground: Tensor) -> tuple[Tensor, Tensor]:
    """The figure's colour without its grey and the ground's tint (N, 3), and whether there is any, (N,)."""
    away = _vivid(rgb, ground)
    # Lengths as weights keep the many grey pixels of a noisy ground from having a say.
    main = (away * away.norm(dim=1, keepdim=True)).sum(2, keepdim=True)
    main = main / main.norm(dim=1, keepdim=True).clamp_min(1e-9)
    along = (away * main).sum(1)
    strength = along.topk(max(1, rgb.shape[-1] ** 2 // 50), dim=1).values.mean(1)
    return main[:, :, 0] * strength[:, None], strength > _FAINTEST * _VIVID


def _share(rgb: Tensor, ground: Tensor, paint: Tensor) -> Tensor:
    """How much of each pixel has the figure's colour, (N, H, W) in [0, 1], nothing at the edge.

    Colour alone is asked for, so that a stripe has none of it on any ground. What is nearly none is noise, and what is
    nearly all is whole; the half stays in place.
    """
    start = _inner(rgb.shape[-1])
    inside = rgb.shape[-1] - 2 * start
    share = (_vivid(rgb, ground) * paint[:, :, None]).sum(1) / paint.square().sum(1, keepdim=True).clamp_min(1e-6)
    share = ((share - 0.2) / 0.6).clamp(0, 1).view(-1, inside, inside)
    return pad(share, (start, start, start, start))


def _forms(share: Tensor) -> tuple[Tensor, Tensor]:
    """The part of the picture within the outline, (N,), and the colour's share at a common place and size, (N, D)."""
    outline = torch.maximum(_filled(share), _filled(share.mT).mT)
    size = share.shape[-1]
    axis = (torch.arange(size) + 0.5) / size - 0.5
    area = outline.sum((1, 2)).clamp_min(1e-3)
    x, y = (outline.sum(1) @ axis) / area, (outline.sum(2) @ axis) / area
    whole = area / size**2
    places = torch.linspace(-_EXTENT, _EXTENT, _GRID)
    grid = torch.stack(torch.meshgrid(places, places, indexing="xy"), dim=2) * (whole / math.pi).sqrt().view(
        -1, 1, 1, 1
    )
    grid = 2 * (grid + torch.stack([x, y], dim=1)[:, None, None, :])
    return whole, grid_sample(share[:, None], grid, align_corners=False).flatten(1)


def _filled(share: Tensor) -> Tensor:
    """As much at each pixel as there is both above and below it: gaps within an outline are closed."""
    above, below = share.cummax(1).values, share.flip(1).cummax(1).values.flip(1)
    return torch.minimum(above, below)


@cache
def _templates(size: int) -> Tensor:
    """Every form at every turn as `_forms` sees it in pictures of this size: (shapes, patterns, turns, D)."""
    kinds = torch.cartesian_prod(torch.arange(2), torch.arange(2), torch.arange(len(_TURNS)))
    turn = _TURNS[kinds[:, 2]]
    still = torch.zeros_like(turn)
    shown = (ATTRIBUTES["shape"], ATTRIBUTES["pattern"])
    pictures = render(kinds[:, :2].numpy(), shown, Look(still, still, turn, still + 0.235, still, still), size)
    rgb = pictures / 255
    ground = _ground(rgb)
    return _forms(_share(rgb, ground, _paint(rgb, ground)[0]))[1].view(2, 2, len(_TURNS), -1)
