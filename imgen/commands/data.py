"""`imgen data`: look at pictures, draw or prepare them, pack them, and write down who may see which labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from imgen.commands.make import make
from imgen.commands.options import as_json, give, say
from imgen.commands.prepare import prepare
from imgen.commands.progress import progress_of
from imgen.errors import DataError

_ATTRS = "Attributes, as in a recipe: Smiling, gender=Male, hair=Black_Hair|Blond_Hair; several after one another."


@click.group()
def data() -> None:
    """Look at data, and prepare it."""


data.add_command(make)
data.add_command(prepare)


@data.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--layout",
    type=click.Choice(["auto", "names", "folders", "celeba"]),
    default="auto",
    help="How identities are marked; auto recognises it.",
)
@click.option("--split", default="train", help="Folder to look into where there is one of that name; default train.")
@click.option("--attrs", metavar="NAME...", multiple=True, help=_ATTRS)
@click.argument("more", metavar="", nargs=-1)
@as_json
def inspect(path: Path, layout: Any, split: str, attrs: tuple[str, ...], more: tuple[str, ...], as_json: bool) -> None:
    """Tell what is in a folder, a zip, a packed file or an array: pictures, identities, attributes, unreadable files.

    With --attrs attributes are counted as a model would learn them: `--attrs Smiling "hair=Black_Hair|Blond_Hair"`.
    """
    from imgen.data.inspect import inspect as look

    report = look(path, layout=layout, split=split, attrs=_several(attrs, more))
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


@data.command()
@click.argument("path", metavar="ROOT", type=click.Path(path_type=Path))
@click.argument("out", metavar="OUT.csv", type=click.Path(path_type=Path))
@click.option("--attrs", metavar="NAME...", multiple=True, help=_ATTRS)
@click.option("--dataset", metavar="NAME", default="attributes", help="Whose settings these are; default attributes.")
@click.option("--labels-per-value", metavar="N", help="Labels of each value that may be seen; default all.")
@click.option("--split", metavar="HOW", help="exact or first: which labels those are; default exact.")
@click.option("--split-seed", metavar="N", help="Draws the labels that may be seen; default 0.")
@click.option("--partition", metavar="WHICH", help="last, first or celeba: which pictures are held out; default last.")
@click.option("--n-test", metavar="N", help="Pictures held out.")
@click.option("--skip", metavar="N", help="First rows of the table that are left out of everything.")
@click.option("-s", "--set", "more_settings", metavar="KEY=VALUE", multiple=True, help="Any other setting of it.")
@click.option("--overwrite", is_flag=True, help="Replace OUT.csv if it is there.")
@click.argument("more", metavar="", nargs=-1)
@as_json
@click.pass_context
def split(
    ctx: click.Context,
    path: Path,
    out: Path,
    attrs: tuple[str, ...],
    more: tuple[str, ...],
    dataset: str,
    more_settings: tuple[str, ...],
    overwrite: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Write which pictures are to train on, which are held out, and which labels may be seen.

    The file is for people to read and change, and for `--split_file OUT.csv` when training: it gives the very same
    pictures and labels as the settings that wrote it. Without --attrs the data set's own default is taken.
    """
    from imgen.data.split_file import write_split

    if out.suffix.lower() != ".csv":
        raise DataError(f"{out}: the file of a split ends in .csv; write it as ROOT OUT.csv --attrs NAME...")
    if out.is_dir():
        raise DataError(f"{out}: a folder; name a file")
    if out.exists() and not overwrite:
        raise DataError(f"{out}: exists already; name another file, or replace it with --overwrite")
    named = _several(attrs, more)
    given = {"root": str(path), **({"attrs": list(named)} if named else {})}
    given |= {name: value for name, value in settings.items() if value is not None}
    made = _built(ctx, dataset, given | _parsed(more_settings))
    write_split(out, made)
    for line in made.report.lines():
        say(line)
    if as_json:
        held = len(made.test_names.get("images", ()))
        give({"path": str(out), "train": len(made.truth), "test": held})
    else:
        click.echo(out)


def _parsed(settings: tuple[str, ...]) -> dict[str, Any]:
    from imgen.yaml_lines import scalar

    given = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise click.UsageError(f"-s {text}: write it as -s KEY=VALUE, such as -s n_test=100")
        given[key.strip()] = scalar(value)
    return given


def _built(ctx: click.Context, name: str, given: dict[str, Any]) -> Any:
    """The data set of a name, with these settings."""
    from imgen.binding import build, check

    factory = ctx.obj.registry("datasets").get(name).load()
    checked, problems = check(factory, given)
    if problems:
        raise DataError("\n".join(f"dataset '{name}': {problem.text}" for problem in problems))
    with progress_of("decoded"):
        return build(factory, settings=checked)


def _several(attrs: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    """The names after one --attrs, which click takes for arguments."""
    if more and not attrs:
        raise click.UsageError(f"what is '{more[0]}'? Attributes are named by --attrs")
    return attrs + more


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
