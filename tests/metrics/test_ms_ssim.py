"""MS-SSIM by hand, by a plain loop, and by another implementation where that takes the size."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from imgen.metrics import ms_ssim
from imgen.metrics.ms_ssim import WEIGHTS, batch, diversity, eight_bit, per_pair, scales_of, terms, terms_of, weights_of

C1, C2 = 2.55**2, 7.65**2


def pictures(n: int, size: int = 64, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 256, (n, 3, size, size), generator=torch.Generator().manual_seed(seed)).double()


def smooth(n: int, size: int = 64, seed: int = 0) -> torch.Tensor:
    """Pictures that are alike at coarse scales: noise on a common slope."""
    slope = torch.linspace(20, 235, size, dtype=torch.float64).expand(n, 3, size, size)
    return (slope + (pictures(n, size, seed) - 127.5) / 3).clamp(0, 255)


def by_loops(x: np.ndarray, y: np.ndarray) -> list[float]:
    """Terms of one pair of (C, 64, 64), place by place, from the protocol's words alone."""
    told = []
    for scale in range(5):
        side = x.shape[1]
        taps = min(11, side)
        sigma = 1.5 * taps / 11
        line = [math.exp(-((i - (taps - 1) / 2) ** 2) / (2 * sigma**2)) for i in range(taps)]
        window = np.outer(line, line) / np.outer(line, line).sum()
        values = []
        for c in range(x.shape[0]):
            for i in range(side - taps + 1):
                for j in range(side - taps + 1):
                    a, b = x[c, i : i + taps, j : j + taps], y[c, i : i + taps, j : j + taps]
                    ma, mb = (window * a).sum(), (window * b).sum()
                    va, vb = (window * (a - ma) ** 2).sum(), (window * (b - mb) ** 2).sum()
                    cov = (window * (a - ma) * (b - mb)).sum()
                    value = (2 * cov + C2) / (va + vb + C2)
                    if scale == 4:
                        value *= (2 * ma * mb + C1) / (ma**2 + mb**2 + C1)
                    values.append(value)
        told.append(float(np.mean(values)))
        half = side // 2
        x, y = (each.reshape(-1, half, 2, half, 2).mean(axis=(2, 4)) for each in (x, y))
    return told


def test_the_same_picture_is_wholly_alike():
    x = pictures(3)
    assert terms(x, x).numpy() == pytest.approx(np.ones((3, 5)))
    assert diversity(terms(x, x)) == pytest.approx({"per_pair": 0, "batch": 0}, abs=1e-12)


def test_constant_pictures_by_hand():
    """Without any structure contrast counts as equal; luminance is all, at the coarsest scale alone."""
    dark, light = torch.full((1, 3, 64, 64), 50.0), torch.full((1, 3, 64, 64), 200.0)
    luminance = (2 * 50 * 200 + C1) / (50**2 + 200**2 + C1)
    told = terms(dark, light)
    assert told[0].tolist() == pytest.approx([1, 1, 1, 1, luminance])
    assert per_pair(told) == batch(told) == pytest.approx(luminance**0.1333)


def test_opposite_pictures_are_negative_at_every_scale():
    """y = 255 - x: the covariance is minus the variance v, so that a place gives (C2 - 2v) / (C2 + 2v)."""
    x = pictures(2)
    told = terms(x, 255 - x)
    assert (told[:, :4] < 0).all()
    assert per_pair(told) == 0 and batch(told) == 0
    assert diversity(told) == {"per_pair": 1, "batch": 1}


def test_independent_noise_of_known_variance():
    """Of independent noise the covariance is 0 in the mean: terms near C2 / (2 v + C2), v being a scale's variance."""
    generator = torch.Generator().manual_seed(0)
    x, y = (127.5 + 30 * torch.randn(40, 3, 64, 64, generator=generator, dtype=torch.float64) for _ in range(2))
    told = terms(x, y).mean(dim=0)
    for scale in range(2):
        variance = 30**2 / 4**scale
        # What the window's own mean takes of it: 1 - sum of squared weights, of 11 taps at sigma 1.5 about 0.035.
        assert float(told[scale]) == pytest.approx(C2 / (2 * 0.965 * variance + C2), rel=0.15)


def test_the_two_rules_by_hand():
    found = torch.tensor([[0.5, 0.5, 0.5, 0.5, 0.5], [1.0, 1.0, 1.0, 1.0, -0.2]], dtype=torch.float64)
    total = sum(WEIGHTS)
    assert per_pair(found) == pytest.approx((0.5**total + 0) / 2)
    assert batch(found) == pytest.approx(0.75 ** (total - 0.1333) * 0.15**0.1333)


def test_a_loop_over_all_places_says_the_same():
    x, y = smooth(2), smooth(2, seed=1)
    wanted = [by_loops(a.numpy(), b.numpy()) for a, b in zip(x[:, :1], y[:, :1], strict=True)]
    assert terms(x[:, :1], y[:, :1]).numpy() == pytest.approx(np.array(wanted), abs=1e-10)


def test_channels_are_averaged():
    x, y = smooth(1), smooth(1, seed=1)
    each = torch.cat([terms(x[:, c : c + 1], y[:, c : c + 1]) for c in range(3)])
    assert terms(x, y)[0].tolist() == pytest.approx(each.mean(dim=0).tolist())


def test_torchmetrics_says_the_same_where_it_takes_the_size(torchmetrics):
    """From 176 pixels on no window shrinks. Its coarsest scale counts reflected borders, too: left out, by a 0."""
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as measure

    x, y = smooth(2, 192), smooth(2, 192, seed=1)
    betas = (*map(float, WEIGHTS[:4]), 0.0)
    theirs = [
        float(measure(a[None], b[None], kernel_size=11, sigma=1.5, data_range=255.0, betas=betas))
        for a, b in zip(x, y, strict=True)
    ]
    ours = (terms(x, y)[:, :4] ** torch.tensor(WEIGHTS[:4])).prod(dim=1).tolist()
    assert ours == pytest.approx(theirs, abs=1e-6)
    assert 0.1 < ours[0] < 0.9


@pytest.mark.parametrize(
    ("size", "scales"), [(256, 5), (64, 5), (63, 4), (32, 4), (28, 3), (16, 3), (8, 2), (7, 1), (4, 1), (3, 1), (1, 1)]
)
def test_small_pictures_have_fewer_scales(size, scales):
    assert scales_of(size, size) == scales_of(size, 2 * size) == scales
    weights = weights_of(scales)
    assert float(weights.sum()) == pytest.approx(1, abs=2e-4)
    assert (weights / weights[0]).tolist() == pytest.approx([w / WEIGHTS[0] for w in WEIGHTS[:scales]])
    x = pictures(2, size)
    told = terms(x, pictures(2, size, seed=1))
    assert told.shape == (2, scales) and told.isfinite().all()
    assert terms(x, x).numpy() == pytest.approx(np.ones((2, scales)))


def test_parts_make_the_whole():
    x, y = (torch.rand(10, 3, 32, 32, generator=torch.Generator().manual_seed(seed)) * 3 - 1.5 for seed in (0, 1))
    parts = zip(x.split(4), y.split(4), strict=True)
    assert torch.equal(terms_of(parts), terms(eight_bit(x), eight_bit(y)))
    assert eight_bit(torch.tensor([-3.0, -1.0, 0.001, 1.0, 2.0])).tolist() == [0, 0, 128, 255, 255]


def test_pictures_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match="of one shape"):
        terms(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 9))
    assert tuple(diversity(torch.ones(1, 5))) == ms_ssim.RULES
