"""A run of every algorithm, trained for two steps on drawn data, and weights without a run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from imgen.data.spec import DataSpec
from imgen.model import ModelConfig, write_model

_TRAIN = {"steps": 2, "batch": 4, "log_every": 1, "preview_every": 2, "save_every": 2, "tensorboard": False}
_SHAPES = {"name": "shapes", "identities": 6, "photos": 4, "size": 16}
_FIGURES = {"name": "drawn-attributes", "pictures": 40, "size": 16, "labels_per_value": 4}
_SPRITES = {"name": "drawn-sprites", "size": 16}
RECIPES = {
    "sddcgan": ({"name": "sddcgan", "d_identity": 4, "d_observation": 4, "dim": 4}, _SHAPES),
    "sdbegan": ({"name": "sdbegan", "d_identity": 4, "d_observation": 4, "hidden": 4}, _SHAPES),
    "discogan": (
        {"name": "discogan", "levels": 3, "width": 4, "d_width": 4, "size_aware": True},
        {"name": "drawn-domains", "pictures": 40, "n_test": 8, "size": 16},
    ),
    "sggan": ({"name": "sggan", "arch": "new", "width": 4, "blocks": 1, "levels": 1, "d_width": 4}, _FIGURES),
    "stargan": ({"name": "stargan", "width": 4, "blocks": 1, "d_width": 4}, _FIGURES),
    "infogan-cr": ({"name": "infogan-cr", "num_codes": 2, "d_noise": 2, "dim": 4, "hidden": 8}, _SPRITES),
    "factor-vae": ({"name": "factor-vae", "num_codes": 2, "dim": 4, "hidden": 8}, _SPRITES),
    "identity-embedding": ({"name": "identity-embedding", "dims": 8, "width": 4}, _SHAPES),
}
"""Algorithm and data set by the algorithm's name: all that are shipped."""


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The run of an algorithm, trained when it is first asked for. It is shared: nobody writes into it."""
    home = tmp_path_factory.mktemp("trained")
    made: dict[str, Path] = {}

    def train(name: str) -> Path:
        if name not in made:
            algorithm, dataset = RECIPES[name]
            recipe = home / f"{name}.yaml"
            recipe.write_text(yaml.safe_dump({"algorithm": algorithm, "dataset": dataset, "train": _TRAIN}))
            from imgen.cli import main

            here = Path.cwd()
            os.chdir(home)
            try:
                assert main(["train", str(recipe), "--out", f"run-{name}", "--json"]) == 0
            finally:
                os.chdir(here)
            made[name] = home / f"run-{name}"
        return made[name]

    return train


@pytest.fixture
def weights(tmp_path: Path) -> Callable[..., Path]:
    """Writes a weights file into a folder of its own, and gives the folder."""

    def write(about: str = "", *, data: DataSpec | None = None, **told: object) -> Path:
        spec = data or DataSpec(image=(3, 8, 8), about=about)
        known = {"name": "made", "settings": {}, "plugin": "mine (imgen-mine 2.0)", "origin": {"step": 4}} | told
        config = ModelConfig(data=spec, **known)  # type: ignore[arg-type]
        folder = tmp_path / "weights"
        folder.mkdir(exist_ok=True)
        tensors = {"first.weight": torch.zeros(3, 2), "first.running_mean": torch.zeros(2), "last": torch.zeros(5)}
        write_model(folder / "model.safetensors", config, tensors)
        return folder

    return write
