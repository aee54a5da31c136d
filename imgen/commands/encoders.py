"""Which model reads codes, and the pictures that it is given."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import click

from imgen.commands.options import say
from imgen.errors import DataError

if TYPE_CHECKING:
    from imgen.translating.inputs import Item


def gathered(words: Sequence[str], out: Path) -> list[Item]:
    """The pictures that words mean, those of arrays last. out: what is written lies there.

    Raises: `DataError` where a word means nothing.
    """
    from imgen.data.array_pictures import is_array
    from imgen.translating.inputs import gather

    arrays = [word for word in dict.fromkeys(words) if is_array(word)]
    others = [word for word in words if word not in arrays]
    found = gather(others, map(os.fsdecode, sys.stdin.buffer), out)
    return [*found, *(item for word in arrays for item in _rows(word))]


def _rows(path: str) -> Iterator[Item]:
    """The pictures in an .npy or .npz file, such as `dsprites.npz[12]`."""
    from imgen.data.array_pictures import ArrayPictures
    from imgen.translating.inputs import RowItem

    column = ArrayPictures(path)
    for row in range(len(column)):
        yield RowItem(f"{path}[{row}]", PurePosixPath(f"{Path(path).stem}[{row}].png"), column, row)


def encodes(model: object) -> list[str]:
    """The codes that a model reads from pictures; none where it reads none."""
    from imgen.model import Encoder

    return list(model.encodes) if isinstance(model, Encoder) else []


class Skipped(dict[str, str]):
    """Reasons by the names of pictures that could not be read, each of which is told when it is met."""

    def __call__(self, item: Item, reason: str) -> None:
        self[item.told] = reason
        say(f"imgen: {item.told}: {reason}")


def crop_option(command: Any) -> Any:
    """The option --crop of commands that read pictures."""
    return click.option(
        "--crop",
        metavar="CROP",
        default="center",
        show_default=True,
        callback=_checked,
        help="As in training: center, none (squeeze), celeba, side of a centred square, or WxH+X+Y [pixels].",
    )(command)


def _checked(ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    from imgen.images import check_crop

    try:
        check_crop(value)
    except DataError as error:
        raise click.UsageError(f"--crop: {error}") from None
    return value
