"""Many pictures through a model: decoded ahead in threads, translated in batches, written in threads meanwhile."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from imgen import images
from imgen.data.pictures import tell
from imgen.errors import DataError
from imgen.model import Way
from imgen.translating.outputs import JPEG, Job
from imgen.translating.passes import Passes
from imgen.translating.tiles import cut, reflected
from imgen.translating.ways import Route

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HELD = 512 * 2**20  # bytes of decoded pictures that may wait


@dataclass
class Loaded:
    """A picture on its way: what the model is given, and what the result should keep.

    size: (width, height) of the result; alpha: its transparency, of that size; row: of the sheet, None for none.
    """

    job: Job
    pixels: NDArray[np.uint8]
    size: tuple[int, int]
    alpha: Image.Image | None
    animated: bool
    row: int | None = None

    @property
    def bytes(self) -> int:
        """Memory that it takes."""
        return self.pixels.nbytes + (self.alpha.width * self.alpha.height if self.alpha else 0)


@dataclass
class Outcome:
    """What became of the pictures. written: in the order of the jobs; skipped: reason by picture.

    rows: of the sheet, each the picture and its stages, (stages, C, H, W) at the size of training.
    """

    written: list[Path] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    rows: list[NDArray[np.uint8]] = field(default_factory=list)


class Engine:
    """Translates jobs with a model, along a route."""

    def __init__(
        self,
        passes: Passes,
        image: tuple[int, int, int],
        route: Route,
        *,
        multiple: int = 1,
        fit: str = "resize",
        rows: int = 0,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        """image: (channels, height, width) of training; rows: pictures on the sheet.

        fit: resize the whole picture and its result back; crop its middle; native, at its own size; or tile.
        say: is told what people should know.
        """
        self.passes, self.image, self.route = passes, image, route
        self.multiple, self.fit, self.rows, self.say = multiple, fit, rows, say
        self._workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._held, self._lock = 0, threading.Lock()

    def run(self, jobs: Sequence[Job]) -> Outcome:
        """Translate them all. One that cannot be is told and skipped, and the others are written."""
        outcome = Outcome()
        written: set[Path] = set()
        rows: dict[int, NDArray[np.uint8]] = {}
        waiting: deque[Future[list[Path]]] = deque()
        apart = self._apart(len(jobs))
        done = 0
        with self.passes.pool(self._workers, alone=apart) as pool:
            for batch in self._batches(jobs, outcome):
                if apart:
                    waiting.append(pool.submit(self._finish_all, batch, outcome, rows))
                else:
                    for loaded, stages in self._translated(batch, outcome):
                        waiting.append(pool.submit(self._finish, loaded, stages, rows))
                while len(waiting) > (self._workers if apart else 2 * (self._workers + len(batch))):
                    written.update(waiting.popleft().result())
                done += len(batch)
                tell(None, done, len(jobs))
            for future in waiting:
                written.update(future.result())
        outcome.written = [path for job in jobs for path in job.targets.values() if path in written]
        told = [job.item.told for job in jobs]
        outcome.skipped = {name: outcome.skipped[name] for name in told if name in outcome.skipped}
        outcome.rows = [rows[row] for row in sorted(rows)]
        return outcome

    def _apart(self, count: int) -> bool:
        """Whether every core has a batch of its own, from the model to the file.

        On a CPU that is faster than to share each batch among the cores, which wait for one another at every layer.
        """
        batches = count // self.passes.batch(*self.image[1:])
        return self.passes.device.type == "cpu" and self.fit != "native" and batches >= self._workers

    def _batches(self, jobs: Sequence[Job], outcome: Outcome) -> Iterator[list[Loaded]]:
        """Pictures of one size each time, as many as go through the model at once."""
        groups: dict[tuple[int, ...], list[Loaded]] = {}
        row = 0
        for loaded in self._loaded(jobs, outcome):
            if row < self.rows:
                loaded.row, row = row, row + 1
            if loaded.animated:
                self.say(f"{loaded.job.item.told}: is animated; only its first picture is translated")
            shape = loaded.pixels.shape
            group = groups.setdefault(shape, [])
            group.append(loaded)
            if len(group) >= (1 if self.fit == "tile" else self.passes.batch(*shape[1:])):
                yield groups.pop(shape)
            elif self._held > _HELD:
                yield groups.pop(max(groups, key=lambda shape: sum(each.bytes for each in groups[shape])))
        yield from groups.values()

    def _loaded(self, jobs: Sequence[Job], outcome: Outcome) -> Iterator[Loaded]:
        """The pictures that can be read, in order, decoded ahead as far as memory allows."""
        ahead = 2 * (self.passes.batch(*self.image[1:]) + self._workers)
        coming: deque[tuple[Job, Future[Loaded]]] = deque()
        rest = iter(jobs)
        # What one may take, before the first is seen; later, as much as any of late.
        each = _HELD / (2 * self._workers)
        pool = ThreadPoolExecutor(self._workers, "decode")
        try:
            while True:
                while not coming or (len(coming) < ahead and self._held + each * len(coming) < _HELD):
                    if (job := next(rest, None)) is None:
                        break
                    coming.append((job, pool.submit(self._load, job)))
                if not coming:
                    return
                job, future = coming.popleft()
                try:
                    loaded = future.result()
                except DataError as error:
                    self._skip(job, str(error), outcome)
                    continue
                each = max(loaded.bytes, 0.9 * each)
                yield loaded
        finally:
            pool.shutdown(cancel_futures=True)

    def _load(self, job: Job) -> Loaded:
        channels, *sides = self.image
        size = sides[0], sides[1]
        # Twice the size keeps what the resize needs; a JPEG decodes faster so.
        at_least = 2 * max(size) if self.fit in ("resize", "crop") else 0
        picture = job.item.load(channels, at_least)
        alpha, shape = picture.alpha, picture.size
        if self.fit in ("resize", "crop"):
            crop = "none" if self.fit == "resize" else "center"
            pixels = images.to_array(images.fit(picture.image, size, crop=crop, channels=channels))
            if self.fit == "crop":
                alpha = alpha and images.fit(alpha, size, channels=1)
                shape = size[1], size[0]
        else:
            pixels = images.to_array(picture.image)
            if self.fit == "native":
                height, width = (-(-side // self.multiple) * self.multiple for side in pixels.shape[1:])
                pixels = reflected(pixels, height, width)
        loaded = Loaded(job, pixels, shape, alpha, picture.animated)
        with self._lock:
            self._held += loaded.bytes
        return loaded

    def _translated(self, batch: list[Loaded], outcome: Outcome) -> Iterator[tuple[Loaded, list[NDArray[np.uint8]]]]:
        """Each picture with its stages; those of the sheet with the way back, too."""
        ways: tuple[Way, ...] = self.route.ways
        if self.route.back and any(loaded.row is not None for loaded in batch):
            ways = (*ways, self.route.back)
        try:
            if self.fit == "tile":
                tile = self.image[1], self.image[2]
                stages = [stage[None] for stage in self.passes.tiled(batch[0].pixels, tile, ways)]
            else:
                stages = self.passes.stages(np.stack([loaded.pixels for loaded in batch]), ways)
        except DataError as error:
            for loaded in batch:
                self._skip(loaded.job, str(error), outcome)
                self._free(loaded)
            return
        for place, loaded in enumerate(batch):
            yield loaded, [stage[place] for stage in stages]

    def _row(self, loaded: Loaded, stages: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        shown = [loaded.pixels, *stages]
        if self.fit in ("native", "tile"):
            size = self.image[1], self.image[2]
            shown = [self._small(self._own_part(loaded, pixels), size) for pixels in shown]
        return np.stack(shown)

    def _small(self, pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
        return images.to_array(images.fit(images.to_image(pixels), size, crop="none", channels=self.image[0]))

    def _own_part(self, loaded: Loaded, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return cut(pixels, *reversed(loaded.size)) if self.fit == "native" else pixels

    def _finish_all(self, batch: list[Loaded], outcome: Outcome, rows: dict[int, NDArray[np.uint8]]) -> list[Path]:
        made = self._translated(batch, outcome)
        return [path for loaded, stages in made for path in self._finish(loaded, stages, rows)]

    def _finish(
        self, loaded: Loaded, stages: Sequence[NDArray[np.uint8]], rows: dict[int, NDArray[np.uint8]]
    ) -> list[Path]:
        """Write the files of a picture, and keep its row of the sheet."""
        try:
            if loaded.row is not None:
                rows[loaded.row] = self._row(loaded, stages)
            for stage, path in loaded.job.targets.items():
                image = images.to_image(self._own_part(loaded, stages[stage - 1]))
                if image.size != loaded.size:
                    image = image.resize(loaded.size, Image.Resampling.LANCZOS)
                if loaded.alpha and path.suffix.lower() not in JPEG:
                    image.putalpha(loaded.alpha)
                images.save(image, path)
        finally:
            self._free(loaded)
        return list(loaded.job.targets.values())

    def _skip(self, job: Job, reason: str, outcome: Outcome) -> None:
        outcome.skipped[job.item.told] = reason
        self.say(f"{job.item.told}: {reason}")

    def _free(self, loaded: Loaded) -> None:
        with self._lock:
            self._held -= loaded.bytes


def faded(rows: Sequence[NDArray[np.uint8]], stages: int, hold: int = 6, fade: int = 8) -> Iterator[Image.Image]:
    """Frames of an animation that fades every picture into its stages, one after another, and back: pixels cross-fade.

    rows: as in `Outcome`; stages: how many of each are shown; hold, fade: frames at a stage, and between two.
    """
    shown = np.stack(rows)[:, : stages + 1]
    columns = min(len(shown), round(len(shown) ** 0.5 + 0.499))
    empty = -len(shown) % columns
    shown = np.concatenate([shown, np.full((empty, *shown.shape[1:]), 255, np.uint8)]) if empty else shown
    grid = shown.reshape(-1, columns, *shown.shape[1:]).astype(np.float32)
    for stage in range(grid.shape[2]):
        now, then = grid[:, :, stage], grid[:, :, (stage + 1) % grid.shape[2]]
        for frame in range(hold + fade):
            share = max(0, frame - hold + 1) / (fade + 1)
            yield images.sheet(np.rint(now + share * (then - now)).astype(np.uint8))
