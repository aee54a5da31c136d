"""Can a recipe be read, and does what it names go together?

PYTEST_DONT_REWRITE: the messages say all.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from imgen import binding
from imgen.build import config_of
from imgen.data.loader import outline
from imgen.errors import RecipeError
from imgen.plugins import Plugins, installed
from imgen.recipe import Draft, Recipe
from imgen.testing.promises import Unfit
from imgen.testing.told import blamed
from imgen.train.shapes import check_batch

if TYPE_CHECKING:
    from imgen.testing.subjects import Subject


def check_recipe(recipe: Path, *, plugins: Plugins | None = None) -> None:
    """A recipe can be read, says in its first line what it is, and what it names goes together.

    Networks are built without memory for their weights, and no files are fetched: where its data set needs some that
    nobody has named, what it names is only read.
    """
    plugins = plugins or installed()
    check_read(recipe, plugins)
    try:
        check_together(recipe, plugins)
    except Unfit:
        return


def check_read(recipe: Path, plugins: Plugins) -> Recipe | None:
    """A recipe without mistakes; none where it leaves settings to whoever trains it, such as a folder of theirs."""
    with blamed(f"{recipe.name} must be a recipe"):
        first = recipe.read_text(encoding="utf8").partition("\n")[0]
        assert first.startswith("#") and first.strip("# "), (
            f"{recipe.name} must begin with a comment, `# what this is`, which `imgen recipes` lists"
        )
        try:
            return Draft.read(recipe, plugins).check()
        except RecipeError as error:
            wrong = [line for line in str(error).split("\n") if "needs the setting" not in line]
            if wrong:
                raise RecipeError("; ".join(wrong)) from None
            return None


def check_together(recipe: Path, plugins: Plugins) -> None:
    """What a recipe names goes together: batches of its data are what its algorithm takes, and its model is registered.

    Raises: `Unfit` where its data set needs files, or settings that it does not give.
    """
    checked = check_read(recipe, plugins)
    if checked is None:
        raise Unfit(
            f"recipe '{recipe.stem}' leaves settings to whoever trains it; `imgen train {recipe.stem}` names them"
        )
    entry = plugins.registry("datasets").get(checked.dataset.name)
    known = binding.settings_of(entry.load())
    files = [name for name, setting in known.items() if setting.place and checked.dataset.settings.get(name)]
    if files:
        raise Unfit(f"data set '{entry.name}' of recipe '{recipe.stem}' reads files: {', '.join(files)}")
    with blamed(f"{recipe.name}: what it names must go together"):
        dataset = binding.build(entry.load(), settings=checked.dataset.settings, resolve=plugins.build)
        factory = plugins.registry("algorithms").get(checked.algorithm.name).load()
        with torch.device("meta"):
            made = binding.build(factory, dataset.spec, settings=checked.algorithm.settings, resolve=plugins.build)
        check_batch(outline(dataset, checked.train.batch), made.expects, f"algorithm '{checked.algorithm.name}'")
        config_of(made, checked, dataset.spec, plugins)
        for metric in checked.metrics:
            binding.build(plugins.registry("metrics").get(metric.name).load(), settings=metric.settings)


def read(subject: Subject) -> None:
    """A registered recipe can be read."""
    check_read(Path(str(subject.entry.factory)), subject.plugins)


def together(subject: Subject) -> None:
    """What a registered recipe names goes together."""
    check_together(Path(str(subject.entry.factory)), subject.plugins)
