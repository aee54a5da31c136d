"""Errors as messages: a line each, and the exit status that goes with them."""

from __future__ import annotations

import errno

from imgen import plugins
from imgen.distributions import OURS
from imgen.errors import ImgenError


def lines_of(error: Exception, found: plugins.Plugins) -> tuple[list[str], int]:
    """What went wrong, a line for each error, and the exit status."""
    if isinstance(error, ImgenError):
        return [f"imgen: {line}" for line in str(error).splitlines()], error.exit_status
    if isinstance(error, OSError):
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        hint = "; free some space and start the same command again" if full else ""
        return [f"imgen: {error.filename or 'the system'}: {error.strerror or error}{hint}"], 1
    told = " ".join(str(error).split())[:500]
    place = _in_a_plugin(error, found)
    if place:
        return [f"imgen: {place}: {type(error).__name__}: {told} (--debug shows the whole way)"], 1
    return [f"imgen: unexpected {type(error).__name__}: {told} (--debug shows where)"], 1


def _in_a_plugin(error: Exception, found: plugins.Plugins) -> str:
    """The plugin of others, and the line of its code, in which an error arose; nothing where that was elsewhere."""
    others = {info.source.partition(":")[0].split(".")[0]: info for info in found.infos if info.package != OURS}
    told = [
        f"plugin '{others[module].name}': {place}" for module, place in plugins.places_of(error) if module in others
    ]
    return told[-1] if told else ""
