"""`imgen data prepare`: published pictures, brought into the form that a paper trained on."""

from __future__ import annotations

import time
from pathlib import Path

import click

from imgen.commands.options import as_json, give, say
from imgen.commands.progress import progress_of
from imgen.errors import DataError


@click.group()
def prepare() -> None:
    """Bring published pictures into the form that a paper trained on."""


@prepare.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--size", metavar="N", type=int, default=32, help="Height and width: 32, 64 or 128; default 32.")
@click.option(
    "--processes",
    metavar="N",
    type=click.IntRange(1),
    help="Processes that decode; default as many as there are cores.",
)
@click.option("--overwrite", is_flag=True, help="Replace OUT if it is there.")
@as_json
def celeba(source: Path, out: Path, size: int, processes: int | None, overwrite: bool, as_json: bool) -> None:
    """Cut CelebA's aligned photos, a folder or a zip of 178x218, to squares: OUT.npy, or OUT.npz with the array `imgs`.

    The 128x128 in the middle are made smaller bilinearly. Train from OUT with the data set `images` and --root OUT.
    Photos of another size and broken ones are named and left out.
    """
    from imgen.data.celeba import prepare as write

    if out.exists() and not overwrite:
        raise DataError(f"{out}: exists already; name another file, or replace it with --overwrite")
    began = time.monotonic()
    with progress_of("cut"):
        report = write(source, out, size=size, processes=processes, overwrite=overwrite)
    seconds = time.monotonic() - began
    images, *others = report.lines()
    for line in (f"{images}, {report.images / seconds:,.0f} a second", *others):
        say(line)
    if as_json:
        told = {"path": str(out), "bytes": out.stat().st_size, "shape": [report.images, size, size, 3]}
        give(told | {"skipped": report.unreadable, "images_per_second": report.images / seconds})
    else:
        click.echo(out)
