"""What a game is given to learn from, and what it is shown with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from imgen import images
from imgen.algorithm import Algorithm
from imgen.data.loader import Loader
from imgen.data.spec import fetch
from imgen.train.noise import mix, seed_noise


class Batches:
    """Batches of a run, with pictures as floats: they are uint8 until they are on the device."""

    def __init__(self, loader: Loader, *, channels_last: bool = False) -> None:
        """channels_last: the order of memory that training wants."""
        self.loader, self.channels_last = loader, channels_last
        self._shown: dict[str, Tensor] | None = None

    def of(self, step: int) -> dict[str, Tensor]:
        """This process's share of the batch of a step."""
        return _as_floats(self.loader.batch(step), self.channels_last)

    def peek(self, step: int) -> dict[str, Tensor]:
        """All of it, out of turn."""
        return _as_floats(self.loader.peek(step))

    def shown(self, algorithm: Algorithm) -> dict[str, Tensor]:
        """What previews are of, the same all along; held out of training where a data set says so."""
        if self._shown is None:
            batch = self.peek(0) | self._held_out()
            seed_noise(mix(self.loader.seed, -4, 0), self.loader.device)
            self._shown = {**batch, **algorithm.share(batch)}
        return self._shown

    def _held_out(self) -> dict[str, Tensor]:
        test: Mapping[str, Any] = getattr(self.loader.dataset, "test", {})
        rows = {name: np.arange(min(self.loader.batch_size, column.shape[0])) for name, column in test.items()}
        return _as_floats({name: fetch(test[name], rows[name]).to(self.loader.device) for name in rows})


def _as_floats(batch: Mapping[str, Tensor], channels_last: bool = False) -> dict[str, Tensor]:
    return {
        name: images.to_float(each, channels_last=channels_last) if each.dtype == torch.uint8 else each
        for name, each in batch.items()
    }
