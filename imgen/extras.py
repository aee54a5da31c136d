"""Packages that only some measurements and commands need."""

from __future__ import annotations

import importlib
from typing import Any

from imgen.errors import DataError


def need(module: str, extra: str, what: str) -> Any:
    """A module of an optional package. what: that needs it, in words, for the message.

    Raises: `DataError` with the line that installs it, where it cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        missing = getattr(error, "name", None) or module
        raise DataError(
            f"{what} needs the package '{missing.partition('.')[0]}': pip install 'imgen[{extra}]'"
        ) from None
