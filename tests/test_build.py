"""What is refused while a recipe or a weights file is built: before a run has a folder, and memory is spent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from imgen import recipe as recipes
from imgen.build import Built, build, load_model
from imgen.errors import RecipeError, WeightsError
from imgen.model import write_model
from imgen.overrides import Override
from imgen.plugins import installed


def built(tiny: Path, seed: int = 0) -> Built:
    given = [Override("train.seed", str(seed), f"--seed {seed}")]
    return build(recipes.load(str(tiny), given, installed()), installed())


def test_first_weights_follow_from_the_seed(tiny):
    first, again, other = (built(tiny, seed).algorithm.state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_a_length_in_epochs_becomes_one_in_steps(tiny):
    """24 pictures in pairs are 12 items, three batches of 4: two and a half passes are 8 batches, rounded."""
    given = [Override("train.epochs", "2.5", "--epochs 2.5")]
    made = build(recipes.load(str(tiny), given, installed()), installed())
    assert (made.recipe.train.steps, made.recipe.train.epochs) == (8, 0)
    assert built(tiny).recipe.train.steps == 4


def test_batches_must_have_the_shapes_that_the_algorithm_expects(tiny, monkeypatch):
    factory = installed().registry("algorithms").get("sddcgan").load()
    monkeypatch.setattr(factory, "expects", {"images": "B 3 C H W"})
    with pytest.raises(RecipeError, match=r"algorithm 'sddcgan' expects 'images' to be \(B, 3, C, H, W\).*\(4, 2, 3,"):
        built(tiny)
    monkeypatch.setattr(factory, "expects", {"attributes": "B A"})
    with pytest.raises(RecipeError, match="expects batches with 'attributes', but this data set gives images"):
        built(tiny)


def test_a_header_cannot_ask_for_memory_that_its_file_does_not_fill(tiny, tmp_path):
    made = built(tiny)
    huge = replace(made.config, settings={**made.config.settings, "dim": 4_000_000})
    write_model(tmp_path / "model.safetensors", huge, made.algorithm.model.state_dict())
    with pytest.raises(WeightsError, match="its tensors are not those of the model 'sddcgan'"):
        load_model(tmp_path / "model.safetensors", installed())
