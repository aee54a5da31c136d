"""Text of strangers in names, data, recipes and measurements: it can say anything, and do nothing."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from huggingface_hub import ModelCard

from imgen import privacy
from imgen.card import card_of, yours_of
from imgen.card.text import code, fenced, link, prose
from imgen.data.spec import Attribute, DataSpec, Factor
from imgen.metrics import Measured, records
from imgen.metrics.records import Record

HOSTILE = (
    "faces\n---\nlicense: mit\n---\n# Owned <script>alert(1)</script> ![x](http://evil/x.png) [y](javascript:z) "
    "| a | b |\x1b[31m\x07\u202e<!-- yours: begin -->`rm`&lt; <img src=x onerror=y> https://evil.example **b** _c_\r"
)
PRINTABLE = re.sub("[\x00-\x1f\u202e]", "", HOSTILE)
"""What weights, recipes and measurements may say: imgen reads none with control characters. Events may say anything."""


def everywhere(weights):
    """Weights and files in which every text is hostile."""
    data = DataSpec(
        image=(3, 8, 8),
        attributes=(Attribute(PRINTABLE, (PRINTABLE, PRINTABLE + "1")),),
        factors=(Factor(PRINTABLE, 3),),
        domains=(PRINTABLE, PRINTABLE + "2"),
        people=PRINTABLE,
        about=PRINTABLE,
    )
    told = {"recipe": PRINTABLE, "algorithm": PRINTABLE, "imgen": PRINTABLE, "step": 4}
    own = {PRINTABLE: PRINTABLE, "b": [PRINTABLE]}
    folder = weights(data=data, name=PRINTABLE, settings=own, plugin=PRINTABLE, origin=told)
    part = {"name": PRINTABLE, PRINTABLE: PRINTABLE}
    content = {
        "algorithm": dict(part),
        "dataset": dict(part),
        "train": {"steps": 9, PRINTABLE: PRINTABLE},
        "metrics": [dict(part)],
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(content))
    (folder / "events.jsonl").write_text(json.dumps({"event": "started", "device": HOSTILE, "time": HOSTILE}) + "\n")
    measured = Measured(values={PRINTABLE: 1.0}, protocol=PRINTABLE, notes=(PRINTABLE,))
    record = Record.of(PRINTABLE, own, [measured], [0])
    named = {"name": PRINTABLE, PRINTABLE: PRINTABLE}
    more = {"step": 4, "data": named, "device": PRINTABLE, "counts": {PRINTABLE: 3}, "versions": {PRINTABLE: PRINTABLE}}
    records.append(folder, Record(**{**vars(record), **more}))
    return folder


def outside_code(card: str) -> str:
    """A card without its head, its blocks of code and its own markers."""
    body = card.split("---\n", 2)[2]
    body = re.sub(r"^(`{3,})[^\n]*\n.*?^\1$", "", body, flags=re.MULTILINE | re.DOTALL)
    body = re.sub(r"^<!-- yours: (begin|end)[^\n]*-->$", "", body, flags=re.MULTILINE)
    return re.sub(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", "", body)


def test_it_is_nothing_but_words(weights, plugins):
    card = card_of(everywhere(weights), plugins)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", card)
    data = ModelCard(card).data
    assert len(data.eval_results) == 1 and "| hardware | faces" in card and "faces" in card.split("```yaml")[1]
    assert data.license == "other" and data.tags == ["imgen"]
    assert yaml.safe_load(card.split("---\n")[1])["license"] == "other"
    text = outside_code(card)
    assert "<" not in text, "no HTML, and no comment"
    assert not re.search(r"(?<!\\)\[[^\]]*(?<!\\)\]\(", text), "no link and no picture"
    assert "://" not in text and "Owned" in text
    assert len([line for line in text.splitlines() if line.startswith("# ")]) == 1
    assert yours_of(card) is None and len(re.findall("^<!-- yours: begin", card, re.MULTILINE)) == 1


def test_tables_keep_their_columns(weights, plugins):
    width = 0
    for line in card_of(everywhere(weights), plugins).splitlines():
        if line.startswith("| "):
            cells = len(re.findall(r"(?<!\\)\|", line))
            assert cells == (width or cells), line
            width = cells
        elif not line.startswith("|"):
            width = 0


def test_a_title_cannot_be_long(weights, plugins):
    card = card_of(weights("x" * 20_000, origin={"recipe": "y" * 20_000}), plugins)
    assert len(card) < 10_000


def test_many_names_are_cut(weights, plugins):
    data = DataSpec(image=(3, 8, 8), attributes=tuple(Attribute(f"a{n}", (f"b{n}", f"c{n}")) for n in range(999)))
    assert len(card_of(weights(data=data), plugins)) < 20_000


def test_nothing_of_this_machine_is_told(weights, plugins, tmp_path):
    folder = weights(f"faces in {tmp_path}/faces and /home/jane/secret")
    recipe = {
        "algorithm": {"name": "not-here", "weights": "runs/of/jane.safetensors", "k": 2},
        "dataset": {"name": "identities", "root": "faces-of-jane", "size": 16},
        "train": {"steps": 4},
        "metrics": [{"name": "fid", "weights": "mine.safetensors"}],
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    card = card_of(folder, plugins)
    assert "jane" not in card and str(tmp_path) not in card and privacy.traces(card) == []
    assert "root: ROOT" in card and "weights: WEIGHTS" in card and "size: 16" in card
    assert "--root ROOT" in card and "`ROOT`, `WEIGHTS`" in card.replace("`WEIGHTS`, `ROOT`", "`ROOT`, `WEIGHTS`")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a|b", r"a\|b"),
        ("<b> & c", "&lt;b&gt; &amp; c"),
        ("# no heading", r"\# no heading"),
        ("1. no list", r"1\. no list"),
        ("snake_case and _this_", r"snake_case and \_this\_"),
        ("a\x1b[0m\nb", r"a \[0m b"),
    ],
)
def test_prose(given, expected):
    assert prose(given) == expected


def test_code_and_blocks_and_links_end_where_they_should():
    assert code("a`b") == "`` a`b ``" and code("") == "" and "`" not in code("a|b")
    assert fenced("a\n````\nb  c") == "`````\na\n````\nb  c\n`````"
    assert link("here", "https://arxiv.org/abs/1703.05192") == "[here](https://arxiv.org/abs/1703.05192)"
    assert link("here", "javascript:alert(1)") == link("here", "https://a b) c") == "here"
