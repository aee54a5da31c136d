"""Latents that depend on the seed alone, and the sheets that hold a part of them fixed."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor

from imgen.errors import WeightsError
from imgen.images import from_float
from imgen.model import Generator

_CHUNK = {"cpu": 16}  # latents in a forward pass
_MORE = 128  # on any other device


def draw(model: Generator, code: str, places: Sequence[int], seed: int) -> Tensor:
    """Draws of a code by place, (len(places), size): place 3 of seed 0 is the same whatever else is drawn."""
    name = zlib.crc32(code.encode())
    rows = []
    for place in places:
        words = np.random.SeedSequence([seed, name, place]).generate_state(2)
        generator = torch.Generator().manual_seed(int(words[0]) << 31 | int(words[1]) >> 1)
        rows.append(model.draw(code, 1, generator))
    return torch.cat(rows)


def pictures(model: Generator, z: Tensor) -> Tensor:
    """Latents (N, size) to pictures (N, C, H, W), uint8 on the CPU.

    Every forward pass has the same number of latents, the last one filled up, so that a picture does not change
    with the number of others: kernels round differently for different batches.
    """
    device = next(cast("torch.nn.Module", model).parameters()).device
    size = _CHUNK.get(device.type, _MORE)
    made = []
    with torch.no_grad():
        for chunk in z.split(size):
            filled = torch.cat([chunk, chunk[-1:].expand(size - len(chunk), -1)])
            made.append(from_float(model(filled.to(device))[: len(chunk)]).cpu())
    return torch.cat(made)


def controlled(model: Generator, rows: int, columns: int, fixed: Sequence[str], seed: int) -> Tensor:
    """A sheet of latents, (rows, columns, size).

    fixed: with "identity" a row has one identity, with "observation" a column has one observation; any other code,
    and one that is not fixed, is new in every cell.
    """
    cells = [(row, column) for row in range(rows) for column in range(columns)]
    places = {
        "identity": [row for row, _ in cells],
        "observation": [column for _, column in cells],
    }
    every = list(range(len(cells)))
    codes = [draw(model, code, places[code] if code in fixed else every, seed) for code in model.codes]
    return torch.cat(codes, dim=1).view(rows, columns, -1)


def interpolated(model: Generator, rows: int, columns: int, seed: int) -> Tensor:
    """Between two latents, (rows, columns, size): identity moves down, observation moves across.

    Source: SD-GAN's published demonstration, weights 0, 1/3, 2/3, 1 on both axes of a 4 x 4 sheet.
    """
    down, across = torch.linspace(0, 1, rows), torch.linspace(0, 1, columns)
    identity, observation = draw(model, "identity", [0, 1], seed), draw(model, "observation", [0, 1], seed)
    identities = torch.lerp(identity[:1], identity[1:], down[:, None])
    observations = torch.lerp(observation[:1], observation[1:], across[:, None])
    parts = {
        "identity": identities[:, None].expand(rows, columns, -1),
        "observation": observations[None].expand(rows, columns, -1),
    }
    return torch.cat([parts[code] for code in model.codes], dim=2)


def walk(model: Generator, identities: int, stops: int, frames: int, seed: int) -> Tensor:
    """A round trip through observations, (frames, identities, size): every identity stays, all share the observation.

    stops: observations that the walk passes; frames: in all.
    """
    keys = draw(model, "observation", range(stops), seed)
    at = torch.arange(frames) * stops / frames
    before = at.floor().long() % stops
    # Eased, so that the walk dwells a little at each stop.
    share = (1 - torch.cos(torch.pi * (at - at.floor()))) / 2
    observation = torch.lerp(keys[before], keys[(before + 1) % stops], share[:, None])
    identity = draw(model, "identity", range(identities), seed)
    parts = {
        "identity": identity[None].expand(frames, -1, -1),
        "observation": observation[:, None].expand(-1, identities, -1),
    }
    return torch.cat([parts[code] for code in model.codes], dim=2)


def need(codes: Sequence[str], asked: Sequence[str], where: str) -> None:
    """Raises: `WeightsError` where a model lacks a code that is asked for, saying which it has."""
    if not codes:
        raise WeightsError(f"{where}: this model makes no pictures from latents, so it cannot be sampled")
    missing = [code for code in asked if code not in codes]
    if missing:
        has = ", ".join(f"'{code}'" for code in codes)
        raise WeightsError(
            f"{where}: this model has no code '{missing[0]}' that could be held fixed, only {has}; use -n N"
        )
