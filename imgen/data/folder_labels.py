"""Partly labelled pictures, a folder for each value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge

from imgen.binding import Count, Fraction, NonNegative, Place
from imgen.data.labelled import Labelled
from imgen.data.labels import UNKNOWN, Known, Split
from imgen.data.parting import Channels, Facts, Frame, default_held
from imgen.data.partly import Asked, Balance, Names, hold_out, labelled
from imgen.data.samplers import Kind
from imgen.data.source import Source, open_source
from imgen.data.spec import Attribute
from imgen.data.splits import KINDS, split, wrapper
from imgen.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNLABELLED = ("unlabelled", "unlabeled", "unknown", "mixed")
"""Folders of pictures of which nothing is known."""


def folder_attributes(
    *,
    root: Place,
    attribute: str = "style",
    size: Annotated[int, Ge(1)] = 128,
    crop: int | str = "center",
    channels: Channels = 3,
    n_test: NonNegative | None = None,
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
    """Pictures with one attribute, a folder for each value, and perhaps one called unlabelled or mixed.

    Settings:
        root: folder or zip with a folder of pictures for each value, inside train and test or without these
        attribute: what the folders are values of
        size: height and width of a picture [pixels]
        crop: 'center', 'none' (squeeze), 'celeba', side of a centred square, or WxH+X+Y [pixels]
        channels: 3 for colour, 1 for grey
        n_test: labelled pictures held out where there is no folder test; null: a tenth, 200 at most [pictures]
        labels_per_value: labels of each value that may be seen; null: all [pictures]
        split: which those are: exactly so many, drawn by split_seed, or those of the first pictures, nominally as many
        split_seed: draws the labels that may be seen
        split_file: CSV that says which pictures and labels are used for what, in place of n_test and labels
        sampler: uniform over pictures, or balanced: a part of each batch labelled, one value as often as another
        labelled_fraction: part of a batch that is labelled, for the balanced sampler
        oversample: times that the pictures chosen to be labelled are listed once more, for the uniform sampler
        balance: attributes whose rare values are repeated, one inside the other, for the uniform sampler
        balance_ratio: pictures of a rare value for each of the commonest; only_pos or only_neg keeps one side
        about: what data this is and on what terms, for the model card

    Raises: `DataError` where there are fewer than two folders of pictures, or one has too few.
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
    source = open_source(root, "pictures, a folder for each value")
    known, test = _known(source, attribute)
    labels = known.truth[:, 0] != UNKNOWN

    def hold(left: NDArray[np.int64]) -> NDArray[np.bool_]:
        if test.any():
            return test[left]
        places = np.flatnonzero(labels[left])
        count = default_held(len(places)) if n_test is None else n_test
        held = np.zeros(len(left), bool)
        held[places] = hold_out(str(source.path), len(places), count, "spread")
        return held

    left_out = len(source.names) - len(known.names)
    facts = Facts(
        about=about or f"pictures from {source.path.name}: {', '.join(known.attributes[0].values)}",
        origin={"layout": "folders"},
        unreadable=dict(source.refused),
        notes=[f"{left_out:,} pictures in no such folder left out"] if left_out else [],
    )
    return labelled(known, hold, asked, frame, facts)


def _known(source: Source, attribute: str) -> tuple[Known, NDArray[np.bool_]]:
    """The pictures in folders of values, and which of them are in a folder of tests."""
    parts = split(source)
    below = wrapper(source.names, KINDS)
    found: list[tuple[str, str, bool]] = []
    for names, test in ((parts.train, False), (parts.test, True)):
        for name in names:
            folders = name[len(below) :].split("/")[:-1]
            if folders and folders[0].lower() in KINDS:
                folders = folders[1:]
            if folders:
                found.append((name, folders[0], test))
    values = _values(source, [folder for _, folder, test in found if not test])
    found = [each for each in found if each[1] in values or _nothing(each[1])]
    truth = [[UNKNOWN if _nothing(folder) else values.index(folder)] for _, folder, _ in found]
    known = Known(
        where=str(source.path),
        source=source,
        names=[name for name, _, _ in found],
        attributes=(Attribute(attribute, tuple(values)),),
        truth=np.array(truth, np.int64),
    )
    return known, np.array([test for _, _, test in found])


def _values(source: Source, folders: Sequence[str]) -> list[str]:
    values = sorted({folder for folder in folders if not _nothing(folder)})
    if len(values) < 2:
        told = f"the only folder of pictures is {values[0]}" if values else "there are no folders of pictures"
        raise DataError(f"{source.path}: {told}; wanted are two or more, one for each value, and perhaps unlabelled")
    return values


def _nothing(folder: str) -> bool:
    return folder.casefold() in UNLABELLED
