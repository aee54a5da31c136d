"""`imgen traverse`: what each code of a trained generator does, one moving at a time."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from imgen.commands import encoders, translators, traversals
from imgen.commands.options import as_json, called, device, find_weights, give, pick_device, say
from imgen.errors import DataError, WeightsError

if TYPE_CHECKING:
    from imgen.model import Generator, ModelConfig
    from imgen.plugins import Plugins
    from imgen.translating.inputs import Item
    from imgen.traversing.rows import Row
    from imgen.traversing.views import Start, View

_MOST = 2**31  # bytes of pictures
_STEPS, _FRAMES = 10, 24  # values of a row, and of an animation one way
_TOLD = 12  # rows whose change is told


class _Command(click.Command):
    """Takes `--range LOW HIGH` for `--range LOW,HIGH`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = list(args)
        for place, word in enumerate(words[:-2]):
            if word == "--range" and all(map(_is_number, words[place + 1 : place + 3])):
                words[place + 1 : place + 3] = [",".join(words[place + 1 : place + 3])]
                break
        return super().parse_args(ctx, words)


@click.command(cls=_Command)
@click.argument("words", metavar="[MODEL]", nargs=-1)
@click.option(
    "--codes",
    metavar="NAME,...",
    multiple=True,
    help="Codes by name, as noise; coordinates of one, as noise[3] or noise[0:4]; or of the whole latent, as 0,2.",
)
@click.option("--steps", metavar="N", type=click.IntRange(2, 1000), help="Values; default 10, or 24 with --gif.")
@click.option("--range", "ends", metavar="LOW HIGH", help="First and last value; default: the span of the code.")
@click.option("--values", metavar="V,V,...", help="These values, instead of --steps and --range.")
@click.option("--bases", metavar="N", type=click.IntRange(1, 1000), help="Latents to start from; default 1.")
@click.option(
    "--from",
    "pictures",
    metavar="PICTURE...",
    multiple=True,
    help="Start from pictures: files, folders, zips, arrays or -.",
)
@encoders.crop_option
@click.option(
    "--by",
    type=click.Choice(["base", "code"]),
    default="base",
    help="base (default): one sheet with a block for each base: a row is a code, a column a value. code: a sheet for "
    "each code: a row is a value, a column a base.",
)
@click.option("--gif", is_flag=True, help="An animation of each code, to and fro, all bases side by side.")
@click.option("--files", is_flag=True, help="Every picture in a file of its own, in the folder --out.")
@click.option(
    "--scale", metavar="N", type=click.IntRange(1, 64), help="Enlarge N times; default: to 64 pixels, 4 times at most."
)
@click.option("--plain", is_flag=True, help="Pictures alone, without names and values.")
@click.option("--seed", metavar="N", type=click.IntRange(0), default=0, help="What the bases follow from; default 0.")
@click.option("--out", metavar="PATH", type=click.Path(path_type=Path), help="Where to write; default samples/NAME.")
@device
@as_json
@click.pass_obj
def traverse(found: Plugins, words: tuple[str, ...], **options: Any) -> int:
    """See what each code of a trained generator does.

    MODEL is a run folder or a model.safetensors; left out, it is the newest run that can do what is asked. All codes
    stay as they are in a base, but one, which moves: a row of pictures for each code. A code of several coordinates
    moves along its diagonal, unless coordinates are chosen. The same seed gives the same bases, however many there
    are; a file of the same name is replaced.

    With --from, a model that reads codes starts from pictures: a block shows the picture, what the model makes of its
    codes, and then the rows. Codes that it does not read are drawn, once for all pictures. Pictures that cannot be
    read are told and skipped, with exit status 1 in the end.

    By each name stands its change: how far two pictures of the row are apart on average, in levels of 255. A code
    that changes next to nothing is dead.
    """
    name, pictures = _check(words, options)
    device = pick_device(options["device"])
    weights = _weights(name, bool(pictures), options, found)
    items = encoders.gathered(pictures, options["out"] or traversals.ROOT)
    skipped = encoders.Skipped()
    seen, config = _seen(weights, items, options, found, device, skipped)
    paths = []
    if seen:
        title = f"{called(weights, config)}-traverse{'-from' if items else ''}-seed{options['seed']}"
        paths = traversals.write(seen, options, title, items)
    _tell(seen, weights, paths, skipped, options)
    return 1 if skipped else 0


def _check(words: Sequence[str], options: dict[str, Any]) -> tuple[str | None, list[str]]:
    """MODEL and the pictures to start from. A shell's pattern puts further pictures after the option's own."""
    if options["gif"] and (options["files"] or options["by"] == "code"):
        raise click.UsageError("--gif writes an animation of each code; leave --files and --by code out")
    if options["files"] and options["by"] == "code":
        raise click.UsageError("--files writes every picture by itself; leave --by code out")
    for other in ("steps", "range"):
        if options["values"] is not None and options["ends" if other == "range" else other] is not None:
            raise click.UsageError(f"--values and --{other} exclude each other")
    if options["pictures"]:
        if options["bases"]:
            raise click.UsageError("--from and --bases exclude each other; every picture is a base")
        name, rest = translators.split(words)
        return name, [*options["pictures"], *rest]
    if len(words) > 1:
        raise click.UsageError(f"there is one MODEL, and '{words[1]}' is one too many; pictures are given with --from")
    return (words[0] if words else None), []


