"""CelebA's aligned photos as small squares: cut out, made smaller, and written as one array."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.lib import format as npy

from imgen.data.arrays import Member, write_npz
from imgen.data.pictures import Report, chunks, cores, in_order, tell
from imgen.data.source import Source, open_source
from imgen.errors import DataError, ImgenError
from imgen.files import replacing
from imgen.images import decode

if TYPE_CHECKING:
    from numpy.typing import NDArray

PHOTO = (178, 218)  # width and height of an aligned photo
SIZES = (32, 64, 128)
_TOP, _LEFT, _SIDE = 45, 25, 128
_AT_LEAST = 1024  # photos that are worth starting processes for


def square(photo: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The middle of an aligned photo, (218, 178, 3), as (size, size, 3); size: one of `SIZES`.

    The 128x128 in the middle, made smaller by bilinear interpolation without antialiasing. By 4 and by 2 that is the
    rounded mean of the four pixels in the middle of each block, so that no library's rounding is asked for.
    Source: the 32x32 faces of Lin et al., "InfoGAN-CR and ModelCentrality" (arXiv 1906.06034).
    """
    middle = photo[_TOP : _TOP + _SIDE, _LEFT : _LEFT + _SIDE]
    step = _SIDE // size
    if step == 1:
        return middle
    first = step // 2 - 1
    wide = middle.astype(np.uint16)
    rows = wide[first::step] + wide[first + 1 :: step]
    return ((rows[:, first::step] + rows[:, first + 1 :: step] + 2) >> 2).astype(np.uint8)


def prepare(
    source: str | Path, out: str | Path, *, size: int = 32, processes: int | None = None, overwrite: bool = False
) -> Report:
    """Writes the squares of all aligned photos of a folder or a zip to `out`, and tells which were left out.

    An .npy file holds (N, size, size, 3) uint8, an .npz file the same as `imgs`: whole, or there is no new file.
    Raises: `DataError` where `out` cannot be written, `size` is none of `SIZES`, or no photo is of use.
    """
    out = Path(out).expanduser()
    if size not in SIZES:
        raise DataError(f"size {size}: the 128x128 that are cut out make squares of 32, 64 or 128")
    if out.suffix.lower() not in (".npy", ".npz"):
        raise DataError(f"{out}: the pictures are written as an array; name a file that ends in .npy or .npz")
    if out.is_dir() or (out.exists() and not overwrite):
        raise DataError(f"{out}: exists already; name another file, or allow overwriting")
    if not out.parent.is_dir():
        raise DataError(f"{out}: there is no folder {out.parent}")
    squares = Squares(open_source(source, "aligned CelebA photos"), size, processes)
    with closing(squares.blocks()) as blocks:
        if out.suffix.lower() == ".npy":
            with replacing(out) as file:
                count = _stream(file, blocks, len(squares.source.names))
        else:
            count = _write_npz(out, blocks, size)
    return Report(images=count, unreadable=squares.unreadable)


def _stream(file: BinaryIO, blocks: Iterable[NDArray[np.uint8]], most: int) -> int:
    """Writes an .npy file of as many pictures as there turn out to be, at most `most`, and gives their number."""
    count, shape = 0, (0,)
    for block in blocks:
        if not count:
            _head(file, (most, *block.shape[1:]))
        file.write(np.ascontiguousarray(block).data)
        count, shape = count + len(block), block.shape[1:]
    # How many there are is known at the end only; numpy leaves room for it in the header.
    file.seek(0)
    _head(file, (count, *shape))
    return count


def _head(file: BinaryIO, shape: tuple[int, ...]) -> None:
    npy.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})


