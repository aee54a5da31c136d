"""A recipe's metrics, taken while training."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

from imgen.errors import DataError
from imgen.metrics import Evaluation, measured
from imgen.metrics.records import Chosen, Record
from imgen.train.events import Evaluated, Event, Unmeasured
from imgen.train.noise import mix, seed_noise


def take(metrics: Mapping[str, Chosen], evaluation: Evaluation, step: int, device: str) -> Iterator[Event]:
    """What each metric says. They draw nothing that training draws, and the same whichever were taken before."""
    for name, chosen in metrics.items():
        seed_noise(mix(evaluation.seed, -3, 0), evaluation.device)
        began = time.monotonic()
        try:
            told = measured(chosen.metric(evaluation))
        except DataError as error:
            # A metric that does not fit must not cost the weights of a whole run.
            yield Unmeasured(step, name, str(error))
            continue
        record = Record.of(name, chosen.settings, [told], [evaluation.seed])
        record = replace(record, step=step, device=device, seconds=round(time.monotonic() - began, 3))
        yield Evaluated(step, name, told.values, record)
