"""Random changes of pictures."""

from __future__ import annotations

import torch

from imgen.nn.augment import mirrored


def test_half_of_the_pictures_are_mirrored():
    torch.manual_seed(0)
    images = torch.rand(200, 1, 4, 4)
    made = mirrored(images)
    same = (made == images).flatten(1).all(1)
    assert 70 < same.sum() < 130
    assert torch.equal(made[~same], images[~same].flip(3))
