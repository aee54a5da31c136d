"""SAP, explicitness and DCI of the protocol `disentanglement-lib`: what they tell of codes that are known."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from imgen.data.spec import Factor
from imgen.errors import DataError
from imgen.metrics import Evaluation
from imgen.metrics.disentanglement.array_codes import ArrayCodes
from imgen.metrics.disentanglement.arrays import read
from imgen.metrics.disentanglement.fitted_scores import (
    dci_disentanglement_lib,
    explicitness_disentanglement_lib,
    sap_disentanglement_lib,
)
from imgen.metrics.disentanglement.representation import Rows

FACTORS = (Factor("kind", 3, ordered=False), Factor("scale", 4), Factor("place", 5))
Make = Callable[[np.ndarray, np.random.Generator], np.ndarray]

FEW = (Factor("kind", 3, ordered=False), Factor("side", 2))
"""For boosted trees, which take as long as factors have values."""


def spun(u: np.ndarray) -> np.ndarray:
    return u @ np.linalg.qr(np.random.default_rng(9).normal(size=(u.shape[1], u.shape[1])))[0]


CODES: dict[str, Make] = {
    "perfect": lambda u, rng: u,
    "mirrored": lambda u, rng: -u[:, ::-1],
    "permuted": lambda u, rng: u[:, ::-1] * np.array([2, -0.5, 3])[: u.shape[1]] + np.array([1, 0, -2])[: u.shape[1]],
    "rotated": lambda u, rng: spun(u + 0.3 * rng.normal(size=u.shape)),
    "noisy": lambda u, rng: u + 0.3 * rng.normal(size=u.shape),
    "dead": lambda u, rng: np.c_[u, 1e-4 * rng.normal(size=len(u))],
    "constant": lambda u, rng: np.c_[u, np.zeros(len(u))],
    "noise": lambda u, rng: rng.normal(size=u.shape),
    "twice": lambda u, rng: np.c_[u, u],
    "one": lambda u, rng: u[:, :1],
}


def evaluation(name: str, train: int = 400, test: int = 200, seed: int = 0, factors=FACTORS) -> Evaluation:
    """Of codes by name."""
    rng, parts = np.random.default_rng(1), []
    for n in (train, test):
        places = np.stack([rng.integers(0, factor.size, n) for factor in factors], axis=1)
        u = 2 * places / (np.array([factor.size for factor in factors]) - 1) - 1
        parts.append(Rows(CODES[name](u, rng).astype(np.float32), places.astype(float), places))
    return evaluated(ArrayCodes(factors, parts[0], parts[1]), seed)


def evaluated(codes: ArrayCodes, seed: int = 0) -> Evaluation:
    return Evaluation(model=codes, dataset=SimpleNamespace(), device=torch.device("cpu"), seed=seed)


def sap(name: str, **settings: object) -> float:
    return sap_disentanglement_lib(train=400, test=200, **settings)(evaluation(name)).values["sap"]


def expl(name: str) -> list[float]:
    return list(explicitness_disentanglement_lib(train=400, test=200)(evaluation(name)).values.values())


def test_sap_of_codes_that_are_known():
    perfect = sap("perfect")
    assert perfect > 0.3
    assert sap("mirrored") == pytest.approx(perfect, abs=0.01)
    assert sap("rotated") < perfect / 2
    assert abs(sap("noise")) < 0.05
    assert sap("twice") == 0
    assert sap("constant") > 0.3, "a code that never varies is guarded"


def test_sap_by_correlation():
    assert sap("perfect", continuous=True) > 0.97
    assert sap("permuted", continuous=True) == pytest.approx(sap("perfect", continuous=True), abs=1e-5)
    assert sap("constant", continuous=True) == pytest.approx(sap("perfect", continuous=True))
    assert sap("rotated", continuous=True) < 0.6
    assert sap("twice", continuous=True) == pytest.approx(0, abs=1e-9)


def test_explicitness_of_codes_that_are_known():
    perfect = expl("perfect")
    assert min(perfect) > 0.99
    # Neither order nor scale nor turn matters to planes over standardised codes, but for the penalty.
    assert expl("permuted") == pytest.approx(perfect, abs=1e-6)
    assert expl("rotated") == pytest.approx(expl("noisy"), abs=1e-3)
    assert expl("constant") == pytest.approx(perfect, abs=1e-9)
    assert expl("noise")[1] == pytest.approx(0.5, abs=0.06)


def test_dci_of_codes_that_are_known():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    measure = dci_disentanglement_lib(train=60, test=40)
    names = ("permuted", "rotated", "constant", "noise", "twice")
    told = {name: measure(evaluation(name, 60, 40, factors=FEW)).values for name in names}
    for name in ("permuted", "constant"):
        assert list(told[name].values()) == pytest.approx([1, 1, 1, 1], abs=1e-6)
    assert told["twice"]["disentanglement"] == pytest.approx(1, abs=1e-6)
    assert told["twice"]["completeness"] < 0.95
    assert told["rotated"]["disentanglement"] < 0.5
    assert told["noise"]["disentanglement"] < 0.2
    assert told["rotated"]["informativeness_train"] > told["rotated"]["informativeness_test"]


def test_same_seed_same_numbers_and_all_is_told():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    measure = dci_disentanglement_lib(train=60, test=30)
    first, again = (measure(evaluation("noise", 60, 30, seed=3, factors=FEW)) for _ in range(2))
    assert first == again
    assert first.counts == {"train": 60, "test": 30}
    assert np.shape(first.details["table"]) == (2, 2)
    assert first.details["factors"] == ["kind", "side"]
    assert "disentanglement-lib" in first.protocol
    json.dumps(dataclasses.asdict(first), allow_nan=False)


def test_rows_are_drawn_once_for_all():
    shared = evaluation("perfect")
    sap_disentanglement_lib(train=400, test=200)(shared)
    drawn = dict(shared.shared)
    explicitness_disentanglement_lib(train=400, test=200)(shared)
    assert shared.shared == drawn


@pytest.mark.parametrize("factory", [sap_disentanglement_lib, dci_disentanglement_lib])
def test_one_code_is_refused(factory):
    with pytest.raises(DataError, match="compares codes with each other; this model has one alone"):
        factory(train=400, test=200)(evaluation("one"))


def test_one_factor_is_refused():
    codes = evaluation("perfect").model
    rows = [Rows(each.codes, each.values[:, :1], each.places[:, :1]) for each in (codes.all_rows, codes.held_out_rows)]
    with pytest.raises(DataError, match="this data has 'kind' alone"):
        dci_disentanglement_lib(train=400, test=200)(evaluated(ArrayCodes(FACTORS[:1], *rows)))


@pytest.mark.parametrize(
    "factory", [sap_disentanglement_lib, explicitness_disentanglement_lib, dci_disentanglement_lib]
)
def test_too_few_rows_are_refused(factory):
    with pytest.raises(DataError, match=r"\A[^\n]*1,000[^\n]*400[^\n]*\Z"):
        factory(train=1000, test=200)(evaluation("perfect"))
    with pytest.raises(DataError, match="all 1 show the same value of the factor 'kind'"):
        factory(train=1, test=20)(evaluation("perfect"))


def test_values_that_are_not_held_out_are_refused():
    with pytest.raises(
        DataError, match=r"among the 2 held-out rows, and \d of 'kind' are not; set test higher, or leave out"
    ):
        explicitness_disentanglement_lib(train=400, test=2)(evaluation("perfect"))


def test_codes_that_are_no_numbers_are_refused():
    codes = evaluation("perfect").model
    codes.all_rows.codes[3, 1] = np.nan
    with pytest.raises(DataError, match=r"\A[^\n]*code[^\n]*\Z"):
        sap_disentanglement_lib(train=400, test=200)(evaluated(codes))


def test_the_package_that_is_missing_is_named(monkeypatch):
    for name in ("sklearn", "sklearn.ensemble"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(DataError, match=r"DCI needs the package 'sklearn': pip install 'imgen\[metrics\]'"):
        dci_disentanglement_lib(train=400, test=200)(evaluation("perfect"))
    assert sap("perfect") > 0.3, "which the others do without"
    assert expl("perfect")[0] > 0.9


@pytest.mark.parametrize("name", ["perfect", "permscale", "noisy", "extranoise", "dead", "dup", "constdim"])
def test_numbers_of_the_original(shared_data, name):
    """Those of disentanglement_lib with scikit-learn 0.20, of the same codes; the tolerances are told with them.

    Boosted trees take half a minute for each, and are not run here.
    """
    folder = shared_data("metric_goldens")
    wanted = json.loads((folder / "goldens.json").read_text())["metrics"][name]
    codes = evaluated(read(folder / f"rep_{name}.npz", folder / "factors.npz"))
    size = {"train": 4000, "test": 2000}
    for continuous, key in ((False, "dlib_SAP_all_discrete"), (True, "dlib_SAP_all_continuous")):
        told = sap_disentanglement_lib(**size, continuous=continuous)(codes).values["sap"]
        assert told == pytest.approx(wanted["sap"][key], abs=wanted["sap"]["tolerance"])
    told = explicitness_disentanglement_lib(**size)(codes).values
    if name != "constdim":  # of which there is none
        for part, value in told.items():
            golden = wanted["explicitness"][part.replace("explicitness", "dlib_explicitness_score")]
            assert value == pytest.approx(golden, abs=wanted["explicitness"]["tolerance"])
