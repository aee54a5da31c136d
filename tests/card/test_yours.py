"""The author's own words stay when a card is written anew."""

from __future__ import annotations

from imgen.card import Card, card_of, yours_of
from imgen.train.events import Finished

MINE = "## Notes\n\nTrained for *fun*: see [this](https://example.org).\n\n| a | b |\n| - | - |"


def test_nothing_is_yours_in_a_new_card(weights, plugins):
    card = card_of(weights(), plugins)
    assert yours_of(card) is None and yours_of("# no markers") is None
    assert card.count("<!-- yours: begin") == card.count("<!-- yours: end") == 1


def test_what_stands_between_the_markers_is_yours(weights, plugins):
    card = card_of(weights(), plugins, yours=MINE)
    assert yours_of(card) == MINE and MINE in card
    assert yours_of(card.replace("\n", "\r\n")) == MINE
    assert card_of(weights(), plugins, yours=yours_of(card)) == card


def test_it_stays_when_training_goes_on(weights, plugins):
    folder = weights()
    (folder / "README.md").write_text(card_of(folder, plugins, yours=MINE))
    Card(folder, plugins)(Finished(4, folder / "model.safetensors", 1.0))
    assert yours_of((folder / "README.md").read_text()) == MINE
    assert yours_of(card_of(folder, plugins, yours="other")) == "other"
    assert yours_of(card_of(folder, plugins, yours="")) is None, "and can be taken away"


def test_markers_and_escapes_within_it_do_no_harm(weights, plugins):
    nested = "mine\n<!-- yours: end -->\nstill mine\n<!-- yours: begin -->\x1b]0;title\x07 end"
    card = card_of(weights(), plugins, yours=nested)
    assert "\x1b" not in card and "\x07" not in card
    assert card.count("<!-- yours: end") == 1 and "still mine" in str(yours_of(card))
    assert card_of(weights(), plugins, yours=yours_of(card)) == card


def test_a_card_without_an_end_marker_has_nothing_of_yours():
    assert yours_of("<!-- yours: begin -->\nmine\n") is None
