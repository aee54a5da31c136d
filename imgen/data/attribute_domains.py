"""Two domains of pictures by what a table of attributes says of them, such as blond and black hair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Ge
from pydantic import BeforeValidator

from imgen.binding import Place
from imgen.data.attributes import Attributes, read_attributes
from imgen.data.domains import Domains
from imgen.data.parting import Channels, Facts, Frame, Overlap, domains, drop_overlap, parted, surveyed, tail
from imgen.data.source import open_source
from imgen.data.tabled import left_out, official, pictures_of
from imgen.errors import DataError
from imgen.names import Style, style

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Sign = Annotated[Literal["1", "-1", "0"], BeforeValidator(_text)]


def attribute_domains(
    *,
    root: Place,
    style_A: str,
    style_B: str | None = None,
    constraint: str | None = None,
    constraint_type: Sign | None = None,
    attrs: tuple[str, ...] = (),
    n_test: Annotated[int, Ge(0)] = 200,
    partition: Literal["tail", "celeba"] = "tail",
    overlap: Overlap = "drop",
    size: Annotated[int, Ge(1)] = 64,
    crop: int | str = "center",
    channels: Channels = 3,
    about: str = "",
) -> Domains:
    """Two domains of pictures by their attributes, such as CelebA's: those with a style, and those with another or not.

    Settings:
        root: folder or zip of pictures, with list_attr_celeba.txt or another list_attr*.csv inside or beside it
        style_A: style of the first domain, such as blond, Blond_Hair or not-male
        style_B: style of the second domain; null: those that lack style_A
        constraint: style that all pictures of both domains have, such as male or not-male
        constraint_type: 1 for having the constraint, -1 or 0 for lacking it; null: as the constraint itself says
        attrs: the only columns of the table that are read; none: all
        n_test: last pictures of each domain, held out for tests; 0: none [pictures]
        partition: tail, or celeba to train on the official part 0 and hold out all of part 2, or 1 without it
        overlap: drop the pictures with both styles, or keep them in both domains
        size: height and width of a picture [pixels]
        crop: 'center', 'none' (squeeze), 'celeba', side of a centred square, or WxH+X+Y [pixels]
        channels: 3 for colour, 1 for grey
        about: what data this is and on what terms, for the model card

    Raises: `DataError` where the table or its pictures are missing, a style is unknown, or one leaves no picture.
    """
    frame = Frame(size=size, crop=crop, channels=channels)
    source = open_source(root, "pictures with a table of attributes")
    table = read_attributes(source, attrs)
    wanted = _wanted(table, style_A, style_B, constraint, constraint_type)
    found = pictures_of(source, table)
    chosen = _choose(table, wanted, np.array([name is not None for name in found]), overlap)
    names = tuple(str(each) for each in (wanted.a, wanted.b))
    fold = official(source, table, n_test) if partition == "celeba" else None
    rows = np.flatnonzero((chosen.a | chosen.b) & (True if fold is None else fold >= 0))
    if not len(rows):
        raise DataError(f"{table.where}: no picture of either domain is in the official parts")
    pictures = frame.column(source, [str(found[row]) for row in rows])
    rows, unreadable = surveyed(pictures, rows)
    parts = []
    for name, member in zip(names, (chosen.a, chosen.b), strict=True):
        places = np.flatnonzero(member[rows])
        held = tail(table.where, name, len(places), n_test) if fold is None else fold[rows[places]] == 1
        if held.all():
            raise DataError(f"{table.where}: no picture of {name} is in the official part to train on")
        parts.append(parted(name, pictures, places, held))
    facts = Facts(
        about=about or f"pictures from {source.path.name}, {names[0]} and {names[1]}",
        origin={"layout": "attributes", "constraint": str(wanted.constraint or "")},
        unreadable=dict(source.refused) | unreadable,
        notes=[*chosen.notes, *left_out(source, table, found)],
    )
    return domains(parts[0], parts[1], frame, facts)


@dataclass(frozen=True)
class _Wanted:
    """The styles of both domains, and what all pictures have."""

    a: Style
    b: Style
    constraint: Style | None


@dataclass(frozen=True)
class _Chosen:
    """Which rows of the table are in each domain, and what to say of it."""

    a: NDArray[np.bool_]
    b: NDArray[np.bool_]
    notes: list[str]


def _wanted(table: Attributes, a: str, b: str | None, constraint: str | None, sign: str | None) -> _Wanted:
    known = table.attributes
    first = style(a, known)
    second = Style(first.attribute, not first.positive) if b is None else style(b, known)
    if first == second:
        raise DataError(f"style_A and style_B are both {first}; two domains must differ")
    if constraint is None:
        if sign is not None:
            raise DataError(f"constraint_type is {sign}, but there is no constraint")
        return _Wanted(first, second, None)
    every = style(constraint, known)
    if sign is not None:
        if not every.positive:
            raise DataError(f"constraint '{constraint}' says what is lacking; leave constraint_type {sign} out")
        every = Style(every.attribute, str(sign) == "1")
    return _Wanted(first, second, every)


def _choose(table: Attributes, wanted: _Wanted, present: NDArray[np.bool_], overlap: Overlap) -> _Chosen:
    """Row by row: present, then the constraint, then the styles, and at last those in both."""
    notes: list[str] = []
    pool, of = present, f"{int(present.sum()):,} pictures"
    if wanted.constraint is not None:
        pool = present & _has(table, wanted.constraint)
        if not pool.any():
            raise DataError(f"{table.where}: constraint: none of {of} is {wanted.constraint}")
        notes.append(f"constraint: {int(pool.sum()):,} of {of} are {wanted.constraint}")
        of = f"{int(pool.sum()):,} pictures that are {wanted.constraint}"
    masks = []
    for setting, each in (("style_A", wanted.a), ("style_B", wanted.b)):
        masks.append(pool & _has(table, each))
        if not masks[-1].any():
            raise DataError(f"{table.where}: {setting}: none of {of} is {each}")
    a, b, told = drop_overlap(table.where, masks[0], masks[1], (str(wanted.a), str(wanted.b)), overlap)
    return _Chosen(a, b, notes + told)


def _has(table: Attributes, wanted: Style) -> NDArray[np.bool_]:
    # Where nothing is known, neither the style nor its lack is.
    has: NDArray[np.bool_] = table.of(wanted.attribute) == (1 if wanted.positive else -1)
    return has
