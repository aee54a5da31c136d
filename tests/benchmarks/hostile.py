"""What hostile repositories come to: random changes of valid ones, through all that reads a fetched model.

    python tests/benchmarks/hostile.py --cases 20000 --seed 0

Each case is checked as `imgen pull` does, told as `imgen info` does, loaded, used once, read for its card and as a run
to go on with. Anything but a result or an error in plain lines counts as a fault, and so do a case that takes longer
than the limit, one that takes much memory, and a file that appears outside the case's folder.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import signal
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from hostile_mutations import listing, mutated
from hostile_repository import Repository, put, repositories
from machine import machine

from imgen import recipe as recipes
from imgen.build import load_model
from imgen.card import card_of
from imgen.errors import ImgenError, WeightsError
from imgen.hub import contents
from imgen.hub.trust import check_file, check_listing
from imgen.metrics import records
from imgen.model import Classifier, Embedder, Encoder, Generator, Translator, read_config
from imgen.plain import plain, plain_all, steering
from imgen.plugins import Plugins, installed
from imgen.sampling import draw, pictures
from imgen.train import checkpoint

WHERE = "user/name"
LIMIT = 10.0  # seconds for a case
GROWTH = 500  # MiB of the whole process, over what it had before the first case


class Fault(Exception):
    """Something that no repository may bring about."""


class TooLong(BaseException):
    """A case that does not end; no `except Exception` keeps it."""


def main() -> None:
    """Play the cases and print what became of them; exit status 1 where one is a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="play this one case and show its fault in full")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        # Whatever is written by a relative name comes to lie here.
        (home / "work").mkdir()
        os.chdir(home / "work")
        faults, told = _play(asked, home)
    for line in told:
        print(line)
    if faults:
        raise SystemExit(1)


def _play(asked: argparse.Namespace, home: Path) -> tuple[int, list[str]]:
    plugins = installed()
    base = repositories(plugins, home)
    snapshots = home / "cache" / "models--user--name" / "snapshots"
    known = {repository.name: _used(repository, snapshots / repository.name, plugins) for repository in base}
    beside = _beside(home)
    outcomes: Counter[tuple[str, str]] = Counter()
    faults: list[str] = []
    start, before, slowest = time.monotonic(), _peak(), 0.0
    for case in [asked.only] if asked.only is not None else range(asked.cases):
        rng = random.Random(f"{asked.seed}-{case}")
        repository = rng.choice(base)
        began = time.monotonic()
        kind, outcome = _case(repository, rng, snapshots / repository.name, plugins, known[repository.name])
        slowest = max(slowest, time.monotonic() - began)
        outcomes[kind, outcome.partition("\n")[0]] += 1
        if outcome.startswith("FAULT"):
            faults.append(f"case {case} ({repository.name}, {kind}): {outcome}")
        if case % 200 == 0 and _beside(home) != beside:
            raise SystemExit(f"case {case} or one before it wrote outside its folder")
    if _beside(home) != beside:
        raise SystemExit("something was written outside the folder")
    grown = _peak() - before
    if grown > GROWTH:
        faults.append(f"memory grew by {grown} MiB")
    return len(faults), [*faults, *_table(outcomes), *_figures(asked, start, slowest, grown, len(faults))]


def _case(repository: Repository, rng: random.Random, folder: Path, plugins: Plugins, known: str) -> tuple[str, str]:
    """One hostile repository: the kind of change, and what became of it."""
    if rng.random() < 0.1:
        return "listing", _told(lambda: _listed(repository, rng))
    kind, changed = mutated(repository, rng)
    put(changed, folder)

    def use() -> str:
        for path in changed:
            check_file(path, folder / path, WHERE)
        used = _use(folder, plugins)
        return "used, and equal to the original" if used == known else "used, with other content"

    outcome = _told(use)
    if outcome.startswith("refused: check") and rng.random() < 0.3:
        # Who has the files from elsewhere uses them unchecked: that must end as well.
        again = _told(lambda: _use(folder, plugins))
        outcome = again if again.startswith("FAULT") else outcome
    put({path: repository.files[path] for path in changed}, folder)
    return kind, outcome


def _listed(repository: Repository, rng: random.Random) -> str:
    found = check_listing(listing(repository, rng), WHERE)
    for path in found:
        if contents.kind_of(path) is None or ".." in path:
            raise Fault(f"{path!r} would be fetched")
    return "listing taken, ours alone"


def _used(repository: Repository, folder: Path, plugins: Plugins) -> str:
    """What the valid repository comes to, every file of it being taken."""
    put(repository.files, folder)
    check_listing([(path, len(content)) for path, content in repository.files.items()], WHERE)
    for path in repository.files:
        check_file(path, folder / path, WHERE)
    if checkpoint.latest(folder) is None or len(records.read(folder)) != 2:
        raise SystemExit(f"the valid repository of {repository.name} is not read as such")
    return _use(folder, plugins)


