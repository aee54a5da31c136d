"""Endless batches: those of a step are a function of (seed, step) alone, cut among the processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imgen.data import residents
from imgen.data.ahead import Courier, Sent
from imgen.data.pictures import Pictures, cores
from imgen.data.spec import Dataset
from imgen.errors import DataError

_AHEAD = 3  # batches that are fetched while the device works
_PLANNED = 32  # steps whose rows go to a GPU together
_MOST_HOST = 2 * 2**30  # bytes that `auto` takes of the host's memory


def share_of(batch: int, rank: int, world: int) -> slice:
    """Which items of a batch are a process's own.

    Raises: `DataError` where the processes cannot share it evenly.
    """
    if batch % world:
        raise DataError(f"a batch of {batch} items cannot be shared by {world} processes; take a multiple of {world}")
    # Every so manieth: what an algorithm cuts from the batch, such as its first half, is cut alike from each share.
    return slice(rank, None, world)


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
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """batch: items over all processes; clock: what waiting is measured by [s].

        Raises: `DataError` where the processes cannot share a batch evenly.
        """
        self.dataset, self.batch_size, self.seed, self.device = dataset, batch, seed, device
        self._share = share_of(batch, rank, world)
        self.workers = workers or cores()
        self.columns = dict(dataset.columns)
        self.resident = resident == "always" or (resident == "auto" and self._fits())
        if self.resident:
            self._residents = {
                name: residents.resident(column, device, self._whole) for name, column in self.columns.items()
            }
            self.columns = {name: each.tensor for name, each in self._residents.items()}
        self._courier = Courier(device)
        self._pool = ThreadPoolExecutor(self.workers, "decode")
        self._conductor = ThreadPoolExecutor(_AHEAD, "fetch")
        self._coming: dict[int, Future[Sent]] = {}
        self._unpaired: bool = getattr(dataset, "unpaired", False)
        self._shuffled: dict[str, tuple[int, NDArray[np.int64]]] = {}
        self._clock, self._waited = clock, 0.0

    def rows(self, step: int) -> dict[str, NDArray[np.int64]]:
        """Which rows of each column make this process's share of the batch of a step."""
        return {name: np.ascontiguousarray(rows[self._share]) for name, rows in self._whole_batch(step).items()}

    def _whole_batch(self, step: int) -> dict[str, NDArray[np.int64]]:
        draw: Callable[..., Mapping[str, NDArray[np.int64]]] | None = getattr(self.dataset, "draw", None)
        if draw:
            return dict(draw(self.batch_size, np.random.default_rng([self.seed, step])))
        if self._unpaired:
            return {name: self._walk(step, name, 1 + place) for place, name in enumerate(self.columns)}
        return dict.fromkeys(self.columns, self._walk(step, next(iter(self.columns)), 1))

    def batch(self, step: int) -> dict[str, Tensor]:
        """The batch of a step, on the device; the next ones are fetched meanwhile."""
        began = self._clock()
        given = self._resident(step) if self.resident else self._next(self._fetch, step, _AHEAD).take()
        self._waited += self._clock() - began
        return given

    def waited(self) -> float:
        """How long `batch` has kept its callers waiting since this was last asked [s].

        What a GPU has yet to do is not in it: the host goes on as soon as that is asked of the device.
        """
        waited, self._waited = self._waited, 0.0
        return waited

    def remedy(self) -> str:
        """What may shorten the wait for pictures, for people; '' where they are in memory already."""
        if self.resident:
            return ""
        told = [f"train.resident=always keeps them in memory, {self._bytes() / 2**30:,.1f} GiB"]
        if list(self.columns) == ["images"] and isinstance(self.columns["images"], Pictures):
            told.insert(0, "`imgen data pack` decodes them once and for all")
        if self.workers < cores():
            told.append(f"train.workers={cores()} decodes on all cores")
        return "; ".join(told)

    def peek(self, step: int) -> dict[str, Tensor]:
        """The whole batch of a step, out of turn: what is fetched ahead stays, and nobody's waiting is counted.

        All processes' items, for the one of them that measures alone.
        """
        rows = self._whole_batch(step)
        if self.resident:
            return self._gather(self._send_rows(rows).take())
        return self._send(rows).take()

    def close(self) -> None:
        """Stop fetching."""
        self._conductor.shutdown(wait=False, cancel_futures=True)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _resident(self, step: int) -> dict[str, Tensor]:
        if self.device.type != "cuda":
            # What is in the host's own memory is gathered in less time than it takes to ask another thread.
            return self._gather({name: torch.from_numpy(rows) for name, rows in self.rows(step).items()})
        place, within = divmod(step, _PLANNED)
        planned = self._next(self._plan, place, 1, keep=True).take()
        return self._gather({name: rows[within] for name, rows in planned.items()})

    def _next(self, make: Callable[[int], Sent], place: int, ahead: int, *, keep: bool = False) -> Sent:
        """What `make` gives for a place, once it is done; the next ones are made meanwhile, and former ones let go.

        keep: whether the same place is asked for again.
        """
        for coming in range(place, place + 1 + ahead):
            if coming not in self._coming:
                self._coming[coming] = self._conductor.submit(make, coming)
        made = self._coming[place].result()
        for passed in [other for other in self._coming if other < place + (not keep)]:
            self._coming.pop(passed).cancel()
        return made

    def _walk(self, step: int, name: str, stream: int) -> NDArray[np.int64]:
        """Rows of a column for the batch of a step, on a walk through epochs, each shuffled by (seed, epoch).

        stream: from 1; keeps columns that walk apart from each other, and all from `draw`.
        """
        length = int(self.columns[name].shape[0])
        places = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
        first, last = int(places[0]) // length, int(places[-1]) // length
        if first == last:
            return self._shuffle(name, first, stream, length)[places - first * length]
        rows = np.empty(self.batch_size, np.int64)
        for epoch in range(first, last + 1):
            here = places // length == epoch
            rows[here] = self._shuffle(name, epoch, stream, length)[places[here] % length]
        return rows

    def _shuffle(self, name: str, epoch: int, stream: int, length: int) -> NDArray[np.int64]:
        # Several threads may ask for several epochs: whoever finds another's makes its own.
        known = self._shuffled.get(name)
        if known is None or known[0] != epoch:
            known = epoch, np.random.default_rng([self.seed, epoch, stream]).permutation(length)
            self._shuffled[name] = known
        return known[1]

    def _plan(self, place: int) -> Sent:
        """The rows of several steps, (steps, ...) for each column, on their way to the device."""
        steps = [self.rows(step) for step in range(place * _PLANNED, (place + 1) * _PLANNED)]
        return self._send_rows({name: np.stack([rows[name] for rows in steps]) for name in steps[0]})

    def _send_rows(self, rows: Mapping[str, NDArray[np.int64]]) -> Sent:
        rooms = {name: self._courier.room(each.shape, torch.int64) for name, each in rows.items()}
        for name, room in rooms.items():
            room.copy_(torch.from_numpy(rows[name]))
        return self._courier.send(rooms)

    def _gather(self, rows: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rows of columns that are on the device, by indices that are there, too."""
        gathered = {}
        for name, index in rows.items():
            column = cast(Tensor, self.columns[name])
            gathered[name] = column.index_select(0, index.flatten()).view(*index.shape, *column.shape[1:])
        return gathered

    def _fetch(self, step: int) -> Sent:
        return self._send(self.rows(step))

    def _send(self, rows: Mapping[str, NDArray[np.int64]]) -> Sent:
        return self._courier.send({name: self._fetch_column(self.columns[name], each) for name, each in rows.items()})

    def _fetch_column(self, column: Any, rows: NDArray[np.int64]) -> Tensor:
        flat = rows.reshape(-1)
        room = self._courier.room((len(flat), *column.shape[1:]), column.dtype)
        if isinstance(column, Tensor):
            torch.index_select(column, 0, torch.from_numpy(flat), out=room)
        else:
            ends = np.linspace(0, len(flat), min(self.workers, len(flat)) + 1).astype(int).tolist()

            def fill(first: int, end: int) -> None:
                room[first:end] = column.fetch(flat[first:end])

            list(self._pool.map(fill, ends, ends[1:]))
        return room.view(*rows.shape, *column.shape[1:])

    def _whole(self, column: Any) -> Tensor:
        if isinstance(column, Tensor):
            return column
        decode_all: Callable[[int], Tensor] | None = getattr(column, "decode_all", None)
        return decode_all(self.workers) if decode_all else column.fetch(np.arange(column.shape[0]))

    def _bytes(self) -> int:
        return sum(column.dtype.itemsize * int(np.prod(column.shape)) for column in self.columns.values())

    def _fits(self) -> bool:
        if residents.are_there(self.columns.values(), self.device):
            return True  # for another run of this process
        if self.device.type == "cuda":
            return self._bytes() <= torch.cuda.mem_get_info(self.device)[0] // 4
        # A mapped file is as good as memory, and the system keeps of it what is used.
        files = [column for column in self.columns.values() if not isinstance(column, Tensor)]
        return not files or self._bytes() <= _MOST_HOST
