"""The plugin keeps imgen's contracts, and its loss has the values that its formula says."""

from __future__ import annotations

import math

import pytest
import torch
from imgen_toy_dcgan.dcgan import ToyDcgan, ToyGenerator, discs, margin

from imgen.testing import check_algorithm, check_dataset, check_model, check_settings


@pytest.mark.parametrize("loss", ["toy-margin", "logistic", "hinge"])
def test_the_algorithm_keeps_its_contract(loss):
    check_algorithm("toy-dcgan", discs(count=20, size=8), settings={"dim": 4, "d_latent": 3, "loss": loss})


def test_the_model_keeps_its_contract():
    data = discs(count=1, size=8).spec
    check_model(ToyGenerator(data, dim=4, d_latent=3), data)


def test_the_data_set_keeps_its_contract():
    check_dataset(discs(count=20))


@pytest.mark.parametrize("factory", [ToyDcgan, ToyGenerator, discs])
def test_every_setting_is_explained(factory):
    check_settings(factory)


def test_the_loss_at_zero():
    zero, loss = torch.zeros(2), margin()
    assert loss.d(zero, zero).item() == pytest.approx(2 * math.log(1 + math.e))
    assert loss.g(zero).item() == pytest.approx(math.log(2))
