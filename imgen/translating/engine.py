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
    scores: what the model tells of it and of each stage that is written, (1 + written, values); made: bytes of stages.
    """

    job: Job
    pixels: NDArray[np.uint8]
    size: tuple[int, int]
    alpha: Image.Image | None
    animated: bool
    row: int | None = None
    scores: NDArray[np.float32] | None = None
    made: int = 0

    @property
    def bytes(self) -> int:
        """Memory that it takes."""
        return self.pixels.nbytes + (self.alpha.width * self.alpha.height if self.alpha else 0)


@dataclass
class Outcome:
    """What became of the pictures. written: in the order of the jobs; skipped: reason by picture.

    rows: of the sheet, each the picture and its stages, (stages, C, H, W) at the size of training.
    scores: by file, what a classifier tells of the picture and of the result, (2, values).
    """

    written: list[Path] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    rows: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    scores: dict[Path, NDArray[np.float32]] = field(default_factory=dict)


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
        scored: bool = False,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        """image: (channels, height, width) of training; rows: pictures on the sheet.

        fit: resize the whole picture and its result back; crop its middle; native, at its own size; or tile.
        scored: whether to ask the model, a classifier, what pictures show before and after.
        say: is told what people should know.
        """
        self.passes, self.image, self.route = passes, image, route
        self.multiple, self.fit, self.rows, self.say = multiple, fit, rows, say
        self.scored = scored
        self._workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        # Bytes of pictures that are decoded, and of stages that are not written yet.
        self._held, self._made, self._lock = 0, 0, threading.Lock()

    def run(self, jobs: Sequence[Job]) -> Outcome:
        """Translate them all. One that cannot be is told and skipped, and the others are written."""
        outcome = Outcome()
        written: set[Path] = set()
        waiting: deque[Future[list[Path]]] = deque()
        apart = self._apart(len(jobs))
        done = 0
        with self.passes.pool(self._workers, alone=apart) as pool:
            for batch in self._batches(jobs, outcome):
                if apart:
                    waiting.append(pool.submit(self._finish_all, batch, outcome))
                else:
                    for loaded, stages in self._translated(batch, outcome):
                        waiting.append(pool.submit(self._finish, loaded, stages, outcome))
                most = self._workers if apart else 2 * (self._workers + len(batch))
                while waiting and (len(waiting) > most or self._made > _HELD):
                    written.update(waiting.popleft().result())
                done += len(batch)
                tell(None, done, len(jobs))
            for future in waiting:
                written.update(future.result())
        outcome.written = [path for job in jobs for path in job.targets.values() if path in written]
        told = [job.item.told for job in jobs]
        outcome.skipped = {name: outcome.skipped[name] for name in told if name in outcome.skipped}
        outcome.rows = dict(sorted(outcome.rows.items()))
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
        ways, starts = self.route.ways, self.route.starts
        if self.route.back and any(loaded.row is not None for loaded in batch):
            ways, starts = (*ways, self.route.back), (*starts, len(ways))
        try:
            if self.fit == "tile":
                tile = self.image[1], self.image[2]
                stages = [stage[None] for stage in self.passes.tiled(batch[0].pixels, tile, ways, starts)]
            else:
                stages = self.passes.stages(np.stack([loaded.pixels for loaded in batch]), ways, starts)
            if self.scored:
                self._score(batch, stages)
        except DataError as error:
            for loaded in batch:
                self._skip(loaded.job, str(error), outcome)
                self._free(loaded)
            return
        for place, loaded in enumerate(batch):
            loaded.made = sum(stage[place].nbytes for stage in stages)
            with self._lock:
                self._made += loaded.made
            yield loaded, [stage[place] for stage in stages]

    def _score(self, batch: Sequence[Loaded], stages: Sequence[NDArray[np.uint8]]) -> None:
        """Keep what the model tells of the pictures, and of what is written of them."""
        written = [stages[stage - 1] for stage in self.route.written]
        shown = [
            self._small(loaded, pixels)
            for place, loaded in enumerate(batch)
            for pixels in (loaded.pixels, *(stage[place] for stage in written))
        ]
        scores = self.passes.scores(np.stack(shown)).reshape(len(batch), 1 + len(written), -1)
        for loaded, told in zip(batch, scores, strict=True):
            loaded.scores = told

    def _small(self, loaded: Loaded, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A picture, or a stage of it, at the size of training."""
        if self.fit in ("resize", "crop"):
            return pixels
        image = images.to_image(self._own_part(loaded, pixels))
        return images.to_array(images.fit(image, self.image[1:], crop="none", channels=self.image[0]))

    def _own_part(self, loaded: Loaded, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return cut(pixels, *reversed(loaded.size)) if self.fit == "native" else pixels

    def _finish_all(self, batch: list[Loaded], outcome: Outcome) -> list[Path]:
        made = self._translated(batch, outcome)
        return [path for loaded, stages in made for path in self._finish(loaded, stages, outcome)]

    def _finish(self, loaded: Loaded, stages: Sequence[NDArray[np.uint8]], outcome: Outcome) -> list[Path]:
        """Write the files of a picture, and keep its row of the sheet and its scores."""
        try:
            if loaded.row is not None:
                outcome.rows[loaded.row] = np.stack([self._small(loaded, each) for each in (loaded.pixels, *stages)])
            for place, (stage, path) in enumerate(loaded.job.targets.items(), 1):
                image = images.to_image(self._own_part(loaded, stages[stage - 1]))
                if image.size != loaded.size:
                    image = image.resize(loaded.size, Image.Resampling.LANCZOS)
                if loaded.alpha and path.suffix.lower() not in JPEG:
                    image.putalpha(loaded.alpha)
                images.save(image, path)
                if loaded.scores is not None:
                    outcome.scores[path] = loaded.scores[[0, place]]
        finally:
            self._free(loaded)
        return list(loaded.job.targets.values())

    def _skip(self, job: Job, reason: str, outcome: Outcome) -> None:
        outcome.skipped[job.item.told] = reason
        self.say(f"{job.item.told}: {reason}")

    def _free(self, loaded: Loaded) -> None:
        with self._lock:
            self._held -= loaded.bytes
            self._made -= loaded.made
