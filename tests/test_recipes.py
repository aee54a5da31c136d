"""Every shipped recipe: it checks, it builds, it says how to start it, and it learns as it did before.

Golden curves: `pytest tests/test_recipes.py -n 0 -k curve --regolden` writes them anew;
commit them with the reason.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import imgen
from imgen.binding import settings_of
from imgen.overrides import Override
from imgen.recipe import load
from imgen.train.estimate import estimate

ROOT = Path(__file__).parents[1]
RECIPES = sorted((ROOT / "recipes").rglob("*.yaml"))
GOLDEN = Path(__file__).parent / "golden"

# What makes a game small; a setting that an algorithm does not have is left out.
SMALL = {"d_identity": 4, "d_observation": 3, "dim": 4, "hidden": 4, "width": 4, "d_width": 4}
# Settings without which a translator is for 64x64 pictures and more.
SMALL |= {"size_aware": True}
LEVELS = {"discogan": 3}
# A step in which every player moves is a step that shows something.
SMALL |= {"blocks": 1, "n_critic": 2}
# Weight and gap of a contrastive regulariser change within the twenty steps.
SMALL |= {"cr_every": 8, "gap_every": 14}
SMALL |= {"dims": 4}
TRAIN = {"steps": 20, "batch": 4, "seed": 0, "log_every": 1, "preview_every": 0, "save_every": 1000}


def drawn(dataset: dict[str, object], size: int) -> dict[str, object]:
    """Drawn data of the kind that a recipe asks for."""
    if dataset["name"] == "toy-modes":
        return {"name": "toy-modes", "points": 100, "n_test": 20, "size": 64}
    if dataset["name"] == "solids" and size >= 64:
        return {**dataset, "individuals": 2, "n_test": 1}
    if dataset["name"].endswith("attributes"):
        kept = {name: dataset[name] for name in ("sampler", "labelled_fraction") if name in dataset}
        return {"name": "drawn-attributes", "pictures": 96, "n_test": 4, "size": size, "labels_per_value": 6, **kept}
    if dataset["name"].endswith("-domains") or dataset["name"] == "solids":
        return {"name": "drawn-domains", "pictures": 16, "n_test": 4, "size": size}
    return {"name": "shapes", "identities": 8, "photos": 4, "size": size, "k": dataset.get("k", 1)}


def finds_factors(path: Path) -> bool:
    return path.stem.startswith(("infogan", "factor_vae"))


def embeds(path: Path) -> bool:
    return path.stem.startswith("embedding")


def is_translator(path: Path) -> bool:
    return path.stem.startswith(("discogan", "sggan", "stargan"))


def named(path: Path) -> str:
    return path.stem


def is_set(overrides: dict[str, object]) -> list[Override]:
    return [Override(key, str(value).lower(), f"-s {key}={value}") for key, value in overrides.items()]


@pytest.fixture
def small(here, plugins):
    """A shipped recipe's game, made small and put on drawn pictures."""

    def make(path: Path, **train):
        from imgen.yaml_lines import dump, parse

        content = parse(path.read_text(encoding="utf8"), str(path)).content
        factory = plugins.registry("algorithms").get(content["algorithm"]["name"]).load()
        small = {**SMALL, **({"levels": LEVELS[name]} if (name := content["algorithm"]["name"]) in LEVELS else {})}
        content["algorithm"] |= {name: size for name, size in small.items() if name in settings_of(factory)}
        content["dataset"] = drawn(content["dataset"], 16)
        content["train"] |= TRAIN | {"tensorboard": False, "threads": 1, **train}
        content.pop("metrics", None)
        (here / path.name).write_text(dump(content))
        return load(path.name, [], plugins)

    return make


def test_all_of_them_are_here():
    assert sorted((ROOT / "recipes").glob("*.yaml")) == RECIPES, "recipes lie in one folder"
    papers = {"quickstart", "sddcgan", "sdbegan", "discogan", "sggan", "stargan", "infogan_cr", "factor_vae"}
    assert {path.stem for path in RECIPES} >= papers
    assert not list((ROOT / "recipes").rglob("*.yml"))
    shipped = {path.name for path in (Path(imgen.__file__).parent / "recipes").glob("*.yaml")}
    assert shipped == {path.name for path in RECIPES}


@pytest.mark.parametrize("path", RECIPES, ids=named)
def test_a_recipe_checks_against_the_code(path, plugins):
    """With its data named where it leaves that to the user."""
    text = path.read_text(encoding="utf8")
    missing = {"dataset.root": "somewhere"} if "--root" in text and "name: solids" not in text else {}
    missing |= {"dataset.style_A": "blond"} if "--style_A" in text else {}
    recipe = load(str(path), is_set(missing), plugins)
    assert plugins.registry("recipes").get(path.stem).factory.samefile(path)
    assert recipe.title == path.stem


