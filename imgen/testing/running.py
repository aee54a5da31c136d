"""Does a run resume, ship and follow from its seed?

PYTEST_DONT_REWRITE: the messages say all.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from imgen.algorithm import Algorithm
from imgen.build import load_model
from imgen.data.spec import Dataset, DataSpec
from imgen.model import ModelConfig
from imgen.plugins import Plugins
from imgen.testing.models import check_model
from imgen.testing.moving import alike, made_by
from imgen.testing.told import blamed, called, copy
from imgen.testing.turns import turns_of
from imgen.train import checkpoint
from imgen.train.play import take_seats
from imgen.train.signals import StopSignals
from imgen.train.trainer import Trainer
from imgen.train_settings import TrainSettings

Make = Callable[[int], Algorithm]
"""Builds the algorithm under test, its first weights following from a seed."""


def check_resumed(make: Make, dataset: Dataset, settings: TrainSettings, config: ModelConfig, folder: Path) -> None:
    """A run that is stopped half-way and taken up from its files ends in the same bits as one that is not.

    Leaves the run that was not stopped in `folder / "whole"`.
    """
    half = TrainSettings(steps=settings.steps // 2, batch=settings.batch, workers=1)
    # Other first weights the second time: all that matters is to come from the files.
    for seed, run, part in ((0, "whole", settings), (0, "halves", half), (1, "halves", settings)):
        Trainer(make(seed), dataset, part, folder / run, config=config).fit(StopSignals())
    whole, halves = checkpoint.latest(folder / "whole"), checkpoint.latest(folder / "halves")
    assert whole and halves and whole.step == halves.step
    for file in ("algorithm", "optim", "ema"):
        one, other = whole.read(file), halves.read(file)
        wrong = sorted(key for key in one.keys() | other.keys() if not _same(one.get(key), other.get(key)))
        assert not wrong, (
            f"a run that was stopped and resumed differs from one that was not, first in {wrong[0]} ({file}); all "
            "that changes while training, and all that is drawn at first, must be a parameter or a buffer"
        )


def check_rebuilt(original: nn.Module, ships: str, weights: Path, data: DataSpec, plugins: Plugins) -> None:
    """The registered model rebuilds what a weights file holds: what it makes is the same, bit for bit."""
    with blamed(f"'{ships}' must rebuild `model` from its weights file"):
        rebuilt, _ = load_model(weights, plugins)
    with blamed(f"'{ships}' must rebuild `model`, with the same names in its state_dict"):
        original.load_state_dict(rebuilt.state_dict())
    check_model(rebuilt, data)
    wanted, found = made_by(original.eval(), data), made_by(rebuilt, data)
    named = [getattr(model, "codes", None) for model in (original, rebuilt)]
    ways = [list(getattr(model, "ways", [])) for model in (original, rebuilt)]
    wrong = [what for what in wanted if not alike(wanted[what], found.get(what, []))]
    assert not wrong and named[0] == named[1] and ways[0] == ways[1], (
        f"the model '{ships}' rebuilt from its weights file makes other {' and '.join(wrong) or 'things'}; every "
        "setting on which `model` hangs must bear the same name in the algorithm and in the registered model"
    )


def check_seeds(make: Make, batches: Sequence[Mapping[str, Tensor]]) -> None:
    """First weights and losses follow from torch's random numbers, and so from the seed, and from nothing else."""
    first, again, other = _first(make, 0), _first(make, 0), _first(make, 1)
    wrong = [key for key in first if not _same(first[key], again.get(key))]
    assert not wrong, (
        f"with the same seed {wrong[0]} begins otherwise; first weights must come from torch's own random numbers"
    )
    assert any(not _same(value, other.get(key)) for key, value in first.items()), (
        "with another seed nothing begins otherwise; draw first weights from torch's own random numbers, unseeded"
    )
    losses, same = _losses(make(0), batches), _losses(make(0), batches)
    assert losses == same, (
        f"with the same seed {_differing(losses, same)} is another loss; what is drawn must come from torch's own "
        "random numbers, and what lasts from step to step be a buffer of this algorithm alone"
    )
    assert losses != _losses(make(1), batches), "with another seed all losses are the same; they hang on no weights"


def _first(make: Make, seed: int) -> dict[str, Tensor]:
    random.seed()
    # Global generators of others must not matter, so they stand elsewhere each time.
    np.random.seed(random.randrange(2**32))
    return copy(make(seed))


def _losses(made: Algorithm, batches: Sequence[Mapping[str, Tensor]]) -> dict[str, float]:
    """Every loss of these steps with nobody moving, by step, turn and player."""
    seats = take_seats(made)
    return {
        f"{called(turn)}/{name} of step {step}": float(loss.detach())
        for step, drawn in enumerate(batches)
        for turn, batch in turns_of(made, step, dict(drawn), seats)
        for name, loss in turn(batch)[0].items()
    }


def _differing(one: Mapping[str, float], other: Mapping[str, float]) -> str:
    return next((key for key in one if one[key] != other.get(key)), "the list of losses")


def _same(one: Tensor | None, other: Tensor | None) -> bool:
    return one is not None and other is not None and torch.equal(one, other)
