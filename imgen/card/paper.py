"""What a model follows, where it differs, what it is good for and what not, and how to cite it."""

from __future__ import annotations

import re

from imgen.card.about import shows
from imgen.card.facts import Facts
from imgen.card.text import bullets, fenced, link, listed, prose, section, told
from imgen.card.training import shortened
from imgen.card.use import abilities
from imgen.paper import Paper

_FAKES = (
    "Deceiving anybody: what it makes is not evidence of anything, and should be shown as made by a machine.",
    "Telling who somebody is, watching people, or any decision about a person.",
    "Pictures of a real person that this person has not agreed to.",
)


def paper_of(facts: Facts) -> Paper | None:
    """The paper that the algorithm follows, if it names one."""
    return facts.algorithm.paper if facts.algorithm else None


def line(facts: Facts) -> str:
    """The paper in a sentence; nothing where there is none."""
    paper = paper_of(facts)
    if paper is None:
        return ""
    authors = listed([prose(author, 100) for author in paper.authors], 20)
    where = prose(paper.venue or str(paper.year), 100)
    return f"It follows {link(paper.title, paper.url)} by {authors} ({where})."


def limits(facts: Facts) -> str:
    """The sections on differences from the paper, limits, and what it should be used for."""
    paper = paper_of(facts)
    differs = ""
    if paper is not None and paper.differences:
        lead = "Where the algorithm, with its default settings, does other than the paper:"
        differs = section("Differences from the paper", lead, bullets(prose(each) for each in paper.differences))
    known = [prose(each) for each in paper.limits] if paper else []
    return "\n\n".join(
        part
        for part in (
            differs,
            section("Limits", bullets([*known, *_limits(facts)])),
            section("What it is for", _intended(facts), "Out of its scope:", bullets(_outside(facts))),
        )
        if part
    )


def _limits(facts: Facts) -> list[str]:
    spec = facts.config.data
    _, height, width = spec.image
    lines = []
    if not spec.vector:
        lines.append(
            f"It has learnt from pictures of {width}x{height} pixels of the data above; of other sizes and other kinds "
            "of pictures nothing is known but what the results say."
        )
    if short := shortened(facts):
        lines.append(short)
    if not facts.records:
        lines.append("Nothing has been measured of it, so its quality is known from its pictures alone.")
    if spec.attributes and shows(facts) != "nobody":
        lines.append(
            "Its attributes are what annotators or programs wrote down. Such labels are coarse, often wrong, and more "
            "often for some groups of people than for others; no such label tells who somebody is. What goes together "
            "in the pictures goes together in the model, such as make-up with one gender or glasses with age."
        )
    elif shows(facts) == "people":
        lines.append(
            "Collections of faces show some groups of people far more often than others. The model does better for "
            "those, and makes them more often."
        )
    elif shows(facts) == "unknown":
        lines.append("What is rare in its data is rare, or badly made, in what comes out of it.")
    return lines


def _intended(facts: Facts) -> str:
    what = "numbers of its kind" if facts.config.data.vector else "pictures of its kind"
    made = f"making {what}" if abilities(facts).makes else f"reading {what}"
    terms = "" if "free of any rights" in facts.config.data.about else ", within the terms of its data"
    return f"Research and teaching{terms}: looking at how the method works, comparing methods, and {made}."


def _outside(facts: Facts) -> list[str]:
    if shows(facts) == "nobody":
        return [
            "Conclusions about photographs, or about people: its data are drawn.",
            "Anything that rests on its numbers being those of the paper, unless the results say so.",
        ]
    attributes = facts.config.data.attributes
    labels = ["Telling a person's gender, age, origin or feelings from its attributes."] if attributes else []
    return [*_FAKES, *labels]


def citation(facts: Facts) -> str:
    """The section: BibTeX of the paper and of imgen."""
    paper = paper_of(facts)
    version = told(facts.config.origin.get("imgen") or "", 40)
    own = ["@software{imgen,", "  title = {imgen},", "  author = {{the imgen authors}},"]
    own += [f"  version = {{{version}}},"] if re.fullmatch(r"[\w.+-]+", version) else []
    entry = "\n".join([*own, "  license = {MIT},", "}"])
    lead = "The paper, and the program that trained this model:" if paper else "The program that trained this model:"
    return section("Citation", lead, fenced("\n\n".join([*([paper.bibtex()] if paper else []), entry]), "bibtex"))
