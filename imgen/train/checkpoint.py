"""Step folders of safetensors and JSON: written at once or not at all, and the newest complete one found again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from imgen import strict_json
from imgen.errors import WeightsError
from imgen.model import ModelConfig, read_tensors, write_model
from imgen.plain import plain
from imgen.train.play import Seat

_STATE = "state.json"
_FILES = {"algorithm.safetensors", "optim.safetensors", "ema.safetensors"}
_MOST_STATE = 2**20  # bytes
_LAST = 10**8 - 1  # the step that the name of a folder has room for
WEIGHTS = "ema.safetensors"
"""The file of a step folder that is a weights file of its own: what would ship."""


@dataclass(frozen=True)
class Checkpoint:
    """A complete step folder, checked against its sums; nothing of it has been loaded."""

    path: Path
    step: int
    state: Mapping[str, Any]

    def read(self, name: str) -> dict[str, Tensor]:
        """The tensors of one of its files, on the CPU.

        Raises: `WeightsError` where its header does not fit the file.
        """
        return read_tensors(self.path / f"{name}.safetensors")


def folder(run: Path, step: int) -> Path:
    """Where the checkpoint of a step is."""
    return run / "checkpoints" / f"step-{step:08d}"


def write(
    run: Path,
    step: int,
    *,
    algorithm: Mapping[str, Tensor],
    averaged: Mapping[str, Tensor],
    config: ModelConfig,
    seats: Mapping[str, Seat],
    state: Mapping[str, Any],
    name: str = "",
) -> Path:
    """Write a checkpoint into a temporary folder, force it to disk, and give it its name.

    name: of a state that is kept for good.
    """
    target = folder(run, step)
    if target.exists():
        return target
    clean(run)
    building = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    building.mkdir(parents=True)
    save_file(_plain(algorithm), building / "algorithm.safetensors")
    save_file(_plain(slots(seats)), building / "optim.safetensors")
    write_model(building / WEIGHTS, config, averaged)
    files = sorted(building.glob("*.safetensors"))
    kept = {"name": name} if name else {}
    told = {**state, **kept, "step": step, "files": {file.name: [file.stat().st_size, _sum(file)] for file in files}}
    (building / _STATE).write_text(json.dumps(told, indent=1), encoding="utf8")
    for file in [*building.iterdir(), building]:
        _force(file)
    building.rename(target)
    _force(target.parent)
    return target


def latest(run: Path) -> Checkpoint | None:
    """The newest complete checkpoint; what a kill left half-written is passed over.

    Raises: `WeightsError` where the newest one is complete but damaged: going on from an older one would lose work.
    """
    for path in reversed(steps(run)):
        state = _state(path)
        if state is None:
            continue
        for name, (size, digest) in state["files"].items():
            if _sum(path / name) != digest:
                raise WeightsError(
                    f"{path / name}: damaged: {size:,} bytes that do not match their sha256; "
                    f"remove {path} to resume from the checkpoint before it"
                )
        return Checkpoint(path, int(state["step"]), state)
    return None


def steps(run: Path) -> list[Path]:
    """Step folders in order, complete or not."""
    return sorted(path for path in (run / "checkpoints").glob("step-*") if path.is_dir())


def newest_step(run: Path) -> int | None:
    """The step of the newest complete checkpoint, without reading its weights."""
    for path in reversed(steps(run)):
        state = _state(path)
        if state is not None:
            return int(state["step"])
    return None


def is_whole(path: Path) -> bool:
    """Whether a step folder is complete, so that training can go on from it."""
    return _state(path) is not None


def named(run: Path) -> dict[str, Path]:
    """The complete checkpoints that bear a name, by it."""
    told = {path: _state(path) for path in steps(run)}
    return {str(state["name"]): path for path, state in told.items() if state and "name" in state}


def prune(run: Path, keep_last: int, keep_every: int) -> None:
    """Remove all but the newest few, every so-many-th, and those that bear a name."""
    kept = named(run).values()
    for path in steps(run)[:-keep_last]:
        step = int(path.name.removeprefix("step-"))
        if path not in kept and (not keep_every or step % keep_every):
            # Renamed first: a kill half-way through must not leave a folder that looks complete.
            doomed = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            path.rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)


def clean(run: Path) -> None:
    """Remove what a killed process left half-written or half-removed."""
    for path in (run / "checkpoints").glob(".step-*.tmp"):
        shutil.rmtree(path, ignore_errors=True)
    for part in (*run.glob(".*.part"), *run.glob("*/.*.part")):
        part.unlink(missing_ok=True)


def slots(seats: Mapping[str, Seat]) -> dict[str, Tensor]:
    """The optimizers' state as tensors, under `player/parameter/slot`."""
    return {
        f"{name}/{parameter}/{slot}": value
        for name, seat in seats.items()
        for parameter, tensor in seat.parameters.items()
        for slot, value in seat.optimizer.state.get(tensor, {}).items()
        if isinstance(value, Tensor)
    }


