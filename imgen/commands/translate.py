"""`imgen translate`: pictures of one style from pictures of another."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from imgen.commands import translators
from imgen.commands.options import as_json, device, give, pick_device, say
from imgen.commands.progress import progress_of
from imgen.errors import DataError

if TYPE_CHECKING:
    from imgen.commands.translators import Chosen
    from imgen.model import Translator, Way
    from imgen.plugins import Plugins
    from imgen.translating.engine import Outcome
    from imgen.translating.inputs import Item
    from imgen.translating.outputs import Job
    from imgen.translating.ways import Asked

_ROOT = Path("translations")
_ROWS = 16  # of a sheet
_STEP = 800  # milliseconds that a value is shown


# One spelling of each option is shown; any case and either separator is understood.
@click.command(context_settings={"token_normalize_func": lambda name: name.lower().replace("_", "-")})
@click.argument("words", metavar="[MODEL] [INPUT]...", nargs=-1)
@click.option("--style_A", "source", metavar="NAME", help="What the pictures show.")
@click.option("--style_B", "target", metavar="NAME", help="What to make of them.")
@click.option(
    "--to", "to", metavar="NAME[=VALUE]", multiple=True, help="The same as --style_B; several: one after another."
)
@click.option("--every", is_flag=True, help="Every value of every attribute, each in a folder of its own.")
@click.option("--every-of", metavar="ATTRIBUTE", help="Every value of one attribute, in order: a strip.")
@click.option("-n", "count", metavar="N", type=click.IntRange(1), help="The first N pictures only.")
@click.option("--cycle", is_flag=True, help="Also write the way back, as NAME.back.png.")
@click.option("--chain", metavar="N", type=click.IntRange(1, 1000), help="To and fro, N translations: NAME.1.png, ...")
@click.option(
    "--fit",
    type=click.Choice(["resize", "crop", "native", "tile"]),
    default="resize",
    help="resize (default): the whole picture to the size of training, and the result back to its own. crop: its "
    "middle, in the size of training. native: at its own size. tile: at its own size, in overlapping tiles.",
)
@click.option("--format", type=click.Choice(["png", "jpg", "webp"]), help="Default: JPEG stays JPEG, others are PNG.")
@click.option(
    "--out", metavar="PATH", type=click.Path(path_type=Path), help="A folder, or for one picture a .png, .jpg or .webp."
)
@click.option("--overwrite", is_flag=True, help="Replace files that are there; never a picture that is translated.")
@click.option(
    "--sheet/--no-sheet",
    default=True,
    help=f"sheet.png: the first {_ROWS} in rows, with what is made of them; default on.",
)
@click.option("--gif", is_flag=True, help="sheet.gif: they cross-fade; --every-of steps through the values.")
@click.option(
    "--manifest/--no-manifest",
    default=None,
    help="manifest.csv and .json: each file, and what the model tells of it; default on if it can, or with --every.",
)
@click.option("--batch", metavar="N", type=click.IntRange(1, 65536), help="Pictures at once; default auto.")
@device
@as_json
@click.pass_obj
def translate(found: Plugins, words: tuple[str, ...], **options: Any) -> int:
    """Translate pictures with a trained model.

    MODEL is a run folder or a model.safetensors; left out, it is the newest run that can do what is asked. INPUT is
    any number of pictures, folders (with all below them), zips or quoted patterns, or - for paths on standard input,
    one a line; left out, it is the pictures that the run held out for tests. Names, and what lies below a folder,
    are kept in the folder --out; by default that is translations/MODEL-STYLE, or MODEL-STYLE-2 if it is there.

    Without styles, the model's first translation is done, or every edit that it can make. Styles may be shortened, as
    in --style_A blond --style_B black; "not male" or male=0 is the lack of male. A model that edits attributes takes
    any picture: --to blond, --to hair=blond, --to age=71+ or, for the range that holds 35, --to age=35. A picture's
    transparency is kept (JPEG and --format jpg: as PNG), while the model sees it over white. Pictures that
    cannot be read are told and skipped, with exit status 1 in the end.
    """
    asked = _asked(options)
    place = pick_device(options["device"])
    model, inputs = translators.split(words)
    chosen = translators.choose(model, asked, found, cycle=options["cycle"], chain=options["chain"] or 0)
    route = chosen.route
    out = options["out"] or _folder(_name(chosen, asked), options["overwrite"])
    # What was translated earlier is no input, whichever of the folders it is in.
    items = _items(inputs, options["out"] or _ROOT, chosen, found)[: options["count"]]
    jobs, further, folder = _plan(items, out, chosen, options)
    if route.note:
        say(f"imgen: {route.note}")
    outcome, more = _translate(jobs, further, folder, chosen, place, options, found)
    paths = [str(path) for path in (*outcome.written, *more)]
    manifests = [str(path) for path in more if path.stem == "manifest"]
    if options["as_json"]:
        ways = [_told(way) for way in route.ways]
        told = {"paths": paths[: len(paths) - len(manifests)], "manifest": manifests, "skipped": outcome.skipped}
        give({"model": str(chosen.weights), "ways": ways, **told})
    else:
        for path in paths:
            # Names of files need not be text.
            click.echo(os.fsencode(path))
    return 1 if outcome.skipped else 0


def _asked(options: dict[str, Any]) -> Asked:
    from imgen.translating.ways import Asked

    source, target, to = options["source"], options["target"], options["to"]
    if target is not None and to:
        raise click.UsageError("--style_B and --to exclude each other")
    if options["cycle"] and options["chain"]:
        raise click.UsageError("--cycle and --chain exclude each other; --chain 2 goes there and back")
    given = [name for name in (source, target, *to, options["every_of"]) if name is not None]
    if not all(name.strip() for name in given):
        raise click.UsageError("a style needs a name")
    if source and target and source.casefold() == target.casefold():
        raise click.UsageError(f"--style_A and --style_B are both '{target}'; there is nothing to translate")
    if options["every"] or options["every_of"]:
        option = "--every" if options["every"] else "--every-of"
        others = {"--every-of": options["every"] and options["every_of"], "--style_A": source, "--style_B": target}
        others |= {"--to": to, "--cycle": options["cycle"], "--chain": options["chain"]}
        for other in (name for name, wanted in others.items() if wanted):
            raise click.UsageError(f"{option} and {other} exclude each other")
    return Asked(source or "", (target,) if target else tuple(to), options["every"], options["every_of"] or "")


def _told(way: Way) -> dict[str, str | None]:
    attribute = {"attribute": way.attribute} if way.attribute is not None else {}
    return {"source": way.source, "target": way.target, **attribute}


def _items(inputs: Sequence[str], out: Path, chosen: Chosen, found: Plugins) -> list[Item]:
    from imgen.build import dataset_of
    from imgen.translating.inputs import gather, held_out

    if inputs:
        return gather(inputs, map(os.fsdecode, sys.stdin.buffer), out)
    run, config, way = chosen.run, chosen.config, chosen.route.ways[0]
    remedy = "give pictures to translate, as in `imgen translate MODEL FOLDER`"
    if run is None:
        raise DataError(f"this model is in no run, whose held-out pictures could be taken; {remedy}")
    if way.source in config.data.domains:
        entry, shown = "ab"[config.data.domains.index(way.source)], f"pictures of {way.source}"
    elif way.source is None and way.attribute is not None:
        entry, shown = "images", "pictures"
    else:
        raise DataError(f"{run}: this model translates any pictures; {remedy}")
    dataset = dataset_of(run, found)
    items = held_out(dataset, entry, run)
    if not items or dataset.spec.image != config.data.image:
        raise DataError(f"{run}: its data set holds out no {shown}; {remedy}")
    return items


def _plan(
    items: Sequence[Item], out: Path, chosen: Chosen, options: dict[str, Any]
) -> tuple[list[Job], dict[str, Path], Path]:
    """What will be written: a file for each picture and stage, sheets and manifests by name, and the folder of all."""
    from imgen.images import SUFFIXES
    from imgen.translating import outputs

    suffix, route = out.suffix.lower(), chosen.route
    if suffix not in SUFFIXES or out.is_dir():
        manifest = options["manifest"]
        if manifest is None:
            manifest = bool(chosen.tells or route.folders)
        wanted = {"sheet.png": options["sheet"], "sheet.gif": options["gif"]}
        wanted |= dict.fromkeys(("manifest.csv", "manifest.json"), manifest)
        further = {name: out / name for name in outputs.FURTHER if wanted[name]}
        jobs, folder = outputs.plan(items, route.written, out, options["format"], route.folders), out
    else:
        if suffix not in outputs.WRITTEN:
            raise click.UsageError(f"--out {out}: a file is written as .png, .jpg or .webp")
        if route.folders:
            raise click.UsageError(f"--out {out}: --every and --every-of write many files; give a folder")
        if len(items) != 1:
            raise click.UsageError(f"--out {out}: one file for {len(items):,} pictures; give a folder")
        if options["gif"] or options["format"]:
            raise click.UsageError(f"--out {out}: --gif and --format go with a folder")
        if options["manifest"]:
            raise click.UsageError(f"--out {out}: --manifest goes with a folder")
        further, jobs, folder = {}, [outputs.plan_file(items[0], route.written, out)], out.parent
    outputs.check(jobs, further.values(), options["overwrite"])
    return jobs, further, folder


def _translate(
    jobs: Sequence[Job],
    further: dict[str, Path],
    folder: Path,
    chosen: Chosen,
    place: str,
    options: dict[str, Any],
    found: Plugins,
) -> tuple[Outcome, list[Path]]:
    from imgen.build import load_model
    from imgen.translating import outputs
    from imgen.translating.engine import Engine
    from imgen.translating.passes import Passes

    model, config = load_model(chosen.weights, found, place)
    made = outputs.claim(folder)
    engine = Engine(
        Passes(model, place, options["batch"] or 0),
        config.data.image,
        chosen.route,
        multiple=cast("Translator", model).multiple,
        fit=options["fit"],
        rows=_ROWS if any(path.stem == "sheet" for path in further.values()) else 0,
        scored=bool(chosen.tells) and "manifest.csv" in further,
        say=lambda line: say(f"imgen: {line}"),
    )
    try:
        with progress_of("translated"):
            outcome = engine.run(jobs)
        _write_sheets(outcome, further, chosen, steps=bool(options["every_of"]))
        _write_manifests(outcome, jobs, further, folder, chosen)
    finally:
        outputs.release(made)
    return outcome, [path for path in further.values() if outcome.written]


def _write_sheets(outcome: Outcome, further: dict[str, Path], chosen: Chosen, *, steps: bool) -> None:
    import numpy as np

    from imgen import images
    from imgen.translating.sheets import faded, headed, stepped

    rows, ways = list(outcome.rows.values()), chosen.route.ways
    if rows and (path := further.get("sheet.png")):
        sheet = images.sheet(np.stack(rows))
        if chosen.route.folders:
            sheet = headed(sheet, ["input", *(way.target for way in ways)], chosen.config.data.image[2])
        images.save_png(sheet, path)
    if rows and (path := further.get("sheet.gif")):
        if steps:
            images.save_gif(list(stepped(rows)), path, _STEP)
        else:
            images.save_gif(list(faded(rows, len(ways))), path)


def _write_manifests(
    outcome: Outcome, jobs: Sequence[Job], further: dict[str, Path], folder: Path, chosen: Chosen
) -> None:
    from imgen.translating import manifest

    if not outcome.written or "manifest.csv" not in further:
        return
    told = manifest.entries(jobs, chosen.route, folder, outcome.written, outcome.scores)
    manifest.write_csv(further["manifest.csv"], told, chosen.tells)
    manifest.write_json(further["manifest.json"], told, chosen.tells, str(chosen.weights), chosen.config.name)


def _folder(name: str, overwrite: bool) -> Path:
    """A folder of that name that is not there yet, or the very one where its files may be replaced."""
    folder, number = _ROOT / name, 1
    while folder.exists() and not overwrite:
        number += 1
        folder = folder.with_name(f"{name}-{number}")
    return folder


def _name(chosen: Chosen, asked: Asked) -> str:
    """What the folder of translations is called after: the run, or the model, and what is made."""
    route = chosen.route
    if route.folders:
        made = ["every", *([route.ways[0].attribute or ""] if asked.of else [])]
    else:
        made = [route.ways[0].target] if len(route.written) > 1 else [way.target for way in route.ways]
    start = chosen.run.name if chosen.run else chosen.config.name
    return "-".join([start, *(re.sub(r"[^\w.+]+", "_", style) for style in made)])
