"""Batches: a function of (seed, step), cut among processes, the same streamed or resident."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import Future
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from imgen.data.loader import Loader, outline
from imgen.data.shapes import shapes
from imgen.data.spec import DataSpec
from imgen.errors import DataError

CPU = torch.device("cpu")


class Slow:
    """A column that is fetched by several threads, and counts what it is asked for."""

    def __init__(self, whole: torch.Tensor, breaks: bool = False) -> None:
        self.whole, self.shape, self.dtype = whole, tuple(whole.shape), whole.dtype
        self.asked: Counter[int] = Counter()
        self.lock, self.breaks = threading.Lock(), breaks

    def fetch(self, rows):
        if self.breaks:
            raise DataError("x.png: cannot be read any more")
        with self.lock:
            self.asked.update(rows.tolist())
        return self.whole[torch.from_numpy(rows)]


def numbers(length: int = 10, slow: bool = False, **settings):
    column = torch.arange(length)
    columns = {"n": Slow(column) if slow else column, "square": column**2}
    return SimpleNamespace(spec=DataSpec(image=(1, 1, 1)), columns=columns)


def loader(dataset=None, **settings) -> Loader:
    given = {"batch": 4, "seed": 0, "device": CPU, "workers": 2}
    return Loader(dataset or numbers(), **(given | settings))


def equal(a, b) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("dataset", [numbers(), shapes(identities=5, photos=3, size=8)], ids=["walk", "draw"])
def test_a_batch_is_a_function_of_seed_and_step(dataset):
    forth, back = loader(dataset), loader(dataset)
    wanted = {step: forth.batch(step) for step in range(9)}
    for step in reversed(range(9)):
        assert equal(back.batch(step), wanted[step])
    assert equal(loader(dataset).batch(7), wanted[7])
    other = [loader(dataset, seed=1).batch(step) for step in range(9)]
    assert not all(equal(other[step], wanted[step]) for step in range(9))
    assert not equal(wanted[0], wanted[1])


def test_an_epoch_shows_every_row_once_and_the_next_in_another_order():
    made = loader(numbers(12))
    epochs = [torch.cat([made.batch(3 * epoch + part)["n"] for part in range(3)]).tolist() for epoch in range(3)]
    assert all(sorted(epoch) == list(range(12)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_a_batch_may_span_epochs_and_be_larger_than_the_data():
    made = loader(numbers(3), batch=8)
    seen = torch.cat([made.batch(step)["n"] for step in range(3)])
    assert Counter(seen.tolist()) == {0: 8, 1: 8, 2: 8}


def test_unpaired_columns_walk_through_epochs_of_their_own():
    """Each shows all of its rows once before any of them again, in an order that is no other column's."""
    columns = {"a": torch.arange(6), "b": torch.arange(9)}
    dataset = SimpleNamespace(spec=DataSpec(image=(1, 1, 1), domains=("x", "y")), columns=columns, unpaired=True)
    made = loader(dataset, batch=3)
    seen = {name: torch.cat([made.batch(step)[name] for step in range(6)]).tolist() for name in "ab"}
    assert sorted(seen["a"][:6]) == sorted(seen["a"][6:12]) == list(range(6))
    assert sorted(seen["b"][:9]) == sorted(seen["b"][9:]) == list(range(9))
    alike = SimpleNamespace(**{**vars(dataset), "columns": {"a": torch.arange(9), "b": torch.arange(9)}})
    batches = [loader(alike).batch(step) for step in range(4)]
    assert any(not torch.equal(batch["a"], batch["b"]) for batch in batches), "nothing pairs the columns"


def test_columns_stay_together():
    batch = loader().batch(3)
    assert torch.equal(batch["square"], batch["n"] ** 2)


@pytest.mark.parametrize("world", [2, 4])
@pytest.mark.parametrize("dataset", [numbers(), shapes(identities=5, photos=3, size=8)], ids=["walk", "draw"])
def test_processes_share_the_batch_of_one(dataset, world):
    whole = loader(dataset)
    ranks = [loader(dataset, rank=rank, world=world) for rank in range(world)]
    for step in (0, 1, 5):
        parts = [rank.batch(step) for rank in ranks]
        # In turns, so that each half of the batch, or any part that all can share, is a part of everybody's share.
        joined = {name: torch.stack([part[name] for part in parts], dim=1).flatten(0, 1) for name in parts[0]}
        assert equal(joined, whole.batch(step))
        assert all(equal(joined, rank.peek(step)) for rank in ranks), "who measures alone sees all of it"


