"""Metrics taken of a subject, several times with different seeds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from imgen.build import chosen
from imgen.errors import DataError
from imgen.evaluating.choosing import Choice
from imgen.evaluating.subject import Subject
from imgen.metrics import Measured, measured
from imgen.metrics.records import Record
from imgen.plugins import Plugins
from imgen.train.noise import mix, seed_noise


@dataclass(frozen=True)
class Unfit:
    """A metric that does not fit the subject, and why."""

    choice: Choice
    reason: str


def take(
    subject: Subject,
    choices: Sequence[Choice],
    seeds: Sequence[int],
    plugins: Plugins,
    told: Callable[[str], None] = lambda line: None,
) -> Iterator[Record | Unfit]:
    """A record of each metric over all seeds, as soon as it has them, or why there is none.

    What metrics share is made once for a seed, and let go with it. told: of what is being done.
    """
    built = {choice.part.name: chosen(choice.part, plugins) for choice in choices}
    found: dict[str, list[Measured]] = {choice.part.name: [] for choice in choices}
    seconds = dict.fromkeys(found, 0.0)
    for place, seed in enumerate(seeds):
        evaluation = subject.evaluation(seed)
        for choice in choices:
            name = choice.part.name
            if name not in found:
                continue
            told(f"measuring {name}" + (f", seed {seed}" if len(seeds) > 1 else ""))
            # As while training: a metric is the same whichever were taken before it.
            seed_noise(mix(seed, -3, 0), subject.device)
            began = time.monotonic()
            try:
                found[name].append(measured(built[name].metric(evaluation)))
            except DataError as error:
                del found[name]
                yield Unfit(choice, str(error).removeprefix(f"{name}: "))
                continue
            seconds[name] += time.monotonic() - began
            if place + 1 == len(seeds):
                yield _record(subject, choice, found[name], seeds, seconds[name])


def _record(
    subject: Subject, choice: Choice, found: Sequence[Measured], seeds: Sequence[int], seconds: float
) -> Record:
    record = Record.of(choice.part.name, choice.part.settings, found, seeds)
    return replace(
        record,
        step=subject.step,
        weights=subject.weights,
        sha256=subject.sha256,
        data=dict(subject.data),
        device=subject.device_name,
        seconds=round(seconds, 3),
    )
