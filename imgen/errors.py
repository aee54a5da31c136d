"""Every error that a user can cause or meet, each one line: where, what is wrong, what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from imgen.plain import unsteered

_LONGEST = 2_000  # characters of one error


class ImgenError(Exception):
    """Something that the user can put right; `cli` prints it without a traceback.

    Several lines of text are several errors, all found at once.
    """

    exit_status = 2

    def __init__(self, told: str = "") -> None:
        """told: what is wrong. Whatever of it comes from a file or a server steers no terminal and ends in time."""
        super().__init__("\n".join(_cut(line) for line in unsteered(str(told)).split("\n")))


class RecipeError(ImgenError):
    """A recipe, or a setting given on the command line, is wrong."""


class PluginError(ImgenError):
    """A plugin is broken, missing, or claims what another has."""


class Miswritten(PluginError, TypeError):
    """A plugin's code is not what imgen asks of it."""


class DataError(ImgenError):
    """A data set is missing, unreadable, or not what the algorithm needs."""


class WeightsError(ImgenError):
    """A weights file or a checkpoint is damaged, foreign, or of another recipe."""


class HubError(ImgenError):
    """Something is wrong with what is asked of a Hub, or, where it may go well another time, with the Hub itself."""

    def __init__(self, told: str, *, again: bool = False) -> None:
        """again: the same command may do another time, so that it failed while running and was not wrong."""
        super().__init__(told)
        if again:
            self.exit_status = 1


class Diverged(ImgenError):
    """A loss stopped being a number while training."""

    exit_status = 1


def _cut(line: str) -> str:
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."


def near_miss(name: str, known: Iterable[str]) -> str:
    """The end of an error message that offers the nearest known names, or all of a few."""
    names = sorted(known)
    # Case and separators are where most slips are: they should not count against a suggestion.
    plain = {_plain(other): other for other in reversed(names)}
    close = [plain[match] for match in difflib.get_close_matches(_plain(name), plain, n=2, cutoff=0.65)]
    if close:
        return "; did you mean " + " or ".join(f"'{other}'" for other in close) + "?"
    if not names:
        return "; there are none"
    listed = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"; there is {listed}" if len(names) == 1 else f"; there are {listed}"


def _plain(name: str) -> str:
    return name.casefold().replace("_", "-")
