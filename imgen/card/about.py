"""What a model is: summary, networks, and what it was taught with, whose faces and on what terms."""

from __future__ import annotations

import json
import math
import re
from collections import Counter

from imgen.card.facts import Facts
from imgen.card.text import code, listed, picture, prose, section, table
from imgen.card.use import abilities_in_words, in_colour
from imgen.data.spec import DataSpec

_DRAWN = re.compile(r"\bdrawn by imgen\b|nobody's face|\bno faces?\b", re.IGNORECASE)
_HUMAN = re.compile(
    r"celeba|celebrit|utkface|facescrub|\bpeople\b|\bpersons?\b|\bfaces?\b|portrait|\b(fe)?male\b|\bgender\b|"
    r"\bsmiling\b|\b(no_)?beard\b|\bmustache\b|lipstick|[a-z]{1,20}_hair\b|\bwom[ae]n\b|\bm[ae]n\b",
    re.IGNORECASE,
)
_KNOWN_TERMS = {
    "celeba": "CelebA's pictures may be used for research that is not commercial only, and so may the weights.",
    "utkface": "UTKFace's pictures may be used for research that is not commercial only, and so may the weights.",
}
_CONSENT = (
    "Whether those shown agreed that models learn from them is not recorded; people in collections of "
    "photographs from the web were as a rule not asked. What the model makes can resemble some of them, and whoever "
    "is among them has a claim to be heard by the publisher of these weights."
)
_PARTS = {"all": "everybody in it", "train": "half of the people in it"}
_NORMS = ("running_mean", "running_var", "num_batches_tracked")


def summary(facts: Facts, paper_line: str) -> str:
    """What it is, in a paragraph."""
    plugin, package, _ = facts.plugin
    trained = f"Trained with imgen's algorithm {code(facts.name)}" if facts.name else ""
    owner = f" (plugin {code(plugin)}" + (f", package {code(package)})" if package else ")") if plugin else ""
    owner = ", which is part of it" if plugin == "imgen" else owner
    made = f"{trained}{owner}." if trained else f"A model {code(facts.config.name)} of imgen{owner}."
    first = (facts.algorithm.__doc__ or "").strip().partition("\n\n")[0] if facts.algorithm else ""
    return " ".join(part for part in (made, prose(first), abilities_in_words(facts), paper_line) if part)


def sheets(facts: Facts, shown: list[str]) -> str:
    """The first sheet, with what its rows and columns mean; nothing where there is none."""
    if not shown:
        return ""
    means = _meaning(facts)
    step = re.search(r"step-(\d+)", facts.previews[0]) if facts.previews else None
    by = f"Drawn after {int(step[1]):,} steps." if step else ""
    return f"{picture('Sheet of pictures. ' + means, shown[0])}\n\n{prose(means)} {by}".strip()


def more_sheets(shown: list[str]) -> str:
    """All further sheets."""
    return section("More pictures", *(picture(f"Sheet {path.rpartition('/')[2]}", path) for path in shown[1:]))


def _meaning(facts: Facts) -> str:
    """What the algorithm says of its previews' rows and columns."""
    from imgen.algorithm import Algorithm

    drawn = facts.algorithm.preview if facts.algorithm else Algorithm.preview
    return " ".join((drawn.__doc__ or "").split()) if drawn is not Algorithm.preview else ""


def networks(facts: Facts) -> str:
    """The section: which model, its settings, and the numbers in its file by part."""
    config = facts.config
    settings = facts.placeless("models", {"name": config.name, **config.settings})
    rows = [[code(name), code(_json(value))] for name, value in settings.items() if name != "name"]
    first = (type(facts.model).__doc__ or "").strip().partition("\n\n")[0] if facts.model is not None else ""
    said = f"The registered model {code(config.name)}" + (f": {prose(first)}" if first else ".")
    return section(
        "Architecture",
        said,
        table(["setting", "value"], rows),
        _parameters(facts),
        table(["part", "parameters", "other numbers", "tensors"], _parts(facts)),
    )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _parameters(facts: Facts) -> str:
    if not facts.tensors:
        return ""
    trained = _trained(facts)
    counts = {name: math.prod(said.shape) for name, said in facts.tensors.items()}
    total = sum(count for name, count in counts.items() if name in trained)
    kinds = Counter(said.dtype for name, said in facts.tensors.items() if name in trained)
    kind = listed([code(kind) for kind, _ in kinds.most_common()]) or "no kind"
    rest = sum(counts.values()) - total
    beside = f" and {rest:,} other numbers, such as running statistics" if rest else ""
    size = facts.weights.stat().st_size / 1e6
    return f"{total:,} parameters ({kind}){beside}; the file has {size:,.1f} MB."


