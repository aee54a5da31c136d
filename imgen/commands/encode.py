"""`imgen encode`: the codes of pictures, as a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from imgen.commands import encoders, translators
from imgen.commands.options import as_json, device, find_weights, give, pick_device
from imgen.commands.progress import progress_of
from imgen.errors import DataError, WeightsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from imgen.model import Encoder, ModelConfig
    from imgen.plugins import Plugins
    from imgen.translating.inputs import Item


@click.command()
@click.argument("words", metavar="[MODEL] INPUT...", nargs=-1)
@click.option(
    "--out", metavar="FILE", type=click.Path(path_type=Path), help="A .csv, .json or .npz; default: CSV on the screen."
)
@click.option("--overwrite", is_flag=True, help="Replace FILE if it is there.")
@encoders.crop_option
@click.option("--sampled", is_flag=True, help="A draw from what the model deems likely, not its best guess.")
@click.option("--seed", metavar="N", type=click.IntRange(0), help="What draws follow from; default 0.")
@device
@as_json
@click.pass_obj
def encode(found: Plugins, words: tuple[str, ...], **options: Any) -> int:
    """Read the codes of pictures.

    MODEL is a run folder or a model.safetensors; left out, it is the newest run whose model reads codes. INPUT is any
    number of pictures, folders (with all below them), zips or quoted patterns, .npy or .npz files of pictures, or -
    for paths on standard input, one a line. Pictures are brought to the size and the colours of training.

    The table has a row for each picture: file, and a number for each code. An npz holds the arrays files, names and
    codes (float32). A picture's codes are the same whatever else is encoded; with --sampled they follow from --seed
    and the picture. Pictures that cannot be read are told and skipped, with exit status 1 in the end.
    """
    out = options["out"]
    if options["seed"] is not None and not options["sampled"]:
        raise click.UsageError("--seed goes with --sampled; without it nothing is drawn")
    _check(out, options["overwrite"])
    model, inputs = translators.split(words)
    if not inputs:
        raise click.UsageError("give pictures to encode, as in `imgen encode MODEL FOLDER`")
    place = pick_device(options["device"])
    weights = _weights(model, found)
    items = encoders.gathered(inputs, out or Path("-"))
    names, files, codes, skipped = _encoded(weights, items, place, options, found)
    if out and files:
        from imgen.encoding import write_table

        write_table(out, names, files, codes)
    _tell(weights, names, files, codes, skipped, options)
    return 1 if skipped else 0


def _weights(model: str | None, found: Plugins) -> Path:
    from imgen.build import outline
    from imgen.model import read_config

    def names(config: ModelConfig, path: Path) -> list[str]:
        return encoders.encodes(outline(config, found, path))

    weights = find_weights(model, lambda config, path: bool(names(config, path)), "has a model that reads codes")
    config = read_config(weights)
    if not names(config, weights):
        raise WeightsError(f"{weights}: its model '{config.name}' reads no codes from pictures; give one that does")
    return weights


def _encoded(
    weights: Path, items: list[Item], place: str, options: dict[str, Any], found: Plugins
) -> tuple[list[str], list[str], NDArray[np.float32], dict[str, str]]:
    """Names of the codes, files that could be read, their codes, and reasons by file of those that could not."""
    import numpy as np

    from imgen import encoding
    from imgen.build import load_model
    from imgen.translating import outputs

    loaded, config = load_model(weights, found, place)
    model, out = cast("Encoder", loaded), options["out"]
    seed = (options["seed"] or 0) if options["sampled"] else None
    # Before the work, so that it is not lost.
    made = outputs.claim(out.parent) if out else []
    skipped, files = encoders.Skipped(), []
    parts = [np.zeros((0, len(model.encodes)), np.float32)]
    try:
        with progress_of("encoded"):
            for some, pixels in encoding.read(items, config.data.image, options["crop"], skipped):
                files += [item.told for item in some]
                parts.append(encoding.encode(model, pixels, seed))
    finally:
        if not files:
            outputs.release(made)
    return list(model.encodes), files, np.concatenate(parts), dict(skipped)


def _tell(
    weights: Path,
    names: list[str],
    files: list[str],
    codes: NDArray[np.float32],
    skipped: dict[str, str],
    options: dict[str, Any],
) -> None:
    from imgen.encoding import as_csv, as_objects

    out = options["out"]
    if options["as_json"]:
        told = {"model": str(weights), "codes": names, "pictures": len(files)}
        told |= {"paths": [str(out)] if files else []} if out else {"rows": as_objects(names, files, codes)}
        give({**told, "skipped": skipped})
    elif out and files:
        click.echo(out)
    elif files:
        click.echo(as_csv(names, files, codes), nl=False)


def _check(out: Path | None, overwrite: bool) -> None:
    """Refuse a file that could not be written in the end, before anything is computed."""
    from imgen.encoding import ENDINGS

    if out is None:
        return
    if out.is_dir() or out.suffix.lower() not in ENDINGS:
        raise click.UsageError(f"--out {out}: give a file that ends in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}")
    if out.exists() and not overwrite:
        raise DataError(f"{out}: exists already; give --overwrite to replace it, or another --out")
