"""The files of `imgen traverse`: sheets, animations, or every picture by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgen.errors import DataError

if TYPE_CHECKING:
    from imgen.translating.inputs import Item
    from imgen.traversing.views import View

ROOT = Path("samples")


def write(seen: View, options: Mapping[str, Any], title: str, items: Sequence[Item]) -> list[Path]:
    """Write what the options of `imgen traverse` ask for, called after `title`, and give the files.

    items: pictures that were started from, none of which is overwritten.
    """
    from imgen import images
    from imgen.translating.outputs import folder_names
    from imgen.traversing import sheets, views

    out, ending = options["out"], ".gif" if options["gif"] else ".png"
    scale = options["scale"] or sheets.scale_of(*seen.shown.shape[4:])
    if options["files"]:
        folder = _folder(out, title)
        scale, paths = options["scale"] or 1, []
        for name, picture in views.cells(seen):
            paths.append(_kept(folder / f"{name}.png", items))
            images.save(images.to_image(sheets.enlarged(picture, scale)), paths[-1])
        return paths
    if not options["gif"] and options["by"] == "base":
        path = _kept(_file(out, title, ending), items)
        images.save_png(views.by_base(seen, scale, options["plain"]), path)
        return [path]
    if len(seen.rows) == 1 and out is not None and out.suffix and not out.is_dir():
        paths = [_file(out, title, ending)]
    else:
        # Brackets mean something to shells.
        names = folder_names([row.name.replace("[", "-").rstrip("]") for row in seen.rows])
        paths = [_folder(out, title) / f"{name}{ending}" for name in names]
    for path in paths:
        _kept(path, items)
    if options["gif"]:
        for path, frames in zip(paths, views.animated(seen, scale, options["plain"]), strict=True):
            images.save_gif(frames, path)
    else:
        for path, sheet in zip(paths, views.by_code(seen, scale, options["plain"]), strict=True):
            images.save_png(sheet, path)
    return paths


def _file(out: Path | None, title: str, ending: str) -> Path:
    if out is None:
        return ROOT / f"{title}{ending}"
    if out.is_dir() or not out.suffix:
        return out / f"{title}{ending}"
    if out.suffix.lower() != ending:
        raise click.UsageError(f"--out {out}: this writes a {ending} file; give a name that ends so, or a folder")
    return out


def _folder(out: Path | None, title: str) -> Path:
    if out is not None and out.suffix.lower() in (".png", ".gif") and not out.is_dir():
        raise click.UsageError(f"--out {out}: this writes several files; give a folder")
    return out or ROOT / title


def _kept(path: Path, items: Sequence[Item]) -> Path:
    """The path, if no picture that was started from lies there."""
    files = [file for item in items if (file := getattr(item, "file", None)) and file.exists()]
    if path.exists() and any(path.samefile(file) for file in files):
        raise DataError(f"{path}: is a picture to start from, and never overwritten; give another --out")
    return path
