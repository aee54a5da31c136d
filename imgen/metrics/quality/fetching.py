"""Files that a measurement needs from elsewhere, fetched once and never trusted without their checksum."""

from __future__ import annotations

import hashlib
import os
import time
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from imgen.errors import DataError
from imgen.files import replacing

_PIECE = 2**20
_SILENCE = 30.0  # seconds without a byte
_TOGETHER = 1800.0  # seconds for the whole file


def cache_folder() -> Path:
    """Where features of real pictures and weights of feature networks are kept: `IMGEN_CACHE` or ~/.cache/imgen."""
    return Path(os.environ.get("IMGEN_CACHE") or "~/.cache/imgen").expanduser() / "features"


def fetch(
    url: str, path: Path, sha256: str, *, most: int, silence: float = _SILENCE, together: float = _TOGETHER
) -> Path:
    """A file from a server, which takes its name once it is whole and right.

    sha256: hexadecimal, all of it or its leading digits. most: bytes it may have. silence: seconds without a byte after
    which a server has gone, together: seconds for all of it.

    Raises: `DataError`, which says what file to put where, whatever went wrong; nothing is left then.
    """
    digest, read = hashlib.sha256(), 0
    began = time.monotonic()
    try:
        with urlopen(url, timeout=silence) as answer, replacing(path) as file:
            told = answer.headers.get("Content-Length")
            while piece := answer.read(_PIECE):
                read += len(piece)
                if read > most:
                    raise _failed(url, path, f"it is larger than the {most:,} bytes expected")
                if time.monotonic() - began > together:
                    raise _failed(url, path, f"it took longer than {together:.0f} s")
                digest.update(piece)
                file.write(piece)
            if told is not None and told.isdecimal() and read < int(told):
                raise _failed(url, path, f"the connection was cut after {read:,} of {int(told):,} bytes")
            if not digest.hexdigest().startswith(sha256):
                raise _failed(url, path, f"its sha256 is {digest.hexdigest()}, not {sha256}")
    except DataError:
        raise
    except (OSError, HTTPException, ValueError) as error:
        raise _failed(url, path, _reason(error)) from error
    return path


def is_right(path: Path, sha256: str) -> bool:
    """Whether a file is there and has this sha256, or leading digits of it."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
    except OSError:
        return False
    return digest.hexdigest().startswith(sha256)


def _failed(url: str, path: Path, reason: str) -> DataError:
    return DataError(f"{url} could not be fetched: {reason}; get it from there yourself and put it at {path}")


def _reason(error: Any) -> str:
    if isinstance(error, HTTPError):
        return f"the server says {error.code} {error.reason}"
    inner = error.reason if isinstance(error, URLError) else error
    if isinstance(inner, TimeoutError):
        return "the server does not answer"
    return " ".join(str(getattr(inner, "strerror", None) or inner).split())[:200] or type(inner).__name__
