"""dHSIC against its definition, and the median of all distances."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from imgen.metrics.disentanglement import dhsic
from imgen.metrics.disentanglement.dhsic import joint_criterion, median_distances


def kernel(apart, scale):
    return np.exp(-apart / scale**2)


def literal(codes):
    """As the definition reads, on all distances at once."""
    n, d = codes.shape
    apart = np.abs(codes[:, None] - codes[None])
    alike = np.stack([kernel(apart[..., j], np.median(apart[..., j])) for j in range(d)], axis=-1)
    joint = alike.prod(axis=-1).sum() / n**2
    alone = (alike.sum(axis=(0, 1)) / n**2).prod()
    cross = -2 / n ** (d + 1) * alike.sum(axis=1).prod(axis=-1).sum()
    return [joint + alone + cross, joint, alone, cross]


@pytest.mark.parametrize("n", [2, 3, 4, 7, 50, 51])
def test_the_median_is_of_all_ordered_pairs(n):
    codes = np.random.default_rng(n).normal(size=(n, 2))
    codes[: n // 2, 1] = 0.5
    wanted = np.median(np.abs(codes[:, None] - codes[None]), axis=(0, 1))
    assert median_distances(codes).tolist() == wanted.tolist()
    assert median_distances(codes[:1]).tolist() == [0, 0]


def test_distances_are_not_kept():
    codes = np.random.default_rng(0).normal(size=(4000, 1))
    tracemalloc.start()
    try:
        median_distances(codes)
        assert tracemalloc.get_traced_memory()[1] < 4000 * 1000, "bytes; the 8 million distances have 64 million"
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("at_once", [2**20, 100, 1])
def test_the_criterion_in_blocks_is_the_definition(monkeypatch, at_once):
    monkeypatch.setattr(dhsic, "_AT_ONCE", at_once)
    codes = np.random.default_rng(0).normal(size=(60, 3))
    codes[:, 2] += codes[:, 0]
    assert list(joint_criterion(codes, median_distances(codes), kernel)) == pytest.approx(literal(codes), rel=1e-10)


def test_independent_codes_come_to_less_than_dependent_ones():
    codes = np.random.default_rng(0).normal(size=(500, 2))
    both = codes.copy()
    both[:, 1] = np.abs(codes[:, 0])
    apart, tied = (joint_criterion(some, median_distances(some), kernel).total for some in (codes, both))
    assert 0 < apart < 0.01 < tied


def test_a_code_that_stands_still_makes_it_undefined():
    codes = np.c_[np.random.default_rng(0).normal(size=(30, 2)), np.zeros(30)]
    assert np.isnan(joint_criterion(codes, median_distances(codes), kernel)).all()
