"""A model's structure without memory for its weights, however large the numbers that others put into its settings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules import module as modules
from torch.overrides import TorchFunctionMode

from imgen.bounds import TooMuch, bounded
from imgen.tensor_header import Header

# As safetensors names what torch keeps.
_KINDS = {
    torch.bool: "BOOL",
    torch.uint8: "U8",
    torch.uint16: "U16",
    torch.uint32: "U32",
    torch.uint64: "U64",
    torch.int8: "I8",
    torch.int16: "I16",
    torch.int32: "I32",
    torch.int64: "I64",
    torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float32: "F32",
    torch.float64: "F64",
    torch.complex64: "C64",
}
_DRAWS = {"normal_", "uniform_", "trunc_normal_", "kaiming_normal_", "kaiming_uniform_", "xavier_normal_"}
_PARTS, _SPARE_PARTS = 10, 1_000  # modules, parameters and buffers that are registered while a model is built
_FACTOR, _SPARE = 2, 64 * 2**20  # by how much a model may exceed its file [times, bytes]


def on_no_device(make: Callable[[], nn.Module], packages: Collection[str], tensors: int) -> nn.Module:
    """What `make` builds, on the device `meta`, where tensors have no memory.

    packages: whose code builds it; tensors: how many its file holds.

    Raises: `ValueError` in one line, whatever the model's code made of its numbers.
    """
    try:
        with torch.device("meta"), _NoFirstWeights(), _of_parts(tensors), bounded(packages):
            return make()
    except Exception as error:
        # Numbers that no recipe let through make a model's code raise nearly anything.
        told = " ".join(str(error).split()) or type(error).__name__
        if "meta tensor" in told:
            told += '; a constructor that reads numbers from tensors makes these with device="cpu"'
        raise ValueError(told) from error


def tensors_of(model: nn.Module) -> dict[str, tuple[str | None, tuple[int, ...]]]:
    """Kind and shape of each of a model's tensors, as a header has them."""
    return {name: (_KINDS.get(tensor.dtype), tuple(tensor.shape)) for name, tensor in model.state_dict().items()}


def unfitting(model: nn.Module, name: str, header: Header) -> str:
    """Why a file's tensors are not this model's, or why it would take far more memory than they; '' where it fits."""
    held = {name: (told.dtype, told.shape) for name, told in header.tensors.items()}
    if held != tensors_of(model):
        return f"its tensors are not those of the model '{name}' that it names"
    taken = sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers()))
    if taken > _FACTOR * header.size + _SPARE:
        return f"model '{name}' would take {taken:,} bytes with these settings, but its file has {header.size:,}"
    return ""


@contextmanager
def _of_parts(tensors: int) -> Iterator[None]:
    """While this lasts, a model may have so many parts as go with the tensors of its file, and not any number.

    Raises: `TooMuch`.
    """
    left = _PARTS * tensors + _SPARE_PARTS

    def count(module: nn.Module, name: str, part: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise TooMuch(f"has far more parts than the {tensors:,} tensors of its file")

    hooks = (
        modules.register_module_module_registration_hook(count),
        modules.register_module_parameter_registration_hook(count),
        modules.register_module_buffer_registration_hook(count),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


class _NoFirstWeights(TorchFunctionMode):
    """Leaves weights on no device as they are: nobody reads them, and torch would import its compiler to draw them."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        drawn = args[0] if args else given.get("tensor")
        if isinstance(drawn, torch.Tensor) and drawn.is_meta and getattr(func, "__name__", "") in _DRAWS:
            return drawn
        return func(*args, **given)
