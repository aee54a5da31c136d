"""`imgen data`: look at a folder of pictures, and pack it into one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from imgen.commands.options import as_json, give, say
from imgen.errors import DataError


@click.group()
def data() -> None:
    """Look at data, and prepare it."""


@data.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--layout",
    type=click.Choice(["auto", "names", "folders", "celeba"]),
    default="auto",
    help="How identities are marked; auto recognises it.",
)
@click.option("--split", default="train", help="Folder to look into where there is one of that name; default train.")
@as_json
def inspect(path: Path, layout: Any, split: str, as_json: bool) -> None:
    """Tell what is in a folder, a zip or a packed file: pictures, identities, attributes, sizes, unreadable files."""
    from imgen.data.inspect import inspect as look

    report = look(path, layout=layout, split=split)
    if as_json:
        give(report.to_json())
        return
    for line in report.lines():
        click.echo(line)


@data.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--size", metavar="N", type=click.IntRange(1, 4096), default=64, help="Height and width; default 64.")
@click.option(
    "--crop", metavar="CROP", default="center", help="What is cut out before resizing; see `imgen info identities`."
)
@click.option(
    "--layout",
    type=click.Choice(["auto", "names", "folders", "celeba"]),
    default="auto",
    help="How identities are marked.",
)
@click.option("--split", default="train", help="Folder to look into where there is one of that name; default train.")
@click.option("--no-identities", is_flag=True, help="Pack all pictures, whoever they show.")
@click.option("--channels", type=click.Choice(["1", "3"]), default="3", help="3 for colour, 1 for grey.")
@click.option("--overwrite", is_flag=True, help="Replace OUT if it is there.")
@as_json
def pack(path: Path, out: Path, overwrite: bool, as_json: bool, **options: Any) -> None:
    """Decode a folder or a zip once into OUT, one file that trains without decoding (use it as --root OUT)."""
    from imgen.data.pack import pack as write

    if out.exists() and not overwrite:
        raise DataError(f"{out}: exists already; name another file, or replace it with --overwrite")
    dataset = _dataset(path, options)
    for line in dataset.report.lines():
        say(line)
    write(dataset, out, overwrite=overwrite)
    if as_json:
        give({"path": str(out), "bytes": out.stat().st_size, "shape": list(dataset.columns["images"].shape)})
    else:
        click.echo(out)


def _dataset(path: Path, options: dict[str, Any]) -> Any:
    crop = int(options["crop"]) if options["crop"].isdecimal() else options["crop"]
    channels: Any = int(options["channels"])
    if options["no_identities"]:
        from imgen.data.folder import images

        return images(root=str(path), size=options["size"], crop=crop, channels=channels)
    from imgen.data.identities import identities

    return identities(
        root=str(path),
        size=options["size"],
        crop=crop,
        channels=channels,
        layout=options["layout"],
        split=options["split"],
        # Packed as they are: how many pictures make a tuple is asked when training.
        k=1,
    )
