"""How fast teapots are drawn: by one process in memory, and as files by one process and by several.

    python tests/benchmarks/teapots.py

Files are made as `imgen data make teapots` makes them, from starting the processes to the last byte; on short runs the
start weighs more than on 200,000 pictures, for which the time is told.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from machine import machine, rows

from imgen.data.factored.teapot.mesh import teapot
from imgen.data.factored.teapot.picture import render
from imgen.data.factored.teapot.processes import cores
from imgen.data.factored.teapot.rendering import Plan, make
from imgen.data.factored.teapot.scene import GROUP, VARIANTS, published, scenes


def in_memory(variant: str, images: int, seed: int) -> tuple[float, float]:
    """Pictures a second of the clock, and of a core's own time, which other processes take no part of."""
    latents, _, _ = published(VARIANTS[variant], images, 0, seed)
    teapot()
    began, own = time.perf_counter(), time.process_time()
    render(scenes(VARIANTS[variant], latents))
    return images / (time.perf_counter() - began), images / (time.process_time() - own)


def as_files(variant: str, images: int, seed: int, processes: int) -> float:
    """Pictures a second of the clock, with all that belongs to it."""
    with tempfile.TemporaryDirectory() as place:
        began = time.perf_counter()
        make(Path(place) / "teapots", Plan(variant=variant, images=images, groups=0, seed=seed), processes=processes)
        return images / (time.perf_counter() - began)


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Print the table; gives pictures a second as files by all processes, for each variant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    defaults = {"images": 2000, "processes": cores(), "seed": 1}
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=value, help=f"default {value}")
    args = parser.parse_args(argv)
    lines, rates = [], {}
    for name, variant in VARIANTS.items():
        clock, own = in_memory(name, args.images, args.seed)
        files = [as_files(name, args.images, args.seed, processes) for processes in (1, args.processes)]
        rates[name] = files[1]
        minutes = (200_000 + variant.groups * GROUP) / files[1] / 60
        figures = [f"{figure:,.0f}" for figure in (clock, own, *files)]
        lines.append((f"{variant.letter} ({name})", *figures, f"{minutes:,.1f}"))
    print(machine(args.seed))
    print(f"{args.images} pictures at 64x64, {len(teapot().triangles):,} triangles, 8 samples a pixel")
    several = f"files, {args.processes} processes"
    head = ("images/s", "in memory", "of a core's own time", "files, 1 process", several, "minutes for all")
    print(rows(head, lines))
    return rates


if __name__ == "__main__":
    main()
