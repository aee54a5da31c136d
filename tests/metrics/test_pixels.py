"""What pixels alone say of two pictures, by hand."""

from __future__ import annotations

import math

import pytest
import torch

from imgen.metrics import pixels

nan = math.nan


def plain(*values: float, side: int = 16) -> torch.Tensor:
    """Pictures of one value each, (N, 3, side, side)."""
    return torch.tensor(values).view(-1, 1, 1, 1).expand(-1, 3, side, side)


def checks(block: int, side: int = 16) -> torch.Tensor:
    """A checkerboard of 0 and 1, (1, 3, side, side)."""
    place = torch.arange(side) // block
    return ((place[:, None] + place) % 2).float().expand(1, 3, side, side)


def test_differences_by_hand() -> None:
    x, y = plain(0.2, 0.5, 0.0), plain(0.4, 0.5, 1.0)
    assert pixels.l1(x, y).tolist() == pytest.approx([0.2, 0, 1])
    assert pixels.mse(x, y).tolist() == pytest.approx([0.04, 0, 1])
    assert pixels.psnr(x, y).tolist() == pytest.approx([10 * math.log10(25), 100, 0])
    half = plain(0.0).clone()
    half[:, :, :, :8] = 0.5
    assert float(pixels.l1(half, plain(0.0))) == 0.25 and float(pixels.mse(half, plain(0.0))) == 0.125


def test_ssim_of_plain_pictures_is_that_of_their_lightness() -> None:
    expected = (2 * 0.2 * 0.4 + 1e-4) / (0.2**2 + 0.4**2 + 1e-4)
    assert pixels.ssim(plain(0.2), plain(0.4)).tolist() == pytest.approx([expected], abs=1e-6)


def test_ssim_of_one_window_by_its_formula() -> None:
    x, y = torch.rand(2, 1, 3, 11, 11, generator=torch.Generator().manual_seed(0)).double()
    weight = torch.tensor([[math.exp(-((i - 5) ** 2 + (j - 5) ** 2) / 4.5) for j in range(11)] for i in range(11)])
    weight = (weight / weight.sum()).double()
    found = []
    for one, other in zip(x[0], y[0], strict=True):
        mx, my = (weight * one).sum(), (weight * other).sum()
        vx, vy = (weight * (one - mx) ** 2).sum(), (weight * (other - my) ** 2).sum()
        vxy = (weight * (one - mx) * (other - my)).sum()
        found.append((2 * mx * my + 1e-4) * (2 * vxy + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4)))
    assert float(pixels.ssim(x, y)) == pytest.approx(float(sum(found)) / 3, abs=1e-6)
    assert float(pixels.ssim(x, x)) == pytest.approx(1)
    assert float(pixels.ssim(x, 1 - x)) < 0.3


def test_the_distance_sees_what_is_larger_than_a_pixel() -> None:
    for block, expected in ((1, 0), (2, 1 / 3), (4, 2 / 3), (8, 1)):
        assert float(pixels.distance(checks(block), 1 - checks(block))) == pytest.approx(expected)
    # Half of the pixels differ by 1, at every scale.
    assert float(pixels.distance(plain(0.0), checks(8))) == pytest.approx(math.sqrt(0.5))
    assert len(pixels.scales(plain(0.0, side=4))) == 2 and len(pixels.scales(plain(0.0, side=1))) == 1


def test_distances_are_the_distance_of_every_pair() -> None:
    x, y = torch.rand(5, 3, 16, 16), torch.rand(4, 3, 16, 16)
    told = pixels.distances(x, y)
    assert told.shape == (5, 4)
    for j in range(4):
        assert torch.allclose(told[:, j], pixels.distance(x, y[j].expand_as(x)))


def test_diversity_by_hand() -> None:
    # The three pairs are 0.5, 1 and 0.5 apart.
    assert pixels.diversity(plain(0.0, 0.5, 1.0)) == pytest.approx(2 / 3)
    assert pixels.diversity(torch.rand(1, 3, 16, 16).expand(50, -1, -1, -1)) < 1e-6


@pytest.mark.parametrize(
    ("x", "y", "r"),
    [
        ([1, 2, 3], [1, 3, 2], 0.5),
        ([1, 2, 3, nan, 9], [6, 4, 2, 0, nan], -1),
        ([1, 2, nan, nan], [1, 2, 3, 4], 0),
        ([1, 2, 3], [0.1, 0.1, 0.1], 0),
        ([], [], 0),
    ],
)
def test_correlation_by_hand(x: list[float], y: list[float], r: float) -> None:
    assert pixels.correlation(torch.tensor(x), torch.tensor(y)) == pytest.approx(r)
