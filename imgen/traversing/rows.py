"""Which coordinates of a latent move, and through which values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from imgen import names, sampling
from imgen.errors import DataError
from imgen.model import Generator

_DRAWS = 4096  # that tell the span of a code
_INSIDE = (0.025, 0.975)  # of them
_MOST_TOLD = 12
_CHOICE = re.compile(r"(?:(?P<name>[^\[\]]*)\[)?(?P<first>\d{1,9})?(?P<to>:(?P<last>\d{1,9})?)?(?P<end>\])?", re.ASCII)


@dataclass(frozen=True)
class Row:
    """Coordinates that move together. code: whose they are; at: their places in the whole latent, counted from 0."""

    name: str
    code: str
    at: tuple[int, ...]


def every(codes: Mapping[str, int]) -> list[Row]:
    """A row for each code, in which all its coordinates move together along the diagonal."""
    return [Row(code, code, tuple(places)) for code, places in _places(codes).items()]


def chosen(words: Iterable[str], codes: Mapping[str, int]) -> list[Row]:
    """The rows that words mean, each once: `code1`, `observation[3]`, `observation[0:4]`, or `2` of the whole latent.

    A code by its name is one row; coordinates that are chosen are a row each.
    Raises: `DataError` for what is not there, with what there is.
    """
    rows: dict[Row, None] = {}
    for word in (part.strip() for text in words for part in text.split(",")):
        try:
            rows.update(dict.fromkeys(_meant(word, codes)))
        except DataError as error:
            raise DataError(f"--codes: {error} (it has {told(codes)})") from None
    return list(rows)


def told(codes: Mapping[str, int]) -> str:
    """The codes with the places of their coordinates in the whole latent: `code1 = 0, noise[0:5] = 1 to 5`."""
    shown = [
        f"{code} = {places[0]}" if len(places) == 1 else f"{code}[0:{len(places)}] = {places[0]} to {places[-1]}"
        for code, places in _places(codes).items()
    ]
    more = len(shown) - _MOST_TOLD
    return ", ".join([*shown[:_MOST_TOLD], f"{more} more"] if more > 1 else shown)


def span(model: Generator, code: str) -> tuple[float, float]:
    """Between which values a code is shown: what its model says, or else where 95 of 100 draws from its prior lie."""
    given = getattr(model, "spans", {}).get(code)
    if given is not None:
        low, high = (float(end) for end in given)
        return low, high
    draws = model.draw(code, _DRAWS, torch.Generator().manual_seed(0)).double().numpy()
    low, high = (float(end) for end in np.quantile(draws, _INSIDE))
    # Kinds, of which only one coordinate in many is not zero.
    return (low, high) if low < high else (float(draws.min()), float(draws.max()))


def between(low: float, high: float, steps: int) -> list[float]:
    """Values evenly apart, ends included."""
    return [float(value) for value in np.linspace(low, high, steps)]


def bases(model: Generator, count: int, seed: int) -> Tensor:
    """Latents to start from, (count, size): the first is the same however many there are."""
    return torch.cat([sampling.draw(model, code, range(count), seed) for code in model.codes], dim=1)


def moved(bases: Tensor, rows: Sequence[Row], values: Sequence[Sequence[float]]) -> Tensor:
    """Each base with the coordinates of one row at one value, (bases, rows, values, size).

    values: of each row, as many in all of them.
    """
    z = bases[:, None, None].repeat(1, len(rows), len(values[0]), 1)
    for place, (row, through) in enumerate(zip(rows, values, strict=True)):
        z[:, place, :, list(row.at)] = torch.tensor(through, dtype=z.dtype)[None, :, None]
    return z


def change(pictures: Tensor) -> Tensor:
    """How far two pictures of a row are apart, averaged over pixels and all pairs of its values [levels of 255].

    Shapes: uint8 (bases, rows, values, C, H, W) to (bases, rows).
    """
    steps = pictures.shape[2]
    if steps < 2:
        return torch.zeros(pictures.shape[:2])
    # In order of size, value i is the larger one in i pairs and the smaller one in all others.
    weights = torch.arange(steps, dtype=torch.float32) * 2 - (steps - 1)
    told = [(row.flatten(1).float().sort(dim=0).values.mT @ weights).mean() for base in pictures for row in base]
    return torch.stack(told).view(pictures.shape[:2]) / (steps * (steps - 1) / 2)


def _meant(word: str, codes: Mapping[str, int]) -> list[Row]:
    places = _places(codes)
    if word in codes or not (word.isdecimal() or set(word) & set("[]:")):
        code = _named(word, codes)
        return [Row(code, code, tuple(places[code]))]
    found = _CHOICE.fullmatch(word)
    if not found or (found["name"] is None) != (found["end"] is None) or not (found["first"] or found["to"]):
        raise DataError(f"'{word}' is no choice of coordinates; write noise[3], noise[0:4], or their numbers alone")
    whose = None if found["name"] is None else _named(found["name"].strip(), codes)
    among = [place for each in places.values() for place in each] if whose is None else list(places[whose])
    first = int(found["first"] or 0)
    last = int(found["last"] or len(among)) if found["to"] else first + 1
    if not first < last <= len(among):
        owner = "the latent" if whose is None else f"'{whose}'"
        raise DataError(f"'{word}' is none of the coordinates 0 to {len(among) - 1} of {owner}")
    return [_single(place, places) for place in among[first:last]]


def _named(text: str, codes: Mapping[str, int]) -> str:
    return text if text in codes else names.find(text, codes, "code", listed=False)


def _single(place: int, places: Mapping[str, range]) -> Row:
    code = next(code for code, its in places.items() if place in its)
    name = code if len(places[code]) == 1 else f"{code}[{place - places[code].start}]"
    return Row(name, code, (place,))


def _places(codes: Mapping[str, int]) -> dict[str, range]:
    """Where the coordinates of each code lie in the whole latent."""
    found, start = {}, 0
    for code, size in codes.items():
        found[code], start = range(start, start + size), start + size
    return found
