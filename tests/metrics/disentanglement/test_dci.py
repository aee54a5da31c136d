"""DCI: its two scores by hand, and regressions that say how much each code matters."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from imgen.errors import DataError
from imgen.metrics.disentanglement.dci import completeness, disentanglement
from imgen.metrics.disentanglement.regression import REGRESSORS, boosted, depth_of, depth_scores, importances

STACKED = np.concatenate([np.eye(5), np.eye(5)])
UNSURE = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])


@pytest.mark.parametrize(
    ("table", "by_code", "by_factor"),
    [
        (5 * np.eye(5), 1, 1),
        (UNSURE, 1, 1),
        (np.zeros((4, 3)), 0, 0),
        (STACKED, 1, 1 - log(2) / log(10)),
        (STACKED.T, 1 - log(2) / log(10), 1),
    ],
)
def test_guarded_scores_by_hand(table, by_code, by_factor):
    assert disentanglement(table, guarded=True).score == pytest.approx(by_code, abs=1e-8)
    assert completeness(table, guarded=True).score == pytest.approx(by_factor, abs=1e-8)


def test_scores_by_hand():
    assert disentanglement(5 * np.eye(5)).score == pytest.approx(1, abs=1e-9)
    assert disentanglement(STACKED.T).score == pytest.approx(1 - log(2) / log(10))
    assert completeness(STACKED).score == pytest.approx(1 - log(2) / log(10))
    assert disentanglement(np.ones((4, 3))).score == pytest.approx(0, abs=1e-9)


def test_codes_count_by_how_much_they_matter_and_factors_alike():
    table = np.array([[9.0, 0.0], [0.5, 0.5]])
    assert disentanglement(table).each == pytest.approx([1, 0], abs=1e-9)
    assert disentanglement(table).score == pytest.approx(0.9)
    assert completeness(table).score == pytest.approx(completeness(table).each.mean())
    weighted = (9.5 * completeness(table).each[0] + 0.5 * completeness(table).each[1]) / 10
    assert completeness(table, guarded=True).score == pytest.approx(weighted, abs=1e-8)


def test_a_code_that_matters_for_nothing_has_no_score_unless_guarded():
    told = disentanglement(UNSURE)
    assert np.isnan(told.score)
    assert np.isnan(told.each).tolist() == [False, False, True]
    assert completeness(UNSURE).score == pytest.approx(1)
    assert np.isnan(completeness(UNSURE.T).score)


class TestRegressions:
    """Of three factors on three codes."""

    @pytest.fixture(autouse=True)
    def _scikit_learn(self):
        pytest.importorskip("sklearn", reason="scikit-learn is not installed")

    @staticmethod
    def values(n: int = 300) -> np.ndarray:
        return np.random.default_rng(5).integers(0, 5, (n, 3)).astype(float)

    @pytest.mark.parametrize("regressor", REGRESSORS)
    def test_each_code_is_found_wherever_it_stands_and_however_it_is_scaled(self, regressor):
        values = self.values()
        codes = (values[:, [2, 0, 1]] * [1.0, -20.0, 0.01] + [0, 3, -7]).astype(np.float32)
        fitted = importances(codes, values, regressor, seed=0)
        assert fitted.table.shape == (3, 3)
        assert (fitted.table >= 0).all()
        assert fitted.table.argmax(axis=0).tolist() == [1, 2, 0]
        assert completeness(fitted.table).score == pytest.approx(1, abs=1e-3)
        assert len(fitted.settings) == 3

    @pytest.mark.parametrize("regressor", ["lasso", "forest"])
    def test_error_of_what_was_not_seen(self, regressor):
        values, rng = self.values(), np.random.default_rng(6)
        fitted = importances(values.astype(np.float32), values, regressor, seed=0)
        assert fitted.error(values[:100], values[:100]).max() < 0.6
        noise = importances(rng.normal(size=values.shape), values, "lasso", seed=0)
        assert noise.error(rng.normal(size=values.shape), values) == pytest.approx([1, 1, 1], abs=0.05)

    def test_same_seed_same_table(self):
        values = self.values()
        codes = values @ np.random.default_rng(7).normal(size=(3, 3))
        first, again, other = (importances(codes, values, "forest", seed).table for seed in (1, 1, 2))
        assert first.tolist() == again.tolist()
        assert first.tolist() != other.tolist()

    def test_depths_are_scored_as_a_search_does(self):
        """A forest cut off at a depth is the forest of that depth, as separate ones for each of them tell."""
        from sklearn.ensemble import RandomForestRegressor
        from sklearn.model_selection import KFold, cross_val_score

        rng = np.random.default_rng(8)
        z = rng.normal(size=(241, 3))
        y = z[:, 0] + 0.5 * z[:, 1] ** 2 + 0.3 * rng.normal(size=241)
        told = depth_scores(z, y, 3)
        for depth in (2, 3, 8, 15):
            forest = RandomForestRegressor(10, max_depth=depth, random_state=3)
            wanted = cross_val_score(forest, z, y, cv=KFold(3)).mean()
            # Where splits are equally good, chance chooses; the next depth is 0.1 away from the first.
            assert told[depth - 2] == pytest.approx(wanted, abs=0.02)
        assert told.argmax() not in (0, 13), "neither too few nor too many"

    def test_depths_for_each_factor(self):
        assert [depth_of("forest", factor) for factor in range(6)] == [4, 5, 2, 5, 5, 5]
        assert [depth_of("forest-ibgan", factor) for factor in range(3)] == [4, 2, 4]

    def test_boosted_trees_find_codes_and_tell_values(self):
        places = self.values(120).astype(np.int64)
        codes = places[:, ::-1].astype(np.float32)
        table, fitted, told = boosted(codes[:80], places[:80], codes[80:], places[80:], seed=0)
        assert table.argmax(axis=0).tolist() == [2, 1, 0]
        assert fitted.tolist() == told.tolist() == [1, 1, 1]

    def test_what_never_varies_is_refused(self):
        values = self.values(20)
        codes = values.astype(np.float32).copy()
        codes[:, 1] = 4
        with pytest.raises(DataError, match="code 1 never varies"):
            importances(codes, values, "lasso", seed=0)
        with pytest.raises(DataError, match="factor 1 never varies"):
            importances(values, codes, "lasso", seed=0)
