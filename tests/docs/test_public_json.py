"""The keys of `--json` are those that are promised.

`pytest tests/docs/test_public_json.py --regolden` writes the list anew; a key that goes needs its line in CHANGELOG.md.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from acted import stand_ins

FROZEN = Path(__file__).parent / "public_json.txt"

LINES = """\
imgen train infogan_cr_drawn --out run --json
imgen train infogan_cr_drawn --dry-run --json
imgen train discogan_drawn --out styles --json
imgen sample run -n 4 --json
imgen traverse run --steps 3 --json
imgen encode run pictures --json
imgen translate styles --json
imgen evaluate run -m factor-correlation --json
imgen evaluate run -m factor-correlation --repeat 2 --json
imgen runs run --json
imgen sweep infogan_cr_drawn --seeds 2 --dry-run --json
imgen select run other --groups 4 --group-size 4 --free 64 --json
imgen data inspect pictures --json
imgen data pack pictures packed.imgen --no-identities --json
imgen data make cdsprites --json
imgen info run --json
imgen info infogan-cr --json
imgen recipes --json
imgen plugins --json
imgen doctor --offline --json
imgen new plugin my-method --json
imgen push run user/name --dry-run --json
imgen push run user/name --json
imgen pull user/name --json
"""


def keys(told: Any) -> str:
    """The keys of an object, and in brackets those of the objects in it that are listed."""
    if isinstance(told, list):
        inner = sorted({key for each in told if isinstance(each, dict) for key in each})
        return f"[{', '.join(inner)}]"
    assert isinstance(told, dict)
    listed = {
        key: keys(value)
        for key, value in told.items()
        if isinstance(value, list) and value and isinstance(value[0], dict)
    }
    return ", ".join(f"{key}{' ' + listed[key] if key in listed else ''}" for key in sorted(told))


def test_the_keys_of_json_are_those_that_are_promised(here, cli, small_recipes, hub, request):
    hub.tokens = dict.fromkeys(hub.tokens, ("user", True))
    stand_ins.sprites(here / "pictures")
    for path in (here / "pictures").iterdir():
        stand_ins.shrink(path, 32)
    assert cli("train", "infogan_cr_drawn", "--seed", "1", "--out", "other").status == 0
    told = [
        "# The keys of what `--json` prints. A test compares them with what the commands give; see CONTRIBUTING.md.",
        "",
    ]
    for line in LINES.splitlines():
        said = cli(*shlex.split(line)[1:])
        # What the doctor finds here is not the matter.
        assert said.status == 0 or "doctor" in line, f"{line}\n{said.err}"
        told.append(f"{line}\n    {keys(json.loads(said.out))}")
    text = "\n".join(told) + "\n"
    if request.config.getoption("--regolden"):
        FROZEN.write_text(text, encoding="utf8")
    wanted = FROZEN.read_text(encoding="utf8")
    assert text == wanted, "write it anew with --regolden if that is on purpose, and say in CHANGELOG.md what changed"


def test_keys_are_read_through_lists():
    assert keys({"b": 1, "a": [{"y": 1}, {"x": 2}]}) == "a [x, y], b"
    assert keys([{"n": 1}]) == "[n]"


@pytest.mark.parametrize("told", ["text", 3])
def test_json_is_an_object_or_a_list_of_them(told):
    with pytest.raises(AssertionError):
        keys(told)
