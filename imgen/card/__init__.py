"""The model card: all that is known of a trained model, from what is on disk, complete without editing."""

from imgen.card.listener import Card
from imgen.card.whole import card_of
from imgen.card.yours import yours_of

__all__ = ["Card", "card_of", "yours_of"]
