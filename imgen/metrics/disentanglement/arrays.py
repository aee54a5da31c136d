"""Codes and factors in files: where scores get them without a model and its data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imgen.data import arrays
from imgen.data.spec import Factor
from imgen.errors import DataError
from imgen.metrics.disentanglement.array_codes import ArrayCodes, array_codes
from imgen.metrics.disentanglement.checked import codes_of, numbers, placed
from imgen.metrics.disentanglement.representation import Groups, Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ArrayCodes", "array_codes", "read"]

_VALUES = "_values"
_MOST = 1_000_000  # values of a factor


def read(codes_path: str | Path, factors_path: str | Path) -> ArrayCodes:
    """Codes and factors of .npz or .npy files, in one of two layouts.

    Rows: `codes` (n, D), as `imgen encode --out` writes them, and `factors` (n, K), values row for row, with `names`
    and `ordered` (K,) if there are any; a file of one array need not name it.
    Parts: codes `train` (n, D), and if there are any `test` (m, D), `std` (s, D) and `groups` (M, L, D). Factors
    `train` and `test`, places from 0 of each of K factors' values; `sizes` (K,), numbers of values; `labels` (M,), the
    factor that each of the groups shares; `groups` (M, L, K), its places; `NAME_values` for each factor in order,
    and `is_continuous` (K,), where values lie along a line. What is given of the codes must be of the factors.
    Raises: `DataError` where a file is neither, or both do not fit together.
    """
    codes, factors = Path(codes_path), Path(factors_path)
    try:
        if "train" in arrays.contents(codes):
            return _parts(_Given(codes), _Given(factors))
        return _rows(codes, factors)
    except DataError as error:
        said = str(error)
        raise (
            error if said.startswith((str(codes), str(factors))) else DataError(f"{codes}, {factors}: {said}")
        ) from None


class _Given:
    """Arrays of a file by name, of which messages say where they are from."""

    def __init__(self, path: Path) -> None:
        self.path, self.names = path, list(arrays.contents(path))

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def __getitem__(self, name: str) -> NDArray[Any]:
        return arrays.read(self.path, name)

    def only(self, name: str) -> NDArray[Any]:
        """The array of this name, or the only one there is."""
        return self[name if name in self.names or len(self.names) != 1 else self.names[0]]


def _rows(codes: Path, factors: Path) -> ArrayCodes:
    z, y = _Given(codes), _Given(factors)
    names = [str(name) for name in _row(y, "names", "SU", "text")] if "names" in y else []
    ordered = [bool(each) for each in _row(y, "ordered", "biu", "true or false")] if "ordered" in y else []
    return array_codes(z.only("codes"), y.only("factors"), names, ordered)


def _row(of: _Given, name: str, kinds: str, what: str) -> NDArray[Any]:
    found = of[name]
    if found.ndim != 1 or found.dtype.kind not in kinds:
        raise DataError(f"'{name}' is {found.shape} of {found.dtype}; give {what}, (factors,)")
    return found.astype(str) if found.dtype.kind == "S" else found


def _parts(z: _Given, y: _Given) -> ArrayCodes:
    sizes = numbers(y["sizes"], "sizes", 1, "(factors,)").astype(np.int64)
    if (sizes < 2).any() or (sizes > _MOST).any():
        raise DataError(f"'sizes' is {sizes.tolist()}; a factor has from 2 to {_MOST:,} values")
    factors, values = _axes(y, sizes)

    def part(name: str) -> Rows:
        codes, places = codes_of(z[name], name), _places(y[name], name, sizes)
        if len(codes) != len(places):
            raise DataError(f"'{name}' has {len(codes):,} rows of codes but {len(places):,} of factors")
        taken = [known[column] for known, column in zip(values, places.T, strict=True)]
        return Rows(codes, np.stack(taken, axis=1), places)

    train = part("train")
    for factor, column in zip(factors, train.places.T, strict=True):
        placed(column.astype(np.float64), factor.name)  # it must vary
    found = ArrayCodes(
        factors,
        train,
        part("test") if "test" in z else None,
        codes_of(z["std"], "std") if "std" in z else None,
        _groups(z, y, sizes) if "groups" in z else None,
    )
    for name, other in (("test", found.held_out_rows), ("groups", found.own_groups)):
        if other is not None and other.codes.shape[-1] != train.codes.shape[1]:
            raise DataError(f"'{name}' has {other.codes.shape[-1]} codes, but 'train' has {train.codes.shape[1]}")
    if found.different_codes is not None and found.different_codes.shape[1] != train.codes.shape[1]:
        raise DataError(f"'std' has {found.different_codes.shape[1]} codes, but 'train' has {train.codes.shape[1]}")
    return found


def _axes(y: _Given, sizes: NDArray[np.int64]) -> tuple[tuple[Factor, ...], list[NDArray[np.float64]]]:
    """The factors, and the values of each in order; their places, where it has none or they are kinds."""
    names = [name.removesuffix(_VALUES) for name in y.names if name.endswith(_VALUES)]
    lines = [bool(each) for each in _row(y, "is_continuous", "biu", "true or false")] if "is_continuous" in y else []
    named, lines = bool(names), lines or [True] * len(sizes)
    names = names or [f"factor {number}" for number in range(1, len(sizes) + 1)]
    for what, given in ((f"NAME{_VALUES}", names), ("is_continuous", lines)):
        if len(given) != len(sizes):
            raise DataError(f"there are {len(given)} of '{what}' for {len(sizes)} factors; give one for each")
    factors = tuple(Factor(name, int(size), line) for name, size, line in zip(names, sizes, lines, strict=True))
    values = [np.arange(size, dtype=np.float64) for size in sizes]
    for k, factor in enumerate(factors):
        if named and factor.ordered:
            name = factor.name + _VALUES
            values[k] = numbers(y[name], name, 1, f"({factor.size},)").astype(np.float64)
            if len(values[k]) != factor.size:
                raise DataError(f"'{name}' has {len(values[k])} values; 'sizes' says {factor.size}")
    return factors, values


def _places(given: NDArray[Any], what: str, sizes: NDArray[np.int64], dimensions: int = 2) -> NDArray[np.int64]:
    places = numbers(given, what, dimensions, "(rows, factors)" if dimensions == 2 else "(groups, rows, factors)")
    if places.shape[-1] != len(sizes) or places.dtype.kind == "f":
        raise DataError(f"'{what}' is {places.shape} of {places.dtype}; give places of {len(sizes)} factors' values")
    if (places < 0).any() or (places >= sizes).any():
        raise DataError(f"'{what}' has places outside 0 to sizes - 1")
    return places.astype(np.int64)


def _groups(z: _Given, y: _Given, sizes: NDArray[np.int64]) -> Groups:
    codes = codes_of(z["groups"], "groups", dimensions=3)
    labels = numbers(y["labels"], "labels", 1, "(groups,)").astype(np.int64)
    if len(labels) != len(codes):
        raise DataError(f"there are {len(codes):,} groups but {len(labels):,} labels; give each group its own")
    if labels.min() < 0 or labels.max() >= len(sizes):
        raise DataError(f"'labels' has {labels.min()} to {labels.max()}; there are the factors 0 to {len(sizes) - 1}")
    if "groups" in y:
        places = _places(y["groups"], "groups", sizes, dimensions=3)
        if places.shape[:2] != codes.shape[:2]:
            raise DataError(f"'groups' is {codes.shape[:2]} of codes but {places.shape[:2]} of factors")
        shared = np.take_along_axis(places, labels[:, None, None], axis=2)[..., 0]
        apart = np.flatnonzero((shared != shared[:, :1]).any(axis=1))
        if len(apart):
            raise DataError(f"group {apart[0]} does not share the factor {labels[apart[0]]}, as its label says")
    return Groups(codes, labels)
