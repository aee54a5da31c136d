"""What a turn does on the host alone is found, as it is lost when a device replays the turn."""

from __future__ import annotations

import random

import pytest
import torch

from imgen import turn
from imgen.testing import algorithms
from tests.testing.conftest import Game

RULE = "a GPU replays what its device did, and no Python"


class Counts(Game):
    """It counts its turns in a list."""

    def __init__(self, data):
        super().__init__(data)
        self.turns_played = [0]

    @turn("g")
    def forge(self, batch):
        self.turns_played[0] += 1
        return {"g": super().forge(batch)[0]["g"] * self.turns_played[0]}, {}


class DrawsOnTheHost(Game):
    """Its noise is Python's."""

    @turn("d")
    def judge(self, batch):
        losses, values = super().judge(batch)
        return losses, {**values, "noise": torch.full((), random.random())}


class MakesABufferAnew(Game):
    """A turn puts another tensor in the place of a buffer."""

    @turn("d")
    def judge(self, batch):
        losses, values = super().judge(batch)
        self.k = torch.ones(())
        return losses, values


class PreparesNumbers(Game):
    """Weight and controller change from step to step: the one as a plain number, the other as a new tensor."""

    def prepare(self, step):
        self.weight = 1 + 0.1 * step
        self.k = self.k + 0.1 * self.gap

    @turn("g")
    def forge(self, batch):
        return {"g": super().forge(batch)[0]["g"] * self.weight}, {}


class LooksAnew(Game):
    """Operations that change how a tensor looks at its memory, and ones that write into a part of it."""

    @turn("g")
    def forge(self, batch):
        made = self.fakes(len(batch["images"]))
        seen = made.detach().clone().squeeze_(1)
        seen[0].mul_(2)
        return {"g": -self.d(made).mean()}, {"seen": seen.transpose_(1, 2).sum(0)[0, 1]}


@pytest.mark.parametrize(
    ("factory", "told"),
    [
        (Counts, "turn 'forge' gives another 'g' when it is replayed"),
        (DrawsOnTheHost, "turn 'judge' gives another 'noise' when it is replayed"),
    ],
)
def test_what_happens_on_the_host_is_found(subject, factory, told):
    with pytest.raises(AssertionError, match=RULE) as failed:
        algorithms.replayed(subject(factory))
    assert str(failed.value).startswith(told)


@pytest.mark.parametrize("factory", [Game, MakesABufferAnew, PreparesNumbers, LooksAnew])
def test_what_a_record_keeps_or_is_made_anew_for_is_fine(subject, factory):
    algorithms.replayed(subject(factory))
