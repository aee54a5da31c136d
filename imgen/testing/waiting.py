"""Does a turn make the host wait for the device?

Played on a device that holds no values: what works there reads none. What such a device lets pass though the host waits
for a GPU there, such as copies, is watched for by name.

PYTEST_DONT_REWRITE: the messages say all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from imgen.algorithm import Algorithm, Batch
from imgen.testing.told import blamed, called, line_of, line_of_call

READS = "reads a value on the host: choose with torch.where, weigh by a factor, and log tensors as they are"
SIZES = "has a size that hangs on values: keep the size, with torch.where or a mask as a factor"
COPIES = (
    "copies from the host: draw and make tensors on its batch's device (device=images.device), fill with torch.full, "
    "and keep constants as buffers"
)
CHECKS = "waits to see whether it went well: take the variant that ends in _ex, or another way to the same end"

_READ = {
    *("item", "tolist", "numpy", "cpu", "is_nonzero", "equal", "allclose", "__bool__", "__float__", "__int__"),
    *("__index__", "__complex__", "__repr__", "__format__", "__str__", "__array__", "__contains__"),
}
_SIZED = {
    "nonzero",
    "argwhere",
    "masked_select",
    "unique",
    "unique_consecutive",
    "bincount",
    "combinations",
    "_unique2",
}
_CHECKED = {
    *("linalg_inv", "linalg_solve", "linalg_cholesky", "linalg_eigh", "linalg_eigvalsh", "linalg_eig", "linalg_svd"),
    *("linalg_svdvals", "linalg_pinv", "linalg_lu_factor", "inverse", "pinverse", "svd", "cholesky"),
}
_MADE = {"tensor", "as_tensor", "asarray", "new_tensor", "from_numpy"}
_MOVED = {"to", "cuda", "type_as", "copy_"}


class Watch(TorchFunctionMode):
    """Fails, with the author's line, on calls for which the host waits, also those that need no values."""

    def __init__(self, who: str, *, everywhere: bool = False) -> None:
        """who: what is played, for the message. everywhere: tensors of any device count as the device's."""
        super().__init__()
        self.who, self.everywhere = who, everywhere

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        first = args[0] if args else None
        ours = isinstance(first, Tensor) and (first.is_meta or self.everywhere)
        why = _why(getattr(func, "__name__", ""), args, kwargs or {}) if ours else ""
        if why:
            raise AssertionError(_told(self.who, line_of_call(), why))
        made = func(*args, **(kwargs or {}))
        if getattr(func, "__name__", "") in _MADE | _MOVED and _came(func.__name__, made, args):
            raise AssertionError(_told(self.who, line_of_call(), COPIES))
        return made


def _why(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Why a call makes the host wait; nothing where it does not, or where what came of it has to tell."""
    if name in _READ:
        return READS
    if name in _SIZED or (name == "where" and len(args) == 1 and not kwargs) or (name == "histc" and len(args) < 4):
        return SIZES if name != "histc" or not {"min", "max"} & set(kwargs) else ""
    if name in _CHECKED:
        return CHECKS
    if name in ("__getitem__", "__setitem__"):
        return _why_index(name, *args)
    return ""


def _why_index(name: str, indexed: Tensor, index: Any, value: Any = None) -> str:
    for each in index if isinstance(index, tuple) else (index,):
        masks = isinstance(each, Tensor) and each.dtype in (torch.bool, torch.uint8)
        # A plain number is filled in where the mask holds, and nothing is counted.
        if masks and (name == "__getitem__" or isinstance(value, Tensor)):
            return SIZES
        if isinstance(each, list) or (isinstance(each, Tensor) and each.device != indexed.device and each.dim()):
            return COPIES
    return ""


def _came(name: str, made: Any, args: Sequence[Any]) -> bool:
    """Whether a tensor with its values on the host, or plain numbers, became one of the device."""
    if not isinstance(made, Tensor) or not made.is_meta:
        return False
    given = [each for each in args[name == "new_tensor" :] if isinstance(each, Tensor)]
    return not given or any(not each.is_meta and each.dim() > 0 for each in given) or not given[0].is_meta


def _told(who: str, line: str, why: str) -> str:
    return f"{who} must not wait for the device, but {f'{line!r} ' if line else 'it '}{why}"


class _NotShown(Exception):
    """An operation has no kernel for a device without values, so that nothing follows from it."""


@contextmanager
def _watched(who: str, *, everywhere: bool = False) -> Iterator[None]:
    # autocast refuses a device that it does not know, and paper code may well switch it off.
    plain = mock.patch.object(torch, "autocast", lambda *_, **__: nullcontext())
    try:
        with plain, Watch(who, everywhere=everywhere):
            yield
    except (RuntimeError, TypeError, ValueError) as error:
        told, line = " ".join(str(error).split())[:300], line_of(error)
        if any(word in told for word in ("item()", "Cannot copy out", "meta device type", "__format__")):
            raise AssertionError(_told(who, line, READS)) from error
        if any(word in told for word in ("nonzero", "unique", "masked_select", "bincount", "repeat_interleave")):
            raise AssertionError(_told(who, line, SIZES)) from error
        if "device" in told and "cpu" in told:
            raise AssertionError(_told(who, line, f"{COPIES}. torch says: {told}")) from error
        if "with Meta tensors" in told:
            raise _NotShown from error
        with blamed(f"{who}, played where tensors hold no values, fails"):
            raise


def play(made: Algorithm, batches: Mapping[int, Batch], *, device: str = "meta") -> None:
    """All that an algorithm does in these steps, watched. batches: one for each step."""
    made, everywhere = made.to(device), device != "meta"
    for step, drawn in batches.items():
        batch = {name: tensor.to(device) for name, tensor in drawn.items()}
        with _watched(f"prepare({step})", everywhere=everywhere), torch.no_grad():
            made.prepare(step)
        with _watched("share()", everywhere=everywhere):
            batch |= made.share(batch)
        with _watched(f"turns({step})", everywhere=everywhere):
            turns = made.turns(step)
        for turn in turns:
            who = f"turn '{called(turn)}'"
            with _watched(who, everywhere=everywhere):
                losses, values = turn(batch)
            _check_place(who, {**values, **losses}, device)
        with _watched(f"conclude({step})", everywhere=everywhere), torch.no_grad():
            made.conclude(step)


def _check_place(who: str, told: Batch, device: str) -> None:
    for name, value in told.items():
        away = isinstance(value, Tensor) and value.device.type != device
        assert not away, f"{who}: '{name}' is on '{value.device}', but its batch is not; make it where the batch is"


def check_waiting(make: Callable[[], Algorithm], batches: Mapping[int, Batch]) -> None:
    """Nothing that an algorithm does in a step makes the host wait for the device."""
    try:
        play(make(), batches)
    except _NotShown:
        # With values the calls of the author's own code are all that can be watched.
        play(make(), batches, device="cpu")
