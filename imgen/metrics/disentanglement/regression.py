"""How much each code matters for each factor: regressions of factors on codes, and classifiers of their values."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from imgen.data.pictures import cores
from imgen.errors import DataError
from imgen.extras import need

if TYPE_CHECKING:
    from numpy.typing import NDArray

Regressor = Literal["lasso", "lasso-cv", "forest", "forest-ibgan", "forest-cv"]
REGRESSORS: tuple[str, ...] = get_args(Regressor)

_PENALTY = 0.02  # of the absolute weights
_TREES = 10  # the default of scikit-learn before version 0.22; 100 since
_FOLDS = 3  # the same of LassoCV; 5 since
_DEPTHS = {"forest": (4, 5, 2, 5, 5), "forest-ibgan": (4, 2, 4, 2, 2)}
_DEPTHS_TRIED = range(2, 16)


@dataclass(frozen=True)
class Fitted:
    """table: (D, K), how much each code matters for each factor. error: of predictions of given codes, see `error`.

    settings: what was chosen for each factor, in words.
    """

    table: NDArray[np.float64]
    error: Callable[[NDArray[np.floating], NDArray[np.floating]], NDArray[np.float64]]
    settings: Sequence[str]


def importances(codes: NDArray[np.floating], values: NDArray[np.floating], regressor: Regressor, seed: int) -> Fitted:
    """Regressions of the values of each factor on all codes, both less their mean and over their standard deviation.

    - lasso: linear, absolute weights penalised with 0.02; lasso-cv: with the best of 100 penalties, over 3 folds
    - forest, forest-ibgan: 10 trees of depths 4, 5, 2, 5, 5 for the factors in order, or 4, 2, 4, 2, 2; of fewer
      factors the first of these, of more the last again
    - forest-cv: 10 trees of the depth from 2 to 15 whose predictions are best over 3 folds

    What matters is a code's absolute weight, or the share of the squared error that splits by it take away.
    `Fitted.error` takes codes (m, D) and values (m, K) of other things and gives for each factor the root of the mean
    squared error of the predictions, over the standard deviation of the values.

    Raises: `DataError` where scikit-learn is missing, or a code or a factor never varies.
    Source: Eastwood and Williams, 2018, section 4; IB-GAN's depths as InfoGAN-CR's authors tell them.
    """
    _varying(codes, "code")
    _varying(values, "factor")
    z_mean, z_spread = _scale(codes)
    y_mean, y_spread = _scale(values)
    z, y = (codes - z_mean) / z_spread, (values - y_mean) / y_spread
    models, told = [], []
    for factor in range(y.shape[1]):
        model, setting = _fitted(regressor, factor, z, y[:, factor], _state(seed, factor))
        models.append(model)
        told.append(setting)
    table = np.stack([_weights(model) for model in models], axis=1)

    def error(other: NDArray[np.floating], truth: NDArray[np.floating]) -> NDArray[np.float64]:
        wanted = (truth - y_mean) / y_spread
        made = np.stack([model.predict((other - z_mean) / z_spread) for model in models], axis=1)
        return np.asarray(np.sqrt(((made - wanted) ** 2).mean(axis=0)) / wanted.std(axis=0))

    return Fitted(table, error, told)


def boosted(
    codes: NDArray[np.floating],
    places: NDArray[np.integer],
    tested: NDArray[np.floating],
    truth: NDArray[np.integer],
    seed: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """How much each code matters (D, K) for telling values, and by factor the shares told right: fitted to and tested.

    scikit-learn's GradientBoostingClassifier as it comes: 100 rounds of one tree of depth 3 for each value.

    Raises: `DataError` where scikit-learn is missing, or a factor shows one value alone.
    """
    _varying(places, "factor")
    ensemble = need("sklearn.ensemble", "metrics", "DCI")

    def fit(factor: int) -> tuple[NDArray[np.float64], float, float]:
        model = ensemble.GradientBoostingClassifier(random_state=_state(seed, factor))
        model.fit(codes, places[:, factor])
        right = [float((model.predict(z) == y[:, factor]).mean()) for z, y in ((codes, places), (tested, truth))]
        return np.abs(model.feature_importances_), right[0], right[1]

    # A tree is grown outside of Python's lock; the factor with most values, which takes longest, comes first.
    order = np.argsort([-len(np.unique(column)) for column in places.T], kind="stable")
    with ThreadPoolExecutor(cores()) as pool:
        by_factor = dict(zip(order.tolist(), pool.map(fit, order.tolist()), strict=True))
    tables, fitted, held_out = zip(*(by_factor[factor] for factor in range(places.shape[1])), strict=True)
    return np.stack(tables, axis=1), np.array(fitted), np.array(held_out)


def depth_of(regressor: str, factor: int) -> int:
    """Of the trees for a factor, by its place."""
    depths = _DEPTHS[regressor]
    return depths[min(factor, len(depths) - 1)]


def _fitted(regressor: Regressor, factor: int, z: NDArray[np.float64], y: NDArray[np.float64], state: int) -> Any:
    """A fitted model, and its setting in words."""
    if regressor in ("lasso", "lasso-cv"):
        linear = need("sklearn.linear_model", "metrics", "DCI")
        if regressor == "lasso":
            return linear.Lasso(alpha=_PENALTY).fit(z, y), f"penalty {_PENALTY:g}"
        model = linear.LassoCV(cv=_FOLDS, random_state=state).fit(z, y)
        return model, f"penalty {model.alpha_:.3g}"
    if regressor == "forest-cv":
        depth = _DEPTHS_TRIED[int(depth_scores(z, y, state).argmax())]
    else:
        depth = depth_of(regressor, factor)
    return _forest(depth, state).fit(z, y), f"depth {depth}"


def _weights(model: Any) -> NDArray[np.float64]:
    return np.abs(np.asarray(getattr(model, "coef_", None) if hasattr(model, "coef_") else model.feature_importances_))


def _forest(depth: int, state: int) -> Any:
    ensemble = need("sklearn.ensemble", "metrics", "DCI")
    return ensemble.RandomForestRegressor(_TREES, max_depth=depth, n_jobs=cores(), random_state=state)


def depth_scores(z: NDArray[np.float64], y: NDArray[np.float64], state: int) -> NDArray[np.float64]:
    """R² of forests of depths 2 to 15 on what they have not seen: the mean over 3 parts of the rows, in order.

    A tree that may split by any code and ends at a depth is the upper part of one that ends deeper, so that one forest
    of depth 15 for each part tells of all. Only where splits are equally good, as of the last few rows, does chance
    choose otherwise.

    Shapes: z: (n, D), y: (n,) -> (14,).
    """
    n, scores = len(z), []
    edges = np.cumsum([0] + [n // _FOLDS + (part < n % _FOLDS) for part in range(_FOLDS)])
    for start, end in itertools.pairwise(edges):
        kept = np.r_[0:start, end:n]
        forest = _forest(_DEPTHS_TRIED[-1], state).fit(z[kept], y[kept])
        made = np.mean([_by_depth(tree.tree_, z[start:end]) for tree in forest.estimators_], axis=0)
        wanted = y[start:end]
        scores.append(1 - ((made - wanted) ** 2).sum(axis=1) / ((wanted - wanted.mean()) ** 2).sum())
    return np.asarray(np.mean(scores, axis=0))


def _by_depth(tree: Any, z: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a tree predicts, were it cut off at each depth that is tried: (depths, n)."""
    rows, values = np.asarray(z, np.float32), tree.value[:, 0, 0]
    node, found = np.zeros(len(rows), np.int64), []
    for depth in range(1, _DEPTHS_TRIED[-1] + 1):
        inner = tree.children_left[node] >= 0
        at, which = node[inner], np.flatnonzero(inner)
        left = rows[which, tree.feature[at]] <= tree.threshold[at]
        node[which] = np.where(left, tree.children_left[at], tree.children_right[at])
        if depth >= _DEPTHS_TRIED[0]:
            found.append(values[node])
    return np.stack(found)


def _scale(some: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return some.mean(axis=0, dtype=np.float64), some.std(axis=0, dtype=np.float64)


def _varying(some: NDArray[Any], what: str) -> None:
    steady = np.flatnonzero(np.ptp(some, axis=0) == 0)
    if len(steady):
        raise DataError(f"{what} {steady[0]} never varies; nothing can be fitted to it")


def _state(seed: int, factor: int) -> int:
    """What scikit-learn may draw from: of each factor its own, so that near seeds have none in common."""
    return int(np.random.SeedSequence([seed, factor]).generate_state(1)[0])
