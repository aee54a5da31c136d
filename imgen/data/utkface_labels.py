"""Partly labelled UTKFace pictures, whose names tell age, gender and race."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Ge

from imgen.binding import Count, Fraction, NonNegative, Place
from imgen.data.labelled import Labelled
from imgen.data.labels import UNKNOWN, Known, Split
from imgen.data.parting import Channels, Facts, Frame
from imgen.data.partly import Asked, Balance, Names, hold_out, labelled
from imgen.data.samplers import Kind
from imgen.data.source import Source, open_source
from imgen.data.spec import Attribute
from imgen.data.utkface import NAMED, VALUES, Faces, is_named, read_faces
from imgen.errors import DataError
from imgen.names import find

if TYPE_CHECKING:
    from numpy.typing import NDArray

AGES = ("0-10", "11-20", "21-30", "31-40", "41-50", "51-60", "61-70", "71+")
TOLD = ("age", "gender", "race")
_AGES = re.compile(r"(\d{1,3})\s*(?:-\s*(\d{1,3})|(\+))?")
_OLDEST = 999


def utkface_attributes(
    *,
    root: Place,
    attrs: Names = ("age",),
    ages: Names = AGES,
    size: Annotated[int, Ge(1)] = 128,
    crop: int | str = "center",
    channels: Channels = 3,
    n_test: NonNegative = 200,
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
    """UTKFace pictures, labelled with the ages, genders and races that their names tell, or with some of these.

    Settings:
        root: folder or zip of pictures named <age>_<gender>_<race>_<date>.jpg
        attrs: attributes: age, gender, race, or some of these
        ages: values of age, from young to old, such as 0-19, 20-39, 40+; other ages are unknown [years]
        size: height and width of a picture [pixels]
        crop: 'center', 'none' (squeeze), side of a centred square, or WxH+X+Y [pixels]
        channels: 3 for colour, 1 for grey
        n_test: pictures held out for tests, evenly spread over their names [pictures]
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

    Raises: `DataError` where no picture is named so, ages overlap, or a value has too few labels.
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
    bins = age_bins(ages)
    source = open_source(root, f"pictures named {NAMED}")
    faces = read_faces(source)
    known = known_faces(source, faces, attrs, bins)
    facts = Facts(
        about=about or f"UTKFace pictures from {source.path.name}, labelled with {', '.join(attrs)}",
        origin={"layout": "utkface"},
        unreadable=dict(source.refused),
        notes=[f"{len(faces.malformed):,} pictures not named {NAMED} left out, such as {faces.malformed[0]}"]
        if faces.malformed
        else [],
    )
    # Names go by age: the last of them would all be old.
    return labelled(known, lambda left: hold_out(known.where, len(left), n_test, "spread"), asked, frame, facts)


def age_bins(texts: Sequence[str]) -> dict[str, tuple[int, int]]:
    """The first and last year of ages such as `0-19`, `25` and `40+`, by name, in order.

    Raises: `DataError` where there are fewer than two, or they overlap, or do not go from young to old.
    """
    if len(texts) < 2:
        raise DataError(f"ages has {len(texts)} value{'s' * (not texts)}; two or more are wanted, such as 0-39, 40+")
    bins: dict[str, tuple[int, int]] = {}
    before, name = -1, ""
    for text in texts:
        match = _AGES.fullmatch(text.strip())
        if not match:
            raise DataError(f"ages: {text!r} are none; write them as 0-19, 25 or 40+")
        low = int(match[1])
        high = int(match[2]) if match[2] else (_OLDEST if match[3] else low)
        if low > high:
            raise DataError(f"ages: {text!r} are none: {low} is more than {high}")
        if low <= before:
            raise DataError(f"ages: {text} does not begin after {name} ends; write them from young to old, none twice")
        before, name = high, text
        bins[re.sub(r"\s", "", text)] = low, high
    return bins


def known_names(source: Source, attrs: Sequence[str] = ()) -> Known | None:
    """All that the names of pictures tell, where most of them are in the form; none of `attrs`: of everything."""
    told = sum(is_named(name) for name in source.names)
    return known_faces(source, read_faces(source), attrs or TOLD) if told > len(source.names) / 2 else None


def known_faces(
    source: Source, faces: Faces, attrs: Sequence[str] = TOLD, bins: dict[str, tuple[int, int]] | None = None
) -> Known:
    """The faces, with all that their names tell of these attributes. bins: of ages; None: `AGES`.

    Raises: `DataError` where an attribute is unknown or named twice.
    """
    bins = age_bins(AGES) if bins is None else bins
    columns: list[NDArray[np.int64]] = []
    told: list[Attribute] = []
    for text in attrs:
        name: Literal["age", "gender", "race"] = find(text, TOLD, "attribute")  # type: ignore[assignment]
        if name in [each.name for each in told]:
            raise DataError(f"attrs: the attribute {name} is named twice; name it once")
        if name == "age":
            column = np.full(len(faces.names), UNKNOWN)
            for place, (low, high) in enumerate(bins.values()):
                column[(faces.age >= low) & (faces.age <= high)] = place
        else:
            column = faces.gender if name == "gender" else faces.race
        told.append(Attribute(name, tuple(bins) if name == "age" else VALUES[name]))
        columns.append(column)
    if not told:
        raise DataError(f"attrs names no attribute; there are {', '.join(TOLD)}")
    return Known(
        where=str(source.path),
        source=source,
        names=faces.names,
        attributes=tuple(told),
        truth=np.stack(columns, axis=1),
    )
