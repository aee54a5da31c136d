"""The paper that an algorithm follows: what its model cards cite, and where the code differs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Paper:
    """A published method, as model cards tell of it.

    authors: "Given Family", in order. venue: where it appeared, such as "ICLR 2018"; url: of the paper.
    differences: where the algorithm, with its default settings, does other than the paper, a sentence each.
    limits: what its models cannot do, or should not be used for, a sentence each.
    """

    title: str
    authors: Sequence[str]
    year: int
    url: str
    venue: str = ""
    differences: Sequence[str] = ()
    limits: Sequence[str] = ()

    @property
    def key(self) -> str:
        """What BibTeX calls it: the first author's family name and the year."""
        family = self.authors[0].split()[-1] if self.authors else "paper"
        return re.sub(r"\W", "", family).lower() + str(self.year)

    def bibtex(self) -> str:
        """The entry for a bibliography."""
        fields = {
            "title": "{" + self.title + "}",
            "author": " and ".join(self.authors),
            "year": str(self.year),
            "note": self.venue,
            "url": self.url,
        }
        lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
        return "\n".join([f"@misc{{{self.key},", *lines, "}"])
