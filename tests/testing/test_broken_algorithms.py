"""The check of algorithms fails for what breaks each of their promises."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from imgen import DataSpec, Player, adam, turn
from tests.testing.conftest import Game


class SetsTheSpread(Game):
    """It keeps its contract, too, with a setting.

    Settings:
        spread: how far pictures are from grey
    """

    def __init__(self, data: DataSpec, *, spread: float = 1.0) -> None:
        super().__init__(data)
        self.model.spread = spread


def test_a_sound_game_passes(check):
    check(Game)
    check(SetsTheSpread, settings={"spread": 0.5}, steps=2, batch=2)


class MovesByHand(Game):
    """It moves the other player without asking."""

    @turn("d")
    def judge(self, batch):
        with torch.no_grad():
            self.model.layer.bias.add_(1)
        return super().judge(batch)


class CallsBackward(Game):
    """It leaves gradients behind."""

    @turn("g")
    def forge(self, batch):
        losses, values = super().forge(batch)
        losses["g"].backward(retain_graph=True)
        return losses, values


class SharesAParameter(Game):
    """Both players own the discriminator."""

    def players(self):
        return {**super().players(), "g": Player([self.model, self.d], adam(0.01))}


class LeavesAnOrphan(Game):
    """Nobody owns a layer."""

    def players(self):
        return {"d": Player([self.d[1]], adam(0.01)), "g": Player([self.model], adam(0.01))}


class HidesANetwork(Game):
    """It keeps a network where the state does not see it."""

    def players(self):
        self.hidden = [nn.Linear(1, 1)]
        return {**super().players(), "g": Player([self.model, self.hidden[0]], adam(0.01))}


class LacksAMark(Game):
    """Its turn has lost its decorator."""

    def judge(self, batch):
        return super().judge(batch)


class NamesAStranger(Game):
    """Its turn moves a player that does not exist."""

    @turn("critic")
    def judge(self, batch):
        return super().judge(batch)


class GivesAVector(Game):
    """Its loss is one for each picture."""

    @turn("g")
    def forge(self, batch):
        return {"g": -self.d(self.fakes(4)).squeeze(1)}, {}


class GivesNoNumber(Game):
    """Its loss is infinite."""

    @turn("g")
    def forge(self, batch):
        return {"g": super().forge(batch)[0]["g"] / 0}, {}


class GivesTheWrongLoss(Game):
    """Its loss is for the player that does not move."""

    @turn("g")
    def forge(self, batch):
        return {"d": super().forge(batch)[0]["g"]}, {}


class DetachesItsLoss(Game):
    """Its loss does not reach its player."""

    @turn("g")
    def forge(self, batch):
        return {"g": self.d(self.fakes(4).detach()).mean()}, {}


class NeverMoves(Game):
    """One player has no turns."""

    def turns(self, step):
        return [self.judge]


class ReadsWhatItWrites(Game):
    """Its loss reads a buffer that the turn moves."""

    @turn("d")
    def judge(self, batch):
        losses, values = super().judge(batch)
        self.k.add_(0.1 * self.gap)
        return losses, values


class ReadsOnTheHost(Game):
    """Its turn decides by a value."""

    @turn("g")
    def forge(self, batch):
        loss = super().forge(batch)[0]["g"]
        return {"g": loss if loss.item() > 0 else 2 * loss}, {}


class ForgetsTheDevice(Game):
    """Its noise is on the CPU wherever the batch is."""

    def fakes(self, n):
        return self.model(torch.randn(n, 2))


class RollsItsOwnDice(Game):
    """Its noise does not come from torch."""

    @turn("g")
    def forge(self, batch):
        return {"g": super().forge(batch)[0]["g"] * float(np.random.rand())}, {}


class RemembersOutside(Game):
    """It counts steps where no checkpoint sees it."""

    count = 0

    def prepare(self, step):
        self.count += 1
        self.k.fill_(self.count)


class ExpectsTuples(Game):
    """It is for other data."""

    expects: ClassVar = {"images": "B 2 C H W"}


class ShowsOneRow(Game):
    """Its preview is a batch, not a sheet."""

    def preview(self, batch):
        return self.fakes(6)


class ShowsBytes(Game):
    """Its preview is scaled to 0 to 255."""

    def preview(self, batch):
        return 127.5 + 127.5 * super().preview(batch)


class LearnsFromThePreview(Game):
    """Its preview moves running averages."""

    def preview(self, batch):
        self.d(self.fakes(6))
        return super().preview(batch)


class ShipsUnderNoName(Game):
    """Nobody registers its model."""

    ships = "paintings"


class ShipsAnotherSpread(Game):
    """Its model hangs on a setting that has another name there.

    Settings:
        width: how far pictures are from grey
    """

    def __init__(self, data: DataSpec, *, width: float = 2.0) -> None:
        super().__init__(data)
        self.model.spread = width


class ShipsOtherShapes(Game):
    """Its model is not the one that is registered."""

    def __init__(self, data: DataSpec) -> None:
        super().__init__(data)
        self.model.layer = nn.Linear(2, 4, bias=False)


@pytest.mark.parametrize(
    ("game", "told"),
    [
        (MovesByHand, "itself moves model.layer.bias"),
        (CallsBackward, "itself moves"),
        (SharesAParameter, "both own the parameter"),
        (LeavesAnOrphan, "no player owns the parameter"),
        (HidesANetwork, "not in the algorithm's state_dict"),
        (LacksAMark, "@turn"),
        (NamesAStranger, "'d', 'g'"),
        (GivesAVector, "'g' must be a tensor without dimensions"),
        (GivesNoNumber, "'g' is"),
        (GivesTheWrongLoss, "gives losses for 'd'"),
        (DetachesItsLoss, "must hang on"),
        (NeverMoves, "'g' never moves"),
        (ReadsWhatItWrites, "writes the buffer 'k'"),
        (ReadsOnTheHost, "reads a value on the host"),
        (ForgetsTheDevice, "on its batch's device"),
        (RollsItsOwnDice, "when played again"),
        (RemembersOutside, "stopped and resumed differs"),
        (ExpectsTuples, "expects"),
        (ShowsOneRow, "preview() gives"),
        (ShowsBytes, "far from"),
        (LearnsFromThePreview, "preview() changes d.2"),
        (ShipsUnderNoName, "'paintings'"),
        (ShipsAnotherSpread, "makes other pictures"),
        (ShipsOtherShapes, "must rebuild"),
    ],
)
def test_a_broken_game_fails(check, game, told):
    with pytest.raises(AssertionError) as failed:
        check(game)
    assert told in str(failed.value)


def test_wrong_settings_fail(check):
    with pytest.raises(AssertionError, match="did you mean 'spread'"):
        check(SetsTheSpread, settings={"spred": 1})