def _trained(facts: Facts) -> set[str]:
    if facts.model is not None:
        own = {name for name, _ in facts.model.named_parameters()}
        return own & set(facts.tensors)
    return {name for name in facts.tensors if not name.endswith(_NORMS)}


def _parts(facts: Facts) -> list[list[str]]:
    trained = _trained(facts)
    parts: dict[str, list[str]] = {}
    for name in sorted(facts.tensors):
        parts.setdefault(name.partition(".")[0], []).append(name)
    rows = []
    for part, names in list(parts.items())[:60]:
        count = {name: math.prod(facts.tensors[name].shape) for name in names}
        own = sum(count[name] for name in names if name in trained)
        rows.append([code(part), f"{own:,}", f"{sum(count.values()) - own:,}", f"{len(names):,}"])
    return rows


def data(facts: Facts) -> str:
    """The section: what it has learnt from, on what terms, and whether people are shown."""
    spec = facts.config.data
    name = facts.recipe.get("dataset", {}).get("name")
    about = prose(spec.about)
    return section(
        "Data and terms",
        f"{about[:1].upper()}{about[1:]}{'' if about.endswith(('.', '!', '?')) else '.'}" if about else "",
        table(["of the data", ""], _facts_of(spec, str(name or ""))),
        _terms(facts),
        _faces(facts),
    )


def _facts_of(spec: DataSpec, name: str) -> list[list[str]]:
    channels, height, width = spec.image
    items = f"vectors of {spec.vector} numbers" if spec.vector else f"{width}x{height} pixels, {in_colour(channels)}"
    rows = [["data set of imgen", code(name)], ["size of a picture" if not spec.vector else "items", items]]
    if spec.group > 1:
        rows.append(["pictures in an item", f"{spec.group}"])
    rows += [["domains", listed([prose(each) for each in spec.domains])]] if spec.domains else []
    for each in spec.attributes[:40]:
        rows.append([f"attribute {prose(each.name)}", listed([prose(value) for value in each.values])])
    for factor in spec.factors[:40]:
        size = f"{factor.size:,} values" if factor.size else "any number of an interval"
        rows.append([f"factor {prose(factor.name)}", f"{size}, {'in order' if factor.ordered else 'kinds'}"])
    if spec.people:
        rows.append(["identities it was taught with", prose(_PARTS.get(spec.people, f"the part {spec.people}"))])
    return [row for row in rows if row[1]]


def _terms(facts: Facts) -> str:
    spec, known = facts.config.data, _evidence(facts)
    terms = [words for name, words in _KNOWN_TERMS.items() if name in known.lower()]
    if "free of any rights" in spec.about:
        terms.append("The data are free of any rights, and so they put no limit on the use of the weights.")
    if terms:
        return " ".join(terms)
    said = "What is said of the data above" if spec.about else "Nothing is recorded of where the pictures are from, so"
    if spec.about:
        return f"{said} is all that is recorded of their terms. The terms of the pictures hold for these weights, too."
    return (
        f"{said} their terms are unknown. The weights give nobody a right that the pictures do not give: whoever has "
        "no right to such pictures of their own should take these weights as something to look at, not to build upon."
    )


def shows(facts: Facts) -> str:
    """Whom the data show: `nobody`, `people`, or `unknown`."""
    if _DRAWN.search(facts.config.data.about) or facts.config.data.vector:
        return "nobody"
    return "people" if _HUMAN.search(_evidence(facts)) else "unknown"


def shows_others(facts: Facts) -> bool:
    """Whether sheets can show pictures of the data that are of people, or of whom is not known."""
    return (facts.algorithm is None or facts.algorithm.shows_data) and shows(facts) != "nobody"


def _evidence(facts: Facts) -> str:
    """The words that tell what is shown."""
    spec = facts.config.data
    words = [spec.about, str(facts.recipe.get("dataset", {}).get("name", "")), *spec.domains]
    words += [name for each in spec.attributes for name in (each.name, *each.values)]
    return " ".join(words)


def _faces(facts: Facts) -> str:
    if shows(facts) == "nobody":
        return "Nobody is shown: there is no person whose consent would be needed."
    found = dict.fromkeys(match[0] for match in _HUMAN.finditer(_evidence(facts)))
    if found:
        names = listed([prose(name, 60) for name in found], 6)
        return f"Going by its names ({names}), the data set shows people. {_CONSENT}"
    sorted_by = "Its pictures are sorted by identity, and often that means people. " if facts.config.data.people else ""
    return (
        f"{sorted_by}Whether people are shown is not recorded. As long as it is not known, treat the model as if they "
        f"were. {_CONSENT}"
    )
