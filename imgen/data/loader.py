"""Endless batches: those of a step are a function of (seed, step) alone, cut among the processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imgen.data.spec import Dataset
from imgen.errors import DataError

_AHEAD = 3  # batches that are fetched while the device works
_MOST_HOST = 2 * 2**30  # bytes that `auto` takes of the host's memory


def share_of(batch: int, rank: int, world: int) -> slice:
    """Which items of a batch are a process's own.

    Raises: `DataError` where the processes cannot share it evenly.
    """
    if batch % world:
        raise DataError(f"a batch of {batch} items cannot be shared by {world} processes; take a multiple of {world}")
    return slice(rank * batch // world, (rank + 1) * batch // world)


def outline(dataset: Dataset, batch: int) -> dict[str, Tensor]:
    """A batch on no device: its entries and shapes, without a picture being read."""
    draw: Callable[..., Mapping[str, NDArray[np.int64]]] | None = getattr(dataset, "draw", None)
    rows = {name: drawn.shape for name, drawn in draw(batch, np.random.default_rng(0)).items()} if draw else {}
    return {
        name: torch.empty((*rows.get(name, (batch,)), *column.shape[1:]), dtype=_as_given(column.dtype), device="meta")
        for name, column in dataset.columns.items()
        if name in rows or not rows
    }


def _as_given(dtype: torch.dtype) -> torch.dtype:
    # Pictures are floats by the time an algorithm sees them.
    return torch.get_default_dtype() if dtype == torch.uint8 else dtype


class Loader:
    """Batches of one process, on its device. Pictures stay uint8."""

    def __init__(
        self,
        dataset: Dataset,
        *,
        batch: int,
        seed: int,
        device: torch.device,
        rank: int = 0,
        world: int = 1,
        resident: str = "auto",
        workers: int = 0,
    ) -> None:
        """batch: items over all processes.

        Raises: `DataError` where the processes cannot share a batch evenly.
        """
        self.dataset, self.batch_size, self.seed, self.device = dataset, batch, seed, device
        self._share = share_of(batch, rank, world)
        self.workers = workers or os.cpu_count() or 1
        self.columns = dict(dataset.columns)
        self.resident = resident == "always" or (resident == "auto" and self._fits())
        if self.resident:
            self.columns = {name: self._whole(column).to(device) for name, column in self.columns.items()}
        self._pool = ThreadPoolExecutor(self.workers, "decode")
        self._conductor = ThreadPoolExecutor(_AHEAD, "fetch")
        self._coming: dict[int, Future[dict[str, Tensor]]] = {}
        self._unpaired: bool = getattr(dataset, "unpaired", False)
        self._shuffled: dict[str, tuple[int, NDArray[np.int64]]] = {}

    def rows(self, step: int) -> dict[str, NDArray[np.int64]]:
        """Which rows of each column make this process's share of the batch of a step."""
        draw: Callable[..., Mapping[str, NDArray[np.int64]]] | None = getattr(self.dataset, "draw", None)
        if draw:
            drawn = draw(self.batch_size, np.random.default_rng([self.seed, step]))
        elif self._unpaired:
            drawn = {name: self._walk(step, name, 1 + place) for place, name in enumerate(self.columns)}
        else:
            drawn = dict.fromkeys(self.columns, self._walk(step, next(iter(self.columns)), 1))
        return {name: np.ascontiguousarray(rows[self._share]) for name, rows in drawn.items()}

    def batch(self, step: int) -> dict[str, Tensor]:
        """The batch of a step, on the device; the next ones are fetched meanwhile."""
        if self.resident:
            return {name: self._gather(name, rows) for name, rows in self.rows(step).items()}
        for ahead in range(step, step + 1 + _AHEAD):
            if ahead not in self._coming:
                self._coming[ahead] = self._conductor.submit(self._fetch, self.rows(ahead))
        fetched = self._coming.pop(step).result()
        for passed in [other for other in self._coming if other < step]:
            self._coming.pop(passed).cancel()
        return {name: tensor.to(self.device, non_blocking=True) for name, tensor in fetched.items()}

    def peek(self, step: int) -> dict[str, Tensor]:
        """The batch of a step, out of turn: what is fetched ahead stays."""
        if self.resident:
            return self.batch(step)
        return {name: tensor.to(self.device) for name, tensor in self._fetch(self.rows(step)).items()}

    def close(self) -> None:
        """Stop fetching."""
        self._conductor.shutdown(wait=False, cancel_futures=True)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _walk(self, step: int, name: str, stream: int) -> NDArray[np.int64]:
        """Rows of a column for the batch of a step, on a walk through epochs, each shuffled by (seed, epoch).

        stream: from 1; keeps columns that walk apart from each other, and all from `draw`.
        """
        length = int(self.columns[name].shape[0])
        places = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
        rows = np.empty(self.batch_size, np.int64)
        for epoch in np.unique(places // length):
            if name not in self._shuffled or self._shuffled[name][0] != epoch:
                shuffle = np.random.default_rng([self.seed, int(epoch), stream]).permutation(length)
                self._shuffled[name] = int(epoch), shuffle
            here = places // length == epoch
            rows[here] = self._shuffled[name][1][places[here] % length]
        return rows

    def _gather(self, name: str, rows: NDArray[np.int64]) -> Tensor:
        index = torch.from_numpy(rows)
        if self.device.type == "cuda":
            index = index.pin_memory().to(self.device, non_blocking=True)
        column = self.columns[name]
        return column.index_select(0, index.flatten()).view(*rows.shape, *column.shape[1:])  # type: ignore[union-attr]

    def _fetch(self, rows: dict[str, NDArray[np.int64]]) -> dict[str, Tensor]:
        fetched = {name: self._fetch_column(self.columns[name], chosen) for name, chosen in rows.items()}
        if self.device.type == "cuda":
            return {name: tensor.pin_memory() for name, tensor in fetched.items()}
        return fetched

    def _fetch_column(self, column: Any, rows: NDArray[np.int64]) -> Tensor:
        flat = rows.reshape(-1)
        if isinstance(column, Tensor):
            fetched = column[torch.from_numpy(flat)]
        else:
            pieces = [piece for piece in np.array_split(flat, self.workers) if len(piece)]
            fetched = torch.cat(list(self._pool.map(column.fetch, pieces)))
        return fetched.view(*rows.shape, *fetched.shape[1:])

    def _whole(self, column: Any) -> Tensor:
        if isinstance(column, Tensor):
            return column
        decode_all: Callable[[int], Tensor] | None = getattr(column, "decode_all", None)
        return decode_all(self.workers) if decode_all else column.fetch(np.arange(column.shape[0]))

    def _fits(self) -> bool:
        needed = sum(column.dtype.itemsize * int(np.prod(column.shape)) for column in self.columns.values())
        if self.device.type == "cuda":
            return needed <= torch.cuda.mem_get_info(self.device)[0] // 4
        # A mapped file is as good as memory, and the system keeps of it what is used.
        files = [column for column in self.columns.values() if not isinstance(column, Tensor)]
        return not files or needed <= _MOST_HOST
