"""A whole card, from its parts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imgen.card import about, paper, stored, training, use
from imgen.card.facts import Facts
from imgen.card.head import head
from imgen.card.results import results
from imgen.card.text import prose
from imgen.card.yours import region, yours_of
from imgen.hub import contents
from imgen.hub.reference import Reference

if TYPE_CHECKING:
    from imgen.plugins import Plugins

_MOST = 4 * 2**20  # bytes of an earlier card


def card_of(
    folder: Path,
    plugins: Plugins,
    *,
    repo: str = "",
    sheets: Sequence[str] = (),
    yours: str | None = None,
    weights: Path | None = None,
) -> str:
    """The card of a model, complete as it is: a function of the files of its folder.

    folder: a run, or whatever holds a model.safetensors. repo: where it is published, `user/name` or
    `user/name@revision`; '' where it is not. sheets: paths within the repository of the sheets to show, the first on
    top; left out, the newest preview. yours: the author's own words; left out, those of the card in the folder.
    weights: the file that it is of, where that is another than the folder's model.safetensors.

    Raises: `WeightsError` where the weights are none of imgen's, `HubError` where `repo` is no repository.
    """
    facts = Facts(folder, weights or folder / contents.WEIGHTS, plugins)
    where = Reference.parse(repo) if repo else None
    shown = list(sheets) or ([] if repo else list(facts.previews[:1]))
    words = yours if yours is not None else _kept(folder / contents.CARD)
    parts = (
        head(facts),
        f"# {prose(where.repo.partition('/')[2] if where else facts.title, 100)}",
        about.summary(facts, paper.line(facts)),
        about.sheets(facts, shown),
        region(words),
        use.use(facts, where),
        about.networks(facts),
        about.data(facts),
        training.training(facts),
        results(facts),
        about.more_sheets(shown),
        paper.limits(facts),
        training.reproduce(facts),
        stored.versions(facts),
        stored.checksums(facts),
        stored.files(facts, where, shown),
        paper.citation(facts),
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _kept(card: Path) -> str | None:
    """What the author wrote into an earlier card."""
    try:
        if card.stat().st_size > _MOST:
            return None
        return yours_of(card.read_text(encoding="utf8", errors="replace"))
    except OSError:
        return None
