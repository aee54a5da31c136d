"""What is seen when codes move: the pictures of every base, row and value, as sheets and animations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from PIL import Image

from imgen import images, sampling
from imgen.encoding import encode
from imgen.model import Encoder, Generator
from imgen.traversing import rows as moving
from imgen.traversing.rows import Row
from imgen.traversing.sheets import GAP, Block, enlarged, numbers, page, short, titled

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

_PICTURE, _AGAIN = "picture", "made again"


@dataclass(frozen=True)
class Given:
    """Pictures that latents are read from, (N, C, H, W), and what is read: codes (N, names). files: where they lie."""

    files: Sequence[str]
    pictures: NDArray[np.uint8]
    names: Sequence[str]
    codes: NDArray[np.float32]


@dataclass(frozen=True)
class Start:
    """Where traversals begin. z: latents, (bases, size); labels: names of the bases, where there are several."""

    z: Tensor
    labels: Sequence[str]
    given: Given | None = None


@dataclass(frozen=True)
class View:
    """Pictures (bases, rows, values, C, H, W) of rows at their values, and what they started from.

    again: what the model makes of the latents themselves, where those were read from pictures.
    """

    start: Start
    rows: Sequence[Row]
    values: Sequence[Sequence[float]]
    shown: NDArray[np.uint8]
    again: NDArray[np.uint8] | None
    change: NDArray[np.float32]


def drawn(model: Generator, count: int, seed: int) -> Start:
    """Bases that follow from the seed."""
    labels = [f"base {place}" for place in range(count)] if count > 1 else [""]
    return Start(moving.bases(model, count, seed), labels)


def readable(codes: Sequence[str], model: Generator) -> list[str]:
    """The codes that are read from pictures and generated, too."""
    return [code for code in codes if model.codes.get(code) == 1]


def read(model: Generator, pictures: NDArray[np.uint8], files: Sequence[str], seed: int) -> Start:
    """Bases whose codes are read from pictures (N, C, H, W); others are drawn, once for all."""
    encoder = cast("Encoder", model)
    given = Given(files, pictures, list(encoder.encodes), encode(encoder, pictures))
    z = moving.bases(model, 1, seed).repeat(len(pictures), 1)
    places = {row.code: row.at[0] for row in moving.every(model.codes)}
    for code in readable(given.names, model):
        z[:, places[code]] = torch.from_numpy(given.codes[:, given.names.index(code)])
    return Start(z, [PurePath(file).name for file in files], given)


def view(model: Generator, start: Start, rows: Sequence[Row], values: Sequence[Sequence[float]]) -> View:
    """Every base with each row moved through its values."""
    z = moving.moved(start.z, rows, values)
    shown = sampling.pictures(model, z.flatten(0, 2)).unflatten(0, z.shape[:3])
    again = sampling.pictures(model, start.z).numpy() if start.given else None
    return View(start, rows, values, shown.numpy(), again, moving.change(shown).numpy())


def by_base(seen: View, scale: int, plain: bool) -> Image.Image:
    """A block for each base, in which a row is a code and a column a value; first what was read and made again."""
    shared = all(list(values) == list(seen.values[0]) for values in seen.values)
    top = numbers(seen.values[0]) if shared else [""] * len(seen.values[0])
    ends = [f"{through[0]} to {through[-1]}" for through in map(numbers, seen.values)]
    blocks = []
    for base, label in enumerate(seen.start.labels):
        cells = seen.shown[base]
        before: list[str] = []
        if seen.start.given and seen.again is not None:
            first = np.full((len(cells), 2, *cells.shape[2:]), 255, np.uint8)
            first[0] = seen.start.given.pictures[base], seen.again[base]
            cells, before = np.concatenate([first, cells], axis=1), [_PICTURE, _AGAIN]
        left = [
            (row.name, _told(row, seen.start.given, base) + f"change {change:.1f}" + ("" if shared else f", {end}"))
            for row, change, end in zip(seen.rows, seen.change[base], ends, strict=True)
        ]
        blocks.append(Block(enlarged(cells, scale), left, [*before, *top], label))
    return page(blocks, plain=plain)


def _told(row: Row, given: Given | None, base: int) -> str:
    """What was read of a code, where it was."""
    read = given is not None and row.code in given.names
    return f"read {given.codes[base, given.names.index(row.code)]:.2f}, " if given and read else ""


def by_code(seen: View, scale: int, plain: bool) -> Iterator[Image.Image]:
    """A sheet for each row, in which a row is a value and a column a base."""
    for place, (row, values) in enumerate(zip(seen.rows, seen.values, strict=True)):
        cells, before = seen.shown[:, place].swapaxes(0, 1), []
        if seen.start.given and seen.again is not None:
            cells = np.concatenate([[seen.start.given.pictures, seen.again], cells])
            before = [(_PICTURE, ""), (_AGAIN, "")]
        left = [*before, *((value, "") for value in numbers(values))]
        yield page([Block(enlarged(cells, scale), left, seen.start.labels, row.name)], plain=plain)


def animated(seen: View, scale: int, plain: bool) -> Iterator[list[Image.Image]]:
    """Frames for each row, to and fro, all bases side by side; pictures that were read stand over them."""
    for place, (row, values) in enumerate(zip(seen.rows, seen.values, strict=True)):
        order = [*range(len(values)), *range(len(values) - 2, 0, -1)]
        frames, above = [], [seen.start.given.pictures] if seen.start.given else []
        for value in order:
            cells = np.stack([*above, seen.shown[:, place, value]])
            frames.append(images.sheet(enlarged(cells, scale), GAP))
        told = numbers(values)
        yield frames if plain else titled(frames, [f"{short(row.name)} {told[value]}" for value in order])


def cells(seen: View) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Every picture by itself, (C, H, W), with a name that tells its base, row and value by number."""
    for base, of_base in enumerate(seen.shown):
        if seen.start.given and seen.again is not None:
            yield f"base{base:03d}_picture", seen.start.given.pictures[base]
            yield f"base{base:03d}_made-again", seen.again[base]
        for row, of_row in enumerate(of_base):
            yield from ((f"base{base:03d}_row{row:03d}_value{value:03d}", each) for value, each in enumerate(of_row))
