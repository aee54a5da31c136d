"""Recipes and metrics made small: words of the documentation stay as they are, and what they start takes a second."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from imgen import recipe as recipes
from imgen.binding import settings_of
from imgen.evaluating import choosing
from imgen.plugins import Plugins
from imgen.yaml_lines import dump, parse

ALGORITHM = {"d_identity": 4, "d_observation": 4, "dim": 4, "dims": 4, "hidden": 4, "width": 4, "d_width": 4}
ALGORITHM |= {"blocks": 1, "size_aware": True, "cr_every": 1, "gap_every": 1}
DATASET = {"n_test": 4, "pictures": 60}
METRIC = {"pictures": 8, "pairs": 16, "rows": 200, "groups": 60, "group_size": 4, "subsets": 2, "subset_size": 4}
METRIC |= {"steps": 2, "settle": 1, "batch": 8, "classifier_steps": 2, "classifier_batch": 8, "classifier_width": 4}
METRIC |= {"identities": 2, "observations": 2, "train": 60, "test": 20}
TRAIN = {"steps": 2, "batch": 4, "log_every": 1, "preview_every": 0, "measure_every": 0, "save_every": 2, "threads": 1}


def write_recipes(source: Path, target: Path, plugins: Plugins) -> None:
    """All shipped recipes under their own names, as small as their settings allow."""
    target.mkdir()
    for path in source.glob("*.yaml"):
        content = parse(path.read_text(encoding="utf8"), str(path)).content
        for section, small in (("algorithm", ALGORITHM), ("dataset", DATASET)):
            _shrink(content[section], f"{section}s", small, plugins)
        if content["algorithm"]["name"] == "discogan":
            content["algorithm"]["levels"] = 3
        if content["dataset"].get("size", 64) > 32 and "size" in _known("datasets", content["dataset"], plugins):
            content["dataset"]["size"] = 16
        if "labels_per_value" in content["dataset"]:
            content["dataset"]["labels_per_value"] = 6
        for metric in content.get("metrics", []):
            _shrink(metric, "metrics", METRIC, plugins)
        content["train"] |= TRAIN | {"tensorboard": False}
        (target / path.name).write_text(dump(content), encoding="utf8")


def _known(kind: str, part: dict[str, Any], plugins: Plugins) -> Any:
    return settings_of(plugins.registry(kind).get(part["name"]).load())


def _shrink(part: dict[str, Any], kind: str, small: dict[str, Any], plugins: Plugins) -> None:
    part |= {name: value for name, value in small.items() if name in _known(kind, part, plugins)}


def take_small(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Registered recipes are those of this folder, and metrics that a command names are small."""
    from sklearn import ensemble

    real_find, real_part = recipes.find, choosing.part_of

    def find(reference: str, plugins: Plugins) -> Path:
        path = real_find(reference, plugins)
        small = folder / path.name
        return small if small.is_file() else path

    def part_of(kind: str, name: str, told: dict[str, Any], plugins: Plugins) -> Any:
        part = {"name": name}
        _shrink(part, kind, METRIC, plugins)
        part.pop("name")
        return real_part(kind, name, {**part, **told}, plugins)

    # A hundred rounds of a tree for each of 40 values, five times over: one round shows as much.
    patch.setattr(ensemble, "GradientBoostingClassifier", partial(ensemble.GradientBoostingClassifier, n_estimators=1))
    patch.setattr(recipes, "find", find)
    patch.setattr(choosing, "part_of", part_of)
