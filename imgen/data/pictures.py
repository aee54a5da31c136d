"""Picture files as a column: decoded when fetched, or once and for all; unreadable ones are known beforehand."""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import PIL

from imgen.data.source import Source
from imgen.errors import DataError
from imgen.files import replacing
from imgen.images import decode, fit, load, to_array

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image
    from torch import Tensor

Progress = Callable[[int, int], None]
Item = TypeVar("Item")
Result = TypeVar("Result")

# Whoever shows progress sets this: (pictures done, of how many), from the thread that waits.
progress: ContextVar[Progress | None] = ContextVar("progress", default=None)
# A survey keeps what it decodes up to this size [bytes].
KEEP = 2 * 2**30
_CHUNK = 64


@dataclass(frozen=True, kw_only=True)
class Report:
    """What became of the pictures of a data set.

    images, identities: used; too_few: identity and number of pictures, of those left out for having fewer than needed;
    unreadable: reason by name; unlabelled: pictures without an identity; notes: further messages.
    """

    images: int
    identities: int | None = None
    too_few: dict[str, int] = field(default_factory=dict)
    needed: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)
    unlabelled: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """One message for each thing that the user may want to know."""
        used = f"{self.images:,} images" + (
            f" of {self.identities:,} identities" if self.identities is not None else ""
        )
        told = [used, *self.notes]
        if self.too_few:
            told.append(
                f"{len(self.too_few):,} identities with {sum(self.too_few.values()):,} images left out: "
                f"fewer than {self.needed} each"
            )
        if self.unlabelled:
            told.append(f"{len(self.unlabelled):,} images without an identity left out, such as {self.unlabelled[0]}")
        told.extend(f"{name}: skipped: {reason}" for name, reason in list(self.unreadable.items())[:20])
        if len(self.unreadable) > 20:
            told.append(f"{len(self.unreadable) - 20:,} more unreadable images skipped")
        return told


class Change(Protocol):
    """What happens to a picture between decoding and cutting, such as taking its left half.

    Its `repr` tells it from every other, as that of a frozen dataclass does: the memory of a survey goes by it.
    """

    def __call__(self, image: Image) -> Image:
        """Another picture, from one at its own size. Raises: `DataError` where this picture cannot be used."""


