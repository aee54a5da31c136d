"""Commands that SD-GAN adds: `imgen sdgan ...`."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def sdgan() -> None:
    """What belongs to SD-GAN alone."""


@sdgan.command("import-web")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("sdbegan-web/model.safetensors"),
    show_default=True,
    help="Weights file to write, or a folder for a model.safetensors.",
)
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
def import_web(folder: Path, out: Path, overwrite: bool) -> None:
    """Turn the generator of the authors' web demo into a model of imgen.

    FOLDER holds manifest.json and one file for each tensor, as the demo's page fetches them.
    """
    from imgen.errors import ImgenError
    from imgen_sdgan.web_demo import import_generator

    out = out / "model.safetensors" if out.is_dir() or not out.suffix else out
    if out.exists() and not overwrite:
        raise ImgenError(f"{out}: is there already; --overwrite replaces it, --out PATH writes elsewhere")
    try:
        import_generator(folder, out)
    except OSError as error:
        raise ImgenError(f"{out}: cannot be written: {error.strerror or error}") from None
    click.echo(f"SD-BEGAN's generator from {folder}; sample it with: imgen sample {out} --fix-identity", err=True)
    click.echo(out)
