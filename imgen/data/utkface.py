"""Two domains of UTKFace pictures, whose names tell age, gender and race."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Ge

from imgen.binding import Place
from imgen.data.domains import Domains
from imgen.data.parting import Channels, Facts, Frame, domains, drop_overlap, parted, spread, surveyed
from imgen.data.source import Source, open_source
from imgen.errors import DataError
from imgen.names import find, style

if TYPE_CHECKING:
    from numpy.typing import NDArray

By = Literal["gender", "age", "race"]
VALUES = {"gender": ("male", "female"), "race": ("white", "black", "asian", "indian", "others")}
"""What the numbers of a name stand for, in order."""
_NAME = re.compile(r"(\d{1,3})_([01])_([0-4])_\d+\b.*")
_AGES = re.compile(r"(?:(!|not[ _-]))?\s*(\d*)\s*(-?)\s*(\d*)")
NAMED = "<age>_<gender>_<race>_<date>.jpg"
"""The form, for messages."""


@dataclass(frozen=True)
class Faces:
    """Pictures by name; age [years], gender and race of each, as places in `VALUES`; malformed: other names."""

    names: list[str]
    age: NDArray[np.int64]
    gender: NDArray[np.int64]
    race: NDArray[np.int64]
    malformed: list[str]


@dataclass(frozen=True)
class Group:
    """Ages from `low` to `high`, or one gender or race, or all but these. low, high: both are in it."""

    by: By
    name: str
    low: int
    high: int
    positive: bool = True

    def __str__(self) -> str:
        return self.name if self.positive else f"not {self.name}"

    def of(self, faces: Faces) -> NDArray[np.bool_]:
        """Which of the faces are in it."""
        told = {"age": faces.age, "gender": faces.gender, "race": faces.race}[self.by]
        inside: NDArray[np.bool_] = (told >= self.low) & (told <= self.high)
        return inside if self.positive else ~inside


def utkface_domains(
    *,
    root: Place,
    style_A: str,
    style_B: str | None = None,
    by: By = "gender",
    constraint: str | None = None,
    n_test: Annotated[int, Ge(0)] = 200,
    size: Annotated[int, Ge(1)] = 64,
    crop: int | str = "center",
    channels: Channels = 3,
    about: str = "",
) -> Domains:
    """Two domains of UTKFace pictures, by the gender, age or race that their names tell.

    Settings:
        root: folder or zip of pictures named <age>_<gender>_<race>_<date>.jpg
        style_A: first domain: male, female; ages such as 0-19 or 60-; or white, black, asian, indian, others
        style_B: second domain; null: all that are not in the first
        by: gender, age or race: what style_A and style_B are of
        constraint: what all pictures of both domains are, such as gender=female or age=20-40
        n_test: pictures of each domain held out for tests, evenly spread over their names; 0: none [pictures]
        size: height and width of a picture [pixels]
        crop: 'center', 'none' (squeeze), side of a centred square, or WxH+X+Y [pixels]
        channels: 3 for colour, 1 for grey
        about: what data this is and on what terms, for the model card

    Raises: `DataError` where no picture is named so, a style is unknown, or one leaves no picture.
    """
    frame = Frame(size=size, crop=crop, channels=channels)
    first = group(by, style_A, "style_A")
    second = _other(first) if style_B is None else group(by, style_B, "style_B")
    if first == second:
        raise DataError(f"style_A and style_B are both {first}; two domains must differ")
    source = open_source(root, f"pictures named {NAMED}")
    faces = read_faces(source)
    masks, notes = _members(source, faces, (first, second), constraint)
    names = (str(first), str(second))
    a, b, told = drop_overlap(str(source.path), masks[0], masks[1], names, "drop")
    rows = np.flatnonzero(a | b)
    pictures = frame.column(source, [faces.names[row] for row in rows])
    rows, unreadable = surveyed(pictures, rows)
    parts = []
    for name, member in zip(names, (a, b), strict=True):
        places = np.flatnonzero(member[rows])
        # Names go by age: the last of them would all be old.
        parts.append(parted(name, pictures, places, spread(str(source.path), name, len(places), n_test)))
    if faces.malformed:
        told.append(f"{len(faces.malformed):,} pictures not named {NAMED} left out, such as {faces.malformed[0]}")
    facts = Facts(
        about=about or f"UTKFace pictures from {source.path.name}, {first} and {second}",
        origin={"layout": "utkface", "constraint": constraint or ""},
        unreadable=dict(source.refused) | unreadable,
        notes=notes + told,
    )
    return domains(parts[0], parts[1], frame, facts)


def is_named(name: str) -> bool:
    """Whether the name of a picture is in the form."""
    return _match(name) is not None


def read_faces(source: Source) -> Faces:
    """What the names tell. Raises: `DataError` where none is in the form."""
    named: list[str] = []
    told: list[list[int]] = []
    malformed: list[str] = []
    for name in source.names:
        if match := _match(name):
            named.append(name)
            told.append([int(number) for number in match.groups()])
        else:
            malformed.append(name)
    if not named:
        raise DataError(f"{source.path}: none of {len(malformed)} pictures is named {NAMED}")
    age, gender, race = np.array(told).T
    return Faces(named, age, gender, race, malformed)


def _match(name: str) -> re.Match[str] | None:
    return _NAME.fullmatch(name.rpartition("/")[2])


def group(by: By, text: str, what: str) -> Group:
    """The group that a text means: `female`, `not-white`, or ages such as `0-19`, `60-`, `-19`, `25` or `not 0-19`.

    what: the setting that it comes from, for the message. Raises: `DataError` where it means none.
    """
    if by != "age":
        try:
            meant = style(text, VALUES[by], by)
        except DataError as error:
            raise DataError(f"{what}: {error}") from error
        place = VALUES[by].index(meant.attribute)
        if by == "gender" and not meant.positive:
            place = 1 - place
        return Group(by, VALUES[by][place], place, place, meant.positive or by == "gender")
    match = _AGES.fullmatch(text.strip())
    if not match or not (match[2] or match[4]):
        raise DataError(f"{what}: {text!r} are no ages; write them as 0-19, 60- or 25")
    low = int(match[2] or 0)
    high = int(match[4]) if match[4] else (999 if match[3] else low)
    if low > high:
        raise DataError(f"{what}: {text!r} are no ages: {low} is more than {high}")
    name = f"{low}-{'' if high == 999 else high}" if high != low else str(low)
    return Group("age", name, low, high, not match[1])


def _other(first: Group) -> Group:
    if first.by == "gender":
        return group("gender", VALUES["gender"][1 - first.low], "style_B")
    return Group(first.by, first.name, first.low, first.high, not first.positive)


def _members(
    source: Source, faces: Faces, groups: Sequence[Group], constraint: str | None
) -> tuple[list[NDArray[np.bool_]], list[str]]:
    """Which faces are in each group, once all meet the constraint, and what to say of that."""
    pool = np.ones(len(faces.names), bool)
    of, notes = f"{len(pool):,} pictures", []
    if constraint is not None:
        key, equals, value = constraint.partition("=")
        if not equals:
            raise DataError(f"constraint: {constraint!r} is none; write it as gender=female, age=20-40 or race=asian")
        by: By = find(key, ("gender", "age", "race"), "constraint")  # type: ignore[assignment]
        every = group(by, value, "constraint")
        pool = every.of(faces)
        if not pool.any():
            raise DataError(f"{source.path}: constraint: none of {of} is {by} {every}")
        notes.append(f"constraint: {int(pool.sum()):,} of {of} are {by} {every}")
        of = f"{int(pool.sum()):,} pictures that are {by} {every}"
    masks = []
    for setting, each in zip(("style_A", "style_B"), groups, strict=True):
        masks.append(pool & each.of(faces))
        if not masks[-1].any():
            raise DataError(f"{source.path}: {setting}: none of {of} is {each.by} {each}")
    return masks, notes
