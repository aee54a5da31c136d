"""Two domains, each a folder of pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge

from imgen.binding import Place
from imgen.data.changes import Side, part
from imgen.data.domains import Domains
from imgen.data.parting import Channels, Domain, Facts, Frame, default_held, domains, parted, surveyed, tail
from imgen.data.source import Source, open_source
from imgen.data.splits import KINDS, split, wrapper
from imgen.errors import DataError
from imgen.names import find

_FUSED = re.compile(r"(train|test|val)(?:[ _-](.+)|([A-Z0-9].*))")
_LAYOUTS = "trainA and trainB, A and B, or two other folders of pictures"


def folder_domains(
    *,
    root: Place | None = None,
    domain_A: str | None = None,
    domain_B: str | None = None,
    root_A: Place | None = None,
    root_B: Place | None = None,
    side_A: Side = "whole",
    side_B: Side = "whole",
    n_test: Annotated[int, Ge(0)] | None = None,
    size: Annotated[int, Ge(1)] = 64,
    crop: int | str = "center",
    channels: Channels = 3,
    about: str = "",
) -> Domains:
    """Two domains of pictures, each in a folder of its own, such as trainA and trainB.

    Settings:
        root: folder or zip with trainA, trainB, testA and testB, with A and B, or with two folders of any name
        domain_A: folder of the first domain below root, or a name for it; null: the first of two
        domain_B: folder of the second domain below root, or a name for it; null: the second of two
        root_A: folder or zip of the first domain, in place of root
        root_B: folder or zip of the second domain, in place of root
        side_A: whole, or the left or right half of each picture of the first domain
        side_B: whole, or the left or right half of each picture of the second domain
        n_test: last pictures held out of a domain without a test folder; null: a tenth, 200 at most [pictures]
        size: height and width of a picture [pixels]
        crop: 'center', 'none' (squeeze), 'celeba', side of a centred square, or WxH+X+Y [pixels]
        channels: 3 for colour, 1 for grey
        about: what data this is and on what terms, for the model card

    Raises: `DataError` where the folders are missing, cannot be told apart, or hold no pictures.
    """
    frame = Frame(size=size, crop=crop, channels=channels)
    if root_A is not None and root_B is not None and root is None:
        found, outside = _of_roots(root_A, root_B, domain_A, domain_B), 0
    elif root is not None and root_A is None and root_B is None:
        *found, outside = _of_root(open_source(root, _LAYOUTS), domain_A, domain_B)
    else:
        raise DataError("folder-domains needs either root, or both root_A and root_B")
    made: list[Domain] = []
    unreadable: dict[str, str] = {}
    for each, side in zip(found, (side_A, side_B), strict=True):
        domain, skipped = _made(each, side, n_test, frame)
        made.append(domain)
        unreadable |= dict(each.source.refused) | skipped
    told = dict.fromkeys((*(each.source.path.name for each in found), *(each.name for each in found)))
    facts = Facts(
        about=about or f"pictures from {', '.join(told)}",
        origin={"layout": "folders"},
        unreadable=unreadable,
        notes=[f"{outside:,} pictures in other folders left out"] if outside else [],
    )
    return domains(made[0], made[1], frame, facts)


@dataclass(frozen=True, kw_only=True)
class _Found:
    """Pictures of a domain, by name; test: those that a folder holds out."""

    name: str
    source: Source
    train: Sequence[str]
    test: Sequence[str]


def _made(found: _Found, side: Side, n_test: int | None, frame: Frame) -> tuple[Domain, dict[str, str]]:
    pictures = frame.column(found.source, [*found.train, *found.test], part(side))
    rows, unreadable = surveyed(pictures, np.arange(len(pictures)))
    if found.test:
        held = rows >= len(found.train)
        if held.all():
            raise DataError(f"{found.source.path}: no picture of {found.name} to train on can be read")
    else:
        count = default_held(len(rows)) if n_test is None else n_test
        held = tail(str(found.source.path), found.name, len(rows), count)
    return parted(found.name, pictures, np.arange(len(rows)), held), unreadable


def _of_roots(root_A: str, root_B: str, domain_A: str | None, domain_B: str | None) -> list[_Found]:
    sources = [open_source(root) for root in (root_A, root_B)]
    if sources[0].path.resolve() == sources[1].path.resolve():
        raise DataError(f"{root_A}: root_A and root_B are one; for pairs side by side use aligned-domains")
    paths = [Path(source.path).absolute().with_suffix("") for source in sources]
    names = [path.name for path in paths]
    if names[0] == names[1]:
        names = [f"{path.parent.name}/{path.name}" for path in paths]
    names = [domain_A or names[0], domain_B or names[1]]
    if names[0] == names[1]:
        raise DataError(f"both domains are called {names[0]}; name them by domain_A and domain_B")
    splits = [split(source) for source in sources]
    return [
        _Found(name=name, source=source, train=parts.train, test=parts.test)
        for name, source, parts in zip(names, sources, splits, strict=True)
    ]


def _of_root(source: Source, domain_A: str | None, domain_B: str | None) -> tuple[_Found, _Found, int]:
    """Both domains of one source, and the number of pictures outside of them."""
    if not source.names:
        raise DataError(f"{source.path}: holds no pictures; wanted are {_LAYOUTS}")
    folders = _folders(source)
    chosen = _chosen(source, sorted(folders), domain_A, domain_B)
    found = []
    for folder, given in zip(chosen, (domain_A, domain_B), strict=True):
        kinds = folders[folder]
        if not kinds.get("train"):
            raise DataError(f"{source.path}: {folder} has no pictures to train on")
        test = kinds.get("test") or kinds.get("val") or []
        # A given name that is no folder's is what the domain is to be called.
        name = folder if given is None or _same(given, folder) else given
        found.append(_Found(name=name, source=source, train=kinds["train"], test=test))
    used = sum(len(each.train) + len(each.test) for each in found)
    return found[0], found[1], len(source.names) - used


def _folders(source: Source) -> dict[str, dict[str, list[str]]]:
    """Pictures by the name of their domain, and by whether they are to train on."""
    below = wrapper(source.names, KINDS)
    paths = [(name, name[len(below) :].split("/")[:-1]) for name in source.names]
    # A folder called test_shots is a domain unless another shows that the start of a name means something.
    fused = any(parts and parts[0].startswith("train") and _FUSED.fullmatch(parts[0]) for _, parts in paths)
    folders: dict[str, dict[str, list[str]]] = {}
    for name, parts in paths:
        if not parts:
            continue
        if fused and (match := _FUSED.fullmatch(parts[0])):
            kind, domain = match[1], match[2] or match[3]
        elif parts[0].lower() in KINDS and len(parts) > 1:
            kind, domain = KINDS[parts[0].lower()], parts[1]
        else:
            kind, domain = "train", parts[0]
        folders.setdefault(domain, {}).setdefault(kind, []).append(name)
    return folders


def _chosen(source: Source, folders: list[str], domain_A: str | None, domain_B: str | None) -> tuple[str, str]:
    """The folders of both domains."""
    there = [any(_same(given, folder) for folder in folders) for given in (domain_A, domain_B) if given]
    two = [folder for folder in folders if folder in ("A", "B")]
    two = two if len(two) == 2 else folders
    if domain_A and domain_B and all(there):
        chosen = find(domain_A, folders, "folder"), find(domain_B, folders, "folder")
    elif len(two) == 2 and not any(there):
        chosen = two[0], two[1]
    elif len(folders) == 2 and len(there) == 1:
        named = find(domain_A or domain_B or "", folders, "folder")
        (other,) = (folder for folder in folders if folder != named)
        chosen = (named, other) if domain_A else (other, named)
    else:
        told = ", ".join(folders[:12]) or "none"
        raise DataError(
            f"{source.path}: the folders of pictures are {told}; wanted are {_LAYOUTS}, chosen by domain_A and domain_B"
        )
    if chosen[0] == chosen[1]:
        raise DataError(f"domain_A and domain_B are both {chosen[0]}; two domains must differ")
    return chosen


def _same(given: str, folder: str) -> bool:
    return given.casefold() == folder.casefold()