def _write_npz(out: Path, blocks: Iterable[NDArray[np.uint8]], size: int) -> int:
    # In a zip the header of an array cannot be written once more.
    with tempfile.TemporaryFile(dir=out.parent) as spool:
        for block in blocks:
            spool.write(np.ascontiguousarray(block).data)
        bytes_each = size * size * 3
        count = spool.tell() // bytes_each
        spool.seek(0)
        again = (
            np.frombuffer(part, np.uint8).reshape(-1, size, size, 3)
            for part in iter(lambda: spool.read(256 * bytes_each), b"")
        )
        # Photos of faces hardly get smaller.
        write_npz(out, [Member("imgs", (count, size, size, 3), np.uint8, again)], compress=False)
    return count


class Squares:
    """The squares of all aligned photos of a source, in the order of their names; they are read once.

    unreadable: reason by name of the photos left out so far.
    """

    def __init__(self, source: Source, size: int, processes: int | None = None) -> None:
        """processes: that decode; by default as many as there are cores, where there are photos enough."""
        self.source, self.size, self.processes = source, size, processes
        self.unreadable: dict[str, str] = dict(source.refused)

    def blocks(self) -> Generator[NDArray[np.uint8], None, None]:
        """Blocks of (n, size, size, 3). Raises: `DataError` at the end where no photo was of use."""
        names = self.source.names
        count = self.processes or (cores() if len(names) >= _AT_LEAST else 1)
        found = False
        with ExitStack() as stack:
            pool = stack.enter_context(_pool(count)) if count > 1 else None

            def cut(rows: NDArray[np.int64]) -> tuple[NDArray[np.uint8], dict[int, str]]:
                files = [self._read(names[row]) for row in rows]
                return _squares(files, self.size) if pool is None else _elsewhere(pool, files, self.size)

            parts = chunks(len(names))
            # Each thread reads, and waits for a process: one more keeps them all busy.
            for rows, (pixels, reasons) in zip(parts, in_order(cut, parts, count + (count > 1)), strict=True):
                self.unreadable |= {names[rows[place]]: reason for place, reason in reasons.items()}
                tell(None, int(rows[-1]) + 1, len(names))
                if len(pixels):
                    found = True
                    yield pixels
        if not found:
            raise DataError(self._nothing())

    def _read(self, name: str) -> bytes | str:
        try:
            return self.source.read(name)
        except DataError as error:
            return str(error)

    def _nothing(self) -> str:
        wanted = f"expected are aligned photos of {PHOTO[0]}x{PHOTO[1]}, as in img_align_celeba.zip"
        if not self.unreadable:
            return f"{self.source.path}: holds no pictures; {wanted}"
        name, reason = next(iter(self.unreadable.items()))
        return f"{self.source.path}: none of {len(self.unreadable):,} pictures is of use ({name}: {reason}); {wanted}"


def _squares(files: Sequence[bytes | str], size: int) -> tuple[NDArray[np.uint8], dict[int, str]]:
    """The squares of what could be read, and why the others are left out, by their place.

    files: the bytes of each, or why there are none.
    """
    pixels = np.empty((len(files), size, size, 3), np.uint8)
    reasons: dict[int, str] = {}
    for place, data in enumerate(files):
        if isinstance(data, str):
            reasons[place] = data
            continue
        try:
            photo = decode(data)
        except DataError as error:
            reasons[place] = str(error)
            continue
        if photo.size != PHOTO:
            reasons[place] = f"{photo.width}x{photo.height}, not {PHOTO[0]}x{PHOTO[1]}"
            continue
        pixels[place - len(reasons)] = square(np.asarray(photo), size)
    return pixels[: len(files) - len(reasons)], reasons


def _pool(processes: int) -> ProcessPoolExecutor:
    # Not forked: we have threads.
    return ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _begin)


def _elsewhere(
    pool: ProcessPoolExecutor, files: Sequence[bytes | str], size: int
) -> tuple[NDArray[np.uint8], dict[int, str]]:
    # A process that is started now inherits this: an interrupt is for the one that waits for it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        try:
            coming = pool.submit(_squares, files, size)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return coming.result()
    except BrokenProcessPool as error:
        raise ImgenError("a process that decodes photos was killed; start again with --processes 1") from error


def _begin() -> None:
    """In each process: none outlives the one that started it."""
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)
