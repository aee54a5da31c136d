"""A run is a folder: where it is, whose it is, and whether it is complete."""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from imgen import files, yaml_lines
from imgen.errors import RecipeError, WeightsError
from imgen.model import ModelConfig, read_config
from imgen.recipe import Recipe, differences
from imgen.train import checkpoint
from imgen.train.launch import is_this, launch, told_by
from imgen.train_settings import MAY_CHANGE

ROOT = Path("runs")
_LOCK = ".lock"
_GRACE = 60.0  # seconds that a process of this launch which is still dying is given


def is_run(path: Path) -> bool:
    """Whether this folder is a run."""
    return (path / "recipe.yaml").is_file()


def is_complete(path: Path, steps: int | None = None) -> bool:
    """Whether the run reached its last step, or a number of steps, and its weights and its card were written."""
    step = checkpoint.newest_step(path)
    written = all((path / name).is_file() for name in ("model.safetensors", "README.md"))
    return written and step is not None and step >= (steps or _steps(path))


def newest_first(root: Path = ROOT) -> list[Path]:
    """The runs in a folder, the one that was started last first; a link to one of them is no further one."""
    runs = [path for path in root.iterdir() if is_run(path)] if root.is_dir() else []
    own = {path.resolve() for path in runs if not path.is_symlink()}
    # Such as runs/best, another name of a run. Those that lead elsewhere count, each aim once.
    links = {path.resolve(): path for path in sorted(runs, reverse=True) if path.is_symlink()}
    runs = [path for path in runs if not path.is_symlink()] + [path for aim, path in links.items() if aim not in own]
    return sorted(runs, key=lambda path: ((path / "recipe.yaml").stat().st_mtime_ns, path.name), reverse=True)


def run_of(weights: Path) -> Path | None:
    """The run that a weights file is of: in its folder, or in that of one of its checkpoints; as the file was named."""
    folder, here = weights.absolute().parent, Path.cwd()
    folder = folder.parent.parent if folder.parent.name == "checkpoints" else folder
    if not is_run(folder):
        return None
    return folder.relative_to(here) if not weights.is_absolute() and folder.is_relative_to(here) else folder


def weights_of(path: Path) -> Path:
    """The weights file to use of a run: the final one, or else the averaged weights of its newest checkpoint.

    Raises: `WeightsError` where it has neither yet.
    """
    final = path / "model.safetensors"
    step = checkpoint.newest_step(path)
    if final.is_file() and (step is None or is_complete(path)):
        return final
    if step is None:
        raise WeightsError(f"{path}: this run has no checkpoint yet; let it reach one")
    return checkpoint.folder(path, step) / checkpoint.WEIGHTS


def weights_at(path: Path, which: str) -> Path:
    """The weights file of a checkpoint of a run, by its name or its step.

    Raises: `WeightsError` where there is none, with those there are.
    """
    kept = checkpoint.named(path)
    found = kept.get(which) or (checkpoint.folder(path, int(which)) if which.isdecimal() else None)
    if found is None or not (found / checkpoint.WEIGHTS).is_file():
        has = [*kept, *(str(int(step.name.removeprefix("step-"))) for step in checkpoint.steps(path))]
        raise WeightsError(f"{path}@{which}: this run keeps no such checkpoint; it has {', '.join(has) or 'none yet'}")
    return found / checkpoint.WEIGHTS


def newest_that(
    can: Callable[[ModelConfig, Path], bool], what: str, root: Path = ROOT, passing: Callable[[str], None] | None = None
) -> Path:
    """The weights file of the newest run whose model can do what is asked.

    passing: told why a run with weights was passed over.
    Raises: `WeightsError` where there is none.
    """
    runs = newest_first(root)
    for path in runs:
        if checkpoint.newest_step(path) is None and not (path / "model.safetensors").is_file():
            continue
        weights = weights_of(path)
        try:
            if can(read_config(weights), weights):
                return weights
        except WeightsError as error:
            if passing:
                passing(f"passing over {error}")
    seen = f"none of the {len(runs)} runs under {root}/ {what}" if runs else f"there are no runs under {root}/"
    raise WeightsError(f"{seen}; train one first, or give a run folder or a model.safetensors")


