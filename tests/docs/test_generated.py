"""What pages say of commands, recipes, hooks and names is what the code has; and every link leads somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from written import api, hooks, pages
from written.pages import PAGES, README, ROOT
from written.parts import PAGES as PAGES_OF_PLUGINS
from written.parts import WIDTH, help_text, leaves, parts, shipped

WANTED = {
    "README.md": {"commands", "recipes", "names", "help"},
    "CONTRIBUTING.md": {"hooks", "public names"},
}


def called(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def markdown() -> Iterator[Path]:
    """Every page of the repository that is not a template or of a run."""
    top = (*ROOT.glob("*.md"), *ROOT.glob("plugins/*/*.md"), *ROOT.glob("tests/**/*.md"))
    return (path for path in sorted(top) if "node_modules" not in path.parts)


@pytest.mark.parametrize("page", PAGES, ids=called)
def test_generated_parts_are_as_the_code_has_them(page):
    assert page.read_text(encoding="utf8") == pages.filled(page, parts()), (
        f"{called(page)} is not what the code says; write it anew: python tests/docs/write.py"
    )


def test_every_part_stands_on_a_page():
    standing = {called(page): set(pages.names_of_parts(page.read_text(encoding="utf8"))) for page in PAGES}
    plugins = {path: {f"recipes of {name}"} for name, path in PAGES_OF_PLUGINS.items() if path}
    assert standing == {**WANTED, **plugins}


def test_public_names_are_those_that_are_promised():
    assert api.listed() == api.FROZEN.read_text(encoding="utf8"), (
        "public names have changed. If that is on purpose, `python tests/docs/write.py --api` writes the list anew, "
        "and CHANGELOG.md says what changed"
    )


def test_public_names_can_be_imported():
    from importlib import import_module

    for module, names in api.public().items():
        loaded = import_module(module)
        assert not [name for name in names if not hasattr(loaded, name)]


def test_what_strangers_are_shown_needs_promised_names_only():
    example = (ROOT / "tests/example_plugin").rglob("*.py")
    promised = {(module, name) for module, names in api.public().items() for name in names}
    assert len(taken := api.taken(example)) > 5
    assert not taken - promised


def test_every_hook_has_an_example():
    told = hooks.reference()
    names = [node.name for node in hooks.specifications()]
    assert len(names) >= 7
    for name in names:
        assert f"#### `{name}`" in told
        assert re.search(rf"@hookimpl\ndef {name}\(", told)


def test_help_does_not_hang_on_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    ctx = leaves()[0]
    assert ctx.command.get_help(ctx) == ctx.meta[f"help of {ctx.command_path}"]
    assert max(map(len, help_text().splitlines())) > 90 and WIDTH == 100


def test_all_that_is_registered_is_told_of():
    text = "".join(page.read_text(encoding="utf8") for page in PAGES)
    by_hand = "".join(pages.by_hand(page.read_text(encoding="utf8")) for page in PAGES)
    for kind in ("algorithms", "models", "datasets", "losses", "metrics"):
        assert not [entry.name for entry in shipped().registry(kind) if f"`{entry.name}`" not in text]
    recipes = [Path(str(entry.factory)).stem for entry in shipped().registry("recipes")]
    assert len(recipes) > 20
    assert not [name for name in recipes if f"`{name}`" not in text]
    # A list is not enough: people should read of every command what it is for.
    unmentioned = [ctx.command_path for ctx in leaves() if ctx.command_path.removeprefix("imgen ") not in by_hand]
    assert not unmentioned


@pytest.mark.parametrize("page", list(markdown()), ids=called)
def test_links_lead_somewhere(page):
    for link in pages.links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{called(page)}: {link} leads nowhere"
        if anchor:
            assert anchor in pages.anchors(target), f"{called(page)}: {target.name} has no heading #{anchor}"


def test_pages_have_one_title_and_no_trace_of_a_template():
    for page in PAGES:
        plain = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf8"), flags=re.DOTALL | re.MULTILINE)
        assert len(re.findall(r"^# ", plain, re.MULTILINE)) == 1, called(page)
        assert not re.search(r"\{\{|TODO|FIXME|XXX", plain), called(page)
    assert README in PAGES


def test_every_room_is_on_the_plan():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf8")
    plan = text[text.index("## Rooms") : text.index("\n## ", text.index("## Rooms") + 1)]
    rooms = [path.name for path in (ROOT / "imgen").iterdir() if not path.name.startswith(("__", "."))]
    rooms = [name for name in rooms if name != "py.typed"]
    assert len(rooms) > 30
    assert not [name for name in rooms if not re.search(rf"(?<![\w/]){re.escape(name)}(/| |\n)", plan)]
