"""A model fetched from the Hub into the standard cache, and looked at before anything uses it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from imgen.errors import HubError, ImgenError
from imgen.hub import client, contents, trust
from imgen.hub.reference import Reference
from imgen.hub.refusals import NotThere, Unreachable
from imgen.hub.service import cache, endpoint, offline

_ORDER = (contents.CONFIG, contents.RECIPE, contents.METRICS, contents.CARD)


@dataclass(frozen=True)
class Pulled:
    """A model that was fetched. folder: in the cache; commit: which state; fresh: whether the Hub was asked."""

    reference: Reference
    folder: Path
    commit: str
    fresh: bool = True

    @property
    def weights(self) -> Path:
        """Its weights file."""
        return self.folder / contents.WEIGHTS


def pull(
    reference: Reference,
    *,
    parts: tuple[contents.Part, ...] = ("model",),
    say: Callable[[str], None] = lambda line: None,
) -> Pulled:
    """Fetch the parts of a model that are not in the cache yet, and check each file before it is used.

    say: told in a line where the Hub cannot be asked and the cache is used.
    Raises: `HubError` where there is no such model, or it is not to be trusted; `WeightsError` where it is damaged.
    """
    if offline():
        return _kept(reference, parts, "HF_HUB_OFFLINE is set")
    if re.fullmatch(r"[0-9a-f]{40}", reference.revision or "") and client.cached(reference):
        # A commit is what it is: the Hub need not be asked where all of it is here.
        with suppress(HubError):
            return _kept(reference, parts, "")
    try:
        there = client.state(reference)
        if there is None:
            raise NotThere(
                f"{reference}: there is no such repository at {endpoint()}, or it is private: log in with "
                "`hf auth login`, or set HF_TOKEN"
            )
        wanted = _wanted(reference, there, parts)
        folder = [_fetched(reference, there, path) for path in wanted][-1]
    except Unreachable as error:
        try:
            found = _kept(reference, parts, "the Hub cannot be asked")
        except HubError:
            raise error from None
        say(f"{error}; using what was fetched before, commit {found.commit[:12]}")
        return found
    client.remember(there)
    return Pulled(reference, folder, there.commit)


def copy(pulled: Pulled, parts: tuple[contents.Part, ...], out: Path) -> Path:
    """A folder of its own with the files of a fetched model, to go on training or to change.

    Raises: `HubError` where there is something already.
    """
    check_new(out)
    there = out.is_dir()
    name = f".pull.{os.getpid()}-{os.urandom(4).hex()}.part"
    # A folder that is there may be the working one, or where a disk is mounted: it stays, and is filled.
    building = out / name if there else out.with_name(f".{out.name}{name}")
    try:
        for path in _here(pulled.folder, parts):
            (building / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(pulled.folder / path, building / path)
        if there:
            for part in sorted(building.iterdir()):
                part.rename(out / part.name)
        else:
            building.rename(out)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return out


def check_new(out: Path) -> None:
    """Raises: `HubError` where a folder of that name holds something already."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise HubError(f"{out}: is there already; choose a new folder")


def _wanted(reference: Reference, there: client.State, parts: tuple[contents.Part, ...]) -> list[str]:
    """The files to fetch, the weights last: where they are in the cache, all else is."""
    known = trust.check_listing([(file.path, file.size) for file in there.files], str(reference))
    kinds = {path: contents.kind_of(path) for path in known}
    wanted = [path for path, kind in kinds.items() if kind and kind.part in parts]
    if "training" in parts and not any(path.endswith("/state.json") for path in wanted):
        raise HubError(f"{reference}: keeps no training state; whoever pushed it would have to push it with --full")
    return sorted(wanted, key=lambda path: (path == contents.WEIGHTS, path not in _ORDER, path))


def _fetched(reference: Reference, there: client.State, path: str) -> Path:
    """Fetch a file, check it, and give the folder of the repository in the cache."""
    file = client.fetch(there, path)
    try:
        trust.check_file(path, file, str(reference))
    except ImgenError:
        client.forget(file)
        raise
    return file.parents[path.count("/")]


def _kept(reference: Reference, parts: tuple[contents.Part, ...], why: str) -> Pulled:
    folder = client.cached(reference)
    if folder is None or not (folder / contents.WEIGHTS).is_file():
        raise HubError(f"{reference}: not in the cache {cache()}, and {why}; fetch it once with `imgen pull`")
    here = _here(folder, parts)
    if "training" in parts and not any(path.endswith("/state.json") for path in here):
        raise HubError(f"{reference}: its training state is not in the cache, and {why}")
    for path in here:
        trust.check_file(path, folder / path, str(reference))
    return Pulled(reference, folder, folder.name, fresh=False)


def _here(folder: Path, parts: tuple[contents.Part, ...]) -> list[str]:
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    kinds = {path: contents.kind_of(path) for path in paths}
    return [path for path, kind in kinds.items() if kind and kind.part in parts]
