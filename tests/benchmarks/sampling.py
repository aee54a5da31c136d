"""What sampling costs: `imgen sample` and `imgen traverse` beside a plain loop over the same generator.

    python tests/benchmarks/sampling.py
    python tests/benchmarks/sampling.py --json sampling.json

Both read the same weights file, make as many pictures, and write one sheet of them, or a file for each. The plain side
is what one would write by hand: the generator in evaluation mode, one batch of latents after another, uint8, a sheet of
numpy, PIL's PNG. imgen does what its command line does, without the start of Python. The two take turns, and who goes
first changes with every block. Where the plain side's time goes is told beside it: loading, generator, sheet, PNG.

Generators have the size of their recipe and their first weights. Pictures of those are noise, which PNG takes longest
for.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from asking import chosen, plainly
from machine import facts, machine, rows
from PIL import Image
from safetensors.torch import load_file

from imgen.build import Built, build
from imgen.cli import main as imgen
from imgen.model import write_model
from imgen.plugins import installed
from imgen.recipe import Draft, Part, find

DRAWN = {
    "sddcgan": Part("shapes", {"identities": 4, "photos": 2, "size": 64, "k": 2}),
    "infogan_cr": Part("drawn-sprites", {"size": 64, "positions": 2}),
}
"""Recipes with generators, and data of the paper's size from which nothing is taken but that."""
_PLAIN_BATCH = 64
_GAP = 2
_VALUES = 10  # of a row of a traversal
Parts = dict[str, float]


def built_from(recipe: str, dim: int, seed: int) -> Built:
    """A recipe's networks with first weights."""
    plugins = installed()
    draft = Draft.read(find(recipe, plugins), plugins)
    content = draft.content
    content["dataset"], content["metrics"] = DRAWN[recipe].to_dict(), []
    content["train"]["seed"] = seed
    if dim:
        content["algorithm"]["dim"] = dim
    return build(draft.check(), plugins)