def _use(folder: Path, plugins: Plugins) -> str:
    """All that reads a fetched model; gives what was seen of it."""
    weights = folder / contents.WEIGHTS
    told = json.dumps(plain_all(read_config(weights).to_json()), sort_keys=True)
    model, config = load_model(weights, plugins)
    seen = _made(model, config.data.image)
    card = card_of(folder, plugins, repo=WHERE)
    if steering(card):
        raise Fault("the card steers a terminal")
    numbers = [record.to_json() for record in records.read(folder)]
    state = checkpoint.latest(folder)
    if state is not None:
        _resumed(state)
    if (folder / contents.RECIPE).exists():
        recipes.Draft.read(folder / contents.RECIPE, plugins).check()
    return told + seen + card + json.dumps(numbers)


def _resumed(state: checkpoint.Checkpoint) -> None:
    """What a run that goes on does with a state: an optimizer takes its part, and moves."""
    state.read("algorithm")
    state.read("ema")
    a = torch.nn.Parameter(torch.zeros(2, 3))
    optimizer = torch.optim.Adam([a])
    player = SimpleNamespace(optimizer=torch.optim.Adam)
    seats: Any = {"g": SimpleNamespace(parameters={"a": a}, optimizer=optimizer, player=player)}
    try:
        checkpoint.restore_slots(seats, state.read("optim"))
    except (KeyError, RuntimeError, ValueError) as error:
        # As the trainer has it.
        raise WeightsError(f"{state.path}: does not fit this algorithm: {plain(str(error))}") from None
    a.grad = torch.ones_like(a)
    optimizer.step()


def _made(model: Any, image: tuple[int, int, int]) -> str:
    """A small thing that a model makes, as text to compare."""
    channels, height, width = image
    if height * width > 64 * 64:
        return ""
    seen = torch.zeros(1, channels, height, width)
    with torch.no_grad():
        if isinstance(model, Generator):
            z = torch.cat([draw(model, code, [0], 0) for code in model.codes], dim=1)
            return str(pictures(model, z).float().mean())
        if isinstance(model, Translator):
            return str(model.translate(seen, model.ways[0]).mean())
        if isinstance(model, Encoder):
            return str(model.encode(seen).mean())
        if isinstance(model, Embedder):
            return str(model.embed(seen).mean())
        if isinstance(model, Classifier):
            return str([each.mean() for each in model.classify(seen)])
    raise Fault("a model of no known kind")


def _told(what: Callable[[], str]) -> str:
    """What an action comes to: its own word, the check that refused it, or a fault."""
    try:
        with _in_time():
            return what()
    except ImgenError as error:
        text = str(error)
        lines = text.splitlines()
        # A recipe's faults are told all at once, a line each.
        if any(steering(line) or len(line) > 2000 for line in lines) or not lines or len(lines) > 40:
            return f"FAULT {type(error).__name__} is no plain line: {text[:300]!r}"
        return _which(error)
    except TooLong:
        return f"FAULT took more than {LIMIT:g} s\n{traceback.format_exc()}"
    except Exception as error:
        return f"FAULT {type(error).__name__}: {str(error)[:200]!r}\n{traceback.format_exc()}"


def _which(error: ImgenError) -> str:
    """Where a case was refused: the kind of error, and the function that raised it."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = re.sub(r".*/", "", last.filename).removesuffix(".py")
    return f"refused: {'check ' if place == 'trust' else ''}{place}.{last.name} ({type(error).__name__})"


@contextmanager
def _in_time() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TooLong

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _beside(home: Path) -> list[tuple[str, int]]:
    """What lies around the folder of the cases, the working folder included."""
    around = [path for path in home.rglob("*") if "snapshots" not in path.parts and path.is_file()]
    return [(str(path), path.stat().st_size) for path in sorted(around)]


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _table(outcomes: Counter[tuple[str, str]]) -> Iterator[str]:
    kinds = sorted({kind for kind, _ in outcomes})
    for kind in kinds:
        mine = {outcome: count for (other, outcome), count in outcomes.items() if other == kind}
        yield f"{kind}: {sum(mine.values()):,} cases"
        for outcome, count in sorted(mine.items(), key=lambda item: -item[1]):
            yield f"  {count:>7,}  {outcome[:110]}"


def _figures(asked: argparse.Namespace, start: float, slowest: float, grown: int, faults: int) -> list[str]:
    seconds = time.monotonic() - start
    cases = 1 if asked.only is not None else asked.cases
    return [
        f"{cases:,} cases, seed {asked.seed}: {faults} faults; {seconds:.0f} s, {1000 * seconds / cases:.1f} ms a "
        f"case, the slowest {slowest:.2f} s; memory grew by {grown} MiB",
        machine(asked.seed),
    ]


if __name__ == "__main__":
    main()
