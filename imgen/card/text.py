"""Text from files and data as Markdown that means nothing but itself: no HTML, no links, no broken tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from imgen import privacy
from imgen.plain import plain

_MARKS = re.compile(r"([\\`*\[\]|~])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# An underscore within a word is no emphasis, and words read better without a backslash.
_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_BLOCK = re.compile(r"^(?:([#+=-])|(\d+)([.)]))")
_ADDRESS = re.compile(r"https?://[\w.~:/?#@!$&*+,;=%-]+")
_SCHEME = re.compile(r"\b(https?|ftp)://|\bwww\.", re.IGNORECASE)
LONGEST = 600


def told(text: object, most: int = LONGEST) -> str:
    """A text in one line, without folders of this machine."""
    return privacy.unplaced(plain(str(text), most))


def prose(text: object, most: int = LONGEST) -> str:
    """A text as it stands in a paragraph or in a cell of a table: every mark of Markdown is just a character."""
    line = _MARKS.sub(r"\\\1", told(text, most))
    line = "".join(_ENTITIES.get(character, character) for character in line)
    line = _UNDERSCORE.sub(r"\\_", line)
    # Only the card itself makes links.
    line = _SCHEME.sub(lambda found: found[0].replace(":", "&#58;").replace(".", "&#46;"), line)
    return _BLOCK.sub(lambda found: f"\\{found[1]}" if found[1] else f"{found[2]}\\{found[3]}", line)


def code(text: object, most: int = 200) -> str:
    """A text as code within a line; nothing where it is empty."""
    line = told(text, most)
    if not line:
        return ""
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    fence, gap = "`" * (longest + 1), " " if longest else ""
    # A table ends its cell at a bar even within code.
    return f"{fence}{gap}{line}{gap}{fence}" if "|" not in line else prose(line, most)


def fenced(text: str, language: str = "") -> str:
    """Lines of code as a block."""
    lines = [plain_line(line) for line in text.splitlines()]
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}{language}", *lines, fence])


def plain_line(line: str) -> str:
    """A line of code without controls, with its blanks, and without what could pass for the card's own markers."""
    words = (plain(piece, 4000) if piece.strip(" ") else piece for piece in re.split("( +)", line[:20_000]))
    return "".join(words).rstrip().replace("<!--", "<! --")


def link(text: str, address: str) -> str:
    """A link, or the text alone where the address is none of the web."""
    return f"[{prose(text)}]({address})" if _ADDRESS.fullmatch(address) else prose(text)


def picture(says: str, path: str) -> str:
    """A picture of the repository. says: for those who do not see it."""
    return f"![{prose(says)}]({quote(plain(path, 300))})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; nothing where it has no rows. Cells are Markdown already."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([f"| {' | '.join(head)} |", "|" + " --- |" * len(head), *lines]) if lines else ""


def bullets(items: Iterable[str]) -> str:
    """A list. Items are Markdown already."""
    return "\n".join(f"- {item}" for item in items)


def listed(items: Sequence[str], most: int = 40) -> str:
    """Names in a row, cut where there are too many. They are Markdown already."""
    more = len(items) - most
    return ", ".join([*items[:most], *([f"and {more:,} more"] if more > 0 else [])])


def section(title: str, *parts: str) -> str:
    """A heading and what stands below it, or nothing where that is empty."""
    kept = [part for part in parts if part]
    return "\n\n".join([f"## {title}", *kept]) if kept else ""