def open_for(recipe: Recipe, out: Path | None, fresh: bool) -> Path:
    """The folder for a recipe: the newest unfinished run of the very same recipe, or a new one.

    Processes that `torchrun` starts again get the run of before in any case, even if it is complete or was new then.
    out: a folder of the user's choice: new, empty, or a run of the same recipe.
    Raises: `RecipeError` where `out` holds something else, with the differences.
    """
    if out is not None:
        if is_run(out):
            refuse_changes(out, recipe)
            if fresh and not _is_of_this_launch(out):
                raise RecipeError(f"{out}: holds a run already; choose another folder for a new one")
            return out
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise RecipeError(f"{out}: is not empty and not a run; choose a new folder")
        return _create(out, recipe)
    begun = [path for path in newest_first() if _is_of_this_launch(path) and _written(path) == recipe.to_dict()]
    if begun:
        return begun[0]
    if not fresh:
        for path in newest_first():
            if _written(path) == recipe.to_dict() and not is_complete(path) and not is_busy(path):
                return path
    number = 1 + max((_number(path) for path in ROOT.glob(f"{recipe.title}-*")), default=0)
    while (ROOT / f"{recipe.title}-{number:04d}").exists():
        number += 1
    return _create(ROOT / f"{recipe.title}-{number:04d}", recipe)


def refuse_changes(path: Path, recipe: Recipe, places: Collection[str] = ()) -> None:
    """Take a resumed run's recipe as it was, but for settings that do not touch what is learnt.

    places: settings that say where on this machine things lie: they may have been moved, or the run may be another's.
    Raises: `RecipeError` with every difference.
    """
    changed = differences(_written(path), recipe.to_dict())
    free = {*(f"train.{name}" for name in MAY_CHANGE), *places}
    wrong = [change for change in changed if _key(change) not in free]
    if wrong:
        raise RecipeError(
            f"{path}: this run was started with another recipe, so it cannot be resumed with this one "
            f"({'; '.join(wrong)}); resume it unchanged, or start a new run with --new or another --out"
        )
    step = checkpoint.newest_step(path)
    if step is not None and recipe.train.steps < step:
        raise RecipeError(f"{path}: this run is at step {step} already; train.steps cannot be {recipe.train.steps}")


def store_recipe(path: Path, recipe: Recipe) -> None:
    """Write the resolved recipe of a run."""
    head = f"# imgen train {path}: resumes this run\n"
    files.write(path / "recipe.yaml", head + recipe.to_yaml())


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a run against a second process that would train it, too.

    Raises: `RecipeError` where another process holds it.
    """
    with (path / _LOCK).open("a") as lock:
        end = time.monotonic() + _GRACE
        while not _locked(lock):
            # Of this launch it can only be one that ends; any other may train for days.
            if not _is_of_this_launch(path) or time.monotonic() > end:
                raise RecipeError(f"{path}: another process is training this run; wait for it, or use --new")
            time.sleep(0.1)
        lock.truncate(0)
        lock.write(json.dumps(launch()))
        lock.flush()
        yield


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_of_this_launch(path: Path) -> bool:
    return bool(launch()) and is_this(told_by(path / _LOCK))


def is_busy(path: Path) -> bool:
    """Whether a process is training this run; looking leaves the folder as it is."""
    try:
        with (path / _LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _create(path: Path, recipe: Recipe) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    store_recipe(path, recipe)
    return path


def _written(path: Path) -> dict[str, object]:
    try:
        file = path / "recipe.yaml"
        content = yaml_lines.parse(file.read_text(encoding="utf8"), str(file)).content
        return content if isinstance(content, dict) else {}
    except (OSError, RecipeError):
        return {}


def _steps(path: Path) -> int:
    train = _written(path).get("train")
    steps = train.get("steps") if isinstance(train, dict) else None
    return steps if isinstance(steps, int) else 0


def _number(path: Path) -> int:
    tail = path.name.rpartition("-")[2]
    return int(tail) if tail.isdecimal() else 0


def _key(change: str) -> str:
    return change.partition(":")[0]
