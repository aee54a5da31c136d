"""The contracts of losses, metrics and recipes, and of what moves or is read by threads, fail for what breaks them."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from imgen import AdversarialLoss, DataSpec
from imgen.errors import DataError
from imgen.metrics import Measured
from imgen.plugins import installed
from imgen.registry import Entry
from imgen.testing import check_dataset, check_loss, check_metric, check_model, check_recipe, datasets, models, subjects
from tests.testing.conftest import Grey, Pictures


def hinge(**other):
    sides = {"d": lambda real, fake: (fake - real).mean(), "g": lambda fake: -fake.mean()}
    return AdversarialLoss(**{**sides, **other})


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        (lambda fake: fake, "of scores (4,) gives (4,)"),
        (lambda fake: 1.0, "gives float"),
        (lambda fake: fake.exp().exp().mean(), "is inf where scores are near 50"),
        (lambda fake: (1 - fake.sigmoid()).log().mean(), "use softplus rather than log"),
        (lambda fake: fake.detach().mean(), "is cut off from its scores"),
        (lambda fake: fake.relu_().mean(), "in-place operation"),
        (lambda fake: fake.data.mul_(2).mean() + fake.mean(), "changes its scores in place"),
        (lambda fake: fake.round().mean(), "has no gradient at scores of 0.5"),
        (lambda fake: fake.mean() * (2 if fake.mean() > 0 else 1), "hold no values"),
        (lambda fake: (fake @ torch.ones(4, requires_grad=True)).mean(), "of scores (5, 1)"),
    ],
)
def test_a_broken_loss_fails(loss, told):
    check_loss(hinge())
    with pytest.raises(AssertionError) as failed:
        check_loss(hinge(g=loss))
    assert told in str(failed.value)


def test_a_loss_is_a_pair_that_hangs_on_both():
    with pytest.raises(AssertionError, match="the loss has no 'd'"):
        check_loss(SimpleNamespace(g=lambda fake: fake.mean()))
    with pytest.raises(AssertionError, match="does not hang on 'real'"):
        check_loss(hinge(d=lambda real, fake: fake.mean()))


def spread(evaluation):
    """A sound metric: how far what is drawn lies apart."""
    if not hasattr(evaluation.model, "draw"):
        raise DataError("it measures a Generator")
    z = evaluation.model.draw("latent", 8, torch.Generator().manual_seed(evaluation.seed))
    return {"spread": float(evaluation.model(z).std().detach())}


def learns(evaluation):
    evaluation.model.layer.weight.data.add_(1)
    return {"spread": 1.0}


@pytest.mark.parametrize(
    ("metric", "told"),
    [
        (lambda evaluation: {}, "at least one number"),
        (lambda evaluation: {"spread": torch.ones(())}, "'spread' is a Tensor"),
        (lambda evaluation: {"spread": float("inf")}, "is infinite"),
        (lambda evaluation: {"spread": float("nan")}, "no note says why"),
        (lambda evaluation: {"spread": random.random()}, "'spread' is another for the same seed"),
        (lambda evaluation: {"spread": np.random.rand()}, "'spread' is another for the same seed"),
        (lambda evaluation: Measured(values={"spread": 1.0}, details={"all": {1}}), "that JSON can hold"),
        (lambda evaluation: {"spread": float(len(evaluation.model.codes))}, "refused by a DataError"),
        (learns, "measuring changes layer.weight"),
    ],
)
def test_a_broken_metric_fails(metric, told):
    model = Pictures(Grey().spec)
    check_metric(spread, model, Grey())
    check_metric(lambda evaluation: Measured(values={"it": float("nan")}, notes=["undefined"]), model, Grey())
    with pytest.raises(AssertionError) as failed:
        check_metric(metric, model, Grey())
    assert told in str(failed.value)


RECIPE = """\
# What this is
algorithm: {name: identity-embedding, width: 4}
dataset: {name: shapes, identities: 4, photos: 3, size: 16, k: 2}
train: {steps: 4, batch: 4}
"""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("# What this is", "#", "must begin with a comment"),
        ("identity-embedding", "identity-imbedding", "did you mean 'identity-embedding'"),
        ("width: 4", "widht: 4", "did you mean 'width'"),
        ("k: 2", "k: 1", "take a data set with identities and k 2"),
        ("photos: 3", "photos: 1", "must go together"),
    ],
)
def test_a_broken_recipe_fails(tmp_path, old, new, told):
    path = tmp_path / "mine.yaml"
    path.write_text(RECIPE)
    check_recipe(path)
    path.write_text(RECIPE.replace(old, new))
    with pytest.raises(AssertionError) as failed:
        check_recipe(path)
    assert told in str(failed.value)


def test_a_recipe_of_files_that_are_elsewhere_is_read(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(RECIPE.replace("name: shapes, identities: 4, photos: 3", "name: identities"))
    check_recipe(path)
    path.write_text(path.read_text().replace("k: 2", "kk: 2"))
    with pytest.raises(AssertionError, match="has no setting 'kk'"):
        check_recipe(path)


class LeavesItsGrid(Pictures):
    """It has a tensor that does not move."""

    def __init__(self, data):
        super().__init__(data)
        self.grid = torch.ones(4)


class DrawsOnTheHost(Pictures):
    def draw(self, code, n, generator=None):
        return torch.randn(n, 2, generator=generator)


class MakesOnTheHost(Pictures):
    def forward(self, z):
        return super().forward(z) + torch.ones(1, 1, 2, 2)


class GreyTo255(Pictures):
    def forward(self, z):
        return 127.5 * (1 + super().forward(z))


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (LeavesItsGrid, "grid is a plain tensor, which neither moves nor is saved with it; use self.register_buffer"),
        (DrawsOnTheHost, "draw('latent', 3) gives a tensor on 'cpu'"),
        (MakesOnTheHost, "forward(z) does not work where the model has moved"),
        (GreyTo255, "not from 0 to 255"),
    ],
)
def test_a_model_that_does_not_move_fails(model, told):
    with pytest.raises(AssertionError) as failed:
        check_model(model(Grey().spec), Grey().spec)
    assert told in str(failed.value)


class Remembers:
    """A column that keeps what it was asked for between calls."""

    shape, dtype = (20, 1, 2, 2), torch.uint8

    def fetch(self, rows):
        self.rows = rows
        for _ in range(2000):
            pass
        torch.rand(20_000).sort()
        return Grey().columns["images"][torch.from_numpy(self.rows)]


def test_a_column_that_threads_confuse_fails():
    with pytest.raises(AssertionError, match="when several threads fetch at once"):
        check_dataset(Grey(columns={"images": Remembers()}))


def test_what_is_held_out_is_checked_as_what_is_learnt_from():
    held_out = Grey()
    held_out.test = {"images": torch.zeros(4, 1, 2, 3, dtype=torch.uint8)}
    with pytest.raises(AssertionError, match=r"spec\.image is"):
        check_dataset(held_out)


def drawn_anew():
    """Pictures that nobody can draw again."""
    return Grey(columns={"images": torch.randint(0, 256, (20, 1, 2, 2)).byte()})


def of(kind, factory, plugins=None):
    plugins = plugins or installed()
    return subjects.Subject(Entry(kind, "it", "imgen", factory), {}, plugins, {})


def test_a_data_set_that_is_drawn_anew_each_time_fails():
    datasets.again(of("datasets", Grey))
    with pytest.raises(AssertionError, match="column 'images' has other rows"):
        datasets.again(of("datasets", drawn_anew))


class DrawsItsShade(nn.Module):
    """It draws something that no weights file remembers."""

    codes: ClassVar = {"latent": 2}

    def __init__(self, data: DataSpec) -> None:
        super().__init__()
        self.layer, self.image, self.shade = nn.Linear(2, 1), data.image, random.random()

    def draw(self, code, n, generator=None):
        return torch.randn(n, 2, generator=generator)

    def forward(self, z):
        return (self.layer(z) * self.shade).tanh()[:, :, None, None].expand(-1, *self.image)


def test_a_model_that_its_weights_file_does_not_give_back_fails(plugins, monkeypatch):
    for name, model in (("sound", Pictures), ("forgetful", DrawsItsShade)):
        plugins.registry("models").add(Entry("models", name, "imgen", model))
        made = subjects.Subject(plugins.registry("models").get(name), {}, plugins, {})
        monkeypatch.setattr(made, "model", lambda model=model: (model(Grey().spec), Grey().spec), raising=False)
        if model is Pictures:
            models.saved(made)
            continue
        with pytest.raises(AssertionError, match="of its own weights file makes other pictures"):
            models.saved(made)
