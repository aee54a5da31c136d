"""Random changes of pictures."""

from __future__ import annotations

import pytest
import torch

from imgen.nn.augment import cropped, mirrored, relit


def test_half_of_the_pictures_are_mirrored():
    torch.manual_seed(0)
    images = torch.rand(200, 1, 4, 4)
    made = mirrored(images)
    same = (made == images).flatten(1).all(1)
    assert 70 < same.sum() < 130
    assert torch.equal(made[~same], images[~same].flip(3))


def test_a_crop_is_a_part_at_full_size():
    """Of a ramp from left to right a part has a slope of its share, in a place by chance."""
    torch.manual_seed(0)
    ramp = torch.linspace(-1, 1, 64).expand(500, 1, 64, 64)
    made = cropped(ramp, 0.5)
    assert made.shape == ramp.shape
    slope = (made[:, 0, 32, 48] - made[:, 0, 32, 16]) / (ramp[:, 0, 32, 48] - ramp[:, 0, 32, 16])
    assert 0.5 <= slope.min() < 0.52 and 0.98 < slope.max() <= 1.0001
    assert slope.mean() == pytest.approx(0.75, abs=0.02)
    middle = made[:, 0, 32, 31:33].mean(dim=1)
    assert middle.mean() == pytest.approx(0, abs=0.03) and middle.abs().max() > 0.3
    assert made.abs().max() <= 1.0001, "nothing from outside the picture"


def test_a_crop_of_the_whole_is_the_picture():
    images = torch.rand(3, 2, 8, 8)
    assert torch.allclose(cropped(images, 1.0), images, atol=1e-5)


def test_light_changes_contrast_and_brightness_within_its_bounds():
    torch.manual_seed(0)
    images = torch.tensor([-0.5, 0.5]).view(1, 1, 1, 2).repeat(2000, 1, 1, 1)
    dark, bright = relit(images, 0.2).flatten(1).unbind(1)
    contrast, brightness = bright - dark, (bright + dark) / 2
    assert 0.8 <= contrast.min() < 0.81 and 1.19 < contrast.max() <= 1.2001
    assert -0.2001 <= brightness.min() < -0.19 and 0.19 < brightness.max() <= 0.2001
    assert relit(torch.ones(50, 1, 2, 2), 0.5).max() <= 1
