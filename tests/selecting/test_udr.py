"""UDR, against what is known by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from imgen.selecting import udr
from imgen.selecting.ranking import by_udr
from imgen.selecting.reading import Work, draws

CPU = torch.device("cpu")
CORNERS = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], float)


@pytest.mark.parametrize(
    ("relation", "score"),
    [
        ([[1, 0], [0, 1]], 1),
        ([[0, 0.5], [0.5, 0]], 0.5),
        # Each row and column: 0.5 squared over 1.
        ([[0.5, 0.5], [0.5, 0.5]], 0.25),
        # Columns: 1 and 0; the row: 1; of three codes in all.
        ([[1, 0]], 2 / 3),
        # Columns: 0.64 / 1, 0.04 / 0.2; rows: 0.64 / 0.8, 0.04 / 0.4.
        ([[0.8, 0.0], [0.2, 0.2]], (0.64 + 0.2 + 0.8 + 0.1) / 4),
        ([[0, 0], [0, 0]], 0),
    ],
)
def test_scores_of_a_pair(relation, score):
    assert udr.pair_score(np.array(relation, float)) == pytest.approx(score)
    assert udr.pair_score(np.array(relation, float).T) == pytest.approx(score)


def test_no_code_scores_nothing():
    assert udr.pair_score(np.zeros((0, 3))) == 0


def test_a_lasso_by_hand():
    """On codes of variance 1 that do not hang together it takes a tenth off every weight, and nothing below that."""
    assert udr.lasso(CORNERS, CORNERS) == pytest.approx(0.9 * np.eye(2))
    mixed = udr.standardised(CORNERS @ np.array([[0.8, 0.05], [-0.6, 1.0]]))
    scale = (CORNERS @ np.array([0.05, 1.0])).std()
    expected = [[0.7, 0], [0.5, 1 / scale - 0.1]]
    assert udr.lasso(CORNERS, mixed) == pytest.approx(np.array(expected))
    assert udr.lasso(CORNERS, CORNERS[:, :1]) == pytest.approx(np.array([[0.9], [0]]))


def test_spearman_by_hand():
    x = np.array([[1.0, 4], [2, 3], [3, 2], [4, 1.5]])
    y = np.array([[1.0], [8], [27], [1e6]])
    assert udr.spearman(x, y) == pytest.approx(np.ones((2, 1)))
    # Places 1 3 2 4: 1 - 6 (1 + 1) / (4 (16 - 1)).
    assert udr.spearman(y, np.array([[1.0], [3], [2], [4]])) == pytest.approx(np.array([[0.8]]))
    assert udr.spearman(x, np.ones((4, 1))) == pytest.approx(np.zeros((2, 1)))


def test_models_and_the_median_of_their_pairs():
    same, mixed = CORNERS[:, ::-1] * -3, CORNERS @ np.array([[1.0, 1], [1, -1]])
    keep = np.array([True, True])
    pairs = udr.pair_scores([CORNERS, same, mixed], [keep] * 3, "lasso")
    # Turned by 45 degrees every weight is 0.707 less a tenth.
    far = (0.5**0.5 - 0.1) / 2
    assert pairs == pytest.approx(np.array([[1, 0.9, far], [0.9, 1, far], [far, far, 1]]))
    assert udr.scores(pairs) == pytest.approx([(0.9 + far) / 2, (0.9 + far) / 2, far])
    four = np.array([[1, 0.2, 0.5, 0.9], [0.1, 1, 0.3, 0.3], [0.3, 0.4, 1, 0.3], [0.6, 0.8, 0.4, 1]])
    assert udr.scores(four) == pytest.approx([0.3, 0.4, 0.4, 0.3]), "a column is a model that is explained"


def test_codes_that_tell_nothing_are_left_out():
    noisy = np.concatenate([CORNERS, np.array([[1.0], [0], [0], [-1]])], axis=1)
    keep = np.array([True, True, False])
    alone = udr.pair_scores([noisy, CORNERS], [keep, keep[:2]], "lasso")
    assert alone[0, 1] == pytest.approx(0.9)
    none = udr.pair_scores([noisy, CORNERS], [~keep & False, keep[:2]], "spearman")
    assert none[0, 1] == none[1, 0] == 0


class Posterior(nn.Module):
    """Codes are normal about pixels, with a deviation each; the second tells nothing."""

    codes = {"a": 1, "b": 1}  # noqa: RUF012
    encodes = ("a", "b")
    deviation = torch.tensor([0.5, 1.0])

    def encode(self, images, generator=None):
        mean = images[:, 0, 0] * torch.tensor([2.0, 0.0])
        return mean if generator is None else mean + self.deviation * torch.randn(mean.shape, generator=generator)


def test_the_divergence_of_known_posteriors():
    shown = torch.rand(2000, 1, 1, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert draws(Posterior(), (1, 1, 2), CPU)
    found = udr.divergence(Posterior(), shown, Work(CPU))
    mean_square = float((2 * shown[:, 0, 0, 0]).square().mean())
    assert found[0] == pytest.approx((mean_square + 0.25 - math.log(0.25) - 1) / 2, abs=0.01)
    assert abs(found[1]) < udr.LEAST_KL, "the estimate is not off by what 16 draws would make it"
    codes = Posterior().encode(shown).numpy()
    assert udr.informative(Posterior(), codes, shown, Work(CPU), True).tolist() == [True, False]


def test_without_a_posterior_variance_tells():
    codes = np.random.default_rng(0).normal(size=(500, 3)) * [1, 0.2, 0.05]
    assert udr.informative(None, codes, torch.zeros(0), Work(CPU), False).tolist() == [True, True, False]
    assert not udr.informative(None, np.zeros((5, 2)), torch.zeros(0), Work(CPU), False).any()


@pytest.mark.parametrize("method", ["udr-lasso", "udr-spearman"])
def test_a_ranking(method, model):
    models = [model(reads="half"), model(), model(reads="turned"), model(), model(reads="first")]
    parts = torch.rand(600, 1, 1, 3, generator=torch.Generator().manual_seed(0)).mul(2).sub(1).split(200)
    told = by_udr(list("abcde"), models, parts, (1, 1, 3), method, Work(CPU, total=3000), ["so"])
    assert told.order == [1, 2, 3, 0, 4] and told.notes == ("so",)
    assert told.settings["pictures"] == 600
    assert told.each["informative codes"] == [3] * 5
    assert told.scores[1] == pytest.approx(told.scores[2])