def _weights(name: str | None, reads: bool, options: dict[str, Any], found: Plugins) -> Path:
    """The weights to use. Raises: `WeightsError` where none can do what is asked."""
    from imgen.build import outline
    from imgen.model import read_config

    refused: list[str] = []

    def problem(config: ModelConfig, path: Path) -> str:
        """Why this model cannot do what is asked; nothing where it can."""
        model = outline(config, found, path)
        able = False
        try:
            _able(model, reads)
            able = True
            _rows(cast("Generator", model), options)
        except DataError as error:
            # What the newest model lacks is nearer to what was meant than that nothing was found.
            refused.extend([f"{path}: {error}"] if able else [])
            return f"{path}: {error}"
        return ""

    what = "has a model that reads codes and makes pictures of them" if reads else "has a model that can be traversed"
    try:
        weights = find_weights(name, lambda config, path: not problem(config, path), what)
    except WeightsError as error:
        raise WeightsError(refused[0]) if name is None and refused else error from None
    if wrong := problem(read_config(weights), weights):
        raise WeightsError(wrong)
    return weights


def _able(model: object, reads: bool) -> None:
    from imgen.model import Generator
    from imgen.traversing import views

    if not isinstance(model, Generator) or not model.codes:
        raise DataError("this model makes no pictures from latents, so there is no code to move")
    if reads and not views.readable(encoders.encodes(model), model):
        raise DataError("this model reads no codes from pictures, so it cannot start --from them; leave --from out")


def _rows(model: Generator, options: dict[str, Any]) -> list[Row]:
    from imgen.traversing import rows

    return rows.chosen(options["codes"], model.codes) if options["codes"] else rows.every(model.codes)


def _values(model: Generator, rows: Sequence[Row], options: dict[str, Any]) -> list[list[float]]:
    """The values of each row, as many in all."""
    from imgen.traversing.rows import between, span

    if options["values"] is not None:
        return [_numbers("--values", options["values"])] * len(rows)
    steps = options["steps"] or (_FRAMES if options["gif"] else _STEPS)
    if options["ends"] is not None:
        ends = _numbers("--range", options["ends"])
        if len(ends) != 2:
            raise click.UsageError(f"--range '{options['ends']}': give the first and the last value, as in -1 1")
        return [between(ends[0], ends[1], steps)] * len(rows)
    spans = {code: span(model, code) for code in dict.fromkeys(row.code for row in rows)}
    return [between(*spans[row.code], steps) for row in rows]


def _seen(
    weights: Path,
    items: Sequence[Item],
    options: dict[str, Any],
    found: Plugins,
    place: str,
    skipped: encoders.Skipped,
) -> tuple[View | None, ModelConfig]:
    """The pictures of all rows; none where no picture to start from could be read."""
    from imgen.build import load_model
    from imgen.traversing import views

    loaded, config = load_model(weights, found, place)
    model = cast("Generator", loaded)
    rows = _rows(model, options)
    values = _values(model, rows, options)
    count = len(items) or options["bases"] or 1
    if count * len(rows) * len(values[0]) * math.prod(config.data.image) * (options["scale"] or 1) ** 2 > _MOST:
        raise click.UsageError(f"{count * len(rows) * len(values[0]):,} such pictures are too many at once; take fewer")
    start = _read(model, items, config, options, skipped) if items else views.drawn(model, count, options["seed"])
    return (views.view(model, start, rows, values) if start else None), config


def _read(
    model: Generator, items: Sequence[Item], config: ModelConfig, options: dict[str, Any], skipped: encoders.Skipped
) -> Start | None:
    import numpy as np

    from imgen import encoding
    from imgen.traversing import views

    parts = list(encoding.read(items, config.data.image, options["crop"], skipped))
    if not parts:
        return None
    files = [item.told for some, _ in parts for item in some]
    return views.read(model, np.concatenate([pixels for _, pixels in parts]), files, options["seed"])


def _tell(
    seen: View | None, weights: Path, paths: Sequence[Path], skipped: dict[str, str], options: dict[str, Any]
) -> None:
    from imgen.encoding import as_objects

    rows: list[dict[str, Any]] = []
    if seen:
        change = seen.change.mean(axis=0)
        rows = [
            {"name": row.name, "coordinates": row.at, "values": values, "change": round(float(far), 3)}
            for row, values, far in zip(seen.rows, seen.values, change, strict=True)
        ]
    if options["as_json"]:
        told: dict[str, Any] = {"model": str(weights), "seed": options["seed"], "rows": rows}
        if seen and (given := seen.start.given):
            told["pictures"] = as_objects(given.names, given.files, given.codes)
        give({**told, "paths": [str(path) for path in paths], "skipped": skipped})
        return
    if rows:
        most = sorted(rows, key=lambda row: -row["change"])
        listed = ", ".join(f"{row['name']} {row['change']:.1f}" for row in most[:_TOLD])
        say(f"imgen: change along each row, of 255: {listed}{', ...' if len(most) > _TOLD else ''}")
    for path in paths:
        # Names of files need not be text.
        click.echo(os.fsencode(path))


def _numbers(option: str, text: str) -> list[float]:
    words = [word.strip() for word in text.replace(",", " ").split()]
    if not words or len(words) > 1000 or not all(map(_is_number, words)):
        raise click.UsageError(f"{option} '{text}': give numbers, as in {option} -1,1")
    return [float(word) for word in words]


def _is_number(word: str) -> bool:
    try:
        # Beyond this a float32 is infinite.
        return abs(float(word)) < 1e30
    except ValueError:
        return False
