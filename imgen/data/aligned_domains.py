"""Two domains from pictures that hold a pair side by side, such as an edge map and its photo."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge

from imgen.binding import Place
from imgen.data.changes import Part
from imgen.data.domains import Domains
from imgen.data.halves import Parting, Unpaired, View, halved
from imgen.data.parting import Channels, Frame
from imgen.data.source import open_source
from imgen.errors import DataError


def aligned_domains(
    *,
    root: Place,
    side_A: Literal["left", "right"] = "left",
    domain_A: str | None = None,
    domain_B: str | None = None,
    unpaired: Unpaired = "halves",
    shuffle: Annotated[int, Ge(0)] | None = None,
    thicken: bool = False,
    n_test: Annotated[int, Ge(0)] | None = None,
    size: Annotated[int, Ge(1)] = 64,
    crop: int | str = "none",
    channels: Channels = 3,
    about: str = "",
) -> Domains:
    """Two domains from pictures that hold a pair side by side; half of them supply one, half the other.

    Settings:
        root: folder or zip of pictures, directly or in train/ and test/ or val/
        side_A: half of a picture that shows the first domain, left or right; the other half shows the second
        domain_A: name of the first domain; null: its side
        domain_B: name of the second domain; null: its side
        unpaired: halves for the first half of the pictures as A and the others as B, or all for all as both
        shuffle: seed of a shuffle before the halving; null: in the order of their names
        thicken: whether dark lines of the first domain are made 3 pixels wide, at full size
        n_test: last pictures held out as pairs where there is no test/ or val/; null: a tenth, 200 at most [pictures]
        size: height and width of a picture [pixels]
        crop: what is cut from a half: 'none' (squeeze), 'center', side of a centred square, or WxH+X+Y [pixels]
        channels: 3 for colour, 1 for grey
        about: what data this is and on what terms, for the model card

    Raises: `DataError` where there are no pictures, or too few.
    """
    frame = Frame(size=size, crop=crop, channels=channels)
    side_B: Literal["left", "right"] = "right" if side_A == "left" else "left"
    a = View(name=domain_A or side_A, change=Part(side_A, thicken))
    b = View(name=domain_B or side_B, change=Part(side_B))
    if a.name == b.name:
        raise DataError(f"domain_A and domain_B are both {a.name}; two domains must differ")
    parting = Parting(n_test=n_test, unpaired=unpaired, shuffle=shuffle)
    source = open_source(root, "pictures that hold a pair side by side")
    return halved(source, a, b, parting, frame, layout="pairs side by side", about=about)
