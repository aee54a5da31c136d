"""Batches of pictures through a model, one translation after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from imgen.errors import DataError
from imgen.images import from_float, to_float
from imgen.model import Classifier, Translator, Way
from imgen.translating.tiles import tiled

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

_PIXELS = {"cpu": 16 * 64 * 64}  # of a batch
_MORE = 512 * 64 * 64  # on any other device


class Passes:
    """A model at work. Every pass over pictures of a size has as many, so that none depends on those beside it."""

    def __init__(self, model: nn.Module, device: str, batch: int = 0) -> None:
        """batch: pictures in a pass; 0: as many as suit their size."""
        self.device = torch.device(device)
        # The layout that convolutions want on every device.
        self.model = cast("Translator", model.to(self.device).to(memory_format=torch.channels_last).eval())  # type: ignore[call-overload]
        self._batch = batch

    def batch(self, height: int, width: int) -> int:
        """How many pictures of this size go through the model at once."""
        return self._batch or max(1, _PIXELS.get(self.device.type, _MORE) // (height * width))

    @contextmanager
    def pool(self, workers: int, *, alone: bool) -> Iterator[ThreadPoolExecutor]:
        """Threads that write, or, each alone on a core of its own, translate and write."""
        if not alone:
            with ThreadPoolExecutor(workers, "write") as pool:
                yield pool
            return
        threads = torch.get_num_threads()
        try:
            with ThreadPoolExecutor(workers, "translate", torch.set_num_threads, (1,)) as pool:
                yield pool
        finally:
            torch.set_num_threads(threads)

    @torch.inference_mode()
    def stages(
        self, pixels: NDArray[np.uint8], ways: Sequence[Way], starts: Sequence[int] = ()
    ) -> list[NDArray[np.uint8]]:
        """(n, C, H, W) after each way, where n is `batch` or less.

        starts: the stage that each way starts from, counted from 1, 0 being the picture; left out, one after another.
        Raises: `DataError` where the model cannot take pictures of this size.
        """
        count = len(pixels)
        shown = {0: self._floats(pixels)}
        starts = starts or range(len(ways))
        made = []
        if self._together(ways, starts):
            made = [from_float(each[:count]).contiguous() for each in self._run(shown[0], ways)]
        else:
            for stage, (start, way) in enumerate(zip(starts, ways, strict=True), 1):
                (shown[stage],) = self._run(shown[start], [way])
                made.append(from_float(shown[stage][:count]).contiguous())
                # What nothing starts from any more leaves the memory.
                shown = {kept: shown[kept] for kept in starts[stage:] if kept in shown}
        return [each.cpu().numpy() for each in made]

    def tiled(
        self, pixels: NDArray[np.uint8], tile: tuple[int, int], ways: Sequence[Way], starts: Sequence[int] = ()
    ) -> list[NDArray[np.uint8]]:
        """(C, H, W) of any size after each way, tile by tile; starts: as for `stages`."""
        starts, batch = starts or range(len(ways)), self.batch(*tile)
        if self._together(ways, starts):
            made = tiled(
                pixels, tile, batch, lambda tiles: np.concatenate(self.stages(tiles, ways, starts), 1), len(ways)
            )
            return list(np.split(made, len(ways)))
        stages = [pixels]
        for start, way in zip(starts, ways, strict=True):
            stages.append(tiled(stages[start], tile, batch, partial(self._stage, way)))
        return stages[1:]

    @torch.inference_mode()
    def scores(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The probabilities of all values of all attributes, in order, (n, values), of (n, C, H, W).

        Only of a model that is a `Classifier`. Pictures are of the size of training, and any number.
        Raises: `DataError` where the model gives something else.
        """
        size = self.batch(*pixels.shape[2:])
        parts = [pixels[first : first + size] for first in range(0, len(pixels), size)]
        made = [_halved(self._told, self._floats(part), self.device)[0][: len(part)] for part in parts]
        return torch.cat(made).float().cpu().numpy()

    def _told(self, shown: Tensor) -> list[Tensor]:
        model = cast("Classifier", self.model)
        told = model.classify(shown)
        wanted = [(len(shown), len(each.values)) for each in model.attributes]
        if [tuple(each.shape) for each in told] != wanted:
            raise ValueError(f"it classifies as {[tuple(each.shape) for each in told]}, not as {wanted}")
        return [torch.cat(told, 1)]

    def _floats(self, pixels: NDArray[np.uint8]) -> Tensor:
        """A full batch on the device, the last picture filling what is missing."""
        missing = self.batch(*pixels.shape[2:]) - len(pixels)
        if missing > 0:
            pixels = np.concatenate([pixels, np.repeat(pixels[-1:], missing, axis=0)])
        shown = torch.from_numpy(pixels)
        if self.device.type == "cuda":
            shown = shown.pin_memory().to(self.device, non_blocking=True)
        return to_float(shown.contiguous(memory_format=torch.channels_last))

    def _stage(self, way: Way, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return self.stages(pixels, [way])[0]

    def _together(self, ways: Sequence[Way], starts: Sequence[int]) -> bool:
        """Whether the model does all of these at once."""
        return len(ways) > 1 and not any(starts) and hasattr(self.model, "translate_all")

    def _run(self, shown: Tensor, ways: Sequence[Way]) -> list[Tensor]:
        """The pictures after each of the ways, all of the pictures themselves."""
        made = _halved(partial(self._translate, ways), shown, self.device)
        if len(made) != len(ways):
            raise DataError(f"the model gives {len(made)} pictures for {len(ways)} translations")
        for each in made:
            if each.shape != shown.shape:
                told = "x".join(str(side) for side in reversed(each.shape[2:]))
                raise DataError(f"the model gives {told} for {_size(shown)}; take --fit resize, crop or tile")
        return made

    def _translate(self, ways: Sequence[Way], shown: Tensor) -> list[Tensor]:
        if len(ways) > 1:
            try:
                return list(cast("Any", self.model).translate_all(shown, ways))
            except torch.OutOfMemoryError:
                # Half of them may fit; a single picture, one translation at a time.
                if len(shown) > 1:
                    raise
        return [self.model.translate(shown, way) for way in ways]


def _halved(do: Callable[[Tensor], list[Tensor]], shown: Tensor, device: torch.device) -> list[Tensor]:
    """What is made of a batch, in halves where memory is short."""
    try:
        return do(shown)
    except torch.OutOfMemoryError:
        if len(shown) == 1:
            raise DataError(f"{_size(shown)} is too large for the memory of {device}; take --fit tile") from None
    except (RuntimeError, ValueError) as error:
        raise DataError(f"the model cannot take {_size(shown)}: {' '.join(str(error).split())[:200]}") from error
    halves = [_halved(do, half, device) for half in shown.chunk(2)]
    return [torch.cat(parts) for parts in zip(*halves, strict=True)]


def _size(shown: Tensor) -> str:
    return f"{shown.shape[3]}x{shown.shape[2]}"