def restore_slots(seats: Mapping[str, Seat], state: Mapping[str, Tensor]) -> None:
    """Put the optimizers' state back, each slot on its parameter's device and in its memory order.

    Raises: `ValueError` or `KeyError` where a slot is none of these parameters', or one that is needed is lacking.
    """
    held: dict[tuple[str, str], set[str]] = {}
    for key, value in state.items():
        name, parameter, slot = key.split("/")
        tensor = seats[name].parameters[parameter]
        if value.shape == tensor.shape:
            value = torch.empty_like(tensor, dtype=value.dtype, requires_grad=False).copy_(value)
        elif value.numel() > max(1, tensor.numel()):
            # Counts of steps are single numbers, and sums over an axis smaller than the parameter.
            raise ValueError(f"the slot {plain(key, 80)} has the shape {tuple(value.shape)}, not {tuple(tensor.shape)}")
        seats[name].optimizer.state[tensor][slot] = value.to(tensor.device)
        held.setdefault((name, parameter), set()).add(slot)
    for (name, parameter), found in held.items():
        _check_slots(seats[name], name, parameter, found)


def _check_slots(seat: Seat, name: str, parameter: str, found: Collection[str]) -> None:
    """Compare the slots of a parameter with what its optimizer keeps of one that has moved once.

    Raises: `ValueError`.
    """
    tensor = seat.parameters[parameter]
    for slot, small in _fresh_slots(seat, tensor).items():
        key = f"{name}/{parameter}/{slot}"
        if slot not in found:
            raise ValueError(f"the slot {key} is lacking")
        value = seat.optimizer.state[tensor][slot]
        if small.shape == (2,) * tensor.dim() and value.shape != tensor.shape:
            raise ValueError(f"the slot {key} has the shape {tuple(value.shape)}, not {tuple(tensor.shape)}")
        if small.dim() == 0 and value.dim():
            raise ValueError(f"the slot {key} has the shape {tuple(value.shape)}, and must be one number")
        if small.dtype != value.dtype:
            raise ValueError(f"the slot {key} holds {value.dtype}, not {small.dtype}")


def _fresh_slots(seat: Seat, like: Tensor) -> dict[str, Tensor]:
    """What the seat's optimizer keeps of a parameter like this one, but with axes of 2; nothing where it fails."""
    parameter = torch.nn.Parameter(torch.zeros((2,) * like.dim(), dtype=like.dtype, device=like.device))
    parameter.grad = torch.zeros_like(parameter)
    try:
        optimizer = seat.player.optimizer([parameter])
        optimizer.step()
    except Exception:
        # Others' optimizers may want several parameters, or more than gradients: theirs are as they were saved.
        return {}
    return {slot: value for slot, value in optimizer.state[parameter].items() if isinstance(value, Tensor)}


def _state(path: Path) -> dict[str, Any] | None:
    """The state of a step folder if all its files are there in full size."""
    try:
        if (path / _STATE).stat().st_size > _MOST_STATE:
            return None
        state = strict_json.parse_object((path / _STATE).read_bytes())
        # The state of others is data, too: a name in it must not lead out of the folder.
        if not state["files"].keys() <= _FILES:
            return None
        whole = all((path / name).stat().st_size == size for name, (size, _) in state["files"].items())
        strict_json.whole(state["step"], "step", 0, _LAST)
        return state if whole else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    # safetensors takes contiguous memory only, and keeps no memory order.
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _force(path: Path) -> None:
    """Force a file or a folder's entries to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
