"""What stays behind, hangs on chance, or is not plain Python on the step, is found, each by its own contract."""

from __future__ import annotations

import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from imgen import turn
from imgen.errors import DataError
from imgen.testing import algorithms
from imgen.testing.steps import steps_of_note
from tests.testing.conftest import Game


def breaks(contract, game, told):
    with pytest.raises(AssertionError) as failed:
        contract(game)
    assert told in str(failed.value)


def keeping(what):
    class Keeps(Game):
        """A game with something in a plain attribute."""

        def __init__(self, data):
            super().__init__(data)
            self.kept = what()

    return Keeps


class Stays(nn.Linear):
    """A layer that does not move."""

    def _apply(self, fn, recurse=True):
        return self


class LeavesALayer(Game):
    """One of its layers does not move."""

    def __init__(self, data):
        super().__init__(data)
        self.d.append(Stays(1, 1))


class KeepsWhatItMade(Game):
    """It keeps a tensor of a turn."""

    @turn("g")
    def forge(self, batch):
        losses, values = super().forge(batch)
        self.model.last = losses["g"].detach()
        return losses, values


@pytest.mark.parametrize(
    ("game", "told"),
    [
        (keeping(lambda: torch.ones(2)), "kept is a plain tensor"),
        (keeping(lambda: [1, {"one": torch.ones(2)}]), "kept[1]['one'] is a plain tensor"),
        (keeping(lambda: [nn.Linear(1, 1)]), "kept[0] holds a Linear"),
        (keeping(torch.Generator), "kept is a torch.Generator"),
        (KeepsWhatItMade, "model.last is a plain tensor, which neither moves nor is saved"),
        (LeavesALayer, "leaves 'd.5.weight', 'd.5.bias' behind"),
    ],
)
def test_what_stays_behind_is_named(subject, game, told):
    breaks(algorithms.moving, subject(game), told)


def test_what_belongs_to_it_may_stand_in_other_places(subject):
    class Names(Game):
        """It keeps a list of its own parts."""

        def __init__(self, data):
            super().__init__(data)
            self.parts = [self.d, self.model]

    algorithms.moving(subject(Names))


class BeginsByChance(Game):
    """Its first weights come from somewhere else."""

    def __init__(self, data):
        super().__init__(data)
        nn.init.constant_(self.model.layer.bias, np.random.rand())


class BeginsAlike(Game):
    """It seeds what it draws."""

    def __init__(self, data):
        torch.manual_seed(7)
        super().__init__(data)


class CountsForAll(Game):
    """It counts steps for all of its kind."""

    steps = 0

    def prepare(self, step):
        CountsForAll.steps += 1
        self.k.fill_(CountsForAll.steps)


class PlaysByChance(Game):
    """Its loss is weighed by a number of Python's."""

    @turn("g")
    def forge(self, batch):
        return {"g": super().forge(batch)[0]["g"] * random.random()}, {}


@pytest.mark.parametrize(
    ("game", "told"),
    [
        (BeginsByChance, "model.layer.bias begins otherwise"),
        (BeginsAlike, "with another seed nothing begins otherwise"),
        (CountsForAll, "judge/d of step 0 is another loss"),
        (PlaysByChance, "forge/g of step 0 is another loss"),
    ],
)
def test_chance_that_no_seed_tells_of_is_found(subject, game, told):
    breaks(algorithms.seeds, subject(game), told)


class Alternates(Game):
    """It plays by its own count."""

    count = 0

    def turns(self, step):
        self.count += 1
        return [self.judge, self.forge][:: 1 if self.count % 2 else -1]


class Draws(Game):
    """It draws who plays."""

    def turns(self, step):
        torch.rand(1)
        return super().turns(step)


class MovesAsItSays(Game):
    """Saying what is played changes something."""

    def turns(self, step):
        self.k += 1
        return super().turns(step)


class PlaysAStrangerLate(Game):
    """Somebody else plays after a while."""

    @turn("critic")
    def sit(self, batch):
        return {}, {}

    def turns(self, step):
        return [self.judge, self.sit if step >= 1000 else self.forge]


class RestartsAStranger(Game):
    """Somebody else starts afresh."""

    def restarts(self, step):
        return ["critic"] if step == 200 else []


class RestartsByAWord(Game):
    """Its restarts are a word."""

    def restarts(self, step):
        return "g" if step == 200 else ()


class CannotRestart(Game):
    """It restarts a network that has no first weights to go back to."""

    def restarts(self, step):
        return ["g"] if step == 200 else []


class RestartsInName(CannotRestart):
    """Its network says that it restarts."""

    def __init__(self, data):
        super().__init__(data)
        self.model.reset_parameters = lambda: None


def keeping_states(told):
    class Keeps(Game):
        """A game with milestones."""

        def milestones(self):
            return told

    return Keeps


@pytest.mark.parametrize(
    ("game", "told"),
    [
        (Alternates, "gives other turns when asked again"),
        (Draws, "draws random numbers"),
        (MovesAsItSays, "changes k"),
        (PlaysAStrangerLate, "turns(1000) plays a turn of 'critic'"),
        (RestartsAStranger, "restarts() names 'critic'"),
        (RestartsByAWord, "must be a sequence of players' names"),
        (CannotRestart, "has no reset_parameters()"),
        (RestartsInName, "leaves its parameters as they are"),
        (keeping_states({0: "first"}), "numbers of steps, from 1"),
        (keeping_states({"first": 1}), "numbers of steps, from 1"),
        (keeping_states({5: "Warmed Up"}), "kebab-case"),
        (keeping_states({5: "warm", 9: "warm"}), "uses a name twice"),
        (keeping_states(3), "milestones()"),
    ],
)
def test_steps_that_are_no_plain_function_of_their_number_are_found(subject, game, told):
    breaks(algorithms.steps, subject(game), told)


def test_steps_of_note_are_those_with_turns_of_their_own():
    def turns(step):
        return [turns] if step < 700 else [turns, steps_of_note]

    game = SimpleNamespace(turns=turns, milestones=lambda: {700: "later"})
    assert steps_of_note(game) == [0, 700]


class BeginsLate(Game):
    """The generator waits until the discriminator is warm; `loss` may be one that does not reach it."""

    reached = True

    def turns(self, step):
        return [self.judge, self.forge] if step >= 100 else [self.judge]

    @turn("g")
    def forge(self, batch):
        losses, values = super().forge(batch)
        return {"g": losses["g"] if self.reached else losses["g"].detach()}, values


class BeginsLateAndWrong(BeginsLate):
    """Its late turn is cut off."""

    reached = False


def test_players_who_come_late_are_waited_for(subject):
    algorithms.turns(subject(BeginsLate))
    breaks(algorithms.turns, subject(BeginsLateAndWrong), "turn 'forge': a loss must hang on")


class PairsItems(Game):
    """It needs batches that can be halved."""

    @turn("g")
    def forge(self, batch):
        one, other = batch["images"].view(2, -1, 4)
        losses, values = super().forge(batch)
        return {"g": losses["g"] + 0 * (one - other).mean()}, values


class RefusesOdd(Game):
    """It says that it needs an even number."""

    def share(self, batch):
        if len(batch["images"]) % 2:
            raise DataError("batches must have an even number of items")
        return {}


def test_odd_batches_are_played_or_refused(subject):
    algorithms.odd(subject(RefusesOdd))
    breaks(algorithms.odd, subject(PairsItems), "a batch of 5 items")
