"""Commands that SG-GAN adds: `imgen sggan ...`."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def sggan() -> None:
    """What belongs to SG-GAN alone."""


@sggan.command(context_settings={"ignore_unknown_options": True})
@click.argument("recipes", nargs=-1, required=True, metavar="RECIPE...")
@click.option("--counts", default="10,100,500,all", show_default=True, help="Labels of each value, with commas.")
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True, help="Runs of each, from seed 0.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs/labels"),
    show_default=True,
    help="Folder of the runs, the table and the plots.",
)
@click.option("-s", "settings", multiple=True, metavar="KEY=VALUE", help="A setting for all runs, such as train.steps.")
def labels(recipes: tuple[str, ...], counts: str, seeds: int, out: Path, settings: tuple[str, ...]) -> None:
    """Train recipes on ever more labels, and plot how well their edits succeed.

    Each run is a folder of OUT; labels.json has what the recipes' metrics of editing say, edit_accuracy.png, kept.png
    and same_psnr.png plot it. The seed chooses the labels, too. The same command goes on where it was interrupted.
    """
    from imgen_sggan.label_sweep import run, trials, write

    every = trials(recipes, _counts(counts), seeds)
    further = [word for setting in settings for word in ("-s", setting)]
    rows, paths = [], []
    for row in run(every, out, further, lambda told: click.echo(f"imgen: {told}", err=True)):
        rows.append(row)
        # After every run, so that there is something to look at.
        paths = write(rows, out)
    for path in paths:
        click.echo(path)


def _counts(text: str) -> list[int | None]:
    counts: list[int | None] = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        if word != "all" and not (word.isdecimal() and int(word)):
            raise click.UsageError(f"--counts: '{word}' is no number of labels; write them as 10,100,all")
        counts.append(None if word == "all" else int(word))
    if not counts:
        raise click.UsageError("--counts: none is given; write them as 10,100,all")
    return list(dict.fromkeys(counts))