def test_a_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(DataError, match="a batch of 4 items cannot be shared by 3 processes; take a multiple of 3"):
        loader(world=3)


@pytest.mark.parametrize("workers", [1, 3])
def test_streamed_equals_resident(workers):
    streamed = loader(numbers(slow=True), resident="never", workers=workers)
    resident = loader(numbers(slow=True), resident="always")
    assert resident.resident and not streamed.resident
    for step in (0, 1, 2, 9, 3):
        assert equal(streamed.batch(step), resident.batch(step))
    streamed.close()


def test_streamed_pairs_equal_resident_pairs():
    drawn = shapes(identities=5, photos=3, size=8)
    fetched = SimpleNamespace(spec=drawn.spec, columns={"images": Slow(drawn.columns["images"])}, draw=drawn.draw)
    batch = loader(fetched, resident="never").batch(4)["images"]
    assert batch.shape == (4, 2, 3, 8, 8) and batch.dtype == torch.uint8
    assert torch.equal(batch, loader(drawn).batch(4)["images"])


def test_the_next_batches_are_fetched_meanwhile_and_none_twice():
    dataset = numbers(1000, slow=True)
    made = loader(dataset, resident="never")
    for step in range(20):
        made.batch(step)
    made._conductor.shutdown(wait=True)
    assert max(dataset.columns["n"].asked.values()) == 1
    assert 20 * 4 < sum(dataset.columns["n"].asked.values()) <= 23 * 4


def test_a_fault_of_the_data_reaches_the_loop():
    dataset = SimpleNamespace(spec=None, columns={"n": Slow(torch.arange(5), breaks=True)})
    made = loader(dataset, resident="never")
    with pytest.raises(DataError, match="cannot be read any more"):
        made.batch(0)
    made.close()


