"""What a run will take, before any of it is spent: parameters, the size of a checkpoint, memory."""

from __future__ import annotations

import copy
import dataclasses
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from imgen.algorithm import Algorithm
from imgen.data.loader import outline
from imgen.data.spec import Dataset
from imgen.train_settings import TrainSettings

_STEPS = 8


@dataclass(frozen=True)
class Estimate:
    """parameters: by network; checkpoint, state, activations: bytes, the last None where a turn could not be traced."""

    parameters: dict[str, int]
    checkpoint: int
    state: int
    activations: int | None

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return dataclasses.asdict(self)

    def lines(self) -> list[str]:
        """For people."""
        told = [f"parameters  {name}: {count:,}" for name, count in self.parameters.items()]
        told.append(f"parameters  in all: {sum(self.parameters.values()):,}")
        told.append(f"checkpoint  {self.checkpoint / 1e6:.1f} MB")
        about = f"memory      weights, gradients and optimizer {self.state / 1e6:.0f} MB"
        if self.activations is not None:
            about += (
                f", activations about {self.activations / 1e6:.0f} MB in fp32"
                f"; in all about {(self.state + self.activations) / 1e9:.2f} GB and the data"
            )
        return [*told, about]


def estimate(algorithm: Algorithm, dataset: Dataset, settings: TrainSettings) -> Estimate:
    """Count what is there, and trace every turn on a device without memory for what its backward pass keeps.

    Assumes an optimizer with two slots for each parameter, as Adam has.
    """
    names = {id(network): name for name, network in algorithm.named_modules()}
    parameters = {
        names[id(network)]: sum(parameter.numel() for parameter in network.parameters())
        for player in algorithm.players().values()
        for network in player.networks
    }
    bytes_ = sum(tensor.numel() * tensor.element_size() for tensor in algorithm.state_dict().values())
    shipped = sum(tensor.numel() * tensor.element_size() for tensor in algorithm.model.state_dict().values())
    averaged = shipped if settings.ema_half_life else 0
    return Estimate(
        parameters={name: count for name, count in parameters.items() if count},
        checkpoint=3 * bytes_ + shipped,
        state=4 * bytes_ + averaged,
        activations=_kept(algorithm, dataset, settings.batch),
    )


def _kept(algorithm: Algorithm, dataset: Dataset, batch: int) -> int | None:
    """Most bytes that the backward pass of one turn keeps; None where a turn is out of the ordinary."""
    ghost = copy.deepcopy(algorithm).to("meta")
    most = 0
    try:
        drawn = outline(dataset, batch)
        with _without_compiler():
            drawn |= ghost.share(drawn)
        # A turn that is not played at the first step is at one of the next, or after a state that is worth a name.
        steps = (*range(_STEPS), *ghost.milestones())
        for turn in {turn.__name__: turn for step in steps for turn in ghost.turns(step)}.values():
            kept: dict[int, int] = {}
            own = {parameter.untyped_storage()._cdata for parameter in ghost.parameters()}

            def keep(tensor: Tensor, kept: dict[int, int] = kept, own: set[int] = own) -> Tensor:
                storage = tensor.untyped_storage()
                if storage._cdata not in own:
                    kept[storage._cdata] = storage.nbytes()
                return tensor

            with _without_compiler(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
                turn(drawn)
            most = max(most, sum(kept.values()))
    except (RuntimeError, NotImplementedError):
        return None
    return most


@contextmanager
def _without_compiler() -> Iterator[None]:
    """While it lasts, operations on no device ask nobody to keep the compiler away from them.

    Many are written in Python, and the first of them imports the whole of `torch.compile` only to say so, which takes
    longer than importing torch. Afterwards all of them ask again.
    """
    if "torch._dynamo" in sys.modules:
        yield
        return
    asked: list[Callable[..., Any]] = []

    def disable(function: Callable[..., Any], *_: Any, **__: Any) -> Callable[..., Any]:
        asked.append(function)
        return function

    stand_in = ModuleType("torch._dynamo")
    stand_in.disable = disable  # type: ignore[attr-defined]
    sys.modules["torch._dynamo"] = stand_in
    try:
        yield
    finally:
        if sys.modules.get("torch._dynamo") is stand_in:
            del sys.modules["torch._dynamo"]
        for function in asked:
            # Torch keeps the answer there.
            vars(function).pop("__dynamo_disable", None)
