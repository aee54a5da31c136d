"""Inception score, confidence and missing modes of generated sprites."""

from __future__ import annotations

import json
from dataclasses import replace
from math import exp, log

import numpy as np
import pytest
import torch
from torch import nn

from imgen.binding import build, check
from imgen.data.factored.drawn_sprites import drawn_sprites
from imgen.data.shapes import shapes
from imgen.errors import DataError
from imgen.images import to_float
from imgen.metrics import Evaluation
from imgen.metrics.records import Record
from imgen_infogan_cr import shape_classifier, shape_scores
from imgen_infogan_cr.shape_classifier import Training, shape_classifier_of
from imgen_infogan_cr.shape_scores import shape_inception_score

CPU = torch.device("cpu")
CASES = ("confident_balanced", "confident_skewed", "mode_missing", "uncertain", "uniform", "dirichlet")
SETTINGS = {"pictures": 100, "epochs": 16, "batch": 32, "settle": 30}


class Showing(nn.Module):
    """A generator that shows what a data set has: rows chosen evenly among `rows`."""

    def __init__(self, data, rows):
        super().__init__()
        self.codes = {"which": 1}
        self.register_buffer("shown", to_float(data.columns["images"][rows]))

    def draw(self, code, n, generator=None):
        return torch.rand(n, self.codes[code], generator=generator)

    def forward(self, z):
        return self.shown[(z[:, 0] * len(self.shown)).long()]


@pytest.fixture(scope="module")
def data():
    """Squares and ellipses, in this order, 64 of each, in memory."""
    drawn = drawn_sprites(size=16, shapes=2, scales=1, positions=8)
    return replace(drawn, columns={"images": drawn.columns["images"].decode_all(1)})


def evaluation(model, data, seed=0):
    return Evaluation(model=model, dataset=data, device=CPU, seed=seed)


@pytest.mark.parametrize("case", CASES)
def test_scores_of_the_authors_code(shared_data, case):
    golden = json.loads((shared_data("metric_goldens") / "goldens.json").read_text())["inception_score"]["values"]
    with np.load(shared_data("metric_goldens") / "is_probs.npz") as file:
        found = shape_scores.shape_scores(file[case])
    wanted = golden[case]
    names = ("inception_score", "log_std", "confidence", "mode_kl")
    keys = ("IS_mean", "IS_log_std", "confidence", "mode_KL")
    for name, key in zip(names, keys, strict=True):
        assert getattr(found, name) == pytest.approx(wanted[f"DSprites_{key}"], abs=wanted["tolerance"]), name
    # The authors leave out classes that no picture shows.
    assert {str(at): n for at, n in enumerate(found.counts) if n} == wanted["DSprites_mode_detail"]


def test_all_cases_are_tested(shared_data):
    golden = json.loads((shared_data("metric_goldens") / "goldens.json").read_text())
    assert set(golden["inception_score"]["values"]) == set(CASES)


def test_scores_by_hand():
    uniform = shape_scores.shape_scores(np.full((6, 3), 1 / 3))
    assert uniform[:4] == pytest.approx((1, 0, 1 / 3, log(3)))
    assert uniform.counts == (6, 0, 0)  # of equals the first
    sure = shape_scores.shape_scores(np.eye(3)[[0, 1, 2, 0, 1, 2]])
    assert sure[:4] == pytest.approx((3, 0, 1, 0)) and sure.counts == (2, 2, 2)
    absent = shape_scores.shape_scores(np.eye(3)[[0, 2, 2, 0]])
    assert absent[:4] == pytest.approx((2, 0, 1, log(3 / 2))) and absent.counts == (2, 0, 2)
    # Of (3/4, 1/4): ln 4/3 and ln(2/3)/2 + ln(2)/2.
    first, second = log(4 / 3), (log(2 / 3) + log(2)) / 2
    mixed = shape_scores.shape_scores(np.array([[1.0, 0.0], [0.5, 0.5]]))
    assert mixed[:4] == pytest.approx((exp((first + second) / 2), (first - second) / 2, 0.75, log(2)))


def test_divergence_by_hand():
    assert shape_scores.divergence(np.array([0.5, 0.5]), np.array([0.25, 0.75])) == pytest.approx(log(4 / 3) / 2)
    assert shape_scores.divergence(np.array([1.0, 0.0]), np.array([0.5, 0.5])) == pytest.approx(log(2))
    assert np.isinf(shape_scores.divergence(np.array([0.5, 0.5]), np.array([1.0, 0.0])))


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((0, 3)), np.ones(3), np.array([[0.5, np.nan]]), np.array([[-0.5, 1.5]]), np.zeros((2, 3))],
    ids=["none", "one row", "no number", "negative", "all zero"],
)
def test_what_is_no_probability_is_refused(wrong):
    with pytest.raises(ValueError, match="scores need probabilities"):
        shape_scores.shape_scores(wrong)


def test_all_shapes_score_as_real_ones_do_and_one_shape_does_not(data):
    measure = shape_inception_score(**SETTINGS)
    every = measure(evaluation(Showing(data, np.arange(128)), data))
    squares = measure(evaluation(Showing(data, np.arange(64)), data))
    assert every.values["classifier_accuracy"] > 0.95
    assert every.values["real_inception_score"] > 1.8
    assert every.values["inception_score"] == pytest.approx(every.values["real_inception_score"], abs=0.1)
    assert every.values["mode_kl"] < 0.05
    assert squares.values["inception_score"] < 1.3
    assert squares.values["mode_kl"] > log(2) - 0.1
    assert squares.details["counts"]["shape 0"] > 95
    assert squares.values["real_inception_score"] == every.values["real_inception_score"]
    assert sum(every.details["counts"].values()) == 100


