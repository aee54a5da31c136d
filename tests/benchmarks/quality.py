"""What scores of many features cost: seconds and memory of FID, KID, and precision, recall, density and coverage.

    python tests/benchmarks/quality.py

Features are drawn by chance, as many on either side as for published figures: 50,000 of 2,048. Each score runs in a
process of its own, whose highest memory is told beside that of the features alone.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np
import torch
from machine import machine, rows

from imgen.metrics.quality.frechet import frechet_distance, moments
from imgen.metrics.quality.kernel import kernel_distance
from imgen.metrics.quality.neighbours import neighbourhoods

SCORES = ("features", "fid", "kid", "prdc")


def score(name: str, args: argparse.Namespace) -> str:
    """A score of drawn features, in words."""
    rng = np.random.default_rng(args.seed)
    made, real = (rng.standard_normal((args.count, args.dimension), dtype=np.float32) for _ in range(2))
    began = time.perf_counter()
    told = ""
    if name == "fid":
        told = f"{frechet_distance(moments(real), moments(made)):.4f}"
    elif name == "kid":
        told = f"{kernel_distance(made, real, rng, args.subsets, 1000)[0]:.2e}"
    elif name == "prdc":
        found = neighbourhoods(made, real, device=args.device)
        told = f"{found.precision:.3f} {found.recall:.3f} {found.density:.3f} {found.coverage:.3f}"
    seconds = time.perf_counter() - began
    # KiB on Linux, bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return json.dumps([name, f"{seconds:,.1f}", f"{peak / 2**20:,.0f}", told or "-"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=50_000, help="features on either side")
    parser.add_argument("--dimension", type=int, default=2048)
    parser.add_argument("--subsets", type=int, default=100)
    parser.add_argument("--scores", nargs="+", default=list(SCORES), choices=SCORES)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu", help="of distances between neighbours")
    parser.add_argument("--alone", choices=SCORES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.alone:
        print(score(args.alone, args))
        return
    lines = []
    for name in args.scores:
        command = [sys.executable, __file__, *sys.argv[1:], "--alone", name]
        lines.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    print(machine(args.seed))
    print(f"{args.count:,} features of {args.dimension:,} on either side, {args.subsets} subsets of at most 1,000")
    print(rows(["score", "seconds", "peak MiB", "value"], lines))


if __name__ == "__main__":
    main()
