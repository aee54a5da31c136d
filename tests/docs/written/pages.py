"""Pages of Markdown: their generated parts, their blocks of code, and their links."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
README = ROOT / "README.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
PAGES = (README, CONTRIBUTING, *sorted((ROOT / "plugins").glob("*/README.md")))
"""The pages that readers are told of."""

_PART = re.compile(r"<!-- generated: (?P<name>[^>]+?) -->\n(?P<text>.*?)<!-- end of (?P<end>[^>]+?) -->", re.DOTALL)
_FENCE = re.compile(
    r"^(?P<fence>```+)(?P<language>[\w-]*)[^\n]*\n(?P<text>.*?)^(?P=fence)[ \t]*$", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class Block:
    """A fenced block. line: of its first line of text in the page, from 1."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def names_of_parts(text: str) -> list[str]:
    """The generated parts of a page, in order."""
    return [found["name"] for found in _PART.finditer(text)]


def filled(page: Path, parts: Mapping[str, Callable[[], str]]) -> str:
    """The text of a page with its generated parts as the code has them now.

    Raises: `ValueError` where a part is not known or not ended by its own name.
    """

    def fill(found: re.Match[str]) -> str:
        name = found["name"]
        if name != found["end"] or name not in parts:
            raise ValueError(f"{page.relative_to(ROOT)}: no part is called '{name}', or '{found['end']}' ends it")
        return f"<!-- generated: {name} -->\n\n{parts[name]().strip()}\n\n<!-- end of {name} -->"

    return _PART.sub(fill, page.read_text(encoding="utf8"))


def by_hand(text: str) -> str:
    """A page without its generated parts; lines stay where they are."""
    return _PART.sub(lambda found: "\n" * found[0].count("\n"), text)


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page that people have written."""
    text = by_hand(page.read_text(encoding="utf8"))
    for found in _FENCE.finditer(text):
        yield Block(page, text.count("\n", 0, found.start("text")) + 1, found["language"], found["text"])


def commands(block: Block) -> list[str]:
    """The command lines of a block, without their comments; lines that end in a backslash are joined."""
    joined = re.sub(r"\\\n\s*", "", block.text)
    return [line for raw in joined.splitlines() if (line := re.sub(r"(^|\s+)#.*", "", raw).strip())]


def links(page: Path) -> list[str]:
    """Where a page's links and images lead."""
    text = re.sub(_FENCE, "", page.read_text(encoding="utf8"))
    text = re.sub(r"`[^`\n]*`", "", text)
    return re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as GitHub makes them, and of what bears an id."""
    text = page.read_text(encoding="utf8")
    plain = re.sub(_FENCE, "", text)
    titles = re.findall(r"^#+ (.+)$", plain, re.MULTILINE)
    named = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    return named | set(re.findall(r'id="([^"]+)"', text))
