"""The rows that scores of the protocol `disentanglement-lib` are fitted to and tested on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imgen.metrics.disentanglement.checked import finite_codes
from imgen.metrics.disentanglement.representation import Rows, representation_of

if TYPE_CHECKING:
    from imgen.metrics import Evaluation

NAME = "disentanglement-lib"
"""What the protocol is called."""
TRAIN = 10_000
"""Rows that are fitted to, in the study of that name."""
TEST = 5_000
"""Rows that are tested on, in the same."""
_STREAM = 0x44_4C_49_42  # apart from whatever else draws from the seed of an evaluation


def training_rows(evaluation: Evaluation, n: int = TRAIN) -> Rows:
    """n draws of all factors with codes of what they show, the same for every score of an evaluation.

    Raises: `DataError` where there are not so many, or a code is no number.
    Source: Locatello and others, "Challenging common assumptions in the unsupervised learning of disentangled
    representations", 2019: 10,000 draws, codes being the encoder's best guess.
    """
    return evaluation.once((NAME, "train", n), lambda: _drawn(evaluation, n, held_out=False))


def held_out_rows(evaluation: Evaluation, n: int = TEST) -> Rows:
    """n other draws than `training_rows`, in the same way: 5,000 in the study."""
    return evaluation.once((NAME, "test", n), lambda: _drawn(evaluation, n, held_out=True))


def _drawn(evaluation: Evaluation, n: int, held_out: bool) -> Rows:
    # A stream for each, so that the held-out rows do not depend on how many were fitted to.
    rng = np.random.default_rng([evaluation.seed, _STREAM, int(held_out)])
    rows = representation_of(evaluation).rows(n, rng, held_out=held_out)
    finite_codes(rows.codes)
    return rows