class Pictures:
    """A column of picture files, (N, channels, size, size) uint8.

    `survey` comes first: it leaves readable pictures only, so that which rows a batch uses never depends on what
    is found while training. A picture that breaks after that is an error with its name.
    """

    def __init__(
        self,
        source: Source,
        names: Sequence[str],
        *,
        size: int,
        crop: str | int = "center",
        channels: int = 3,
        change: Change | None = None,
    ) -> None:
        """change: what happens to a decoded picture before it is cut."""
        self.source, self.names = source, list(names)
        self.size, self.crop, self.channels, self.change = size, crop, channels, change
        self._kept: NDArray[np.uint8] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.names), self.channels, self.size, self.size

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def dtype(self) -> Any:
        import torch

        return torch.uint8

    def survey(self, workers: int | None = None) -> dict[str, str]:
        """Drops the unreadable pictures and gives the reason by name. What was seen before is not read again.

        Raises: `DataError` where none is left.
        """
        memory = _memory_of(self)
        unreadable = _recall(memory)
        if unreadable is None:
            unreadable, lasting = self._decode_and_keep(workers)
            if lasting:
                _remember(memory, unreadable)
        good = np.array([row for row, name in enumerate(self.names) if name not in unreadable], np.int64)
        if not len(good):
            name, reason = next(iter(unreadable.items()), ("", "no pictures"))
            raise DataError(f"{self.source.path}: none of {len(self.names)} pictures can be read; {name}: {reason}")
        if unreadable:
            chosen = self.select(good)
            self.names, self._kept = chosen.names, chosen._kept
        return unreadable

    def select(self, rows: NDArray[np.int64]) -> Pictures:
        """A column of these rows, in this order."""
        names = [self.names[row] for row in rows]
        chosen = Pictures(
            self.source, names, size=self.size, crop=self.crop, channels=self.channels, change=self.change
        )
        chosen._kept = None if self._kept is None else self._kept[rows]
        return chosen

    def fetch(self, rows: NDArray[np.int64]) -> Tensor:
        """The given rows, (len(rows), C, H, W). Raises: `DataError` where a file has changed since the survey."""
        import torch

        if self._kept is not None:
            return torch.from_numpy(self._kept[rows])
        return torch.from_numpy(self._decode(rows))

    def decode_all(self, workers: int | None = None, told: Progress | None = None) -> Tensor:
        """Every row as one tensor; of a survey that kept its pixels, those, without a copy.

        told: called with pictures done and in all; without it, whatever `progress` holds.
        """
        import torch

        if self._kept is None:
            every = np.empty(self.shape, np.uint8)
            parts = chunks(len(self.names))
            for rows, pixels in zip(parts, in_order(self._decode, parts, workers), strict=True):
                every[rows] = pixels
                tell(told, int(rows[-1]) + 1, len(self.names))
            self._kept = every
        return torch.from_numpy(self._kept)

    def _decode(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        pixels = np.empty((len(rows), *self.shape[1:]), np.uint8)
        for place, row in enumerate(rows):
            try:
                data = self.source.read(self.names[row])
                pixels[place] = self._load(data)
            except DataError as error:
                raise DataError(f"{self.source.path}: {self.names[row]}: {error}") from error
        return pixels

    def _load(self, data: bytes) -> NDArray[np.uint8]:
        if self.change is None:
            return load(data, (self.size, self.size), crop=self.crop, channels=self.channels)
        # At its own size: what a change looks at may be a pixel wide.
        image = self.change(decode(data, channels=self.channels))
        return to_array(fit(image, (self.size, self.size), crop=self.crop, channels=self.channels))

    def _decode_and_keep(self, workers: int | None) -> tuple[dict[str, str], bool]:
        """The unreadable ones, and whether that will last: what the disk refuses today, it may give tomorrow."""
        kept = np.empty(self.shape, np.uint8) if np.prod(self.shape, dtype=np.int64) <= KEEP else None

        def look(rows: NDArray[np.int64]) -> tuple[dict[str, str], dict[str, str]]:
            refused, damaged = {}, {}
            for row in rows:
                name = self.names[row]
                try:
                    data = self.source.read(name)
                except DataError as error:
                    refused[name] = str(error)
                    continue
                try:
                    pixels = self._load(data)
                except DataError as error:
                    damaged[name] = str(error)
                    continue
                if kept is not None:
                    kept[row] = pixels
            return refused, damaged

        unreadable: dict[str, str] = {}
        lasting = True
        parts = chunks(len(self.names))
        for rows, (refused, damaged) in zip(parts, in_order(look, parts, workers), strict=True):
            unreadable |= refused | damaged
            lasting = lasting and not refused
            tell(None, int(rows[-1]) + 1, len(self.names))
        self._kept = kept
        return unreadable, lasting


def in_order(do: Callable[[Item], Result], items: Iterable[Item], workers: int | None = None) -> Iterator[Result]:
    """`map` by threads, with few results waiting; what is not begun when the caller stops is never done."""
    workers = workers or cores()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="pictures")
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(do, item))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def cores() -> int:
    """Processors that we may use."""
    # Fewer than the machine has where we are confined to some, as in a container.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def chunks(count: int) -> list[NDArray[np.int64]]:
    """All rows in order, in parts that are worth a thread's while."""
    return [np.arange(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK)]


def tell(told: Progress | None, done: int, total: int) -> None:
    """Reports progress to `told`, or to whoever listens."""
    if told := told or progress.get():
        told(done, total)


def _memory_of(pictures: Pictures) -> Path:
    """The file that remembers a survey: another one as soon as a file, the crop, the change or the decoder does."""
    source = pictures.source
    settings = [1, PIL.__version__, str(source.path.resolve()), pictures.size, pictures.crop, pictures.channels]
    settings += [repr(pictures.change)] if pictures.change else []
    key = hashlib.sha256(json.dumps(settings).encode())
    for name in pictures.names:
        key.update(f"{name}\0{source.stamp(name)}\n".encode("utf-8", "surrogateescape"))
    folder = os.environ.get("IMGEN_CACHE") or "~/.cache/imgen"
    return Path(folder).expanduser() / "surveys" / f"{key.hexdigest()[:32]}.json"


def _recall(memory: Path) -> dict[str, str] | None:
    try:
        told = json.loads(memory.read_text("utf-8"))["unreadable"]
        return {str(name): str(reason) for name, reason in told.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _remember(memory: Path, unreadable: dict[str, str]) -> None:
    # A survey can always be made again: a full or read-only disk must not stop the training.
    try:
        with replacing(memory) as file:
            file.write(json.dumps({"unreadable": unreadable}).encode())
    except OSError:
        pass
