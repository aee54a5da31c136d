"""Folders that are written, variables that matter, and the Hub."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from imgen.distributions import without_password
from imgen.environment.rows import Row, size
from imgen.errors import HubError, near_miss
from imgen.plain import plain

OURS = ("IMGEN_PLUGINS", "IMGEN_CACHE", "IMGEN_DEBUG")
"""The variables that imgen itself reads."""

_OTHERS = (
    *("HF_ENDPOINT", "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_TOKEN", "HF_HUB_DISABLE_XET"),
    *("CUDA_VISIBLE_DEVICES", "PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "TORCH_LOGS", "CUDA_LAUNCH_BLOCKING"),
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "WORLD_SIZE", "RANK", "LOCAL_RANK"),
    *("PYTHONPATH", "PIP_INDEX_URL", "PIP_CONSTRAINT", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
)
_SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|CREDENTIAL|_KEY$|AUTH")
_LITTLE = 5e9  # bytes of free space: a few checkpoints of a large model
_NONE = 100e6
_PATIENCE = 5.0  # seconds for the Hub


def folders() -> Iterator[Row]:
    """Whether runs and caches can be written, and how much space they have."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    places = {
        "runs": Path("runs"),
        "cache": Path(os.environ.get("IMGEN_CACHE") or "~/.cache/imgen"),
        "cache of the Hub": Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub"),
    }
    for name, folder in places.items():
        yield _folder(name, folder.expanduser(), {"runs": "", "cache": "IMGEN_CACHE"}.get(name, "HF_HOME"))


def variables() -> Iterator[Row]:
    """The variables that are set and matter; those that hold secrets without their values."""
    for name, value in sorted(os.environ.items()):
        if name.startswith("IMGEN_") and name not in OURS:
            told = f"set, and imgen does not know it{near_miss(name, OURS)}"
            yield Row("variables", name, "warn", told, f"unset {name}")
        elif name.upper() in _OTHERS or name in OURS or name.startswith("HF_"):
            yield Row("variables", name, "ok", shown(name, value))


def shown(name: str, value: str) -> str:
    """A variable's value as it may be shown: `set` for one that holds a secret."""
    if _SECRET.search(name.upper()):
        return "set" if value else "set to nothing"
    # Addresses of proxies and mirrors may carry a password, or a token in the place of a user's name.
    bare = re.sub(r"(://)[^/@\s]+@", r"\1", without_password(value))
    return plain(bare) if value else "set to nothing"


def hub(patience: float = _PATIENCE) -> Row:
    """Whether the Hub answers, and to whom."""
    answer: list[Row] = []

    def ask() -> None:
        try:
            from imgen.hub import client

            answer.append(Row("hub", "hub", "ok", plain(client.reach())))
        except HubError as error:
            way = "see HF_ENDPOINT and the connection; HF_HUB_OFFLINE=1 works with what is in the cache"
            answer.append(Row("hub", "hub", "warn", plain(str(error)), way))
        except Exception as error:
            told = plain(f"{type(error).__name__}: {error}")
            answer.append(Row("hub", "hub", "broken", told, "install huggingface-hub again"))

    # A name server that is silent cannot be interrupted: it is left behind.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(patience)
    silent = Row("hub", "hub", "warn", f"no answer in {patience:g} seconds", "look at the connection and HF_ENDPOINT")
    return answer[0] if answer else silent


def _folder(name: str, folder: Path, variable: str) -> Row:
    # What is not there yet will be made below the nearest folder that is.
    nearest = next(above for above in (folder.absolute(), *folder.absolute().parents) if above.exists())
    elsewhere = f"name another folder in {variable}" if variable else "work in another folder, or give --out"
    if not nearest.is_dir():
        return Row("folders", name, "broken", f"{folder}: {nearest} is a file", elsewhere)
    try:
        with tempfile.TemporaryFile(dir=nearest) as file:
            file.write(b"imgen")
    except OSError as error:
        return Row("folders", name, "broken", f"{folder}: cannot be written: {error.strerror}", elsewhere)
    free = 0
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(nearest).free
    told = f"{folder}: can be written, {size(free)} free"
    if free < _LITTLE:
        return Row("folders", name, "broken" if free < _NONE else "warn", told, f"free some space, or {elsewhere}")
    return Row("folders", name, "ok", told)
