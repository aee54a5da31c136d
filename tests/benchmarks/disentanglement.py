"""What the eight scores of disentanglement cost at the paper's size, beside their formulas written down as they read.

    python tests/benchmarks/disentanglement.py
    python tests/benchmarks/disentanglement.py --json

Ten codes of sprites with dSprites' five factors: each factor has a code with noise on it, and five codes are noise. 500
groups of 100, 73,728 rows, 5,000 for dHSIC, as InfoGAN-CR's authors take them. All codes are there beforehand: what is
timed is the registered metric, and a transcription of its formula as anybody would first write it, with loops, numpy
and scikit-learn's own classes. Both take turns, so that a busy machine slows both, and both must come to the same. CPU
seconds are those of all processors together. The largest memory is that of a process that takes the one score alone,
with all that it imports.
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from formulas import FACTORS, SIZES, Taken, betavae, dci, dhsic, explicitness, factorvae, mig, modularity, sap
from machine import machine, rows
from numpy.typing import NDArray

from imgen.data.spec import Factor
from imgen.metrics import Evaluation, measured
from imgen.metrics.disentanglement.representation import Groups, Rows
from imgen.plugins import installed


@dataclass(frozen=True)
class Codes:
    """A representation that is drawn: one code for each factor with noise, and as many that are noise."""

    factors: tuple[Factor, ...]
    things: int

    def rows(self, n: int, rng: np.random.Generator, held_out: bool = False) -> Rows:
        places = rng.integers(0, SIZES, (n, len(SIZES)))
        return Rows(self._of(places, rng), places / (SIZES - 1), places)

    def anywhere(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        return self._of(rng.integers(0, SIZES, (n, len(SIZES))), rng)

    def groups(self, count: int, size: int, rng: np.random.Generator, in_turn: bool = True) -> Groups:
        labels = np.arange(count) % len(SIZES) if in_turn else rng.integers(0, len(SIZES), count)
        places = rng.integers(0, SIZES, (count, size, len(SIZES)))
        each = np.arange(count)
        places[each, :, labels] = places[each, 0, labels, None]
        return Groups(self._of(places, rng), labels)

    def _of(self, places: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float32]:
        u = 2 * places / (SIZES - 1) - 1
        return np.concatenate([u + 0.3 * rng.normal(size=u.shape), rng.normal(size=u.shape)], axis=-1, dtype=np.float32)


SCORES: Mapping[str, tuple[str, str, Callable[[Taken], float], float]] = {
    "FactorVAE": ("factorvae-score", "score", factorvae, 1e-9),
    "BetaVAE": ("betavae-score", "score", betavae, 0.008),
    "SAP": ("sap", "sap", sap, 1e-3),
    "MIG": ("mig", "mig", mig, 1e-9),
    "explicitness": ("explicitness", "explicitness", explicitness, 1e-4),
    "modularity": ("modularity", "modularity", modularity, 1e-9),
    # Disentanglement is not defined where trees are so shallow that they pass over a code.
    "DCI": ("dci", "completeness", dci, 0.02),
    "dHSIC": ("dhsic", "dhsic", dhsic, 1e-9),
}
"""By name the metric, its value, the transcription, and how near both must be: chance, or where a solver stops."""


class Scene:
    """All codes, and registered metrics of them."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.codes = Codes(FACTORS, args.rows * 10)
        self.shared: dict[Any, Any] = {}
        self.taken = self._taken()

    def _evaluation(self) -> Evaluation:
        """With the codes, and with nothing that a metric has computed of them."""
        return Evaluation(
            model=self.codes, dataset=SimpleNamespace(), device=torch.device("cpu"), seed=self.args.seed,
            shared=dict(self.shared),
        )  # fmt: skip

    def metric(self, name: str) -> Callable[[], float]:
        """A call takes the score anew."""
        args, (metric, value, _, _) = self.args, SCORES[name]
        asked: dict[str, int] = {"rows": args.rows}
        if metric in ("factorvae-score", "betavae-score"):
            asked = {"groups": args.groups, "group_size": args.group_size}
        if metric == "factorvae-score":
            asked["rows"] = args.rows
        if metric == "dhsic":
            asked = {"rows": args.pictures}
        measure = installed().registry("metrics").get(f"{metric}-infogan-cr").load()(**asked)

        return lambda: float(measured(measure(self._evaluation())).values[value])

    def _taken(self) -> Taken:
        """What all metrics take: the very same codes."""
        from imgen_infogan_cr.protocol import codes_of_pictures, metric_data

        args, evaluation = self.args, self._evaluation()
        data = metric_data(evaluation, groups=args.groups, group_size=args.group_size, rows=args.rows)
        groups, given = data.groups, data.rows
        pictures = codes_of_pictures(evaluation, args.pictures)
        self.shared = evaluation.shared
        return Taken(groups.codes, groups.labels, data.anywhere, pictures, given.codes, given.values, given.places)


