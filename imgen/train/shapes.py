"""Does a batch have the shapes that the algorithm expects?"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from imgen.errors import RecipeError


def check_batch(batch: Mapping[str, Tensor], expects: Mapping[str, str], who: str) -> None:
    """Compare a batch with declarations such as {"images": "B 2 C H W"}; a letter is one size wherever it stands.

    "B ..." leaves open what follows the first size.

    Raises: `RecipeError` naming the first entry that does not fit.
    """
    sizes: dict[str, int] = {}
    for name, pattern in expects.items():
        if name not in batch:
            raise RecipeError(f"{who} expects batches with '{name}', but this data set gives {', '.join(batch)}")
        shape, letters = tuple(batch[name].shape), pattern.split()
        if letters[-1] == "...":
            shape, letters = shape[: len(letters) - 1], letters[:-1]
        fits = len(shape) == len(letters) and all(
            size == (int(letter) if letter.isdecimal() else sizes.setdefault(letter, size))
            for size, letter in zip(shape, letters, strict=True)
        )
        if not fits:
            raise RecipeError(f"{who} expects '{name}' to be ({', '.join(letters)}), but this data set gives {shape}")
