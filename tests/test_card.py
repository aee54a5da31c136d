"""The model card of a run."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from imgen.card import Card
from imgen.data.spec import Attribute, DataSpec, Factor
from imgen.model import ModelConfig
from imgen.recipe import Part, Recipe
from imgen.train.events import Evaluated, Finished, Previewed, Started, Unmeasured
from imgen.train_settings import TrainSettings


@pytest.fixture
def card(tmp_path):
    recipe = Recipe("mine", Part("game", {"lr": 0.1}), Part("shapes", {"k": 2}), TrainSettings(steps=4, seed=7))
    data = DataSpec(image=(3, 8, 8), group=2, about="drawn by imgen: nobody's face")
    return Card(tmp_path, recipe, ModelConfig(name="made", settings={}, data=data, plugin="some-plugin 2.0"))


def finish(card: Card, *events) -> str:
    for event in (Started(0, 4, "a device"), *events, Finished(4, card.folder / "model.safetensors", 1.0)):
        card(event)
    return (card.folder / "README.md").read_text()


def test_it_says_what_was_trained_on_whose_pictures_and_how(card):
    text = finish(card)
    assert text.startswith("---\nlibrary_name: imgen\ntags: [imgen, gan, game]\n---\n# mine\n")
    assert "`game` (plugin some-plugin 2.0)" in text
    assert "drawn by imgen: nobody's face" in text
    assert "4 steps of 16 items of 2, seed 7, on a device." in text
    assert "  lr: 0.1\n" in text and "  seed: 7\n" in text, "the whole recipe"
    assert "## Metrics" not in text and "![" not in text
    assert str(card.folder) not in text


def test_a_translator_is_used_by_translating(card):
    data = DataSpec(image=(3, 8, 8), domains=("Blond_Hair", "not Male"))
    card.config = ModelConfig(name="made", settings={}, data=data, plugin="some-plugin 2.0")
    text = finish(card)
    assert 'imgen translate model.safetensors PICTURES --style_A "Blond_Hair" --style_B "not Male"' in text
    assert "16 items of each domain, seed 7" in text and "imgen sample" not in text


def test_an_editor_is_used_by_setting_an_attribute(card):
    data = DataSpec(image=(3, 8, 8), attributes=(Attribute("hair", ("Black_Hair", "Blond_Hair")),))
    card.config = ModelConfig(name="made", settings={}, data=data, plugin="some-plugin 2.0")
    assert 'imgen translate model.safetensors PICTURES --to "hair=Blond_Hair"' in finish(card)


def test_a_model_of_known_factors_is_used_by_walking_through_its_codes(card):
    data = DataSpec(image=(1, 8, 8), factors=(Factor("scale", 6),))
    card.config = ModelConfig(name="made", settings={}, data=data, plugin="some-plugin 2.0")
    text = finish(card)
    assert "imgen traverse model.safetensors\nimgen encode model.safetensors PICTURES\n" in text


def test_metrics_and_the_last_preview_are_shown(card):
    sheet = Image.new("RGB", (2, 2))
    text = finish(
        card,
        Previewed(2, card.folder / "previews/step-00000002.png", sheet),
        Previewed(4, card.folder / "previews/step-00000004.png", sheet),
        Evaluated(4, "drawn-identity", {"auc": 0.912345}),
    )
    assert "(previews/step-00000004.png)" in text and "00000002" not in text
    assert "| drawn-identity | auc | 0.9123 |" in text


def test_of_metrics_taken_on_the_way_the_last_counts(card):
    text = finish(
        card,
        Evaluated(2, "drawn-identity", {"auc": 0.5}),
        Evaluated(2, "diversity", {"of": 0.25}),
        Evaluated(4, "drawn-identity", {"auc": 0.75}),
        Unmeasured(4, "diversity", "no pictures"),
    )
    assert text.count("drawn-identity") == 1 and "| drawn-identity | auc | 0.7500 |" in text
    assert "diversity" not in text


def test_numbers_of_any_size_are_told_and_those_that_are_none(card):
    text = finish(card, Evaluated(4, "kid", {"kid": 0.000012345, "far": 54321.9, "tar": float("nan")}))
    assert "| kid | kid | 1.234e-05 |" in text or "| kid | kid | 1.235e-05 |" in text
    assert "| kid | far | 5.432e+04 |" in text and "| kid | tar | undefined |" in text
    assert "`metrics.jsonl` what was measured" in text


def test_a_preview_of_the_process_before_is_found(card):
    (card.folder / "previews").mkdir()
    for step in (2, 4):
        (card.folder / f"previews/step-0000000{step}.png").touch()
    assert "(previews/step-00000004.png)" in finish(card)


def test_it_is_written_by_a_run(cli, tiny):
    assert cli("train", tiny, "--preview-every", "2").status == 0
    text = Path("runs/tiny-0001/README.md").read_text()
    assert "# tiny" in text and "previews/step-00000004.png" in text and "name: sddcgan" in text
    assert "6 identities" in text
