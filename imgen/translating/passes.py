"""Batches of pictures through a model, one translation after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from imgen.errors import DataError
from imgen.images import from_float, to_float
from imgen.model import Translator, Way
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
    def stages(self, pixels: NDArray[np.uint8], ways: Sequence[Way]) -> list[NDArray[np.uint8]]:
        """(n, C, H, W) after each way, where n is `batch` or less.

        Raises: `DataError` where the model cannot take pictures of this size.
        """
        count = len(pixels)
        missing = self.batch(*pixels.shape[2:]) - count
        if missing > 0:
            pixels = np.concatenate([pixels, np.repeat(pixels[-1:], missing, axis=0)])
        shown = torch.from_numpy(pixels)
        if self.device.type == "cuda":
            shown = shown.pin_memory().to(self.device, non_blocking=True)
        shown = to_float(shown.contiguous(memory_format=torch.channels_last))
        made = []
        for way in ways:
            shown = self._once(shown, way)
            made.append(from_float(shown[:count]).contiguous())
        return [each.cpu().numpy() for each in made]

    def tiled(self, pixels: NDArray[np.uint8], tile: tuple[int, int], ways: Sequence[Way]) -> list[NDArray[np.uint8]]:
        """(C, H, W) of any size after each way, tile by tile."""
        made = []
        for way in ways:
            pixels = tiled(pixels, tile, self.batch(*tile), partial(self._stage, way))
            made.append(pixels)
        return made

    def _stage(self, way: Way, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return self.stages(pixels, [way])[0]

    def _once(self, shown: Tensor, way: Way) -> Tensor:
        size = f"{shown.shape[3]}x{shown.shape[2]}"
        try:
            made = self.model.translate(shown, way)
        except torch.OutOfMemoryError:
            if len(shown) == 1:
                raise DataError(f"{size} is too large for the memory of {self.device}; take --fit tile") from None
            return torch.cat([self._once(half, way) for half in shown.chunk(2)])
        except (RuntimeError, ValueError) as error:
            raise DataError(f"the model cannot take {size}: {' '.join(str(error).split())[:200]}") from error
        if made.shape != shown.shape:
            told = "x".join(str(side) for side in reversed(made.shape[2:]))
            raise DataError(f"the model gives {told} for {size}; take --fit resize, crop or tile")
        return made
