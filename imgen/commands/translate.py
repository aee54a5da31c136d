"""`imgen translate`: pictures of one style from pictures of another."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from imgen.commands.options import as_json, device, find_weights, give, pick_device, say
from imgen.commands.progress import progress_of
from imgen.errors import DataError, WeightsError

if TYPE_CHECKING:
    from imgen.model import ModelConfig, Translator
    from imgen.plugins import Plugins
    from imgen.translating.engine import Outcome
    from imgen.translating.inputs import Item
    from imgen.translating.outputs import Job
    from imgen.translating.ways import Asked, Route

_ROOT = Path("translations")
_ROWS = 16  # of a sheet


# One spelling of each option is shown; any case and either separator is understood.
@click.command(context_settings={"token_normalize_func": lambda name: name.lower().replace("_", "-")})
@click.argument("words", metavar="[MODEL] [INPUT]...", nargs=-1)
@click.option("--style_A", "source", metavar="NAME", help="What the pictures show.")
@click.option("--style_B", "target", metavar="NAME", help="What to make of them.")
@click.option("--to", "to", metavar="NAME", multiple=True, help="The same as --style_B; several: one after another.")
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
    "--sheet/--no-sheet", default=True, help=f"sheet.png: the first {_ROWS}, there and back in rows; default on."
)
@click.option("--gif", is_flag=True, help="sheet.gif: the same pictures cross-fade into their translations.")
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

    Without styles, the model's first translation is done. Styles may be shortened, as in --style_A blond --style_B
    black; "not male" is the lack of male. A picture's transparency is kept (JPEG and --format jpg: as PNG), while the
    model sees it over white. Pictures that cannot be read are told and skipped, with exit status 1 in the end.
    """
    asked = _asked(options)
    place = pick_device(options["device"])
    model, inputs = _split(words)
    weights, config, route = _model(model, asked, options, found)
    run = _run_of(weights)
    out = options["out"] or _folder(_name(run, config, route), options["overwrite"])
    # What was translated earlier is no input, whichever of the folders it is in.
    items = _items(inputs, options["out"] or _ROOT, run, config, route, found)[: options["count"]]
    jobs, further, folder = _plan(items, out, route, options)
    outcome, sheets = _translate(jobs, further, folder, weights, route, place, options, found)
    paths = [*map(str, outcome.written), *map(str, sheets)]
    if options["as_json"]:
        ways = [{"source": way.source, "target": way.target} for way in route.ways]
        give({"model": str(weights), "ways": ways, "paths": paths, "skipped": outcome.skipped})
    else:
        for path in paths:
            click.echo(path)
    return 1 if outcome.skipped else 0


def _asked(options: dict[str, Any]) -> Asked:
    from imgen.translating.ways import Asked

    source, target, to = options["source"], options["target"], options["to"]
    if target is not None and to:
        raise click.UsageError("--style_B and --to exclude each other")
    if options["cycle"] and options["chain"]:
        raise click.UsageError("--cycle and --chain exclude each other; --chain 2 goes there and back")
    given = [name for name in (source, target, *to) if name is not None]
    if not all(name.strip() for name in given):
        raise click.UsageError("a style needs a name")
    if source and target and source.casefold() == target.casefold():
        raise click.UsageError(f"--style_A and --style_B are both '{target}'; there is nothing to translate")
    return Asked(source or "", (target,) if target else tuple(to))


def _split(words: Sequence[str]) -> tuple[str | None, Sequence[str]]:
    """MODEL and INPUT: a word is a model if it is one, or could be nothing else."""
    from imgen.train import run

    if not words:
        return None, ()
    path = Path(words[0])
    is_model = path.suffix == ".safetensors" or run.is_run(path) or (path / "model.safetensors").is_file()
    missing = not path.exists() and path.parts[:1] == run.ROOT.parts
    return (words[0], words[1:]) if is_model or missing else (None, words)


def _model(model: str | None, asked: Asked, options: dict[str, Any], found: Plugins) -> tuple[Path, ModelConfig, Route]:
    """The weights to use, and the way through the model. Raises: `WeightsError` where none can do what is asked."""
    from imgen.build import outline
    from imgen.model import read_config
    from imgen.translating import ways

    refused: list[str] = []

    def route(config: ModelConfig, path: Path) -> Route:
        able = _ways(outline(config, found, path), config, path)
        try:
            return ways.route(able, asked, cycle=options["cycle"], chain=options["chain"] or 0)
        except DataError as error:
            raise DataError(f"{path}: {error}") from None

    def can(config: ModelConfig, path: Path) -> bool:
        try:
            return bool(route(config, path))
        except DataError as error:
            refused.append(str(error))
            return False
        except _NoTranslator:
            return False

    try:
        weights = find_weights(model, can, str(asked))
    except WeightsError as error:
        # What the newest translator lacks is nearer to what was meant than that nothing was found.
        if refused:
            raise WeightsError(refused[0]) from None
        raise error
    config = read_config(weights)
    return weights, config, route(config, weights)