class Clock:
    """A clock that moves when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Late(Slow):
    """A column whose rows take a second of a clock."""

    def __init__(self, whole: torch.Tensor, clock: Clock) -> None:
        super().__init__(whole)
        self.clock = clock

    def fetch(self, rows):
        self.clock.now += 1
        return super().fetch(rows)


class Lazy(Future):
    """Work that is done when it is waited for."""

    def __init__(self, make, place) -> None:
        super().__init__()
        self.work = lambda: make(place)

    def result(self, timeout=None):
        if not self.done():
            self.set_result(self.work())
        return super().result(timeout)


def test_waiting_for_slow_data_is_counted():
    clock = Clock()
    dataset = SimpleNamespace(spec=None, columns={"n": Late(torch.arange(8), clock)})
    made = loader(dataset, resident="never", batch=8, workers=1, clock=clock)
    made._conductor.shutdown()
    made._conductor = SimpleNamespace(submit=Lazy)
    made.batch(0)
    made.batch(1)
    assert clock.now == 2 and made.waited() == 2, "a second for each batch that was not there yet"
    assert made.waited() == 0, "asking begins anew"
    made._coming[2].result()
    made.batch(2)
    made.peek(3)
    assert clock.now == 4 and made.waited() == 0, "what is there before its step, or is not for one, costs no step"


def test_data_in_memory_keeps_nobody_waiting():
    clock = Clock()
    made = loader(SimpleNamespace(spec=None, columns={"n": Late(torch.arange(8), clock)}), clock=clock)
    for step in range(5):
        made.batch(step)
    assert clock.now == 1 and made.waited() == 0, "it was fetched before the first step"


def test_a_remedy_is_named_where_there_is_one(monkeypatch):
    monkeypatch.setattr("imgen.data.loader.cores", lambda: 4)
    assert loader().remedy() == "" and loader(numbers(slow=True)).remedy() == ""
    large = SimpleNamespace(spec=None, columns={"n": Slow(torch.empty(0).new_empty(1).expand(2**28))})
    made = loader(large, resident="never", workers=1)
    assert made.remedy() == "train.resident=always keeps them in memory, 1.0 GiB; train.workers=4 decodes on all cores"
    assert loader(large, resident="never", workers=0).remedy().endswith("1.0 GiB")


@pytest.mark.parametrize("dataset", [numbers(11), shapes(identities=5, photos=3, size=8)], ids=["walk", "draw"])
def test_rows_that_are_planned_ahead_are_those_of_their_steps(dataset):
    """As a GPU gets them: of many steps at once, and the next ones meanwhile."""
    wanted, made = loader(dataset), loader(dataset)
    made.device = SimpleNamespace(type="cuda")
    for step in (0, 1, 31, 32, 63, 64, 99, 5):
        assert equal(made.batch(step), wanted.batch(step))
    made.batch(64)
    assert set(made._coming) == {2, 3, 4}, "plans of the past are let go"
    made.close()


@pytest.mark.gpu
@pytest.mark.parametrize("resident", ["always", "never"])
@pytest.mark.parametrize("dataset", [numbers(1000, slow=True), shapes(identities=5, photos=3, size=8)])
def test_batches_on_a_gpu_are_those_of_the_cpu_and_nothing_waits(dataset, resident):
    wanted, made = loader(dataset), loader(dataset, device=torch.device("cuda"), resident=resident)
    torch.cuda.set_sync_debug_mode("error")
    try:
        given = [made.batch(step) for step in range(70)]
        given += [made.batch(step) for step in (40, 3)]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    for step, batch in zip([*range(70), 40, 3], given, strict=True):
        assert all(each.is_cuda for each in batch.values())
        assert equal({name: each.cpu() for name, each in batch.items()}, wanted.batch(step))
    assert equal({name: each.cpu() for name, each in made.peek(9).items()}, wanted.batch(9))
    made.close()


@pytest.mark.gpu
def test_memory_of_a_batch_is_not_given_away_while_the_gpu_reads_it():
    """Batches are copied on a stream of their own, whose memory must wait for the stream that uses them."""
    dataset = numbers(2**20, slow=True)
    wanted = loader(dataset, batch=2**16)
    made = loader(dataset, device=torch.device("cuda"), resident="never", batch=2**16)
    sums = []
    for step in range(12):
        batch = made.batch(step)
        torch.cuda._sleep(20_000_000)
        sums.append((batch["n"] * batch["square"] % 1009).sum())
        del batch
    made.close()
    for step, total in enumerate(sums):
        batch = wanted.batch(step)
        assert total.item() == (batch["n"] * batch["square"] % 1009).sum().item()


def test_small_data_is_resident_and_large_data_is_not(monkeypatch):
    assert loader(numbers(slow=True)).resident
    monkeypatch.setattr("imgen.data.loader._MOST_HOST", 10)
    assert not loader(numbers(slow=True)).resident
    assert loader(numbers()).resident, "what is in memory is not copied"


def test_a_column_is_decoded_whole_in_its_own_way():
    column = Slow(torch.arange(5))
    column.decode_all = lambda workers: torch.arange(5) * 10
    batch = loader(SimpleNamespace(spec=None, columns={"n": column}), resident="always").batch(0)
    assert set((batch["n"] % 10).tolist()) == {0} and not column.asked


def test_drawn_rows_come_from_the_given_stream_alone():
    """So that what is drawn follows from (seed, step), the stream is one of NumPy's, made afresh for each step."""
    seen = []

    def draw(n, rng):
        seen.append(rng.integers(1000, size=n))
        return {"n": np.zeros(n, np.int64)}

    dataset = SimpleNamespace(spec=None, columns={"n": torch.arange(5)}, draw=draw)
    made = loader(dataset)
    for step in (0, 1, 0):
        made.batch(step)
    assert np.array_equal(seen[0], seen[2]) and not np.array_equal(seen[0], seen[1])


def test_an_outline_has_the_shapes_of_a_batch():
    """Without a row being fetched: that is what a refusal must cost."""
    drawn = shapes(identities=3, photos=3, size=16)
    for data in (drawn, numbers(slow=True)):
        shown = outline(data, 4)
        batch = loader(data).batch(0)
        assert {name: tensor.shape for name, tensor in shown.items()} == {n: t.shape for n, t in batch.items()}
    broken = SimpleNamespace(columns={"n": Slow(torch.arange(5), breaks=True)})
    assert outline(broken, 2)["n"].device.type == "meta"