def test_what_is_told_beside_the_numbers(data):
    """As a line of a run's records."""
    model = Showing(data, np.arange(128))
    told = shape_inception_score(**SETTINGS)(evaluation(model, data))
    assert told.counts == {"pictures": 100, "real_pictures": 100, "classifier_steps": 64}
    assert told.details["classifier"] == {"epochs": 16, "steps": 64, "batch": 32, "lr": 0.01, "settle": 30, "seed": 0}
    assert "64 batches of 32" in told.protocol
    assert told.notes == []
    line = Record.of("shape-inception-score", SETTINGS, [told], [0]).to_json()
    assert line["values"]["inception_score"]["value"] == told.values["inception_score"]
    few = shape_inception_score(**SETTINGS | {"steps": 1, "pictures": 200})(evaluation(model, data))
    assert few.counts == {"pictures": 200, "real_pictures": 128, "classifier_steps": 1}
    assert few.notes[0] == "the classifier was trained for 1 batches; the authors' 5 passes are 20"
    assert "of real pictures right, so the scores say little" in few.notes[1]
    # All real pictures, so the shapes themselves are told evenly.
    assert sum(few.details["real_counts"].values()) == 128


def test_pictures_follow_from_the_seed_alone(data):
    measure, model = shape_inception_score(**SETTINGS), Showing(data, np.arange(128))
    torch.manual_seed(1)
    noise = torch.get_rng_state()
    one = measure(evaluation(model, data)).values
    assert torch.equal(noise, torch.get_rng_state())
    torch.manual_seed(2)
    assert measure(evaluation(model, data)).values == one
    other = measure(evaluation(model, data, seed=1)).values
    assert other["inception_score"] != one["inception_score"]


def test_it_is_trained_once_for_all_seeds_and_models(data, monkeypatch):
    measure = shape_inception_score(**SETTINGS)
    measure(evaluation(Showing(data, np.arange(128)), data))
    monkeypatch.setattr(shape_classifier, "train_shape_classifier", None)
    measure(evaluation(Showing(data, np.arange(9)), data, seed=5))
    shape_inception_score(**SETTINGS)(evaluation(Showing(data, np.arange(9)), data))


def test_a_file_that_was_trained_otherwise_is_told(data, tmp_path):
    path = str(tmp_path / "shapes.safetensors")
    shape_classifier_of(data, Training(epochs=16, batch=32, steps=2), path)
    told = shape_inception_score(**SETTINGS, weights=path)(evaluation(Showing(data, np.arange(128)), data))
    assert told.counts["classifier_steps"] == 2
    assert any("trained otherwise than the settings say: steps 2 (not 64)" in note for note in told.notes)


def test_pictures_that_are_no_numbers_have_no_score(data):
    model = Showing(data, np.arange(128))
    model.shown[0] = torch.nan
    told = shape_inception_score(**SETTINGS)(evaluation(model, data))
    assert np.isnan(told.values["inception_score"]) and np.isnan(told.values["mode_kl"])
    assert told.values["real_inception_score"] > 1
    assert any("generated pictures are no numbers" in note for note in told.notes)


def test_what_does_not_fit_is_refused(data):
    measure, model = shape_inception_score(**SETTINGS | {"steps": 1}), Showing(data, np.arange(9))
    with pytest.raises(DataError, match="makes no pictures from latents"):
        measure(evaluation(nn.Identity(), data))
    with pytest.raises(DataError, match="none of the factors of this data is a kind, such as a shape, but scale, pos"):
        measure(evaluation(model, drawn_sprites(size=32)))
    with pytest.raises(DataError, match="nothing is known of the factors"):
        measure(evaluation(model, shapes(identities=2, photos=2, size=16)))
    with pytest.raises(DataError, match=r"pictures of \(1, 16, 16\); those of this data are \(1, 32, 32\)"):
        measure(evaluation(model, drawn_sprites(size=32, shapes=2, positions=2)))
    with pytest.raises(DataError, match="pixels, not 24x24"):
        measure(evaluation(model, drawn_sprites(size=24, shapes=2, positions=2)))


def test_settings_are_checked():
    assert not check(shape_inception_score, {})[1]
    wrong = {
        "pictures": 1,
        "epochs": 0,
        "steps": -1,
        "batch": 1,
        "lr": 0,
        "settle": -1,
        "classifier_seed": -1,
        "weights": [],
    }
    assert {problem.key for problem in check(shape_inception_score, wrong)[1]} == set(wrong)
    assert callable(build(shape_inception_score, settings={"pictures": 10}))


def test_other_numbers_of_real_pictures_are_measured_anew(data):
    measure = [shape_inception_score(**SETTINGS | {"pictures": n}) for n in (100, 50)]
    model = Showing(data, np.arange(128))
    first, second = (each(evaluation(model, data)) for each in measure)
    assert (first.counts["real_pictures"], second.counts["real_pictures"]) == (100, 50)