@pytest.mark.parametrize("path", RECIPES, ids=named)
def test_a_recipe_says_what_it_is_and_how_to_start_it(path, cli):
    lines = path.read_text(encoding="utf8").splitlines()
    assert re.match(r"# \S.{20,110}$", lines[0])
    commands = [line for line in lines if re.match(r"#\s+imgen train ", line)]
    assert commands and all(f"recipes/{path.name}" in line for line in commands)
    assert lines[0].removeprefix("# ") in cli("recipes").out


@pytest.mark.parametrize("path", RECIPES, ids=named)
def test_a_recipe_states_no_default_of_the_code_wrongly(path, plugins):
    """Its own help lists every setting that it gives."""
    from imgen.recipe import Draft

    draft = Draft.read(path, plugins)
    known = draft.settings()
    for section in ("algorithm", "dataset", "train"):
        assert set(draft.content.get(section, {})) - {"name"} <= set(known[section])


@pytest.mark.parametrize("path", RECIPES, ids=named)
def test_a_recipe_builds_at_its_full_size(path, plugins, here):
    """On drawn pictures of its own size and tuples: parameters, checkpoint and memory can be told."""
    from imgen.build import build
    from imgen.yaml_lines import dump, parse

    content = parse(path.read_text(encoding="utf8"), str(path)).content
    content["dataset"] = drawn(content["dataset"], content["dataset"].get("size", 64))
    (here / path.name).write_text(dump(content))
    recipe = load(path.name, [], plugins)
    built = build(recipe, plugins)
    told = estimate(built.algorithm, built.dataset, recipe.train)
    assert told.activations and told.checkpoint > 0 and sum(told.parameters.values()) > 100_000


@pytest.mark.parametrize("path", RECIPES, ids=named)
def test_the_curve_of_a_recipe_is_as_it_was(path, small, cli, here, request):
    """Twenty steps on the CPU at a tiny size: every loss and value of every step."""
    small(path)
    said = cli("train", path.name, "--out", "run", "--device", "cpu")
    assert said.status == 0, said.err
    lines = [json.loads(line) for line in (here / "run/events.jsonl").read_text().splitlines()]
    curve = [line["values"] for line in lines if line["event"] == "logged"]
    assert len(curve) == 20
    golden = GOLDEN / f"{path.stem}.json"
    if request.config.getoption("--regolden"):
        rows = ",\n".join(json.dumps({name: round(value, 8) for name, value in values.items()}) for values in curve)
        golden.write_text(f"[\n{rows}\n]\n")
    wanted = json.loads(golden.read_text())
    assert len({json.dumps(values) for values in wanted}) == 20, "a curve that stands still shows nothing"
    for step, (now, then) in enumerate(zip(curve, wanted, strict=True), 1):
        assert now == pytest.approx(then, rel=1e-3, abs=1e-5), f"step {step}"


def test_every_golden_curve_has_its_recipe():
    assert {path.stem for path in GOLDEN.glob("*.json")} == {path.stem for path in RECIPES}


@pytest.mark.parametrize("path", RECIPES, ids=named)
def test_the_whole_life_of_a_recipe(path, small, cli, here):
    """Trained, resumed, shown and sampled."""
    small(path, steps=2, preview_every=2)
    assert cli("train", path.name).status == 0
    assert cli("train", f"runs/{path.stem}-0001", "--steps", "3").status == 0
    if "toy" in path.stem:
        assert "translates pictures" in cli("translate").err, "points are none"
    elif embeds(path):
        assert "has a model that can be sampled" in cli("sample").err, "it makes no pictures"
    elif is_translator(path):
        said = cli("translate")
        # Four pictures held out and a sheet; of editors, nine edits of each, with manifests.
        wanted = 4 + 1 if path.stem.startswith("discogan") else 9 * 4 + 3
        assert said.status == 0 and len(said.out.splitlines()) == wanted, said.err
        assert all((here / line).is_file() for line in said.out.splitlines())
    elif finds_factors(path):
        for words in (("sample", "-n", "3"), ("traverse", "--steps", "3")):
            said = cli(*words)
            assert said.status == 0, said.err
            assert all((here / line).is_file() for line in said.out.splitlines())
    else:
        said = cli("sample", "--fix-identity", "--identities", "2", "--observations", "3")
        assert said.status == 0, said.err
        assert (here / said.out.strip()).is_file()
    assert (here / f"runs/{path.stem}-0001/previews/step-00000002.png").is_file()
