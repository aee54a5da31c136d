"""What is chosen for a device."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from imgen.train.device import wants_channels_last
from imgen.train_settings import TrainSettings

PLAIN, NORMED = nn.Sequential(nn.Conv2d(1, 1, 3)), nn.Sequential(nn.InstanceNorm2d(1))


@pytest.mark.parametrize(
    ("asked", "model", "device", "chosen"),
    [
        (None, PLAIN, "cpu", True),
        (None, NORMED, "cpu", False),
        (None, NORMED, "cuda", True),
        (True, NORMED, "cpu", True),
        (False, PLAIN, "cuda", False),
    ],
)
def test_the_order_of_memory_suits_device_and_networks(asked, model, device, chosen):
    assert wants_channels_last(TrainSettings(channels_last=asked), model, torch.device(device)) is chosen
