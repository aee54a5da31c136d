"""The card of every shipped algorithm, from a run of it: whole, true, and without a trace of this machine."""

from __future__ import annotations

import re
import shlex

import pytest
import yaml
from huggingface_hub import ModelCard
from PIL import Image

from imgen import overrides, privacy, recipe
from imgen.card import card_of
from tests.card.conftest import RECIPES

SECTIONS = (
    *("Use", "Architecture", "Data and terms", "Training", "Results", "Limits", "What it is for"),
    *("Train it again", "Versions", "Checksums", "Files", "Citation"),
)
TASKS = {
    "sddcgan": "unconditional-image-generation",
    "sdbegan": "unconditional-image-generation",
    "infogan-cr": "unconditional-image-generation",
    "factor-vae": "unconditional-image-generation",
    "discogan": "image-to-image",
    "sggan": "image-to-image",
    "stargan": "image-to-image",
    "identity-embedding": "image-feature-extraction",
}
UNFINISHED = re.compile(r"\b(TODO|TBD|FIXME|None|nan|NaN|inf|More information needed)\b|\{\w*\}(?!\})")


def blocks(card: str, language: str) -> list[str]:
    """The blocks of code of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", card, re.MULTILINE | re.DOTALL)


def test_every_shipped_algorithm_has_its_card_here(plugins):
    assert {entry.name for entry in plugins.registry("algorithms")} == set(RECIPES) == set(TASKS)


@pytest.mark.parametrize("name", RECIPES)
def test_it_is_whole(name, trained, plugins):
    card = (trained(name) / "README.md").read_text()
    assert card == card_of(trained(name), plugins), "a card is a function of the files"
    headings = re.findall(r"^## (.+)$", card, re.MULTILINE)
    assert [heading for heading in headings if heading in SECTIONS] == list(SECTIONS)
    plain = re.sub(r"^```bibtex.*?^```$", "", card, flags=re.MULTILINE | re.DOTALL)
    assert not UNFINISHED.findall(plain)
    assert privacy.traces(card) == [] and str(trained(name)) not in card
    assert "(previews/step-00000002.png)" in card and "parameters (`F32`)" in card
    assert "| steps | 2 |" in card and "`model.safetensors`" in card
    with_paper = name != "identity-embedding"
    assert ("## Differences from the paper" in card) == with_paper == ("https://arxiv.org/abs/" in card)


@pytest.mark.parametrize("name", RECIPES)
def test_the_hub_reads_its_head(name, trained, plugins):
    data = ModelCard(card_of(trained(name), plugins, repo="user/name")).data
    assert data.get("library_name") == "imgen" and data.license == "other"
    assert data.pipeline_tag == TASKS[name]
    assert {"imgen", name} <= set(data.tags)
    assert ("gan" in data.tags) == (name not in ("factor-vae", "identity-embedding"))
    assert data.eval_results is None, "nothing was measured"


@pytest.mark.parametrize("name", RECIPES)
def test_its_python_runs(name, trained, plugins, monkeypatch):
    monkeypatch.chdir(trained(name))
    (code,) = blocks(card_of(trained(name), plugins), "python")
    told: dict[str, object] = {}
    exec(code, told)
    assert {"made", "codes", "told", "places"} & set(told)
    assert '"user/name@v1"' in card_of(trained(name), plugins, repo="user/name@v1")


@pytest.mark.parametrize("name", ["sddcgan", "discogan", "sggan", "infogan-cr"])
def test_its_commands_run(name, trained, plugins, cli):
    install, use, *_ = blocks(card_of(trained(name), plugins), "sh")
    assert install == "pip install imgen\n"
    Image.new("RGB" if name != "infogan-cr" else "L", (16, 16)).save("mine.png")
    weights = str(trained(name) / "model.safetensors")
    for line in use.splitlines():
        words = shlex.split(line, comments=True)[1:]
        words = [{"model.safetensors": weights, "PICTURES": "mine.png"}.get(word, word) for word in words]
        said = cli(*words)
        assert said.status == 0, said.err
        published = card_of(trained(name), plugins, repo="user/name")
        assert line.replace("model.safetensors", "user/name") in published


@pytest.mark.parametrize("name", RECIPES)
def test_its_recipe_trains_it_again(name, trained, plugins, tmp_path):
    (written,) = blocks(card_of(trained(name), plugins), "yaml")
    (tmp_path / "again.yaml").write_text(written)
    own = recipe.load(str(trained(name) / "recipe.yaml"), [], plugins)
    assert recipe.load(str(tmp_path / "again.yaml"), [], plugins).to_dict() == own.to_dict()


@pytest.mark.parametrize(
    "title",
    [
        *("quickstart", "discogan", "discogan_modern", "sggan", "sggan_ages", "stargan_drawn", "embedding"),
        *("infogan_cr_teapots", "factor_vae", "sdbegan"),
    ],
)
def test_the_command_of_a_registered_recipe_gives_the_same_recipe(title, plugins, weights, tmp_path):
    """With a changed setting of each section, and folders of whoever trains it again."""
    given = [overrides.Override("train.seed", "3", ""), overrides.Override("train.steps", "12", "")]
    draft = recipe.Draft.read(recipe.find(title, plugins), plugins)
    for section, settings in draft.settings().items():
        for name, setting in settings.items():
            if setting.place and setting.required:
                given.append(overrides.Override(f"{section}.{name}", "/home/somebody/faces", ""))
            elif name.startswith("style_"):
                given.append(overrides.Override(f"{section}.{name}", "not Male", ""))
            elif name == "lr":
                given.append(overrides.Override(f"{section}.{name}", "0.125", ""))
    draft.apply(given)
    made = draft.check()
    folder = weights(origin={"recipe": title, "step": 12})
    (folder / "recipe.yaml").write_text(made.to_yaml())
    card = card_of(folder, plugins)
    assert "/home" not in card and "faces/" not in card
    (command,) = (line for line in card.splitlines() if line.startswith("imgen train "))
    words = shlex.split(command)[2:]
    again = recipe.Draft.read(recipe.find(words.pop(0), plugins), plugins)
    while words:
        key, _, value = words.pop(0).removeprefix("--").partition("=")
        if key == "-s":
            key, _, value = words.pop(0).partition("=")
        elif not value:
            value = words.pop(0)
        again.apply([overrides.Override(key, value, "")])
    places = {"/home/somebody/faces": "ROOT"}
    wanted = yaml.safe_load(yaml.safe_dump(made.to_dict()).replace("/home/somebody/faces", places.popitem()[1]))
    assert again.check().to_dict() == wanted
