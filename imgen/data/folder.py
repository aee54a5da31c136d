"""All pictures of a folder, without labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge

from imgen.data.pack import Packed, PackedPictures, is_packed
from imgen.data.pictures import Pictures, Report
from imgen.data.source import open_source
from imgen.data.spec import DataSpec
from imgen.errors import DataError
from imgen.images import check_crop


@dataclass(frozen=True, kw_only=True)
class Images:
    """Pictures without labels; origin: how they were read."""

    spec: DataSpec
    columns: Mapping[str, Pictures | PackedPictures]
    report: Report
    origin: Mapping[str, str]


def images(
    *,
    root: str,
    size: Annotated[int, Ge(1)] = 64,
    crop: int | str = "center",
    channels: Literal[1, 3] = 3,
    about: str = "",
) -> Images:
    """All pictures of a folder, a zip or a packed file, without labels.

    Settings:
        root: folder, zip or packed file
        size: height and width of a picture [pixels]
        crop: 'center', 'none' (squeeze), 'celeba', side of a centred square, or WxH+X+Y [pixels]
        channels: 3 for colour, 1 for grey
        about: what data this is and on what terms, for the model card

    Raises: `DataError` where there are no pictures, or none that can be read.
    """
    check_crop(crop)
    if is_packed(root):
        packed = Packed(root)
        column: Pictures | PackedPictures = packed.column((channels, size, size))
        unreadable: dict[str, str] = {}
        origin = packed.origin
        about = about or packed.metadata.get("about", "")
    else:
        source = open_source(root)
        if not source.names:
            raise DataError(f"{source.path}: holds no pictures")
        column = pictures = Pictures(source, source.names, size=size, crop=crop, channels=channels)
        unreadable = dict(source.refused) | pictures.survey()
        origin = {"layout": "images", "crop": str(crop)}
        about = about or f"pictures from {source.path.name}"
    return Images(
        spec=DataSpec(image=(channels, size, size), about=about),
        columns={"images": column},
        report=Report(images=column.shape[0], unreadable=unreadable),
        origin=origin,
    )