def timed(work: Callable[[], float]) -> tuple[float, float, float]:
    """Seconds, seconds of all processors, and what it came to."""
    began, used = time.perf_counter(), time.process_time()
    found = work()
    return time.perf_counter() - began, time.process_time() - used, found


def peak(name: str, args: argparse.Namespace) -> float:
    """The largest memory of a process of its own that takes the score [GiB]."""
    sizes = [f"--{each.replace('_', '-')}={getattr(args, each)}" for each in (*DEFAULTS, "seed")]
    command = [sys.executable, __file__, *sizes, "--alone", name]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def largest_memory() -> float:
    """Of this process until now [GiB]."""
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.exists() else ():
        # What getrusage tells on Linux counts the process that started this one, too.
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 2**20
    unit = 2**30 if sys.platform == "darwin" else 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def figures(args: argparse.Namespace) -> dict[str, dict[str, float]]:
    """By score: the value of both, seconds of both, their factor, and the largest memory."""
    scene, found = Scene(args), {}
    for imported in ("ensemble", "linear_model", "metrics", "multiclass", "svm"):
        importlib.import_module(f"sklearn.{imported}")
    for name, (_, _, transcribed, near) in SCORES.items():
        measure, formula = scene.metric(name), partial(transcribed, scene.taken)
        measure()  # what it imports
        turns = [(timed(measure), timed(formula)) for _ in range(args.rounds)]
        value, wanted = turns[-1][0][2], turns[-1][1][2]
        if not abs(value - wanted) <= near:
            sys.exit(f"{name}: {value} by the metric, {wanted} by its formula")
        seconds, used = (median(ours[place] for ours, _ in turns) for place in (0, 1))
        literal, literal_used = (median(theirs[place] for _, theirs in turns) for place in (0, 1))
        found[name] = {
            "value": value, "formula": wanted, "seconds": seconds, "formula_seconds": literal, "cpu_seconds": used,
            "formula_cpu_seconds": literal_used, "times_as_fast": median(b[0] / a[0] for a, b in turns),
            "peak_gib": 0.0 if args.skip_memory else peak(name, args),
        }  # fmt: skip
        print(f"{name} done", file=sys.stderr, flush=True)
    return found


DEFAULTS = {"groups": 500, "group_size": 100, "rows": 73_728, "pictures": 5000}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in {**DEFAULTS, "rounds": 3, "seed": 0}.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value, help=f"default {value}")
    parser.add_argument("--json", action="store_true", help="one object instead of a table")
    parser.add_argument("--skip-memory", action="store_true", help="start no process for the memory of each")
    parser.add_argument("--alone", choices=SCORES, help="take one score and print the largest memory [GiB]")
    args = parser.parse_args()
    # Their solvers stop near the solution and say so.
    warnings.filterwarnings("ignore")
    if args.alone:
        Scene(args).metric(args.alone)()
        print(largest_memory())
        return
    where, found = machine(args.seed), figures(args)
    if args.json:
        print(json.dumps({"machine": where, "sizes": {name: getattr(args, name) for name in DEFAULTS}, **found}))
        return
    print(where)
    print(f"{args.groups} groups of {args.group_size}, {args.rows:,} rows, {args.pictures:,} for dHSIC, 10 codes")
    head = ["", "score", "formula", "metric [s]", "CPU [s]", "formula [s]", "CPU [s]", "times as fast", "peak [GiB]"]
    print(
        rows(
            head,
            [
                [name, f"{one['value']:.5f}", f"{one['formula']:.5f}",
                 *(f"{one[each]:.2f}" for each in ("seconds", "cpu_seconds", "formula_seconds", "formula_cpu_seconds")),
                 f"{one['times_as_fast']:.1f}", f"{one['peak_gib']:.2f}"]
                for name, one in found.items()
            ],
        )
    )  # fmt: skip
    whole, literal = (sum(one[each] for one in found.values()) for each in ("seconds", "formula_seconds"))
    print(f"all eight: {whole:.1f} s, their formulas {literal:.1f} s: {literal / whole:.1f} times as fast")


if __name__ == "__main__":
    main()
