"""Pictures grouped by the identity they show, drawn in tuples of one identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Ge

from imgen.binding import Place
from imgen.data.array_pictures import is_array
from imgen.data.layouts import UNDERSTOOD, Layout, group
from imgen.data.pack import Packed, PackedPictures, is_packed
from imgen.data.people import People, are_among
from imgen.data.pictures import Pictures, Report
from imgen.data.source import open_source
from imgen.data.spec import DataSpec
from imgen.data.tuples import Tuples
from imgen.errors import DataError
from imgen.images import check_crop

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Identities:
    """Pictures of identities that have enough of them.

    identity: (N,) which identity each picture shows; identity_names: its name; origin: how the pictures were read.
    """

    spec: DataSpec
    columns: Mapping[str, Pictures | PackedPictures]
    identity: NDArray[np.int64]
    identity_names: list[str]
    report: Report
    origin: Mapping[str, str]
    tuples: Tuples
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Of `identities`, which made it, but for `people`."""

    def among(self, people: People) -> Identities:
        """The same source and settings with these people. Raises: `DataError` where there are none of them."""
        return identities(**self.settings, people=people)

    def draw(self, n: int, rng: np.random.Generator) -> Mapping[str, NDArray[np.int64]]:
        """Rows of n tuples, (n, k), or (n,) for k = 1: distinct pictures of identities drawn uniformly."""
        rows = self.tuples.draw(n, rng)
        return {"images": rows[:, 0] if self.tuples.k == 1 else rows}


def identities(
    *,
    root: Place,
    size: Annotated[int, Ge(1)] = 64,
    k: Annotated[int, Ge(1)] = 2,
    min_images: Annotated[int, Ge(0)] = 0,
    max_identities: Annotated[int, Ge(0)] = 0,
    people: People = "all",
    crop: int | str = "center",
    layout: Layout = "auto",
    split: str = "train",
    channels: Literal[1, 3] = 3,
    about: str = "",
) -> Identities:
    """Pictures of people or things, several of each, in tuples of one identity.

    Settings:
        root: folder, zip or packed file
        size: height and width of a picture [pixels]
        k: different pictures of one identity in a tuple
        min_images: fewest pictures of a usable identity, 0: k [pictures]
        max_identities: use the first so many identities by name, 0: all
        people: all, or those of one part, by a hash of each name: train (half of them), embedding (30 %),
            validation or test (10 % each)
        crop: 'center', 'none' (squeeze), 'celeba', side of a centred square, or WxH+X+Y [pixels]
        layout: names (ID_OBS_anything), folders, celeba (identity_CelebA.txt), or auto
        split: folder of the split, where there are any, or 'all'; a packed file has one only
        channels: 3 for colour, 1 for grey
        about: what data this is and on what terms, for the model card

    Raises: `DataError` where the data is missing, its layout unknown, or no identity has enough pictures.
    """
    check_crop(crop)
    if is_array(root):
        raise DataError(f"{root}: an array of pictures tells no identities; give a folder, a zip or a packed file")
    settings: dict[str, Any] = {"root": root, "size": size, "k": k, "channels": channels, "about": about}
    settings |= {"min_images": min_images, "max_identities": max_identities}
    settings |= {"crop": crop, "layout": layout, "split": split}
    made = _of_packed if is_packed(root) else _of_source
    return made(settings, people)


def _of_source(settings: Mapping[str, Any], people: People) -> Identities:
    k, min_images, crop = (settings[name] for name in ("k", "min_images", "crop"))
    source = open_source(settings["root"], UNDERSTOOD)
    found = group(source, settings["layout"], settings["split"])
    labels = np.array(found.identity)
    rows, too_few = _usable(source.path, labels, k, min_images, settings["max_identities"], people)
    names = [found.names[row] for row in rows]
    pictures = Pictures(source, names, size=settings["size"], crop=crop, channels=settings["channels"])
    label_of = dict(zip(found.names, found.identity, strict=True))
    unreadable = pictures.survey()
    labels = np.array([label_of[name] for name in pictures.names])
    skipped = f"{source.path}, without {len(unreadable)} unreadable pictures" if unreadable else source.path
    rows, fewer = _usable(skipped, labels, k, min_images)
    if len(rows) < len(labels):
        pictures, labels = pictures.select(rows), labels[rows]
    report = Report(
        images=len(labels),
        too_few=too_few | fewer,
        needed=max(k, min_images),
        unreadable=dict(source.refused) | unreadable,
        unlabelled=tuple(found.unlabelled),
    )
    origin = {"layout": found.layout, "crop": str(crop)}
    about = settings["about"] or f"pictures from {source.path.name}"
    return _made(pictures, labels, about, report, origin, settings, people)


def _of_packed(settings: Mapping[str, Any], people: People) -> Identities:
    packed = Packed(settings["root"])
    size, k, min_images = (settings[name] for name in ("size", "k", "min_images"))
    column = packed.column((settings["channels"], size, size))
    if packed.identity is None:
        raise DataError(f"{packed.path}: packed without identities; pack the pictures again, as `identities`")
    labels = np.array(packed.identity_names)[packed.identity]
    rows, too_few = _usable(packed.path, labels, k, min_images, settings["max_identities"], people)
    if len(rows) < len(labels):
        column, labels = PackedPictures(packed, rows), labels[rows]
    report = Report(images=len(labels), too_few=too_few, needed=max(k, min_images))
    about = settings["about"] or packed.metadata.get("about", "")
    return _made(column, labels, about, report, packed.origin, settings, people)


def _made(
    pictures: Pictures | PackedPictures,
    labels: NDArray[np.str_],
    about: str,
    report: Report,
    origin: Mapping[str, str],
    settings: Mapping[str, Any],
    people: People,
) -> Identities:
    names, identity = np.unique(labels, return_inverse=True)
    channels, height, width = pictures.shape[1:]
    return Identities(
        spec=DataSpec(image=(channels, height, width), group=settings["k"], people=people, about=about),
        columns={"images": pictures},
        identity=identity,
        identity_names=names.tolist(),
        report=replace(report, identities=len(names)),
        origin=origin,
        tuples=Tuples(identity, settings["k"], settings["min_images"]),
        settings=settings,
    )


def _usable(
    where: str | Path, labels: NDArray[np.str_], k: int, min_images: int, most: int = 0, people: People = "all"
) -> tuple[NDArray[np.int64], dict[str, int]]:
    """Rows of these people with enough pictures, the first `most` of them by name; and those with too few."""
    names, identity = np.unique(labels, return_inverse=True)
    here = are_among(names, people)
    if len(names) and not here.any():
        raise DataError(f"{where}: none of its {len(names)} identities is among the people '{people}'; it needs more")
    mine = identity[here[identity]]
    try:
        tuples = Tuples(mine, k, min_images)
    except DataError as error:
        raise DataError(f"{where}: {error}") from error
    counts = np.bincount(mine)
    too_few = {str(names[i]): int(counts[i]) for i in tuples.too_few}
    usable = tuples.usable[:most] if most else tuples.usable
    return np.flatnonzero(np.isin(identity, usable)), too_few
