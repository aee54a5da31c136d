"""Small data that the core draws, for an algorithm that comes with none: by what it says that it expects.

PYTEST_DONT_REWRITE: the messages say all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from imgen.data.drawn_attributes import drawn_attributes
from imgen.data.drawn_domains import drawn_domains
from imgen.data.factored.drawn_sprites import drawn_sprites
from imgen.data.shapes import shapes
from imgen.data.spec import Attribute, Dataset, DataSpec

Found = tuple[str, Callable[[], Any]]
_ROWS = 24


def stand_ins(factory: Any, size: int) -> Iterator[Found]:
    """Drawn data sets that may fit an algorithm, in words and as what makes them. Units: size in pixels."""
    expects: Mapping[str, str] = getattr(factory, "expects", {})
    if not expects or {"a", "b"} <= set(expects):
        yield "drawn domains", lambda: drawn_domains(pictures=8, n_test=4, size=size)
    if not expects or "attributes" in expects:
        yield "drawn attributes", lambda: drawn_attributes(pictures=48, n_test=4, size=size, labels_per_value=3)
    if not expects or set(expects) == {"images"}:
        yield "drawn pairs", lambda: shapes(identities=6, photos=3, size=size, k=2)
        yield "drawn pictures", lambda: shapes(identities=6, photos=3, size=size, k=1)
        yield "drawn sprites", lambda: drawn_sprites(size=size, positions=4)
    if expects:
        yield "noise of the shapes that it expects", lambda: noise(expects, size)


def noise(expects: Mapping[str, str], size: int) -> Dataset:
    """Entries of the shapes that an algorithm expects: pictures of noise, and other numbers."""
    letters = {"C": 3, "H": size, "W": size, "K": 2, "A": 2, "V": 6}
    rng = np.random.default_rng(0)
    columns, group, image = {}, 1, (3, size, size)
    for name, pattern in expects.items():
        sizes = [
            int(each) if each.isdecimal() else letters.get(each, 3) for each in pattern.split()[1:] if each != "..."
        ]
        if "..." in pattern:
            sizes = [3, size, size]
        if len(sizes) == 4:
            group = sizes.pop(0)
        if len(sizes) == 3:
            image = (sizes[0], sizes[1], sizes[2])
            columns[name] = torch.from_numpy(rng.integers(0, 256, (_ROWS, *sizes), np.uint8))
        elif name == "attributes":
            columns[name] = torch.from_numpy(rng.integers(0, 2, (_ROWS, *sizes)))
        else:
            columns[name] = torch.from_numpy(rng.standard_normal((_ROWS, *sizes)).astype(np.float32))
    known = columns["attributes"].shape[1] if "attributes" in columns else 0
    spec = DataSpec(
        image=image,
        group=group,
        attributes=tuple(Attribute(f"attribute-{n}", (f"not-{n}", f"is-{n}")) for n in range(known)),
        domains=("one", "other") if {"a", "b"} <= set(columns) else (),
        about="noise",
    )
    drawn = SimpleNamespace(spec=spec, columns=columns)
    if group > 1:

        def draw(n: int, rng: np.random.Generator) -> dict[str, Any]:
            rows = rng.permuted(np.tile(np.arange(_ROWS), (n, 1)), axis=1)[:, :group]
            return {name: rows if column.dtype == torch.uint8 else rows[:, 0] for name, column in columns.items()}

        drawn.draw = draw
    return drawn
