"""Does a metric give the same numbers for the same seed, and say in one line what does not fit?

PYTEST_DONT_REWRITE: the messages say all.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from imgen.data.spec import Dataset
from imgen.errors import DataError
from imgen.metrics import Evaluation, Measured, Metric, measured
from imgen.testing.promises import Unfit
from imgen.testing.standins import stand_ins
from imgen.testing.told import blamed, copy

if TYPE_CHECKING:
    from imgen.testing.subjects import Subject

Pair = tuple[nn.Module, Dataset]


class Nothing(nn.Module):
    """A model that can do nothing: no metric measures it."""


def check_metric(metric: Metric, model: nn.Module, dataset: Dataset) -> None:
    """A metric gives named numbers that follow from the seed, changes no model, and refuses what does not fit.

    model, dataset: what it can measure.
    """
    check_numbers(metric, model, dataset)
    check_refusals(metric, dataset)


def check_numbers(metric: Metric, model: nn.Module, dataset: Dataset) -> Measured:
    """Named numbers, the same for the same seed, and a model that is left as it was.

    Raises: `DataError` where the metric says that these do not fit it.
    """
    model.eval()
    before = copy(model)
    first = _measured(metric, model, dataset)
    changed = [key for key, value in model.state_dict().items() if not torch.equal(value, before[key])]
    assert not changed and not model.training, (
        f"measuring changes {changed[0] if changed else 'the mode of the model'}; it must leave the model as it is"
    )
    assert first.values and all(isinstance(key, str) for key in first.values), (
        "a metric must give at least one number, by name"
    )
    for name, value in first.values.items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        assert number, f"'{name}' is a {type(value).__name__}; numbers must be plain floats: use .item() or float()"
        assert not math.isinf(value), f"'{name}' is infinite; what a protocol leaves undefined is NaN, with a note"
        assert not math.isnan(value) or first.notes, f"'{name}' is NaN and no note says why; give Measured(notes=[...])"
    with blamed("what a metric tells must be plain values that JSON can hold"):
        json.dumps([dict(first.values), dict(first.counts), dict(first.details), list(first.notes)])
    again = _measured(metric, model, dataset)
    wrong = [name for name, value in first.values.items() if not _same(value, again.values.get(name, math.inf))]
    assert not wrong and set(first.values) == set(again.values), (
        f"'{', '.join(wrong) or 'the list of numbers'}' is another for the same seed; all that is drawn must follow "
        "from evaluation.seed: torch.Generator().manual_seed(seed), np.random.default_rng(seed)"
    )
    return first


def _measured(metric: Metric, model: nn.Module, dataset: Dataset) -> Measured:
    # Random numbers of nobody in particular stand elsewhere each time.
    random.seed()
    np.random.seed(random.randrange(2**32))
    torch.manual_seed(random.randrange(2**32))
    return measured(metric(Evaluation(model=model, dataset=dataset, device=torch.device("cpu"), seed=0)))


def _same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


def check_refusals(metric: Metric, dataset: Dataset) -> None:
    """A model that can do nothing is measured all the same, or refused by a `DataError` in one line."""
    try:
        _measured(metric, Nothing().eval(), dataset)
    except DataError as error:
        assert str(error).strip() and "\n" not in str(error), f"a DataError must be one line, not {str(error)!r}"
    except Exception as error:
        raise AssertionError(
            f"a model that can do nothing must be refused by a DataError that says what would fit, not by "
            f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        ) from error


def numbers(subject: Subject) -> None:
    """A registered metric gives the same numbers for the same seed."""
    refused = []
    for model, dataset in _pairs(subject):
        try:
            check_numbers(subject.make(), model, dataset)
            return
        except DataError as error:
            refused.append(str(error).split("\n")[0])
    raise Unfit(
        f"metric '{subject.name}' measures none of the models and data at hand: {'; '.join(dict.fromkeys(refused))}"
    )


def refusals(subject: Subject) -> None:
    """A registered metric refuses in one line what does not fit."""
    for _, make in stand_ins(None, 32):
        check_refusals(subject.make(), make())


def _pairs(subject: Subject) -> Iterator[Pair]:
    """Models to measure and data to measure them on: those of the plugin's algorithms."""
    from imgen.testing.subjects import games_of

    games: Any = subject.once("games", lambda: list(games_of(subject.entry.plugin, subject.plugins, subject.given)))
    for game in games:
        yield game.make().model.eval(), game.dataset
