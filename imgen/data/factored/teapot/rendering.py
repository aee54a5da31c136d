"""A whole data set of teapots, drawn by many processes: what is drawn is kept, and the same request goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Generator, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from imgen import files
from imgen.data import arrays
from imgen.data.factored.teapot.picture import render
from imgen.data.factored.teapot.processes import spread
from imgen.data.factored.teapot.scene import GROUP, SIZE, VARIANTS, published, scenes
from imgen.errors import DataError, ImgenError

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRAIN, METRIC = "train_data/data.npz", "metric_data/data.npz"
"""Where the published data has its files."""
VERSION = 1
"""Of all that decides a picture's values: blocks of another one do not go together with new ones."""
BLOCK = 100  # pictures that are drawn and kept at once, and that Ctrl-C waits for
_PLAN, _WHOLE = "plan.json", "whole"

Told = Callable[[int, int], None]
"""Is told how many pictures there are, and of how many."""


class Unfinished(ImgenError):
    """Drawing ended before its time; what was drawn is kept."""

    exit_status = 1


class Interrupted(Unfinished):
    """Drawing was ended by whoever began it."""

    exit_status = 130


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which data set is to be drawn: images to train on, and groups of `GROUP` in which one factor stays.

    floats: pictures are written as float64 in [0, 1], as the published ones are, and not as uint8.
    """

    variant: str
    images: int
    groups: int
    seed: int = 1
    floats: bool = False
    version: int = VERSION

    @property
    def pictures(self) -> int:
        """All that there are to draw."""
        return self.images + self.groups * GROUP

    def __str__(self) -> str:
        kind = " as float64" if self.floats else ""
        return f"variant {self.variant}, {self.images:,} images, {self.groups:,} groups, seed {self.seed}{kind}"


class _Block(NamedTuple):
    """Pictures to be drawn into one file."""

    path: Path
    latents: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.latents), SIZE, SIZE, 3

    @property
    def done(self) -> bool:
        """Whether the file is there and whole."""
        try:
            return arrays.contents(self.path)[arrays.ONLY] == arrays.Outline(self.shape, np.dtype(np.uint8))
        except (DataError, KeyError):
            return False


def kept_in(out: Path) -> Path:
    """The hidden folder beside `out` where pictures are kept until all are drawn."""
    return out.with_name(f".{out.name}.unfinished")


def make(
    out: Path, plan: Plan, *, processes: int = 1, overwrite: bool = False, told: Told | None = None
) -> tuple[Path, ...]:
    """The files of the data set in the folder `out`, drawn or drawn to the end.

    Raises: `DataError` where `out` is there and not to be overwritten, or where another data set is being made in its
    place; `Unfinished` where a process dies or the disk refuses, `Interrupted` where Ctrl-C is pressed.
    """
    work = _begin(out, plan, overwrite)
    train, groups, labels = published(VARIANTS[plan.variant], plan.images, plan.groups, plan.seed)
    parts = {TRAIN: train, METRIC: groups.reshape(-1, groups.shape[-1])}
    blocks = {name: _blocks(work, name, latents) for name, latents in parts.items()}
    try:
        _draw([*blocks[TRAIN], *blocks[METRIC]], plan, processes, told)
        shape = (SIZE, SIZE, 3)
        _gather(work / _WHOLE / TRAIN, blocks[TRAIN], plan, (plan.images, *shape), "latents", train)
        _gather(work / _WHOLE / METRIC, blocks[METRIC], plan, (plan.groups, GROUP, *shape), "labels", labels)
        return _hand_over(work, out)
    except KeyboardInterrupt:
        raise Interrupted(f"{out}: interrupted; {_kept(work, blocks, plan)}") from None
    except BrokenProcessPool:
        why = "a process that drew was killed, perhaps for want of memory"
        raise Unfinished(f"{out}: {why}; {_kept(work, blocks, plan)}") from None
    except OSError as error:
        what = f"{error.filename or work}: {error.strerror or error}"
        raise Unfinished(f"{what}; {_kept(work, blocks, plan)}, once this is put right") from error


def _begin(out: Path, plan: Plan, overwrite: bool) -> Path:
    """The work folder, which knows the plan."""
    work = kept_in(out)
    if not overwrite and (out.is_file() or (out.is_dir() and any(out.iterdir()))):
        raise DataError(f"{out}: exists already; name another folder, or replace its data with --overwrite")
    if out.is_file():
        raise DataError(f"{out}: a file; name a folder")
    try:
        begun = json.loads((work / _PLAN).read_text("utf-8"))
    except (OSError, ValueError):
        begun = None
    if begun is not None and begun != asdict(plan):
        if not overwrite:
            raise DataError(
                f"{out}: another data set is unfinished there ({_named(begun)}), not {plan}; "
                f"ask for that one, name another folder, or begin anew with --overwrite"
            )
        shutil.rmtree(work)
    files.write(work / _PLAN, json.dumps(asdict(plan), indent=1))
    return work


def _named(begun: Any) -> str:
    try:
        other = Plan(**begun)
        return str(other) if other.version == VERSION else f"{other}, drawn by another version of imgen"
    except (TypeError, ValueError):
        return "of another kind"


def _blocks(work: Path, name: str, latents: NDArray[np.float64]) -> list[_Block]:
    """All that a file is made of; nothing where it is whole, for then its blocks are gone."""
    starts = range(0, 0 if (work / _WHOLE / name).exists() else len(latents), BLOCK)
    folder = work / Path(name).parent
    return [_Block(folder / f"{start:09d}.npy", latents[start : start + BLOCK]) for start in starts]


def _kept(work: Path, blocks: dict[str, list[_Block]], plan: Plan) -> str:
    missing = sum(
        len(block.latents)
        for name, part in blocks.items()
        for block in part
        if not (work / _WHOLE / name).exists() and not block.done
    )
    kept = plan.pictures - missing
    return f"{kept:,} of {plan.pictures:,} pictures are kept: start the same command again"


def _draw(blocks: list[_Block], plan: Plan, processes: int, told: Told | None) -> None:
    """Draws what is not there."""
    missing = [block for block in blocks if not block.done]
    done = plan.pictures - sum(len(block.latents) for block in missing)
    if told:
        told(done, plan.pictures)
    with closing(_drawn(missing, plan.variant, min(processes, len(missing)))) as counts:
        for count in counts:
            done += count
            if told:
                told(done, plan.pictures)


def _drawn(missing: list[_Block], variant: str, processes: int) -> Generator[int]:
    """The number of pictures in each block, as it is kept."""
    if processes <= 1:
        for block in missing:
            yield _keep(variant, *block)
        return
    yield from spread(_keep, ((variant, *block) for block in missing), processes)


def _keep(variant: str, path: Path, latents: NDArray[np.float64]) -> int:
    pictures = render(scenes(VARIANTS[variant], latents))
    arrays.write_npy(path, pictures.shape, pictures.dtype, [pictures])
    return len(pictures)


def _gather(
    path: Path, blocks: list[_Block], plan: Plan, shape: tuple[int, ...], name: str, rows: NDArray[Any]
) -> None:
    """One published file from its blocks, uncompressed, so that training can map it; then the blocks go."""
    if not shape[0] or path.exists():
        return
    kind = np.float64 if plan.floats else np.uint8
    members = [
        arrays.Member("imgs", shape, kind, _rows(blocks, shape[1:], plan)),
        arrays.Member(name, rows.shape, rows.dtype, [rows]),
    ]
    arrays.write_npz(path, members, compress=False)
    shutil.rmtree(blocks[0].path.parent)


def _rows(blocks: list[_Block], shape: tuple[int, ...], plan: Plan) -> Iterator[NDArray[Any]]:
    """The pictures of all blocks, as rows of this shape: pictures, or groups of them."""
    each = int(np.prod(shape[:-3]))
    left = np.empty((0, *shape[-3:]), np.uint8)
    for block in blocks:
        left = np.concatenate([left, arrays.read(block.path)])
        whole, left = np.split(left, [len(left) // each * each])
        yield (whole / 255 if plan.floats else whole).reshape(-1, *shape)


def _hand_over(work: Path, out: Path) -> tuple[Path, ...]:
    """Moves the files to their place, all at once where that is free, and removes the work folder."""
    whole = work / _WHOLE
    names = [name for name in (TRAIN, METRIC) if (whole / name).exists()]
    if out.is_dir() and not any(out.iterdir()):
        out.rmdir()
    if not out.exists():
        whole.rename(out)
    for name in names if whole.exists() else ():  # replacing others
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (whole / name).replace(out / name)
    for name in {TRAIN, METRIC}.difference(names):
        (out / name).unlink(missing_ok=True)  # of the data that was there before
    shutil.rmtree(work)
    return tuple(out / name for name in names)
