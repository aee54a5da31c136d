"""Where translations go: names, and what is refused before anything is computed."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imgen.errors import DataError
from imgen.translating.inputs import Item

JPEG = (".jpg", ".jpeg")
WRITTEN = (".png", *JPEG, ".webp")


@dataclass(frozen=True)
class Job:
    """A picture to translate, and the file for each stage that is written, from 1."""

    item: Item
    targets: dict[int, Path]


def plan(items: Sequence[Item], endings: dict[int, str], out: Path, format: str | None = None) -> list[Job]:
    """A file below `out` for each picture and stage, under the picture's own name.

    endings: what the stem ends in by stage. format: png, jpg or webp; None: JPEG for JPEG, and PNG for all else.
    """
    jobs = []
    for item in items:
        suffix = _suffix(item, format)
        stem = out / item.name.parent / item.name.stem
        jobs.append(Job(item, {stage: stem.with_name(f"{stem.name}{end}{suffix}") for stage, end in endings.items()}))
    return jobs


def plan_file(item: Item, endings: dict[int, str], out: Path) -> Job:
    """One picture to a file of the user's choice. Raises: `DataError` where that cannot hold it."""
    if out.suffix.lower() in JPEG and item.is_transparent():
        raise DataError(f"{item.told}: has transparency, which {out.name} could not keep; write a .png")
    return Job(item, {stage: out.with_name(f"{out.stem}{end}{out.suffix}") for stage, end in endings.items()})


def check(jobs: Sequence[Job], further: Sequence[Path], overwrite: bool) -> None:
    """Raises: `DataError` where two would be one file, or a file that is there would be lost."""
    origin: dict[Path, str] = dict.fromkeys(further, "the sheet")
    for job in jobs:
        for path in job.targets.values():
            if path in origin:
                raise DataError(
                    f"{path}: both {origin[path]} and {job.item.told} would be written here; give the folder above "
                    "them, which keeps its structure, or translate them one after the other"
                )
            origin[path] = job.item.told
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
