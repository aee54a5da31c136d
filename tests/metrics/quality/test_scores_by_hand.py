"""The four scores of features: by hand, against brute force, and against torchmetrics."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from imgen.metrics.quality import frechet, neighbours
from imgen.metrics.quality.frechet import frechet_distance, moments
from imgen.metrics.quality.inception_score import inception_score
from imgen.metrics.quality.kernel import kernel_distance, squared_discrepancy
from imgen.metrics.quality.neighbours import neighbourhoods


def test_the_frechet_distance_by_hand():
    # Means 0 and 3, variances 2 and 8: 9 + (sqrt 8 - sqrt 2)^2 = 9 + 2.
    x, y = np.array([[-1.0], [1.0]]), np.array([[1.0], [5.0]])
    assert frechet_distance(moments(x), moments(y)) == pytest.approx(11)
    # Axes by themselves add up, and turning both turns nothing.
    a, b = np.diag([1.0, 4.0]), np.diag([9.0, 16.0])
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    one, two = (frechet.Moments(5, np.zeros(2), turn @ each @ turn.T) for each in (a, b))
    assert frechet_distance(one, two) == pytest.approx(4 + 4)


def test_covariances_that_do_not_commute():
    rng = np.random.default_rng(0)
    a, b = (np.cov(rng.standard_normal((6, 50)) * scale[:, None]) for scale in (np.arange(1, 7), np.ones(6)))
    scipy = pytest.importorskip("scipy.linalg")
    by_root = np.trace(a + b - 2 * scipy.sqrtm(a @ b).real)
    one, two = (frechet.Moments(50, np.zeros(6), each) for each in (a, b))
    assert frechet_distance(one, two) == pytest.approx(by_root, rel=1e-8)
    assert frechet_distance(two, one) == pytest.approx(by_root, rel=1e-8)


def test_moments_are_those_of_numpy_whatever_the_block(plain, monkeypatch):
    x = plain.features(50, away=1e3)
    monkeypatch.setattr(frechet, "_BLOCK", 7)
    told = moments(x)
    assert told.count == 50
    assert told.mean == pytest.approx(x.astype(np.float64).mean(axis=0), rel=1e-12)
    assert told.covariance == pytest.approx(np.cov(x.astype(np.float64).T), rel=1e-9)


def test_fewer_features_than_dimensions_are_no_trouble(plain):
    few, other = plain.features(10, width=40), plain.features(10, width=40, seed=1)
    same = frechet_distance(moments(few), moments(few))
    assert 0 <= same < 1e-6
    # By the singular values of the products of differences from the mean, which need no root.
    a, b = (each.astype(np.float64) - each.mean(axis=0, dtype=np.float64) for each in (few, other))
    crossed = np.linalg.svd(a @ b.T / 9, compute_uv=False).sum()
    apart = ((few.mean(axis=0, dtype=np.float64) - other.mean(axis=0, dtype=np.float64)) ** 2).sum()
    by_hand = apart + (a**2).sum() / 9 + (b**2).sum() / 9 - 2 * crossed
    assert frechet_distance(moments(few), moments(other)) == pytest.approx(by_hand, rel=1e-6)


def test_equal_sets_are_no_distance_apart(plain):
    x = plain.features(200)
    assert frechet_distance(moments(x), moments(x[::-1])) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(moments(x), moments(x + 1)) == pytest.approx(8, rel=1e-5)


def test_the_discrepancy_by_hand():
    # (x y + 1)^3 of x = 0, 1 and y = 1, 2: own pairs 1 and 27, crossed ones 1, 1, 8, 27.
    x, y = np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]])
    assert squared_discrepancy(x, y) == pytest.approx(1 + 27 - 2 * (1 + 1 + 8 + 27) / 4)


def test_the_discrepancy_of_one_distribution_is_0_in_the_mean(plain):
    pairs = ((plain.features(30, seed=2 * i), plain.features(30, seed=2 * i + 1)) for i in range(200))
    found = [squared_discrepancy(*pair) for pair in pairs]
    assert abs(np.mean(found)) < 3 * np.std(found) / math.sqrt(200)
    assert min(found) < 0


def test_subsets_are_as_large_as_the_smaller_set(plain):
    x, y = plain.features(20), plain.features(30, seed=1, away=0.5)
    mean, std = kernel_distance(x, y, np.random.default_rng(0), subsets=40, size=1000)
    assert std > 0 and abs(mean - squared_discrepancy(x, y)) < 3 * std
    whole, none = kernel_distance(x, y[:20], np.random.default_rng(0), subsets=4)
    assert whole == pytest.approx(squared_discrepancy(x, y[:20])) and none == pytest.approx(0)


def test_the_inception_score_by_hand():
    # Sure of one of four classes, all equally often: 4. All the same: 1, however sure.
    assert inception_score(np.eye(4).repeat(3, axis=0), splits=1) == (pytest.approx(4), 0)
    assert inception_score(np.tile([0.7, 0.3], (8, 1)), splits=2) == (pytest.approx(1), pytest.approx(0))
    # One split shows two classes, the other one: 2 and 1.
    rows = np.array([[1.0, 0], [0, 1.0], [1.0, 0], [1.0, 0]])
    assert inception_score(rows, splits=2) == (pytest.approx(1.5), pytest.approx(0.5))
    # exp of ln 2 - H(0.9), where H is the entropy of a coin.
    entropy = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1))
    told, _ = inception_score(np.array([[0.9, 0.1], [0.1, 0.9]]), splits=1)
    assert told == pytest.approx(2 * math.exp(-entropy))


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda: moments(np.zeros((1, 3))), "2 features or more, not 1"),
        (lambda: squared_discrepancy(np.zeros((1, 3)), np.zeros((5, 3))), "2 features or more of either set, not 1"),
        (lambda: inception_score(np.ones((4, 1)), splits=5), "5 splits need as many"),
        (lambda: neighbourhoods(np.zeros((5, 2)), np.zeros((9, 2))), "5 neighbours need 6"),
    ],
)
def test_too_few_have_no_score(call, why):
    with pytest.raises(ValueError, match=why):
        call()


def test_neighbourhoods_by_hand():
    # Radii of 1 among the real 0, 1, 3, 10 are 1, 1, 2, 7; among the made 1.5, 5.5, 30 they are 4, 4, 24.5.
    real, made = np.array([[0.0], [1.0], [3.0], [10.0]]), np.array([[1.5], [5.5], [30.0]])
    told = neighbourhoods(made, real, neighbours=1, density_neighbours=1)
    # 1.5 is within 1 of 1, and within 2 of 3; 5.5 is within 7 of 10; 30 within none.
    assert told.precision == pytest.approx(2 / 3)
    # 0, 1 and 3 are within 4 of 1.5, and 10 is 4.5 from 5.5, and within 24.5 of 30.
    assert told.recall == 1
    assert told.density == pytest.approx(3 / 3)
    # 0 has 1.5 at more than its 1; 1 has it at 0.5, 3 at 1.5, and 10 has 5.5 at 4.5.
    assert told.coverage == pytest.approx(3 / 4)


def test_what_lies_on_a_radius_is_within_for_precision_alone():
    real, made = np.array([[0.0], [2.0]]), np.array([[-2.0], [9.0]])
    told = neighbourhoods(made, real, neighbours=1, density_neighbours=1)
    assert (told.precision, told.density, told.coverage) == (0.5, 0, 0)


def brute(made: np.ndarray, real: np.ndarray, k: int, dense: int) -> tuple[float, float, float, float]:
    """All distances at once, as the papers write it."""

    def apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.sqrt(((a[:, None].astype(np.float64) - b[None]) ** 2).sum(axis=2))

    def radius(x: np.ndarray, k: int) -> np.ndarray:
        return np.sort(apart(x, x), axis=1)[:, k]

    d = apart(made, real)
    return (
        (d <= radius(real, k)).any(axis=1).mean(),
        (d <= radius(made, k)[:, None]).any(axis=0).mean(),
        (d < radius(real, dense)).sum(axis=1).mean() / dense,
        (d.min(axis=0) < radius(real, dense)).mean(),
    )


@pytest.mark.parametrize("tile", [4096, 16, 7])
@pytest.mark.parametrize(("k", "dense"), [(3, 5), (5, 1)])
def test_neighbourhoods_are_those_of_brute_force(plain, monkeypatch, tile, k, dense):
    monkeypatch.setattr(neighbours, "_TILE", tile)
    made, real = plain.features(40, width=3, away=0.5), plain.features(57, width=3, seed=1)
    told = neighbourhoods(made, real, neighbours=k, density_neighbours=dense)
    assert (told.precision, told.recall, told.density, told.coverage) == pytest.approx(brute(made, real, k, dense))
    assert 0.3 < told.precision < 1 and 0.2 < told.coverage < 1


def test_equal_sets_have_full_marks_and_a_density_of_1(plain):
    x = plain.features(100) * 30 + 100
    told = neighbourhoods(x, x[::-1].copy())
    assert (told.precision, told.recall, told.density, told.coverage) == (1, 1, pytest.approx(1), 1)


def test_features_far_from_0_are_no_nearer_to_each_other(plain):
    # Multiples of 1/8192 near 1024: float32 holds them exactly, and so it does what lies between them.
    made, real = (
        (1024 + np.round(plain.features(50, width=4, seed=seed) * 8) / 8192).astype(np.float32) for seed in (0, 1)
    )
    told = neighbourhoods(made, real)
    assert (told.precision, told.recall, told.density, told.coverage) == pytest.approx(brute(made, real, 3, 5))
    assert told.density > 0.3


def test_one_picture_again_and_again_has_no_recall(plain):
    real = plain.features(60) * 30 + 100
    made = np.repeat(real[:1], 40, axis=0)
    told = neighbourhoods(made, real)
    assert told.precision == 1 and told.recall == pytest.approx(1 / 60) and told.coverage < 0.3


class Sums(nn.Module):
    """A feature network for torchmetrics: means of rows, quarters and channels, without weights."""

    num_features = 8

    def forward(self, images: Tensor) -> Tensor:
        x = images.double() / 255
        rows = x.mean(dim=(1, 3)).unflatten(1, (4, -1)).mean(dim=2)
        return torch.cat([rows, x.std(dim=(2, 3)), (x[:, 0] * x[:, 1]).mean(dim=(1, 2))[:, None]], dim=1)


@pytest.fixture
def sets(plain) -> tuple[Tensor, Tensor]:
    return plain.pictures(120, seed=1), plain.pictures(150, seed=2, scale=0.8)


def test_fid_is_that_of_torchmetrics(torchmetrics, sets):
    from torchmetrics.image.fid import FrechetInceptionDistance

    made, real = sets
    theirs = FrechetInceptionDistance(feature=Sums()).set_dtype(torch.float64)
    theirs.update(real, real=True)
    theirs.update(made, real=False)
    ours = frechet_distance(*(moments(Sums()(each).numpy()) for each in (real, made)))
    assert ours > 1e-3
    assert ours == pytest.approx(float(theirs.compute()), rel=1e-3)


@pytest.mark.filterwarnings("ignore:Metric")
def test_kid_is_that_of_torchmetrics(torchmetrics, sets):
    from torchmetrics.image.kid import KernelInceptionDistance

    made, real = sets[0], sets[1][:120]
    theirs = KernelInceptionDistance(feature=Sums(), subsets=1, subset_size=120)
    theirs.update(real, real=True)
    theirs.update(made, real=False)
    ours = kernel_distance(*(Sums()(each).numpy() for each in (made, real)), np.random.default_rng(0), 1, 120)
    assert abs(ours[0]) > 1e-4
    assert ours[0] == pytest.approx(float(theirs.compute()[0]), rel=1e-3)


@pytest.mark.filterwarnings("ignore:Metric", "ignore:std")
@pytest.mark.parametrize("splits", [1, 4])
def test_the_inception_score_is_that_of_torchmetrics(torchmetrics, sets, splits, monkeypatch):
    from torchmetrics.image.inception import InceptionScore

    theirs = InceptionScore(feature=Sums(), splits=splits)
    theirs.update(sets[0])
    # It shuffles first, and divides its deviation by one less.
    monkeypatch.setattr(torch, "randperm", lambda n, **_: torch.arange(n))
    mean, std = (float(each) for each in theirs.compute())
    ours = inception_score(torch.softmax(Sums()(sets[0]), dim=1).numpy(), splits)
    assert ours[0] == pytest.approx(mean, rel=1e-6) and ours[0] > 1.0001
    assert splits == 1 or ours[1] == pytest.approx(std * math.sqrt((splits - 1) / splits), rel=1e-3)


def test_all_are_those_of_torch_fidelity(plain):
    try:
        from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
        from torch_fidelity.metric_isc import isc_features_to_metric
        from torch_fidelity.metric_kid import kid_features_to_metric
    except (ImportError, RuntimeError, OSError) as error:
        pytest.skip(f"torch-fidelity does not load: {error}")
    a, b = plain.features(300), plain.features(400, seed=1, away=0.3)
    one, two = (fid_features_to_statistics(torch.from_numpy(each)) for each in (a, b))
    fid = fid_statistics_to_metric(one, two, False)["frechet_inception_distance"]
    assert frechet_distance(moments(a), moments(b)) == pytest.approx(fid, rel=1e-3)
    options = {"kid_subsets": 1, "kid_subset_size": 300, "verbose": False}
    told = kid_features_to_metric(torch.from_numpy(a), torch.from_numpy(b[:300]), **options)
    ours = squared_discrepancy(a, b[:300])
    assert ours == pytest.approx(told["kernel_inception_distance_mean"], rel=1e-3)
    isc = isc_features_to_metric(torch.from_numpy(a), splits=3, shuffle=False)
    told = inception_score(torch.softmax(torch.from_numpy(a).double(), dim=1).numpy(), splits=3)
    assert told == pytest.approx(tuple(isc.values()), rel=1e-3)
