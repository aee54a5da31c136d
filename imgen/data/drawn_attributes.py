"""Labelled pictures that imgen draws itself, and reads back: to edit attributes without downloading anything."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from annotated_types import Ge, Le

from imgen.binding import Count, Fraction, NonNegative
from imgen.data.figures import ATTRIBUTES, Look, Name, render, values
from imgen.data.figures_oracle import read
from imgen.data.labelled import Labelled
from imgen.data.labels import Split, show
from imgen.data.pictures import Report
from imgen.data.samplers import Kind
from imgen.data.samplers import sampler as sampler_of
from imgen.data.spec import DataSpec
from imgen.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class DrawnAttributes(Labelled):
    """Labelled pictures whose attributes can be read back from any picture."""

    def read_attributes(self, images: Tensor) -> Tensor:
        """What pictures show, generated ones too: int64 (N, A), the place of a value, -1 where none is to be seen.

        Shapes: `images`: (N, 3, H, W) in [-1, 1].
        """
        return read(images, self.spec.attributes)


def drawn_attributes(
    *,
    attributes: tuple[Name, ...] = ("shape", "colour", "pattern", "border"),
    pictures: Count = 2000,
    n_test: Count = 400,
    size: Annotated[int, Ge(16), Le(512)] = 32,
    labels_per_value: Count | None = None,
    split: Split = "exact",
    split_seed: NonNegative = 0,
    sampler: Kind = "uniform",
    labelled_fraction: Fraction = 0.25,
    oversample: NonNegative = 0,
    seed: NonNegative = 0,
) -> DrawnAttributes:
    """Figures drawn by imgen whose shape, colour, pattern, border and ground are labelled, or some of them.

    Every combination of values is as frequent as any other. Place, size, turn, exact hue and brightness of the ground
    vary as well, and no label tells of them. Picture i is a function of the seed and i, however many there are.

    Settings:
        attributes: what varies and is labelled; of the others all pictures show the first value
        pictures: to train on [pictures]
        n_test: held out, all labelled [pictures]
        size: width and height of a picture [pixels]
        labels_per_value: pictures labelled with each value; null: all [pictures]
        split: exact: exactly so many of each value, drawn by split_seed; first: as many as that asks of the first ones
        split_seed: which pictures are labelled
        sampler: uniform: any pictures make a batch; balanced: labelled_fraction is labelled, value after value in turn
        labelled_fraction: of a batch that is labelled, for balanced
        oversample: times that labelled pictures come in addition, for uniform
        seed: the seed of all that is drawn

    Raises: `DataError` where attributes are named twice, or none is, or a value has fewer pictures than labels.
    """
    twice = [name for name, count in Counter(attributes).items() if count > 1]
    if twice or not attributes:
        wrong = f"attributes has {twice[0]} twice" if twice else "attributes is empty"
        raise DataError(f"drawn-attributes: {wrong}; name one or more of {', '.join(ATTRIBUTES)}, each once")
    chosen = tuple(ATTRIBUTES[name] for name in attributes)
    # Streams of their own, so that neither number changes the pictures of the other.
    drawn = []
    for part, n in enumerate((pictures, n_test)):
        truth = values(n, chosen, np.random.default_rng([seed, part, 0]))
        look = Look.draw(n, np.random.default_rng([seed, part, 1]))
        drawn.append((render(truth, chosen, look, size), truth))
    (images, truth), (test_images, test_truth) = drawn
    shown = show(truth, chosen, "drawn-attributes", per_value=labels_per_value, split=split, seed=split_seed)
    names = ", ".join(attributes)
    return DrawnAttributes(
        spec=DataSpec(
            image=(3, size, size),
            attributes=chosen,
            about=f"drawn by imgen: figures labelled with {names}; free of any rights",
        ),
        columns={"images": images, "attributes": torch.from_numpy(shown.labels)},
        truth=torch.from_numpy(truth),
        sampler=sampler_of(shown, kind=sampler, fraction=labelled_fraction, oversample=oversample),
        test={"images": test_images, "attributes": torch.from_numpy(test_truth)},
        chosen=shown.chosen,
        report=Report(
            images=pictures,
            notes=(f"{int(shown.chosen.sum()):,} of them labelled", f"{n_test:,} more held out"),
        ),
    )