class _NoTranslator(WeightsError):
    """The model makes no pictures from pictures."""


def _ways(model: object, config: ModelConfig, path: Path) -> Any:
    from imgen.model import Translator

    if not isinstance(model, Translator) or not model.ways:
        raise _NoTranslator(f"{path}: its model '{config.name}' does not translate pictures; give another model")
    if config.data.vector:
        raise _NoTranslator(f"{path}: its model '{config.name}' translates vectors and no pictures; give another model")
    return model.ways


def _items(
    inputs: Sequence[str],
    out: Path,
    run: Path | None,
    config: ModelConfig,
    route: Route,
    found: Plugins,
) -> list[Item]:
    from imgen.build import dataset_of
    from imgen.translating.inputs import gather, held_out

    if inputs:
        return gather(inputs, map(os.fsdecode, sys.stdin.buffer), out)
    remedy = "give pictures to translate, as in `imgen translate MODEL FOLDER`"
    if run is None:
        raise DataError(f"this model is in no run, whose held-out pictures could be taken; {remedy}")
    if route.source is None or route.source not in config.data.domains:
        raise DataError(f"{run}: this model translates any pictures; {remedy}")
    dataset = dataset_of(run, found)
    items = held_out(dataset, "ab"[config.data.domains.index(route.source)], run)
    if not items or dataset.spec.image != config.data.image:
        raise DataError(f"{run}: its data set holds out no pictures of {route.source}; {remedy}")
    return items


def _plan(
    items: Sequence[Item], out: Path, route: Route, options: dict[str, Any]
) -> tuple[list[Job], dict[str, Path], Path]:
    """What will be written: a file for each picture, sheets, and the folder of it all."""
    from imgen.images import SUFFIXES
    from imgen.translating import outputs

    suffix = out.suffix.lower()
    if suffix not in SUFFIXES or out.is_dir():
        names = {"png": options["sheet"], "gif": options["gif"]}
        further = {kind: out / f"sheet.{kind}" for kind, wanted in names.items() if wanted}
        jobs, folder = outputs.plan(items, route.written, out, options["format"]), out
    else:
        if suffix not in outputs.WRITTEN:
            raise click.UsageError(f"--out {out}: a file is written as .png, .jpg or .webp")
        if len(items) != 1:
            raise click.UsageError(f"--out {out}: one file for {len(items):,} pictures; give a folder")
        if options["gif"] or options["format"]:
            raise click.UsageError(f"--out {out}: --gif and --format go with a folder")
        further, jobs, folder = {}, [outputs.plan_file(items[0], route.written, out)], out.parent
    outputs.check(jobs, list(further.values()), options["overwrite"])
    return jobs, further, folder


def _translate(
    jobs: Sequence[Job],
    further: dict[str, Path],
    folder: Path,
    weights: Path,
    route: Route,
    place: str,
    options: dict[str, Any],
    found: Plugins,
) -> tuple[Outcome, list[Path]]:
    import numpy as np

    from imgen import images
    from imgen.build import load_model
    from imgen.translating import outputs
    from imgen.translating.engine import Engine, faded
    from imgen.translating.passes import Passes

    model, config = load_model(weights, found, place)
    made = outputs.claim(folder)
    engine = Engine(
        Passes(model, place, options["batch"] or 0),
        config.data.image,
        route,
        multiple=cast("Translator", model).multiple,
        fit=options["fit"],
        rows=_ROWS if further else 0,
        say=lambda line: say(f"imgen: {line}"),
    )
    try:
        with progress_of("translated"):
            outcome = engine.run(jobs)
        sheets = list(further.values()) if outcome.rows else []
        for kind, path in further.items() if outcome.rows else ():
            if kind == "png":
                images.save_png(images.sheet(np.stack(outcome.rows)), path)
            else:
                images.save_gif(list(faded(outcome.rows, len(route.ways))), path)
    finally:
        outputs.release(made)
    return outcome, sheets


def _run_of(weights: Path) -> Path | None:
    """The run that a weights file belongs to."""
    from imgen.train import run

    return next((folder for folder in weights.absolute().parents[:3] if run.is_run(folder)), None)


def _folder(name: str, overwrite: bool) -> Path:
    """A folder of that name that is not there yet, or the very one where its files may be replaced."""
    folder, number = _ROOT / name, 1
    while folder.exists() and not overwrite:
        number += 1
        folder = folder.with_name(f"{name}-{number}")
    return folder


def _name(run: Path | None, config: ModelConfig, route: Route) -> str:
    """What the folder of translations is called after: the run, or the model, and what is made."""
    targets = [route.ways[0].target] if len(route.written) > 1 else [way.target for way in route.ways]
    return "-".join([run.name if run else config.name, *(re.sub(r"[^\w.+]+", "_", target) for target in targets)])
