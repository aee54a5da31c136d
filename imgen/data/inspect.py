"""What there is in a folder, a zip, a packed file or an array, before anything is trained on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imgen.data.array_pictures import chosen, is_array, read_through, shape_of
from imgen.data.attribute_labels import known_table
from imgen.data.attributes import count_attributes
from imgen.data.labels import Known
from imgen.data.layouts import UNDERSTOOD, Layout, group
from imgen.data.pack import Packed, is_packed
from imgen.data.partly import counts
from imgen.data.pictures import chunks, in_order, tell
from imgen.data.source import Source, open_source
from imgen.data.utkface_labels import known_names
from imgen.errors import DataError
from imgen.images import Header, decode, header

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Photos:
    """Readable photos of an identity; histogram: number of identities by number of photos."""

    min: int
    median: float
    max: int
    histogram: dict[int, int]


@dataclass(frozen=True, kw_only=True)
class Report:
    """What `inspect` found.

    layout: None where no identities were recognised, and `remark` says why; images: readable ones;
    sizes (WxH), modes, formats: number of images by kind, commonest first; smallest, largest: by area;
    unlabelled: images without an identity; attributes: how many images have each, by their table;
    labels: how many images have each value of each attribute, by their table or their names, and of how many it is
    unknown;
    bytes_at_64: decoded, as 64x64 RGB.
    """

    path: str
    kind: str
    layout: str | None
    images: int
    identities: int | None = None
    photos: Photos | None = None
    sizes: dict[str, int] = field(default_factory=dict)
    smallest: str = ""
    largest: str = ""
    modes: dict[str, int] = field(default_factory=dict)
    formats: dict[str, int] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    unlabelled: int = 0
    attributes: dict[str, int] = field(default_factory=dict)
    labels: dict[str, dict[str, int]] = field(default_factory=dict)
    bytes_at_64: int = 0
    remark: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    def lines(self) -> list[str]:
        """For people, one fact a line; every unreadable file by name at the end."""
        told = [f"{self.path}: {self.kind}, layout {self.layout or 'not recognised'}", f"images       {self.images:,}"]
        if self.photos is not None:
            spread = ", ".join(f"{count}: {number:,}" for count, number in list(self.photos.histogram.items())[:20])
            told.append(f"identities   {self.identities:,}")
            told.append(
                f"photos each  min {self.photos.min}, median {self.photos.median:g}, max {self.photos.max}"
                f" (photos: identities = {spread}{', ...' if len(self.photos.histogram) > 20 else ''})"
            )
        if self.unlabelled:
            told.append(f"unlabelled   {self.unlabelled:,} images without an identity")
        if self.attributes:
            told.append("attributes   " + ", ".join(f"{name} {count:,}" for name, count in self.attributes.items()))
        if self.labels:
            told.append("labels")
            told.extend(f"  {name}: {_values(name, values)}" for name, values in self.labels.items())
        told.append(
            f"sizes        {_counts(self.sizes)}; smallest {self.smallest or '-'}, largest {self.largest or '-'}"
        )
        told.append(f"modes        {_counts(self.modes)}; formats {_counts(self.formats)}")
        told.append(f"decoded      {self.bytes_at_64 / 2**20:,.1f} MiB at 64x64")
        told.append(f"unreadable   {len(self.unreadable):,}")
        told.extend(f"  {name}: {reason}" for name, reason in self.unreadable.items())
        return told + ([f"remark       {self.remark}"] if self.remark else [])


def inspect(
    path: str | Path,
    *,
    layout: Layout = "auto",
    split: str = "train",
    attrs: Sequence[str] = (),
    workers: int | None = None,
) -> Report:
    """Decodes every picture of a folder or a zip; reads every byte of a packed file or an array.

    attrs: attributes as a data set names them, whose labels are counted; none: all that are told.
    Raises: `DataError` where there is nothing to inspect, a packed file is damaged, or nothing tells of `attrs`.
    """
    if is_array(path) or is_packed(path):
        if attrs:
            raise DataError(f"{path}: a packed file has no attributes; give the folder that it was made of")
        return _of_array(Path(path)) if is_array(path) else _of_packed(Packed(path))
    source = open_source(path, UNDERSTOOD)
    if not source.names:
        raise DataError(f"{source.path}: holds no pictures; wanted are {UNDERSTOOD}")
    grouping, remark = None, ""
    try:
        grouping = group(source, layout, split)
    except DataError as error:
        if layout != "auto" or split not in ("train", "all"):
            raise
        remark = str(error)
    identity = dict(zip(grouping.names, grouping.identity, strict=True)) if grouping else {}
    unlabelled = grouping.unlabelled if grouping else []
    if grouping and (outside := len(source.names) - len(identity) - len(unlabelled)):
        remark = f"{outside:,} images outside {split}/ are not counted; `split` chooses another, or all"
    attributes: dict[str, int] = {}
    known: Known | None = None
    try:
        attributes = count_attributes(source)
        known = _known(source, bool(attributes), attrs)
    except DataError as error:
        if attrs:
            raise
        remark = "; ".join(filter(None, (remark, str(error))))
    found, unreadable = _look(source, sorted([*identity, *unlabelled]) or source.names, workers)
    labels = _labels(known, unreadable)
    numbers = list(Counter(identity[name] for name in found if name in identity).values())
    return Report(
        path=str(path),
        kind="folder" if source.path.is_dir() else "zip",
        layout=grouping.layout if grouping else None,
        images=len(found),
        identities=len(numbers) if grouping else None,
        photos=_photos(numbers),
        **_kinds(list(found.values())),
        unreadable=source.refused | unreadable,
        unlabelled=len(unlabelled),
        attributes=attributes,
        labels=labels,
        bytes_at_64=len(found) * 3 * 64 * 64,
        remark=remark,
    )


def _known(source: Source, table: bool, attrs: Sequence[str]) -> Known | None:
    """What a table, or else the names of the pictures, tell of them; None where nothing does."""
    if table:
        return known_table(source, attrs)
    faces = known_names(source, attrs)
    return known_table(source, attrs) if faces is None and attrs else faces


def _labels(known: Known | None, unreadable: Collection[str]) -> dict[str, dict[str, int]]:
    if known is None:
        return {}
    rows = np.array([row for row, name in enumerate(known.names) if name not in unreadable], np.int64)
    return counts(known.attributes, known.truth[rows])


def _look(source: Source, names: Sequence[str], workers: int | None) -> tuple[dict[str, Header], dict[str, str]]:
    """The headers of the pictures that can be read to their end, and why the others cannot."""

    def look(rows: NDArray[np.int64]) -> list[Header | str]:
        seen: list[Header | str] = []
        for row in rows:
            try:
                data = source.read(names[row])
                told = header(data)
                decode(data)
                seen.append(told)
            except DataError as error:
                seen.append(str(error))
        return seen

    found: dict[str, Header] = {}
    unreadable: dict[str, str] = {}
    parts = chunks(len(names))
    for rows, seen in zip(parts, in_order(look, parts, workers), strict=True):
        for row, told in zip(rows, seen, strict=True):
            if isinstance(told, str):
                unreadable[names[row]] = told
            else:
                found[names[row]] = told
        tell(None, int(rows[-1]) + 1, len(names))
    return found, unreadable


def _of_packed(packed: Packed) -> Report:
    packed.verify()
    count, channels, height, width = packed.shape
    size = f"{width}x{height}"
    numbers = [] if packed.identity is None else np.unique(packed.identity, return_counts=True)[1].tolist()
    return Report(
        path=str(packed.path),
        kind="packed",
        layout=packed.origin.get("layout"),
        images=count,
        identities=len(numbers) if numbers else None,
        photos=_photos(numbers),
        sizes={size: count},
        smallest=size,
        largest=size,
        modes={"RGB" if channels == 3 else "L": count},
        formats={"packed": count},
        bytes_at_64=count * 3 * 64 * 64,
    )


def _of_array(path: Path) -> Report:
    name, outline = chosen(path)
    count, channels, height, width = shape_of(outline)
    size = f"{width}x{height}"
    # All is read, so that damage is found.
    ends = [(block.min(), block.max()) for block in read_through(path, name, outline)]
    low, high = (float(value) for value in (min(low for low, _ in ends), max(high for _, high in ends)))
    return Report(
        path=str(path),
        kind="array",
        layout="images",
        images=count,
        sizes={size: count},
        smallest=size,
        largest=size,
        modes={"RGB" if channels == 3 else "L": count},
        formats={f"'{name}', {outline.dtype} from {low:g} to {high:g}": count},
        bytes_at_64=count * 3 * 64 * 64,
    )


def _photos(numbers: Sequence[int]) -> Photos | None:
    if not numbers:
        return None
    histogram = dict(sorted(Counter(numbers).items()))
    return Photos(min=min(numbers), median=float(np.median(numbers)), max=max(numbers), histogram=histogram)


def _kinds(headers: Sequence[Header]) -> dict[str, Any]:
    if not headers:
        return {}
    by_area = sorted({(told.width, told.height) for told in headers}, key=lambda size: (size[0] * size[1], size))
    return {
        "sizes": dict(Counter(f"{told.width}x{told.height}" for told in headers).most_common()),
        "smallest": "{}x{}".format(*by_area[0]),
        "largest": "{}x{}".format(*by_area[-1]),
        "modes": dict(Counter(told.mode for told in headers).most_common()),
        "formats": dict(Counter(told.format for told in headers).most_common()),
    }


def _values(name: str, values: Mapping[str, int]) -> str:
    if values.keys() == {name, f"not {name}", "unknown"}:
        told = f"{values[name]:,} have it, {values[f'not {name}']:,} lack it"
        return f"{told}, {values['unknown']:,} not labelled"
    told = ", ".join(f"{value} {count:,}" for value, count in values.items() if value != "unknown")
    return f"{told}; {values['unknown']:,} not labelled"


def _counts(kinds: dict[str, int]) -> str:
    told = [f"{kind} ({count:,})" for kind, count in list(kinds.items())[:_SHOWN]]
    return ", ".join(told + (["..."] if len(kinds) > _SHOWN else [])) or "-"
