"""What translating many small pictures costs: through imgen against a bare loop that does the same work.

    python tests/benchmarks/translate.py

Both read the same files, pass them through the same generator in batches of the same size, and write files of the same
format. The bare loop does one after the other; imgen decodes and encodes in threads meanwhile, checks every name before
it starts, and replaces files whole. The two take turns, and who goes first changes with every block.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch
from machine import facts, machine, rows
from PIL import Image

from imgen.data.shapes import shapes
from imgen.data.spec import DataSpec
from imgen.images import from_float, to_float
from imgen.plugins import installed
from imgen.translating import outputs
from imgen.translating.engine import Engine
from imgen.translating.inputs import gather
from imgen.translating.passes import Passes
from imgen.translating.ways import Route


def write_pictures(folder: Path, count: int, size: int, format: str, seed: int) -> None:
    """Drawn things with the grain of a photo."""
    folder.mkdir()
    drawn = shapes(identities=-(-count // 4), photos=4, size=size, k=1, seed=seed).columns["images"]
    grain = np.random.default_rng(seed)
    for row in range(count):
        pixels = np.asarray(drawn[row]).transpose(1, 2, 0) + grain.normal(0, 4, (size, size, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{row:05d}.{format}", quality=95)


class BareLoop:
    """What one would write by hand. Keeps the seconds that each part took."""

    def __init__(self, passes: Passes, route: Route, size: int) -> None:
        self.passes, self.route = passes, route
        self.batch = passes.batch(size, size)
        self.taken = dict.fromkeys(("decode", "compute", "encode"), 0.0)

    @torch.inference_mode()
    def __call__(self, folder: Path, out: Path) -> None:
        out.mkdir()
        files = sorted(folder.iterdir())
        for start in range(0, len(files), self.batch):
            part = files[start : start + self.batch]
            began = time.perf_counter()
            pixels = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in part])
            decoded = time.perf_counter()
            shown = to_float(torch.from_numpy(pixels).to(self.passes.device).permute(0, 3, 1, 2))
            made = from_float(self.passes.model.translate(shown, self.route.ways[0])).permute(0, 2, 3, 1).cpu().numpy()
            computed = time.perf_counter()
            for file, picture in zip(part, made, strict=True):
                Image.fromarray(picture).save(out / file.name, quality=95)
            times = (decoded - began, computed - decoded, time.perf_counter() - computed)
            for name, seconds in zip(self.taken, times, strict=True):
                self.taken[name] += seconds


def through_imgen(passes: Passes, route: Route, size: int, folder: Path, out: Path) -> None:
    """What `imgen translate` does once the model is loaded."""
    jobs = outputs.plan(gather([str(folder)], (), out), route.written, out)
    outputs.check(jobs, (), overwrite=False)
    outcome = Engine(passes, (3, size, size), route).run(jobs)
    assert len(outcome.written) == len(jobs)


def build(args: argparse.Namespace) -> tuple[Passes, Route]:
    """A generator of four levels between two domains, with its first weights."""
    torch.manual_seed(args.seed)
    factory = installed().registry("models").get("discogan").load()
    model = factory(DataSpec(image=(3, args.size, args.size), domains=("a", "b")), width=args.dim)
    return Passes(model.eval(), args.device, args.batch), Route((model.ways[0],), {1: ""})


def measure(
    args: argparse.Namespace, place: Path
) -> tuple[dict[str, list[float]], dict[str, list[float]], dict[str, float], int]:
    """Seconds, and those of all cores, by contestant and block; the shares of the bare loop's parts; a batch."""
    folder = place / "in"
    write_pictures(folder, args.count, args.size, args.format, args.seed)
    passes, route = build(args)
    bare = BareLoop(passes, route, args.size)
    contestants = [
        ("bare loop", bare),
        ("imgen", lambda folder, out: through_imgen(passes, route, args.size, folder, out)),
    ]
    taken: dict[str, list[float]] = {name: [] for name, _ in contestants}
    cores: dict[str, list[float]] = {name: [] for name, _ in contestants}
    for block in range(args.blocks + 1):
        for name, run in contestants:
            out = place / name
            began, busy = time.perf_counter(), time.process_time()
            run(folder, out)
            # The first block warms up.
            if block:
                taken[name].append(time.perf_counter() - began)
                cores[name].append(time.process_time() - busy)
            shutil.rmtree(out)
        if not block:
            bare.taken = dict.fromkeys(bare.taken, 0.0)
        contestants.reverse()
    whole = sum(bare.taken.values())
    return taken, cores, {name: seconds / whole for name, seconds in bare.taken.items()}, bare.batch


def main(argv: list[str] | None = None) -> float:
    """Print the table; gives the ratio of the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="default cpu")
    parser.add_argument("--format", choices=["png", "jpg"], default="png", help="default png")
    defaults = {"count": 2000, "batch": 0, "dim": 64, "size": 64, "blocks": 5, "threads": 0, "seed": 0}
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=value, help=f"default {value}")
    parser.add_argument("--json", type=Path, help="write the figures there")
    args = parser.parse_args(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as place:
        taken, cores, shares, batch = measure(args, Path(place))
    print(machine(args.seed), args.device, sep=", ")
    print(f"{args.count} {args.format} pictures of {args.size}x{args.size}, batches of {batch}, width {args.dim}")
    print("the bare loop's time: " + ", ".join(f"{name} {100 * share:.0f} %" for name, share in shares.items()))
    middle = {name: median(each) for name, each in taken.items()}
    table = [
        (
            name,
            f"{args.count / middle[name]:,.0f}",
            f"{args.count / min(each):,.0f}",
            f"{1000 * median(cores[name]) / args.count:.2f}",
        )
        for name, each in taken.items()
    ]
    print(rows(("", "pictures/s, median", "best", "ms of cores a picture"), table))
    ratio = middle["bare loop"] / middle["imgen"]
    paired = median(one / other for one, other in zip(taken["bare loop"], taken["imgen"], strict=True))
    print(f"imgen is {ratio:.2f} times as fast (ratio of medians), {paired:.2f} (median of ratios)")
    if args.json:
        speeds = {name.replace(" ", "_"): args.count / seconds for name, seconds in middle.items()}
        found = {"pictures_a_second": speeds, "times_as_fast": paired, "bare_loop_shares": shares, "batch": batch}
        args.json.write_text(json.dumps({**facts(args.seed, args.device), "translate": found}, indent=1) + "\n")
    return ratio


if __name__ == "__main__":
    main()
