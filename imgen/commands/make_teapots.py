"""`imgen data make teapots`: pictures of a teapot whose turns, colours or lights are known."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from imgen.commands.options import as_json, give, say

_PAUSE = 5  # seconds between two lines


@click.command(short_help="Render the 3D teapots into OUT_FOLDER.")
@click.argument("out", metavar="[OUT_FOLDER]", type=click.Path(path_type=Path), required=False)
@click.option(
    "--variant",
    metavar="A|B|C",
    default="A",
    help="A or colours: azimuth, elevation and colour vary; B or turns: every rotation; C or lights: and where the "
    "light comes from. Default A.",
)
@click.option(
    "--images", metavar="N", type=click.IntRange(1, 10**8), default=200_000, help="To train on; default 200000."
)
@click.option(
    "--groups",
    metavar="N",
    type=click.IntRange(0, 10**6),
    help="Of 100 pictures in which one factor stays; default 100 for each factor, as published.",
)
@click.option("--processes", metavar="N", type=click.IntRange(1, 1024), help="That draw; default one for each core.")
@click.option(
    "--seed", metavar="N", type=click.IntRange(0, 2**32 - 1), default=1, help="Default 1, that of the published data."
)
@click.option("--float64", "floats", is_flag=True, help="Write floats in [0, 1] as published: eight times as large.")
@click.option("--overwrite", is_flag=True, help="Replace the data in OUT_FOLDER, or what is unfinished there.")
@as_json
def teapots(
    out: Path | None,
    variant: str,
    images: int,
    groups: int | None,
    processes: int | None,
    seed: int,
    floats: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Draw the 3D teapots: OUT_FOLDER/train_data/data.npz and OUT_FOLDER/metric_data/data.npz.

    The arrays are those of the published data: imgs and latents, imgs and labels. Pictures are uint8, (N, 64, 64, 3):
    200,000 of them are 2.5 GB, which training maps. OUT_FOLDER is teapots-A, -B or -C where it is left out. A command
    that was ended goes on when it is started again.
    """
    from imgen.data.factored.teapot.processes import cores
    from imgen.data.factored.teapot.rendering import Plan, make
    from imgen.data.factored.teapot.scene import variant_of

    chosen = variant_of(variant)
    out = out or Path(f"teapots-{chosen.letter}")
    groups = chosen.groups if groups is None else groups
    plan = Plan(variant=chosen.name, images=images, groups=groups, seed=seed, floats=floats)
    shown = Shown()
    try:
        paths = make(out, plan, processes=processes or cores(), overwrite=overwrite, told=shown)
    finally:
        shown.close()
    if as_json:
        told: dict[str, Any] = {
            "paths": [str(path) for path in paths],
            "variant": chosen.name,
            "pictures": plan.pictures,
        }
        give(told | {"drawn": shown.drawn, "images_per_second": round(shown.rate, 1)})
        return
    say(f"drew {shown.drawn:,} pictures, {shown.rate:,.0f} a second")
    for path in paths:
        click.echo(path)


class Shown:
    """How many pictures are drawn, as a bar in a terminal or as lines in a log, with how many a second."""

    def __init__(self) -> None:
        self.began = self.last = self._said = time.monotonic()
        self.done, self._before = 0, -1
        self._bar: Any = None

    def __call__(self, done: int, total: int) -> None:
        self.last = time.monotonic()
        if self._before < 0:
            self.began, self._before = self.last, done
            if done:
                say(f"going on: {done:,} of {total:,} pictures are there")
        self.done = done
        if sys.stderr.isatty():
            self._bar = self._bar or _bar(total)
            self._bar.update(0, completed=done, rate=f"{self.rate:,.0f} images/s")
        elif self.last > self._said + _PAUSE:
            self._said = self.last
            say(f"drawn {done:,} of {total:,}, {self.rate:,.0f} images/s")

    @property
    def drawn(self) -> int:
        """Pictures since the command began."""
        return self.done - max(0, self._before)

    @property
    def rate(self) -> float:
        """Of them in a second."""
        return self.drawn / max(1e-9, self.last - self.began) if self.drawn else 0.0

    def close(self) -> None:
        """Leaves the terminal as it was."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _bar(total: int) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn()
    bar = Progress(*columns, console=Console(stderr=True))
    bar.add_task("", total=total, rate="")
    bar.start()
    return bar
