"""All pictures of a folder, without labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge

from imgen.binding import Place
from imgen.data.array_pictures import ArrayPictures, is_array
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
    columns: Mapping[str, Pictures | PackedPictures | ArrayPictures]
    report: Report
    origin: Mapping[str, str]


def images(
    *,
    root: Place,
    size: Annotated[int, Ge(1)] = 64,
    crop: int | str = "center",
    channels: Literal[1, 3] = 3,
    about: str = "",
) -> Images:
    """All pictures of a folder, a zip, a packed file or an array, without labels.

    An array is an .npy file, or `imgs`, `images` or the only array in an .npz file that can be pictures: (N, H, W, 3),
    (N, H, W, 1) or (N, H, W), uint8 up to 255 or floats in [0, 1], at the size that is set. Where it holds
    only 0 and 1, as drawn shapes do, 1 is white. An .npy file of uint8 is mapped, not read.

    Settings:
        root: folder, zip, packed file, or .npy or .npz file of pictures as numpy writes them
        size: height and width of a picture [pixels]
        crop: 'center', 'none' (squeeze), 'celeba', side of a centred square, or WxH+X+Y [pixels]
        channels: 3 for colour, 1 for grey
        about: what data this is and on what terms, for the model card

    Raises: `DataError` where there are no pictures, or none that can be read.
    """
    check_crop(crop)
    unreadable: dict[str, str] = {}
    column: Pictures | PackedPictures | ArrayPictures
    if is_array(root):
        column = arrays = ArrayPictures(root)
        arrays.check((channels, size, size))
        origin: Mapping[str, str] = {"layout": "images"}
        about = about or f"pictures from {arrays.path.name}"
    elif is_packed(root):
        packed = Packed(root)
        column = packed.column((channels, size, size))
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
