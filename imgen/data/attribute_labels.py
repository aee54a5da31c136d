"""Partly labelled pictures with a table of attributes, such as CelebA's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Ge

from imgen.binding import Count, Fraction, NonNegative, Place
from imgen.data.attribute_values import Meant, column, meant, table_truth
from imgen.data.attributes import Attributes, read_attributes
from imgen.data.labelled import Labelled
from imgen.data.labels import Known, Split
from imgen.data.parting import Channels, Facts, Frame
from imgen.data.partly import Asked, Balance, Hold, Names, hold_out, labelled
from imgen.data.samplers import Kind
from imgen.data.source import Source, open_source
from imgen.data.tabled import left_out, official, pictures_of
from imgen.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Partition = Literal["last", "first", "celeba"]


def attributes(
    *,
    root: Place,
    attrs: Names,
    size: Annotated[int, Ge(1)] = 128,
    crop: int | str = "center",
    channels: Channels = 3,
    partition: Partition = "last",
    n_test: NonNegative = 200,
    skip: NonNegative = 0,
    labels_per_value: Count | None = None,
    split: Split = "exact",
    split_seed: NonNegative = 0,
    split_file: Place | None = None,
    sampler: Kind = "uniform",
    labelled_fraction: Fraction = 0.25,
    oversample: NonNegative = 0,
    balance: Names = (),
    balance_ratio: Balance = 0.55,
    about: str = "",
) -> Labelled:
    """Pictures with a table of attributes, such as CelebA's, of which all or some are labelled.

    Settings:
        root: folder or zip of pictures, with list_attr_celeba.txt or another list_attr*.csv inside or beside it
        attrs: attributes: Smiling, gender=Male, or exclusive columns as in hair=Black_Hair|Blond_Hair|not Brown_Hair
        size: height and width of a picture [pixels]
        crop: 'center', 'none' (squeeze), 'celeba', side of a centred square, or WxH+X+Y [pixels]
        channels: 3 for colour, 1 for grey
        partition: hold out the last or the first pictures, or, as celeba, part 2 of the official ones, or 1 without it
        n_test: pictures held out for tests; celeba holds out all of its part, and none at 0 [pictures]
        skip: first rows of the table that are left out of everything [rows]
        labels_per_value: labels of each value that may be seen; null: all [pictures]
        split: which those are: exactly so many, drawn by split_seed, or those of the first pictures, nominally as many
        split_seed: draws the labels that may be seen
        split_file: CSV that says which pictures and labels are used for what, in place of partition, skip and labels
        sampler: uniform over pictures, or balanced: a part of each batch labelled, one value as often as another
        labelled_fraction: part of a batch that is labelled, for the balanced sampler
        oversample: times that the pictures chosen to be labelled are listed once more, for the uniform sampler
        balance: attributes whose rare values are repeated, one inside the other, for the uniform sampler
        balance_ratio: pictures of a rare value for each of the commonest; only_pos or only_neg keeps one side
        about: what data this is and on what terms, for the model card

    Raises: `DataError` where the table or its pictures are missing, an attribute is unknown, or a value has too few
    labels.
    """
    frame = Frame(size=size, crop=crop, channels=channels)
    asked = Asked(
        labels_per_value=labels_per_value,
        split=split,
        split_seed=split_seed,
        split_file=split_file,
        sampler=sampler,
        labelled_fraction=labelled_fraction,
        oversample=oversample,
        balance=balance,
        balance_ratio=balance_ratio,
    )
    source = open_source(root, "pictures with a table of attributes")
    table = read_attributes(source)
    found = pictures_of(source, table)
    known, rows = _pictures(source, table, found, meant(attrs, table.attributes))
    notes = left_out(source, table, found)
    if split_file is None:
        known, hold, told = _parted(source, table, known, rows, (partition, n_test, skip))
        notes += told
    else:
        hold = None
    facts = Facts(
        about=about or f"pictures from {source.path.name} and their attributes",
        origin={"layout": "attributes"},
        unreadable=dict(source.refused),
        notes=notes,
    )
    return labelled(known, hold, asked, frame, facts)


def _parted(
    source: Source, table: Attributes, known: Known, rows: NDArray[np.int64], how: tuple[Partition, int, int]
) -> tuple[Known, Hold, list[str]]:
    """The pictures that are used, which of them are held out, and what to say of the others.

    rows: of the pictures in the table. how: partition, n_test and skip.
    """
    partition, n_test, skip = how
    used = rows >= skip
    if not used.any():
        raise DataError(f"{table.where}: skip is {skip:,}, which leaves none of {len(rows):,} pictures")
    fold = official(source, table, n_test)[rows] if partition == "celeba" else None
    if fold is not None:
        used &= fold >= 0
        if not used.any():
            raise DataError(f"{table.where}: none of {len(rows):,} pictures is in the official parts")
    held = None if fold is None else fold[used] == 1

    def hold(left: NDArray[np.int64]) -> NDArray[np.bool_]:
        if held is not None:
            return held[left]
        return hold_out(table.where, len(left), n_test, "first" if partition == "first" else "last")

    without = int((~used).sum())
    return (
        known.select(np.flatnonzero(used)),
        hold,
        [f"{without:,} pictures left out by skip or partition"] * (without > 0),
    )


def known_table(source: Source, attrs: Sequence[str] = ()) -> Known:
    """The pictures of a source, with all that its table tells of these attributes; none: of every column by itself.

    Raises: `DataError` as `attributes` does.
    """
    table = read_attributes(source)
    wanted = meant(attrs, table.attributes) if attrs else [column(name) for name in table.attributes]
    return _pictures(source, table, pictures_of(source, table), wanted)[0]


def _pictures(
    source: Source, table: Attributes, found: Sequence[str | None], wanted: Sequence[Meant]
) -> tuple[Known, NDArray[np.int64]]:
    """The pictures that are there, with all that the table tells of what is wanted, and their rows in it.

    found: the picture of each row, if any. Raises: `DataError` where a picture has two rows.
    """
    rows = np.array([row for row, path in enumerate(found) if path is not None], np.int64)
    names = [str(found[row]) for row in rows]
    if len(set(names)) < len(names):
        seen: dict[str, int] = {}
        for row, name in zip(rows.tolist(), names, strict=True):
            if (other := seen.setdefault(name, row)) != row:
                raise DataError(f"{table.where}: {table.names[other]} and {table.names[row]} are both of {name}")
    known = Known(
        where=table.where,
        source=source,
        names=names,
        attributes=tuple(each.attribute for each in wanted),
        truth=table_truth(table, wanted)[rows],
    )
    return known, rows
