"""Where translations go: names, and what is refused before anything is computed."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from imgen.errors import DataError
from imgen.translating.inputs import Item

JPEG = (".jpg", ".jpeg")
WRITTEN = (".png", *JPEG, ".webp")
FURTHER = ("sheet.png", "sheet.gif", "manifest.csv", "manifest.json")
_LONGEST = 60  # characters of a folder's name


@dataclass(frozen=True)
class Job:
    """A picture to translate, and the file for each stage that is written, from 1."""

    item: Item
    targets: dict[int, Path]


def plan(
    items: Sequence[Item],
    endings: Mapping[int, str],
    out: Path,
    format: str | None = None,
    folders: Mapping[int, str] | None = None,
) -> list[Job]:
    """A file below `out` for each picture and stage, under the picture's own name.

    endings: what the stem ends in by stage. format: png, jpg or webp; None: JPEG for JPEG, and PNG for all else.
    folders: below `out`, by stage, where stages have some.
    """
    jobs = []
    for item in items:
        suffix = _suffix(item, format)
        places = {stage: out / (folders or {}).get(stage, "") / item.name.parent for stage in endings}
        jobs.append(
            Job(item, {stage: places[stage] / f"{item.name.stem}{end}{suffix}" for stage, end in endings.items()})
        )
    return jobs


def folder_names(styles: Sequence[str]) -> list[str]:
    """A folder's name for each style, safe in any file system and shell: `not_Smiling`, `71+`. No two are the same."""
    taken = {name.casefold() for name in FURTHER}
    names = []
    for style in styles:
        plain = re.sub(r"[^\w.+-]+", "_", style)[:_LONGEST].strip(".-") or "_"
        name, number = plain, 1
        while name.casefold() in taken:
            number += 1
            name = f"{plain}-{number}"
        taken.add(name.casefold())
        names.append(name)
    return names


def plan_file(item: Item, endings: dict[int, str], out: Path) -> Job:
    """One picture to a file of the user's choice. Raises: `DataError` where that cannot hold it."""
    if out.suffix.lower() in JPEG and item.is_transparent():
        raise DataError(f"{item.told}: has transparency, which {out.name} could not keep; write a .png")
    return Job(item, {stage: out.with_name(f"{out.stem}{end}{out.suffix}") for stage, end in endings.items()})


def check(jobs: Sequence[Job], further: Iterable[Path], overwrite: bool) -> None:
    """Raises: `DataError` where two would be one file, or a file that is there would be lost."""
    origin: dict[Path, str] = {path: f"the {path.stem}" for path in further}
    for job in jobs:
        for path in job.targets.values():
            if path in origin:
                raise DataError(
                    f"{path}: both {origin[path]} and {job.item.told} would be written here; give the folder above "
                    "them, which keeps its structure, or translate them one after the other"
                )
            origin[path] = job.item.told
    for folder in {path.parent: None for path in origin}:
        if folder.is_file():
            raise DataError(f"{folder}: a file is in the way; give another --out")
    present = [path for path in origin if path.exists()]
    if not present:
        return
    files = [file for job in jobs if (file := getattr(job.item, "file", None)) and file.exists()]
    inputs = {(told.st_dev, told.st_ino) for told in (file.stat() for file in files)}
    for path in present:
        told = path.stat()
        if (told.st_dev, told.st_ino) in inputs:
            raise DataError(f"{path}: is a picture to be translated, and never overwritten; give another --out")
        if path.is_dir():
            raise DataError(f"{path}: a folder is in the way; give another --out")
    if not overwrite:
        more = f", and {len(present) - 1:,} more" if len(present) > 1 else ""
        raise DataError(f"{present[0]}: exists already{more}; give --overwrite to replace, or another --out")


def claim(folder: Path) -> list[Path]:
    """Make a folder and see that it can be written to. Gives what was made, for `release`.

    Raises: `DataError` where it cannot be.
    """
    made: list[Path] = []
    try:
        made = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return made
    except OSError as error:
        release(made)
        raise DataError(f"{folder}: cannot be written to: {error.strerror or error}; give another --out") from None


def release(made: Sequence[Path]) -> None:
    """Remove the folders that `claim` made, as far as they are empty."""
    for folder in made:
        try:
            folder.rmdir()
        except OSError:
            return


def _suffix(item: Item, format: str | None) -> str:
    own = item.name.suffix
    suffix = own if format in (None, "jpg") and own.lower() in JPEG else f".{format or 'png'}"
    # A JPEG cannot hold transparency, whatever the name of the file that has it.
    return ".png" if suffix.lower() in JPEG and item.is_transparent() else suffix
