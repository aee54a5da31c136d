"""Is a data set what `imgen.data.spec` and `imgen.data.factors` promise?

PYTEST_DONT_REWRITE: the messages say all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from imgen.data.factors import Factored
from imgen.data.spec import Dataset, DataSpec, fetch
from imgen.testing.factors import check_factors
from imgen.testing.told import blamed, names

if TYPE_CHECKING:
    from imgen.testing.subjects import Subject

_THREADS, _ASKED = 8, 24


def check_dataset(dataset: Dataset) -> None:
    """A data set's columns agree with its spec, and its batches follow from the random generator alone.

    Where factors of its pictures are known, they are what `imgen.data.factors` promises.
    """
    check_columns(dataset)
    check_threads(dataset)


def check_columns(dataset: Dataset) -> None:
    """Columns agree with the spec, and the rows of a batch follow from the random generator alone."""
    assert isinstance(dataset.spec, DataSpec), f"`spec` is a {type(dataset.spec).__name__}; it must be a DataSpec"
    assert dataset.columns, "`columns` is empty; it must hold at least one column, such as 'images'"
    for name, column in dataset.columns.items():
        _check_column(name, column, dataset.spec)
    if dataset.spec.factors or isinstance(dataset, Factored):
        check_factors(dataset)
    for name, column in getattr(dataset, "test", {}).items():
        _check_column(name, column, dataset.spec)
    draw = getattr(dataset, "draw", None)
    if draw:
        for n in (1, 8):
            _check_drawn(draw, n, dataset)
        return
    lengths = {name: int(column.shape[0]) for name, column in dataset.columns.items()}
    assert len(set(lengths.values())) == 1 or getattr(dataset, "unpaired", False), (
        f"columns have {lengths} rows; without `draw` all must have as many, unless the data set is `unpaired`"
    )
    assert dataset.spec.group == 1, f"spec.group is {dataset.spec.group}, but only a method `draw` can make groups"


def check_threads(dataset: Dataset) -> None:
    """Rows that several threads fetch at once are those that one fetches."""
    for name, column in dataset.columns.items():
        length, rng = int(column.shape[0]), np.random.default_rng(0)
        asked = [rng.integers(0, length, 4) for _ in range(_ASKED)]
        wanted = [fetch(column, rows) for rows in asked]
        with ThreadPoolExecutor(_THREADS) as pool, blamed(f"column '{name}' fails when several threads fetch at once"):
            found = list(pool.map(lambda rows, column=column: fetch(column, rows), asked))
        assert all(torch.equal(one, other) for one, other in zip(wanted, found, strict=True)), (
            f"column '{name}' gives other rows when several threads fetch at once; keep nothing between calls, or use "
            "a lock"
        )


def _check_column(name: str, column: Any, spec: DataSpec) -> None:
    shape = tuple(column.shape)
    assert shape and shape[0] > 0, f"column '{name}' is {shape}; it must have rows"
    if name in ("a", "b") and spec.vector:
        assert shape[1:] == (spec.vector,), f"column '{name}' is {shape}, but spec.vector is {spec.vector}"
    elif name == "images" or len(shape) == 4:
        assert shape[1:] == spec.image, f"column '{name}' is {shape}, but spec.image is {spec.image}"
        assert column.dtype == torch.uint8, f"column '{name}' is {column.dtype}; pictures must be torch.uint8"
    if name == "attributes":
        assert shape[1:] == (len(spec.attributes),), f"'attributes' is {shape}, spec names {len(spec.attributes)}"
    rows = np.array([shape[0] - 1, 0, shape[0] // 2])
    fetched = fetch(column, rows)
    assert fetched.shape == (3, *shape[1:]) and fetched.dtype == column.dtype, (
        f"column '{name}' says that 3 rows are {(3, *shape[1:])}, {column.dtype}, "
        f"but gives {tuple(fetched.shape)}, {fetched.dtype}"
    )
    singly = torch.cat([fetch(column, rows[place : place + 1]) for place in range(3)])
    assert torch.equal(fetched, singly), f"column '{name}' must give rows in the order asked for, the same each time"


def _check_drawn(draw: Callable[..., Mapping[str, Any]], n: int, dataset: Dataset) -> None:
    # The draw between moves on whatever hidden state there is.
    drawn, _, again = (draw(n, np.random.default_rng(seed)) for seed in (0, 1, 0))
    assert drawn.keys() == again.keys() and all(np.array_equal(drawn[name], again[name]) for name in drawn), (
        "draw(n, rng) gives other rows for the same rng; it must be a function of `rng` alone, or no run can resume"
    )
    group = dataset.spec.group
    for name, rows in drawn.items():
        assert name in dataset.columns, f"draw gives rows of '{name}'; the columns are {names(dataset.columns)}"
        assert isinstance(rows, np.ndarray) and rows.dtype == np.int64, f"draw: rows of '{name}' must be int64"
        shapes = {(n,), (n, group)} if group > 1 and name != "images" else {(n, group) if group > 1 else (n,)}
        assert rows.shape in shapes, f"draw({n}, rng): rows of '{name}' are {rows.shape}, not {sorted(shapes)}"
        length = dataset.columns[name].shape[0]
        assert rows.min() >= 0 and rows.max() < length, f"draw: rows of '{name}' must be from 0 to {length - 1}"
        if rows.ndim == 2:
            distinct = all(len(set(each)) == group for each in rows.tolist())
            assert distinct, f"draw puts a row of '{name}' twice in one group; a picture is no pair with itself"


def columns(subject: Subject) -> None:
    """Columns and rows are what the spec says."""
    check_columns(_built(subject))


def threads(subject: Subject) -> None:
    """Threads fetch the same rows."""
    check_threads(_built(subject))


def again(subject: Subject) -> None:
    """Built again, with the same settings, it has the same rows: no resumed run would go on with others."""
    one, other = _built(subject), subject.make()
    assert one.spec == other.spec, (
        "built again it has another spec; it must follow from the settings and the files alone"
    )
    for name, column in one.columns.items():
        rows = np.linspace(0, int(column.shape[0]) - 1, 16).astype(np.int64)
        same = column.shape == other.columns[name].shape and torch.equal(
            fetch(column, rows), fetch(other.columns[name], rows)
        )
        assert same, f"built again, column '{name}' has other rows; draw from a generator that a setting `seed` seeds"


def _built(subject: Subject) -> Dataset:
    made: Dataset = subject.once("built", subject.make)
    return made
