"""Batches on their way to a device, ahead of use: no copy waits for the host, and no use for more than its copy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sent:
    """Tensors that are on a device, or on their way. arrived: when they are there; None: at once."""

    tensors: dict[str, Tensor]
    arrived: torch.cuda.Event | None = None

    def take(self) -> dict[str, Tensor]:
        """The tensors, for whatever the current stream does from now on; the host waits for nothing."""
        if self.arrived is not None:
            for tensor in self.tensors.values():
                stream = torch.cuda.current_stream(tensor.device)
                stream.wait_event(self.arrived)
                # Their memory is of the copying stream, which must not have it back before we are done.
                tensor.record_stream(stream)
        return self.tensors


class Courier:
    """Moves tensors of the host to a device: to a GPU out of pinned memory and on a stream of its own."""

    def __init__(self, device: torch.device) -> None:
        """device: where tensors go; on a CPU they stay what they are."""
        self.device = device
        # Of another kind than the streams that graphs are recorded on: torch hands out each stream several times, and a
        # copy that another thread begins must not get into a recording.
        self._stream = torch.cuda.Stream(device, priority=-1) if device.type == "cuda" else None

    def room(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Memory of the host to be filled and sent; pinned memory of batches that have arrived is used again."""
        if self._stream is None:
            return torch.empty(shape, dtype=dtype)
        # A thread begins on the first GPU: memory pinned from there would have every process take some of that one.
        with torch.cuda.device(self._stream.device):
            return torch.empty(shape, dtype=dtype, pin_memory=True)

    def send(self, tensors: Mapping[str, Tensor]) -> Sent:
        """Begin to move them. Called from several threads at once."""
        if self._stream is None:
            return Sent({name: tensor.to(self.device) for name, tensor in tensors.items()})
        with torch.cuda.stream(self._stream):
            moved = {name: tensor.to(self.device, non_blocking=True) for name, tensor in tensors.items()}
            arrived = torch.cuda.Event()
            arrived.record(self._stream)
        return Sent(moved, arrived)
