"""The head of a card: what the Hub reads, as YAML."""

from __future__ import annotations

import re
from typing import Any

import yaml

from imgen.card.facts import Facts
from imgen.card.results import model_index
from imgen.card.text import told
from imgen.card.use import abilities

_TERMS = "that-of-the-training-data"
_TAG = re.compile(r"[a-z0-9][a-z0-9._-]{0,60}")


def head(facts: Facts) -> str:
    """The lines between `---` and `---`, with them."""
    able = abilities(facts)
    content: dict[str, Any] = {"license": "other", "license_name": _TERMS, "library_name": "imgen"}
    if able.task:
        content["pipeline_tag"] = able.task
    content["tags"] = _tags(facts)
    results = model_index(facts, able.task)
    if results:
        content["model-index"] = [{"name": told(facts.title, 100), "results": results}]
    # Inner mappings on one line: a model may have a hundred numbers.
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=False, width=4096, default_flow_style=None)
    return f"---\n{text}---"


def _tags(facts: Facts) -> list[str]:
    """Method, algorithm and plugin: those that are plain words."""
    title = facts.algorithm.paper.title if facts.algorithm and facts.algorithm.paper else ""
    method = f"{facts.name} {title}".lower()
    kinds = [kind for kind, sign in (("gan", r"gan\b|adversarial"), ("vae", r"vae\b")) if re.search(sign, method)]
    names = [name.lower().replace("_", "-") for name in (facts.name, facts.plugin[0])]
    return list(dict.fromkeys(["imgen", *kinds, *(name for name in names if _TAG.fullmatch(name))]))
