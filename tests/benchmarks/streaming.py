"""What streaming costs: JPEG files decoded while SD-DCGAN trains, against a packed set and one resident in memory.

    python tests/benchmarks/streaming.py

Draws its own JPEG files, 178x218 as CelebA has them, or takes a folder of yours. On a CPU decoding and training share
the cores, so what decoding allows is the time of both together; on a GPU it is the longer of the two.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import numpy as np
import torch
from machine import machine, rows
from stand_ins import write_jpegs

from imgen.build import config_of
from imgen.data.identities import Identities, identities
from imgen.data.loader import Loader
from imgen.data.pack import pack
from imgen.plugins import installed
from imgen.recipe import Part, Recipe
from imgen.train.trainer import Trainer
from imgen.train_settings import TrainSettings

RESIDENT = {"JPEG files, streamed": "never", "packed file, mapped": "never", "resident": "always"}


def open_sets(root: Path, folder: Path, size: int) -> dict[str, Identities]:
    """The same pictures three ways, each in an object of its own so that none keeps pixels for another."""
    identities(root=str(root), size=size)  # looks every file through and remembers, so that the next ones need not
    packed = folder / "packed.safetensors"
    pack(identities(root=str(root), size=size, k=1), packed)
    sources = dict.fromkeys(RESIDENT, str(packed)) | {"JPEG files, streamed": str(root)}
    return {name: identities(root=source, size=size) for name, source in sources.items()}


def decoding_alone(dataset: Identities, workers: int, count: int) -> float:
    """Pictures a second, with nothing else to do."""
    column = dataset.columns["images"]
    chosen = np.random.default_rng(0).integers(column.shape[0], size=count)
    with ThreadPoolExecutor(workers) as pool:
        began = time.perf_counter()
        list(pool.map(column.fetch, np.array_split(chosen, max(1, count // 16))))
        return count / (time.perf_counter() - began)


def loading_alone(dataset: Identities, name: str, args: argparse.Namespace, device: torch.device) -> float:
    """Pictures a second that the loader gives when nothing takes time between two batches."""
    loader = Loader(dataset, batch=args.batch, seed=args.seed, device=device, resident=RESIDENT[name])
    loader.batch(0)
    began = time.perf_counter()
    for step in range(1, args.batches + 1):
        loader.batch(step)
    taken = time.perf_counter() - began
    loader.close()
    return args.batches * args.batch * dataset.spec.group / taken


def training(sets: dict[str, Identities], args: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Pictures a second while training; the sets take turns in blocks, and medians are given."""
    steps: dict[str, Callable[[], None]] = {
        name: _stepper(dataset, RESIDENT[name], args, folder / str(place))
        for place, (name, dataset) in enumerate(sets.items())
    }
    taken: dict[str, list[float]] = {name: [] for name in sets}
    order = list(steps.items())
    for block in range(args.blocks + 1):
        for name, step in order:
            step()  # what was fetched ahead while another set had its turn is not counted
            began = time.perf_counter()
            for _ in range(args.steps):
                step()
            if block:
                taken[name].append(time.perf_counter() - began)
        order.reverse()
    group = next(iter(sets.values())).spec.group
    return {name: args.steps * args.batch * group / median(each) for name, each in taken.items()}


def _stepper(dataset: Identities, resident: str, args: argparse.Namespace, run: Path) -> Callable[[], None]:
    factory = installed().registry("algorithms").get("sddcgan").load()
    torch.manual_seed(args.seed)
    algorithm = factory(dataset.spec, dim=args.dim)
    settings = TrainSettings(batch=args.batch, seed=args.seed, resident=resident)  # type: ignore[arg-type]
    recipe = Recipe("bench", Part("sddcgan", {"dim": args.dim}), Part("identities", {}), settings)
    config = config_of(algorithm, recipe, dataset.spec, installed())
    trainer = Trainer(algorithm, dataset, settings, run, config=config, device=args.device)

    def step() -> None:
        trainer._play_step(trainer.step)
        trainer.step += 1
        if trainer.device.type == "cuda":
            torch.cuda.synchronize()

    return step


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Print the table; gives images a second while training."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="a folder of identities; default: drawn ones")
    parser.add_argument("--device", default="cpu", help="default cpu")
    defaults = {"count": 2000, "batch": 4, "dim": 64, "size": 64, "blocks": 7, "steps": 3, "batches": 40, "seed": 0}
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=value, help=f"default {value}")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.environ["IMGEN_CACHE"] = str(folder / "cache")
        if args.root is None:
            write_jpegs(folder / "jpegs", args.count, args.seed)
        sets = open_sets(args.root or folder / "jpegs", folder, args.size)
        return _report(sets, args, folder)


def _report(sets: dict[str, Identities], args: argparse.Namespace, folder: Path) -> dict[str, float]:
    files, workers = sets["JPEG files, streamed"], os.cpu_count() or 1
    decoding = decoding_alone(files, workers, args.batches * args.batch * 2)
    loading = {name: loading_alone(each, name, args, torch.device(args.device)) for name, each in sets.items()}
    rate = training(sets, args, folder)
    print(machine(args.seed), args.device, sep=", ")
    print(f"{files.columns['images'].shape[0]} pictures at {args.size}x{args.size}, {args.batch} pairs, dim {args.dim}")
    print(f"decoding alone, {workers} threads: {decoding:,.0f} images/s")
    lines = [(name, f"{loading[name]:,.0f}", f"{rate[name]:,.1f}") for name in sets]
    print(rows(("images/s", "loader alone", "training"), lines))
    best = max(rate["resident"], rate["packed file, mapped"])
    allowed = 1 / (1 / best + 1 / decoding) if args.device == "cpu" else min(best, decoding)
    streamed = rate["JPEG files, streamed"]
    print(
        f"decoding allows {allowed:,.1f} images/s of training; streaming reaches {100 * streamed / allowed:.0f} % of it"
    )
    return rate


if __name__ == "__main__":
    main()
