"""`imgen data make`: data sets whose factors of variation are known, because imgen draws them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from imgen.commands.make_teapots import teapots
from imgen.commands.options import as_json, give, say
from imgen.commands.progress import progress_of
from imgen.errors import DataError

overwrite = click.option("--overwrite", is_flag=True, help="Replace OUT if it is there.")


@click.group()
def make() -> None:
    """Draw a data set whose factors of variation are known."""


make.add_command(teapots)


@make.command()
@click.argument("out", required=False, type=click.Path(path_type=Path))
@overwrite
@as_json
def dsprites(out: Path | None, overwrite: bool, as_json: bool) -> None:
    """Draw the 737,280 pictures of dSprites into OUT.

    OUT is an .npz file, by default dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz: name and layout are those of the
    published file. Whatever reads that one reads this, and so does the data set `dsprites` with --root OUT.
    """
    from imgen.data.factored.dsprites import NAME, write

    made(out or Path(NAME), write, overwrite=overwrite, as_json=as_json)


@make.command()
@click.argument("out", required=False, type=click.Path(path_type=Path))
@overwrite
@as_json
def cdsprites(out: Path | None, overwrite: bool, as_json: bool) -> None:
    """Draw the 1,080 pictures of CdSprites into OUT.

    OUT is an .npz file, by default cdsprites_ndarray_64x64.npz. Pictures, name and layout are those of the authors of
    that data set; the data set `cdsprites` reads it with --root OUT.
    """
    from imgen.data.factored.cdsprites import NAME, write

    made(out or Path(NAME), write, overwrite=overwrite, as_json=as_json)


def made(out: Path, write: Callable[[Path], int], *, overwrite: bool, as_json: bool) -> None:
    """Has `write` write OUT, which gives the number of pictures, and tells of it.

    Raises: `DataError` where OUT is there and not to be replaced, is no .npz file, or has no folder to be in.
    """
    check_out(out, overwrite=overwrite)
    began = time.monotonic()
    with progress_of("drew"):
        pictures = write(out)
    seconds = time.monotonic() - began
    if as_json:
        told: dict[str, Any] = {"path": str(out), "images": pictures, "bytes": out.stat().st_size}
        give(told | {"seconds": round(seconds, 1)})
        return
    say(f"{pictures:,} images in {seconds:.1f} s")
    click.echo(out)


def check_out(out: Path, *, overwrite: bool) -> None:
    """Raises `DataError` where OUT is there and not to be replaced, is no .npz file, or has no folder to be in."""
    if out.is_dir():
        raise DataError(f"{out}: a folder; name a file, such as {out}/data.npz")
    if out.suffix.lower() != ".npz":
        raise DataError(f"{out}: the file is an .npz; name it so, such as {out}.npz")
    if out.exists() and not overwrite:
        raise DataError(f"{out}: exists already; name another file, or replace it with --overwrite")
    if not out.parent.is_dir():
        raise DataError(f"{out}: there is no folder {out.parent}")
