"""Which identity each picture shows, as the usual layouts of such data sets tell it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from imgen.data.source import Source
from imgen.errors import DataError

Layout = Literal["auto", "names", "folders", "celeba"]

UNDERSTOOD = (
    "pictures named <ID>_<OBS>_<anything> in train/, a folder for each identity, "
    "CelebA pictures with identity_CelebA.txt, or what `imgen data pack` wrote"
)
TABLE = "identity_CelebA.txt"
_SPLITS = ("train", "val", "valid", "validation", "test")
_CONVENTION = re.compile(r"(.+)_(\d+)_([^_]*)")
_MOST = 0.9


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """names: pictures in order; identity: of each, by name; unlabelled: pictures that the layout says nothing of."""

    layout: str
    names: list[str]
    identity: list[str]
    unlabelled: list[str]


def group(source: Source, layout: Layout = "auto", split: str = "train") -> Grouping:
    """The identity of every picture of one split.

    Raises: `DataError` where the layout is not recognised, is not the one asked for, or lacks the split.
    """
    if not source.names:
        raise DataError(f"{source.path}: holds no pictures; wanted are {UNDERSTOOD}")
    below = _below_split(source, split)
    names = [name for name in source.names if name.startswith(below)]
    table = _table(source)
    if layout == "celeba" and table is None:
        raise DataError(
            f"{source.path}: layout 'celeba' needs {TABLE}, which comes with the CelebA download, beside it"
        )
    if layout == "auto":
        layout = "celeba" if table is not None else _recognise(source, names, below)
    if layout == "celeba" and table is not None:
        labels = [table.get(PurePosixPath(name).stem) for name in names]
    elif layout == "names":
        labels = [_by_name(name) for name in names]
    else:
        labels = _by_folder(names, below)
    pairs = [(name, label) for name, label in zip(names, labels, strict=True) if label is not None]
    if not pairs:
        raise DataError(f"{source.path}: layout {layout!r} gives none of the {len(names)} pictures an identity")
    return Grouping(
        layout=layout,
        names=[name for name, _ in pairs],
        identity=[label for _, label in pairs],
        unlabelled=[name for name, label in zip(names, labels, strict=True) if label is None],
    )


def _below_split(source: Source, split: str) -> str:
    """The start that the paths of a split share: 'train/', 'wrapper/train/', or nothing where there are no splits."""
    wrapper = _wrapper(source.names)
    tops = {name[len(wrapper) :].split("/")[0] for name in source.names if "/" in name[len(wrapper) :]}
    present = sorted(tops & {*_SPLITS, split})
    if split in present:
        return f"{wrapper}{split}/"
    if split == "all":
        return wrapper
    if present or split not in (source.path.name, "train"):
        raise DataError(f"{source.path}: no folder {split!r}; there is {', '.join(present) or 'no split'}")
    return wrapper


def _wrapper(names: Sequence[str]) -> str:
    """Folders that hold everything and mean nothing: all but a split's, and the last if only it names an identity."""
    parents = [PurePosixPath(name).parent.parts for name in (min(names), max(names))]
    shared: list[str] = []
    for first, last in zip(*parents, strict=False):
        if first != last or first in _SPLITS:
            break
        shared.append(first)
    # Shared by the first and the last name in order is shared by all.
    return "".join(f"{part}/" for part in shared)


def _recognise(source: Source, names: Sequence[str], below: str) -> Layout:
    flat = [name for name in names if "/" not in name[len(below) :]]
    folders = {PurePosixPath(name).parent for name in names} - {PurePosixPath(below or ".")}
    keyed = [match.groups()[:2] for name in flat if (match := _CONVENTION.fullmatch(PurePosixPath(name).stem))]
    # An observation's number is given once; where pairs recur, the underscores mean something else.
    if len(flat) >= _MOST * len(names) and len(set(keyed)) >= _MOST * len(flat):
        return "names"
    if len(names) - len(flat) >= _MOST * len(names) and len(folders) > 1:
        return "folders"
    raise DataError(
        f"{source.path}: {len(flat)} pictures directly ({len(set(keyed))} named <ID>_<OBS>_<anything>) "
        f"and {len(names) - len(flat)} in {len(folders)} folders, which is no layout that is known; "
        f"wanted are {UNDERSTOOD}; `layout` chooses one"
    )


def _by_name(name: str) -> str | None:
    parts = PurePosixPath(name).stem.rsplit("_", 2)
    return parts[0] if len(parts) == 3 and parts[0] else None


def _by_folder(names: Sequence[str], below: str) -> list[str | None]:
    parents = [name[len(below) :].rpartition("/")[0] for name in names]
    if not any(parents):
        # One folder, one identity: its own name is all there is.
        return [below.rstrip("/").rpartition("/")[2] or None for _ in names]
    return [parent or None for parent in parents]


def _table(source: Source) -> dict[str, str] | None:
    """Identity by the name of a picture without its suffix: from the source, or from the file beside it."""
    inside = [name for name in source.tables if PurePosixPath(name).name.lower() == TABLE.lower()]
    beside = source.path.absolute().parent / TABLE
    try:
        if inside:
            return _parse(source.read(inside[0]), f"{source.path}: {inside[0]}")
        table = _parse(beside.read_bytes(), str(beside)) if beside.is_file() else {}
    except OSError as error:
        raise DataError(f"{beside}: cannot be read: {error.strerror}") from error
    # What lies beside may belong to something else.
    return table if any(PurePosixPath(name).stem in table for name in source.names) else None


def _parse(text: bytes, where: str) -> dict[str, str]:
    table: dict[str, str] = {}
    for number, line in enumerate(text.decode("utf-8", "replace").splitlines(), 1):
        words = line.split()
        if len(words) == 2:
            table[PurePosixPath(words[0]).stem] = words[1]
        elif words:
            raise DataError(
                f"{where}:{number}: {line[:60]!r} is not a picture and its identity, as in '000001.jpg 2880'"
            )
    return table
