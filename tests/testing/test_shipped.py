"""All that ships keeps its contract."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imgen.data.drawn_attributes import drawn_attributes
from imgen.data.drawn_domains import drawn_domains
from imgen.data.factored.drawn_sprites import drawn_sprites
from imgen.data.identities import identities
from imgen.data.pack import pack
from imgen.data.shapes import shapes
from imgen.plugins import KINDS, installed
from imgen.testing import check_algorithm, check_dataset, check_loss, check_model, check_settings
from imgen.testing.recipes import check_read

SMALL = {"d_identity": 3, "d_observation": 3}
TINY = {"width": 4, "d_width": 4, "levels": 3, "size_aware": True}
EDITS = {"width": 4, "d_width": 4, "blocks": 1}
CODES = {"num_codes": 3, "dim": 4, "hidden": 4}
PAIRS = {**CODES, "d_noise": 2, "cr_every": 2}
SETTINGS: Mapping[str, list[Mapping[str, Any]]] = {
    "sdbegan": [{**SMALL, "hidden": 4}],
    "discogan": [
        {**TINY},
        {**TINY, "variant": "recongan", "norm": "instance", "upsample": "resize", "init": "normal02", "flip": True},
        {**TINY, "variant": "gan", "default_rate": None, "matched": "deep", "init": "default", "levels": 4},
        {
            **TINY,
            "d_norm": "spectral",
            "w_r1": 1.0,
            "loss": "hinge",
            "update_interval": 0,
            "w_identity": 0.1,
            "distance": "l1",
            "augment": True,
            "decay_over": 3,
            "norm": "none",
        },
    ],
    "sggan": [
        {**EDITS, "n_critic": 2},
        {
            **EDITS,
            "arch": "new",
            "d_norm": "spectral",
            "loss": "hinge",
            "scaling": "attribute",
            "idempotent": True,
            "penalised": "one",
            "edit_first": True,
        },
        {
            **EDITS,
            "mask": True,
            "init": "he",
            "conditional": True,
            "loss": "logistic",
            "scaling": "mean",
            "edited": "share",
            "sources": "one",
            "w_gp": 0.0,
            "w_r1": 1.0,
            "w_tie": 1.0,
            "w_keep": 1.0,
            "w_agree": 1.0,
            "w_pseudo": 1.0,
            "threshold": 0.0,
            "ramp": 2,
            "n_critic": 1,
            "d_lr": 1e-3,
            "augment": True,
            "flip": False,
        },
        {**EDITS, "w_gp": 0.0, "n_critic": 1, "decay_over": 0, "narrow": []},
    ],
    "infogan-cr": [
        {**PAIRS, "gap_start": 1.9, "gap_decrease": 1.9, "gap_every": 3, "gap_times": 1},
        {**PAIRS, "arch": "teapots", "watch": True, "loss": "clipped-logistic", "g_moves": 1},
        {**PAIRS, "arch": "faces", "cr_start": 1.0, "cr_times": 0},
        {**CODES, "d_noise": 0, "cr_start": 0.5, "cr_every": 1, "cr_times": 3},
    ],
    "factor-vae": [CODES],
    "identity-embedding": [
        {"dims": 5, "width": 4},
        {"dims": 5, "width": 4, "crop": 1.0, "light": 0.0, "flip": False, "decay_over": 3},
    ],
    "stargan": [
        {**EDITS, "n_critic": 2},
        {**EDITS, "n_critic": 1, "reconstruct": "guessed", "w_gp": 0.0, "w_r1": 1.0, "loss": "hinge", "flip": False},
    ],
    "sddcgan": [{**SMALL, "dim": 4, "objective": name} for name in ("dcgan", "lsgan", "wgan", "wgan-gp")]
    + [{**SMALL, "dim": 4, "critic_steps": 2, "w_r1": 1.0, "siamese": False}],
}
"""Small settings for every registered algorithm; a new one joins with an entry here."""
TRANSLATORS = {"discogan"}
"""Algorithms and models for two domains; the others are given pairs."""
EDITORS = {"sggan", "stargan", "attribute-classifier", "shape-classifier"}
"""Algorithms and models for pictures with attributes."""
FINDERS = {"infogan-cr", "infogan", "factor-vae"}
"""Algorithms and models for single pictures."""


def registered(kind: str) -> list[str]:
    return [entry.name for entry in installed().registry(kind)]


@pytest.fixture(scope="module")
def pairs():
    return shapes(identities=6, photos=3, size=16)


@pytest.fixture(scope="module")
def two_domains():
    return drawn_domains(pictures=8, n_test=4, size=16)


@pytest.fixture(scope="module")
def attributes():
    return drawn_attributes(pictures=48, n_test=4, size=16, labels_per_value=3)


@pytest.fixture(scope="module")
def singles():
    return drawn_sprites(size=16, positions=4)


@pytest.fixture
def fitting(pairs, two_domains, attributes, singles):
    """Data of the kind that an algorithm or a model is for."""
    kinds = [(TRANSLATORS, two_domains), (EDITORS, attributes), (FINDERS, singles)]
    return lambda name: next((data for names, data in kinds if name in names), pairs)


@pytest.mark.parametrize(
    ("name", "settings"), [(name, each) for name in registered("algorithms") for each in SETTINGS.get(name, [{}])]
)
def test_every_algorithm_keeps_its_contract(fitting, name, settings):
    check_algorithm(name, fitting(name), settings=settings, steps=4)


@pytest.mark.parametrize("name", registered("models"))
def test_every_model_keeps_its_contract(fitting, name):
    widths = {"sdbegan": "hidden", **dict.fromkeys(("sddcgan", "infogan", "factor-vae", "shape-classifier"), "dim")}
    spec = fitting(name).spec
    check_model(installed().registry("models").get(name).load()(spec, **{widths.get(name, "width"): 4}), spec)


@pytest.mark.parametrize("name", registered("losses"))
def test_every_loss_keeps_its_contract(name):
    check_loss(installed().build("losses", name))


@pytest.mark.parametrize("name", registered("recipes"))
def test_every_recipe_can_be_read(name):
    check_read(Path(str(installed().registry("recipes").get(name).factory)), installed())


@pytest.fixture
def folder(tmp_path):
    """Pictures in the convention of SD-GAN: three people, three photos of each."""
    (tmp_path / "train").mkdir()
    for person in range(3):
        for photo in range(3):
            pixels = np.random.default_rng([person, photo]).integers(0, 256, (20, 20, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "train" / f"{person}_{photo}_x.png")
    return tmp_path


CHECKED_BESIDE = {
    "teapots",
    "pose-pairs",
    "attributes",
    "utkface-attributes",
    "folder-attributes",
    *(f"{kind}-domains" for kind in ("attribute", "folder", "aligned", "utkface", "edge")),
}
"""Data sets that need files of a kind of their own: the tests of each have its contract check."""


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("packed", [False, True])
def test_every_data_set_keeps_its_contract(folder, packed, k):
    root = str(folder)
    if packed:
        root = str(folder / "pictures.safetensors")
        pack(identities(root=str(folder), size=16, k=1), folder / "pictures.safetensors")

    def make(name):
        return installed().registry("datasets").get(name).load()

    made = {
        "identities": lambda: identities(root=root, size=16, k=k),
        "images": lambda: make("images")(root=root, size=16),
        "shapes": lambda: shapes(identities=4, photos=3, size=16, k=k),
        "solids": lambda: make("solids")(individuals=1, n_test=1, views=4, size=16),
        "toy-modes": lambda: make("toy-modes")(points=20, n_test=10, size=32),
        "drawn-attributes": lambda: make("drawn-attributes")(pictures=48, n_test=3, size=16, labels_per_value=2),
        "drawn-sprites": lambda: drawn_sprites(size=16, scales=2, positions=4),
        "dsprites": lambda: make("dsprites")(),
        "cdsprites": lambda: make("cdsprites")(),
        "drawn-domains": lambda: drawn_domains(pictures=4, n_test=3, size=16),
    }
    assert set(made) | CHECKED_BESIDE == set(registered("datasets")), "a new data set joins here or in its own tests"
    for build in made.values():
        check_dataset(build())


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in KINDS if kind != "recipes" for name in registered(kind)]
)
def test_every_setting_is_explained(kind, name):
    check_settings(installed().registry(kind).get(name).load())
