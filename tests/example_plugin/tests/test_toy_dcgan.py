"""The plugin keeps imgen's contracts, and its loss has the values that its formula says."""

from __future__ import annotations

import math

import pytest
import torch
from imgen_toy_dcgan.dcgan import discs, margin

from imgen.testing import check_algorithm, contracts

SMALL = {"dim": 4, "d_latent": 3, "count": 20}
"""Settings of whatever has them, so that tests take seconds."""

# A test for each promise of everything that the plugin registers, now and later.
test_contracts = contracts("toy-dcgan", settings=SMALL)


@pytest.mark.parametrize("loss", ["logistic", "hinge"])
def test_the_algorithm_keeps_its_contract_with_other_losses(loss):
    check_algorithm("toy-dcgan", discs(count=20, size=8), settings={"dim": 4, "d_latent": 3, "loss": loss})


def test_the_loss_at_zero():
    zero, loss = torch.zeros(2), margin()
    assert loss.d(zero, zero).item() == pytest.approx(2 * math.log(1 + math.e))
    assert loss.g(zero).item() == pytest.approx(math.log(2))
