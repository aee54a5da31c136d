"""What ships has running statistics of its own weights, and looking at it changes nothing."""

from __future__ import annotations

import shutil

import torch

from imgen.build import build
from imgen.model import read_model
from imgen.overrides import Override
from imgen.recipe import load
from imgen.train import checkpoint
from imgen.train.ema import Averaged
from imgen.train.shipping import BATCHES, shipping
from imgen.train.signals import StopSignals
from imgen.train.trainer import Trainer

RECIPE = """\
algorithm: {name: discogan, levels: 3, width: 4, d_width: 4, size_aware: true, update_interval: 2, lr: 0.01}
dataset: {name: drawn-domains, pictures: 64, n_test: 8, size: 16}
train: {steps: 12, batch: 16, ema_half_life: %s, preview_every: 5, tensorboard: false, workers: 1}
"""


def trained(here, plugins, half_life=0, **train):
    (here / "pair.yaml").write_text(RECIPE % half_life)
    recipe = load("pair.yaml", [Override(f"train.{key}", str(value), "") for key, value in train.items()], plugins)
    built = build(recipe, plugins)
    name = "-".join(map(str, [half_life, *train.values()]))
    trainer = Trainer(built.algorithm, built.dataset, recipe.train, here / f"run{name}", config=built.config)
    trainer.fit(StopSignals())
    return trainer


def test_statistics_are_those_of_the_weights_that_ship(here, plugins):
    """The mean that the first norm keeps is that of its inputs over the batches it was shown."""
    for half_life in (0, 500):
        trainer = trained(here, plugins, half_life)
        _, shipped = read_model(trainer.run / "model.safetensors")
        assert shipped["ab.layers.3.num_batches_tracked"] == BATCHES
        weights = trainer.averaged.state_dict()
        model = trainer.algorithm.model
        model.load_state_dict(weights)
        means = []
        for step in range(BATCHES):
            x = (trainer.batches.of(step)["a"] + 1) / 2
            for layer in model.ab.layers[:3]:
                x = layer(x)
            means.append(x.mean((0, 2, 3)))
        assert torch.allclose(shipped["ab.layers.3.running_mean"], torch.stack(means).mean(0), atol=1e-6)
        assert all(
            torch.equal(shipped[name], weights[name])
            for name in weights
            if "running" not in name and "tracked" not in name
        )


def test_translations_one_by_one_are_those_of_a_batch_of_real_pictures(here, plugins):
    """Nearer than with the statistics that were kept while the weights moved."""
    trainer = trained(here, plugins)
    algorithm = trainer.algorithm
    images = trainer.dataset.columns["a"].float() / 255
    with torch.no_grad():
        wanted = algorithm.model.train().ab(images, follow=False)
        kept = algorithm.model.eval().ab(images)
        with shipping(algorithm, trainer.averaged, trainer.batches.of) as model:
            measured = model.ab(images)
    assert (measured - wanted).abs().mean() < 0.5 * (kept - wanted).abs().mean()


def test_a_checkpoint_holds_what_would_ship(here, plugins):
    """So that its measurements come out again; and to go on from it ends with the weights of a run in one go."""
    for half_life in (0, 500):
        whole = trained(here, plugins, half_life, save_every=6)
        _, shipped = read_model(whole.run / "model.safetensors")
        _, saved = read_model(checkpoint.folder(whole.run, 12) / checkpoint.WEIGHTS)
        assert all(torch.equal(saved[name], shipped[name]) for name in shipped)
        # To go on from step 6, as after a kill.
        shutil.rmtree(checkpoint.folder(whole.run, 12))
        (whole.run / "model.safetensors").unlink()
        again = trained(here, plugins, half_life, save_every=6)
        _, resumed = read_model(again.run / "model.safetensors")
        assert all(torch.equal(resumed[name], shipped[name]) for name in shipped)


def test_looking_changes_nothing(here, plugins):
    for half_life in (0, 500):
        often, never = (
            trained(here, plugins, half_life, preview_every=1),
            trained(here, plugins, half_life, preview_every=0),
        )
        one, other = (each.algorithm.state_dict() for each in (often, never))
        assert all(torch.equal(one[name], other[name]) for name in one)
        one, other = (each.averaged.state_dict() for each in (often, never))
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_model_that_needs_no_care_is_as_it_was_averaged(trainer):
    made = trainer()
    before = {name: tensor.clone() for name, tensor in made.algorithm.state_dict().items()}
    with shipping(made.algorithm, Averaged(made.algorithm.model, 0), lambda step: 1 / 0) as model:
        assert not model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in made.algorithm.state_dict().items())