class PlainLoop:
    """What one would write by hand. Keeps the seconds that each part took."""

    def __init__(self, built: Built, weights: Path, device: str) -> None:
        self.model, self.weights, self.device = built.algorithm.model.eval(), weights, device
        self.taken: Parts = dict.fromkeys(("load", "generator", "sheet", "PNG"), 0.0)

    def _note(self, part: str, began: float) -> float:
        now = time.perf_counter()
        self.taken[part] += now - began
        return now

    @torch.no_grad()
    def __call__(self, z: torch.Tensor, columns: int, out: Path, *, files: bool) -> None:
        began = time.perf_counter()
        self.model.load_state_dict(load_file(self.weights))
        self.model.to(self.device)
        began = self._note("load", began)
        made = [self.model(some.to(self.device)) for some in z.split(_PLAIN_BATCH)]
        pixels = ((torch.cat(made) + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()
        began = self._note("generator", began)
        if files:
            out.mkdir()
            for number, picture in enumerate(pixels):
                Image.fromarray(picture.squeeze()).save(out / f"{number:05d}.png")
            self._note("PNG", began)
            return
        n, height, width, channels = pixels.shape
        sheet = np.full((-(-n // columns) * (height + _GAP), columns * (width + _GAP), channels), 255, np.uint8)
        for number, picture in enumerate(pixels):
            top, left = number // columns * (height + _GAP), number % columns * (width + _GAP)
            sheet[top : top + height, left : left + width] = picture
        began = self._note("sheet", began)
        Image.fromarray(sheet.squeeze()).save(out)
        self._note("PNG", began)


def through_imgen(*words: object) -> None:
    """A command line, in this process."""
    told = io.TextIOWrapper(io.BytesIO(), encoding="utf8")
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        status = imgen([str(word) for word in words])
    assert status == 0, f"{words}: status {status}"


Sides = dict[str, Callable[[Path], None]]


def tasks(recipe: str, args: argparse.Namespace, place: Path) -> tuple[dict[str, tuple[int, Sides]], PlainLoop]:
    """By name how many pictures are made, and both sides, which are given where to write."""
    built = built_from(recipe, args.dim, args.seed)
    weights = place / f"{recipe}.safetensors"
    write_model(weights, built.config, built.algorithm.model.state_dict())
    plain = PlainLoop(built, weights, args.device)
    codes = built.algorithm.model.codes
    size, side = sum(codes.values()), round(args.count**0.5)
    bases = max(1, args.count // (_VALUES * len(codes)))
    moved = bases * _VALUES * len(codes)
    where = ("--device", args.device)

    def latents(n: int) -> torch.Tensor:
        return torch.rand(n, size) * 2 - 1

    found: dict[str, tuple[int, Sides]] = {
        "sample, a sheet": (
            args.count,
            {
                "imgen": lambda out: through_imgen("sample", weights, "-n", args.count, "--out", out, *where),
                "plain": lambda out: plain(latents(args.count), side, out, files=False),
            },
        ),
        "sample --files": (
            args.count,
            {
                "imgen": lambda out: through_imgen(
                    "sample", weights, "-n", args.count, "--files", "--out", out, *where
                ),
                "plain": lambda out: plain(latents(args.count), side, out, files=True),
            },
        ),
        "traverse --plain": (
            moved,
            {
                "imgen": lambda out: through_imgen(
                    *("traverse", weights, "--bases", bases, "--steps", _VALUES, "--plain", "--scale", 1, "--out", out),
                    *where,
                ),
                "plain": lambda out: plain(latents(moved), _VALUES, out, files=False),
            },
        ),
    }
    return found, plain


def timed(run: Callable[[Path], None], out: Path) -> float:
    """Seconds until all is written; it is removed again."""
    began = time.perf_counter()
    run(out)
    taken = time.perf_counter() - began
    shutil.rmtree(out) if out.is_dir() else out.unlink()
    return taken


def measure(recipe: str, args: argparse.Namespace, place: Path) -> dict[str, dict[str, Any]]:
    """The figures of one recipe, by task."""
    wanted, plain = tasks(recipe, args, place)
    found = {}
    for name, (count, sides) in wanted.items():
        taken: dict[str, list[float]] = {side: [] for side in sides}
        order = list(sides.items())
        for number in range(args.blocks + 1):
            for side, run in order:
                seconds = timed(run, place / ("out" if "--files" in name else "out.png"))
                if number:
                    taken[side].append(seconds)
            if not number:
                # The first block warms up.
                plain.taken = dict.fromkeys(plain.taken, 0.0)
            order.reverse()
        whole = sum(plain.taken.values())
        found[f"{recipe}: {name}"] = {
            "pictures": count,
            "imgen_pictures_a_second": count / median(taken["imgen"]),
            "plain_pictures_a_second": count / median(taken["plain"]),
            "times_as_fast": median(b / a for a, b in zip(taken["imgen"], taken["plain"], strict=True)),
            "plain_shares": {part: seconds / whole for part, seconds in plain.taken.items()},
        }
    return found


def main(argv: list[str] | None = None) -> dict[str, dict[str, Any]]:
    """Print the table; gives its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", default=",".join(DRAWN), help="names with commas; default %(default)s")
    parser.add_argument("--device", default="cpu", help="default %(default)s")
    for name, value in {"count": 512, "dim": 0, "blocks": 5, "threads": 0, "seed": 0}.items():
        parser.add_argument(f"--{name}", type=int, default=value, help="default %(default)s")
    parser.add_argument("--json", type=Path, help="write the figures there")
    args = parser.parse_args(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    names, found = chosen(args.recipes, DRAWN), {}
    with tempfile.TemporaryDirectory() as place:
        for recipe in names:
            found |= measure(recipe, args, Path(place))
    print(machine(args.seed), args.device, sep=", ")
    lines = [
        (
            name,
            f"{one['pictures']:,}",
            *(f"{one[f'{side}_pictures_a_second']:,.0f}" for side in ("imgen", "plain")),
            f"{one['times_as_fast']:.2f}",
            *(f"{100 * share:.0f} %" for share in one["plain_shares"].values()),
        )
        for name, one in found.items()
    ]
    print(rows(("", "pictures", "a second", "plain", "times as fast", "load", "generator", "sheet", "PNG"), lines))
    if args.json:
        args.json.write_text(json.dumps({**facts(args.seed, args.device), "sampling": found}, indent=1) + "\n")
    return found


if __name__ == "__main__":
    plainly(main)
