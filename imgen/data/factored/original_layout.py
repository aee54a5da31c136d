"""The .npz files in which dSprites and its kin are known: pictures of 0 and 1, latents, and a dictionary about them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imgen.data.arrays import Member, Outline, blocks, contents, write_npz
from imgen.data.factored.grid import Drawn, Grid
from imgen.data.pictures import Progress, in_order, tell
from imgen.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.int64]
    Pictures = NDArray[np.uint8]

_TOGETHER = 1024  # pictures of a block


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A file of one picture of every combination of factors, in order.

    latents: the columns of `latents_values`; classes: whether there are `latents_classes` with their places, too.
    told: what `metadata` says.
    """

    title: str
    size: int
    latents: Grid
    classes: bool
    told: Mapping[str, Any]
    compress: bool

    @property
    def outlines(self) -> dict[str, Outline]:
        """What must be in a file, by name."""
        rows, columns = self.latents.rows, len(self.latents.axes)
        found = {
            "imgs": Outline((rows, self.size, self.size), np.dtype(np.uint8)),
            "latents_classes": Outline((rows, columns), np.dtype(np.int64)),
            "latents_values": Outline((rows, columns), np.dtype(np.float64)),
        }
        return found if self.classes else {name: each for name, each in found.items() if name != "latents_classes"}


def write(path: str | Path, layout: Layout, draw: Callable[[Rows], Pictures], *, told: Progress | None = None) -> None:
    """A new file of pictures that `draw` gives, 0 or 255, (n, H, W), by several threads.

    told: called with pictures done and in all; without it, whoever listens.
    """
    grid = layout.latents

    def parts() -> Iterator[Rows]:
        return (np.arange(at, min(at + _TOGETHER, grid.rows)) for at in range(0, grid.rows, _TOGETHER))

    def drawn() -> Iterator[Pictures]:
        for rows, pictures in zip(parts(), in_order(lambda rows: draw(rows) & np.uint8(1), parts()), strict=True):
            yield pictures
            tell(told, int(rows[-1]) + 1, grid.rows)

    given: dict[str, Iterator[NDArray[Any]]] = {
        "imgs": drawn(),
        "latents_classes": (_classes(grid, rows) for rows in parts()),
        "latents_values": (grid.values(rows) for rows in parts()),
    }
    members = [Member(name, each.shape, each.dtype, given[name]) for name, each in layout.outlines.items()]
    write_npz(path, [_metadata(layout.told), *members], compress=layout.compress)


def read(path: str | Path, layout: Layout, *, told: Progress | None = None) -> Drawn:
    """The pictures of a file as a column, 0 or 255, which is kept in memory at a bit a pixel.

    Raises: `DataError` where the file is not of this layout, or damaged.
    """
    path = Path(path).expanduser()
    found = contents(path)
    for name, outline in layout.outlines.items():
        if name not in found:
            there = ", ".join(sorted(found)) or "nothing"
            raise DataError(f"{path}: has no array '{name}', but {there[:200]}; give a file of {layout.title}")
        if found[name] != outline:
            raise DataError(
                f"{path}: '{name}' is {found[name].shape} of {str(found[name].dtype)[:40]}; "
                f"that of {layout.title} is {outline.shape} of {outline.dtype}"
            )
    _check_latents(path, layout)
    bits = np.empty((layout.latents.rows, layout.size * layout.size // 8), np.uint8)
    done = 0
    for packed in in_order(lambda block: _packed(path, block), blocks(path, "imgs", _TOGETHER)):
        bits[done : done + len(packed)] = packed
        done += len(packed)
        tell(told, done, len(bits))

    def unpack(rows: Rows) -> Pictures:
        return np.unpackbits(bits[rows], axis=1).reshape(-1, layout.size, layout.size) * np.uint8(255)

    return Drawn(unpack, (len(bits), 1, layout.size, layout.size))


def _check_latents(path: Path, layout: Layout) -> None:
    wanted: dict[str, Callable[[Rows], NDArray[Any]]] = {"latents_values": layout.latents.values}
    if layout.classes:
        wanted["latents_classes"] = lambda rows: _classes(layout.latents, rows)
    for name, want in wanted.items():
        done = 0
        for block in blocks(path, name, 64 * _TOGETHER):
            expected = want(np.arange(done, done + len(block)))
            wrong = (~np.isclose(block, expected, rtol=0, atol=1e-6)).any(axis=1)
            if wrong.any():
                row = int(wrong.argmax())
                raise DataError(
                    f"{path}: row {done + row} of '{name}' is {_numbers(block[row])}, not {_numbers(expected[row])}; "
                    "rows must go through all combinations in order, the last factor fastest"
                )
            done += len(block)


def _numbers(row: NDArray[Any]) -> str:
    return "(" + ", ".join(f"{value:g}" for value in row) + ")"


def _packed(path: Path, block: Pictures) -> Pictures:
    if (highest := int(block.max(initial=0))) > 1:
        raise DataError(f"{path}: a picture in 'imgs' has the value {highest}; all must be 0 or 1")
    return np.packbits(block.reshape(len(block), -1), axis=1)


def _classes(grid: Grid, rows: Rows) -> Rows:
    return np.stack(np.unravel_index(rows, grid.sizes), axis=1).astype(np.int64)


def _metadata(told: Mapping[str, Any]) -> Member:
    """A dictionary as a numpy array without dimensions, for the many programs that ask `metadata[()]` of such a file.

    That takes a pickle. To write one harms nobody, and imgen never reads one; what reads it need not trust this one
    more than any other. It is spelt out here: numpy would name its own insides, which older versions do not have.
    """
    return Member("metadata", (), object, [b"\x80\x02cnumpy\narray\n" + _pickled(dict(told)) + b"\x85R."])


def _pickled(value: Any) -> bytes:
    """A value in the words of a pickle: without a beginning and an end."""
    if isinstance(value, np.ndarray):
        return b"cnumpy\narray\n" + _pickled(value.tolist()) + b"\x85R"
    if isinstance(value, dict):
        return b"}(" + b"".join(_pickled(key) + _pickled(each) for key, each in value.items()) + b"u"
    if isinstance(value, list):
        return b"](" + b"".join(map(_pickled, value)) + b"e"
    if isinstance(value, tuple):
        return b"(" + b"".join(map(_pickled, value)) + b"t"
    if isinstance(value, str):
        text = value.encode()
        return b"X" + struct.pack("<I", len(text)) + text
    return b"J" + struct.pack("<i", value) if isinstance(value, int) else b"G" + struct.pack(">d", value)
