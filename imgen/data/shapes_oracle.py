"""Reads from a picture of `imgen.data.shapes` what was drawn: analysis by comparison with drawings, nothing learned.

It is meant for generated pictures, too, so every step bears blur, noise and colours that are a little off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from imgen.data.shapes import GROUNDS, MARK, PATTERNS, SHAPES, Factors, figure

OBSERVATIONS = ("x", "y", "rotation", "size", "background")
_GRID = 20
_EXTENT = 1.7
_EDGE = 0.25
_TURNS = torch.arange(-33, 34, 3).deg2rad()
"""Short of 36 degrees either way, beyond which a star looks like one turned back."""
_TEMPERATURE = 0.01
_CHUNK = 512


@dataclass(frozen=True)
class Reading:
    """What the oracle sees in N pictures; units as in `imgen.data.shapes.Factors`.

    Shapes: hue, x, y, rotation, size, background: (N,), where rotation is NaN for what has none (a disc that is plain
    or has a core); shape: (N, len(SHAPES)) and pattern: (N, len(PATTERNS)), probabilities.
    """

    hue: Tensor
    shape: Tensor
    pattern: Tensor
    x: Tensor
    y: Tensor
    rotation: Tensor
    size: Tensor
    background: Tensor

    def identity(self) -> Tensor:
        """The identity factors as points, (N, F): nothing of the observation, and near means alike.

        Hue is a point on the unit circle; shape and pattern are the roots of their probabilities, so that each is a
        point on the unit sphere as well, and all three weigh alike.
        """
        hue = torch.stack([self.hue.cos(), self.hue.sin()], dim=1)
        return torch.cat([hue, self.shape.sqrt(), self.pattern.sqrt()], dim=1)

    def observation(self) -> Tensor:
        """The observation factors in the order of `OBSERVATIONS`: (N, 5), NaN where there is no rotation."""
        return torch.stack([getattr(self, name) for name in OBSERVATIONS], dim=1)


def identity_distance(a: Tensor, b: Tensor) -> Tensor:
    """How unlike the identities of two pictures are: (N, F) and (N, F) of `Reading.identity` -> (N,), 0 when equal."""
    return (a - b).norm(dim=1)


def read(pictures: Tensor) -> Reading:
    """Reads pictures (N, 3, H, W), uint8 or floats in [-1, 1]."""
    parts = [_read(chunk) for chunk in pictures.detach().cpu().split(_CHUNK)]
    return Reading(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(Reading)))


def _read(pictures: Tensor) -> Reading:
    rgb = pictures / 255 if pictures.dtype == torch.uint8 else (pictures.float() + 1) / 2
    paper = _border(rgb)
    paint, hue = _paint(rgb, paper)
    cover, mark = _unmix(rgb, paper, paint)
    x, y, size = _place(cover)
    shape, pattern, rotation = _compare(_centred(torch.stack([cover, mark], dim=1), x, y, size))
    night, stone = torch.tensor(GROUNDS)
    background = (paper - night) @ (stone - night) / (stone - night).square().sum()
    return Reading(hue, shape, pattern, x, y, rotation, size, background)


def _border(rgb: Tensor) -> Tensor:
    """The background's colour (N, 3): the median of the border, which a figure never fills by half."""
    wide = max(1, rgb.shape[-1] // 16)
    sides = [rgb[..., :wide, :], rgb[..., -wide:, :], rgb[..., :wide].mT, rgb[..., -wide:].mT]
    return torch.cat(sides, dim=2).flatten(2).median(dim=2).values


def _paint(rgb: Tensor, paper: Tensor) -> tuple[Tensor, Tensor]:
    """The figure's colour (N, 3) and its hue (N,): the mean of the pixels most vivid in the figure's main direction."""
    pixels = rgb.flatten(2)
    vivid = pixels - pixels.mean(dim=1, keepdim=True)
    away = vivid - (paper - paper.mean(dim=1, keepdim=True))[:, :, None]
    # Lengths as weights keep the many grey pixels of a noisy background from having a say.
    main = (away * away.norm(dim=1, keepdim=True)).sum(dim=2, keepdim=True)
    best = (away * main).sum(dim=1).topk(max(1, pixels.shape[2] // 50), dim=1).indices
    paint = pixels.gather(2, best[:, None, :].expand(-1, 3, -1)).mean(dim=2)
    angles = torch.tensor([0.0, 1.0, 2.0]) * (2 * math.pi / 3)
    return paint, torch.atan2(paint @ angles.sin(), paint @ angles.cos()) % (2 * math.pi)


def _unmix(rgb: Tensor, paper: Tensor, paint: Tensor) -> tuple[Tensor, Tensor]:
    """The shares of figure (paint or mark) and of mark in every pixel, each (N, H, W) in [0, 1], by least squares."""
    basis = torch.stack([paint - paper, torch.tensor(MARK) - paper], dim=2)
    ridge = 1e-3 * torch.eye(2)
    solve = torch.linalg.solve(basis.mT @ basis + ridge, basis.mT)
    painted, marked = (solve @ (rgb.flatten(2) - paper[:, :, None])).view(-1, 2, *rgb.shape[2:]).unbind(1)
    # Small shares are noise and nearly whole ones are whole; the middle, where the outline lies, stays in place.
    cover = ((painted + marked - 0.15) / 0.7).clamp(0, 1)
    return cover, marked.clamp(0, 1) * cover


def _place(cover: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Middle (x, y) and size of the figure, each (N,) in picture widths."""
    high, wide = cover.shape[1:]
    area = cover.sum(dim=(1, 2)).clamp_min(1e-3)
    x = (cover.sum(dim=1) @ ((torch.arange(wide) + 0.5) / wide - 0.5)) / area
    y = (cover.sum(dim=2) @ ((torch.arange(high) + 0.5) / high - 0.5)) / area
    return x, y, (area / (math.pi * high * wide)).sqrt()


def _centred(maps: Tensor, x: Tensor, y: Tensor, size: Tensor) -> Tensor:
    """The figure alone, at a common place and size: (N, 2, H, W) -> (N, 2 * _GRID**2)."""
    axis = torch.linspace(-_EXTENT, _EXTENT, _GRID)
    places = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=2)
    grid = 2 * (torch.stack([x, y], dim=1)[:, None, None, :] + places * size[:, None, None, None])
    return grid_sample(maps, grid, align_corners=False).flatten(1)


@cache
def _templates() -> Tensor:
    """Every figure at every turn: (shapes * patterns, turns, 2 * _GRID**2)."""
    shape, pattern, turn = torch.cartesian_prod(
        torch.arange(float(len(SHAPES))), torch.arange(float(len(PATTERNS))), _TURNS
    ).unbind(1)
    none = torch.zeros_like(turn)
    every = Factors(shape.long(), none, pattern.long(), none, none, turn, none + 1, none)
    axis = torch.linspace(-_EXTENT, _EXTENT, _GRID)
    cover, mark = figure(every, axis[None, None, :], axis[None, :, None], _EDGE)
    drawn = torch.stack([cover, mark * cover], dim=1)
    return drawn.view(len(SHAPES) * len(PATTERNS), len(_TURNS), -1)


def _compare(seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Probabilities of the shapes and of the patterns, and the rotation of the likeliest figure."""
    templates = _templates()
    error = torch.cdist(seen, templates.flatten(0, 1)).square().view(len(seen), *templates.shape[:2]) / seen.shape[1]
    best = error.min(dim=2)
    chance = (-best.values / _TEMPERATURE).softmax(dim=1).view(-1, len(SHAPES), len(PATTERNS))
    kind = best.values.argmin(dim=1)
    turned = error[torch.arange(len(seen)), kind]
    rotation = _lowest(turned)
    # What looks alike at every turn has none.
    still = torch.tensor([(templates[i] - templates[i, :1]).abs().max() < 0.05 for i in range(len(templates))])
    rotation = rotation.masked_fill(still[kind], math.nan)
    return chance.sum(dim=2), chance.sum(dim=1), rotation


def _lowest(error: Tensor) -> Tensor:
    """The turn at which the error is lowest, (N, turns) -> (N,): the vertex of a parabola through the three lowest."""
    at = error.argmin(dim=1).clamp(1, error.shape[1] - 2)
    rows = torch.arange(len(error))
    before, here, after = error[rows, at - 1], error[rows, at], error[rows, at + 1]
    step = (before - after) / (2 * (before + after - 2 * here)).clamp_min(1e-9)
    return _TURNS[at] + step.clamp(-1, 1) * (_TURNS[1] - _TURNS[0])
