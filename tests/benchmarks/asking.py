"""What benchmarks are asked for: whatever is wrong with it ends in one line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from imgen.errors import ImgenError, RecipeError, near_miss


def chosen(asked: str | Sequence[str], known: Collection[str], what: str = "recipe") -> list[str]:
    """Names with commas between them, or one after the other; none: all that are known.

    Raises: `RecipeError` where one is not known.
    """
    names = [name for name in (asked.split(",") if isinstance(asked, str) else asked) if name]
    for name in names:
        if name not in known:
            raise RecipeError(f"no {what} '{name}'{near_miss(name, known)}")
    return names or list(known)


def plainly(main: Callable[[], object]) -> None:
    """The script; what it refuses is told in a line, with status 2."""
    try:
        main()
    except ImgenError as error:
        print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
        raise SystemExit(error.exit_status) from None
