"""Averaged weights of the model: what ships, swapped in place for previews and metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

_RAMP = 0.05  # of the images seen so far: the longest half-life early on, or the first weights would linger


class Averaged:
    """An exponential moving average of a model's weights and running statistics.

    Source: Karras et al., Analyzing and Improving the Image Quality of StyleGAN, 2020, for half-lives in images
    and their ramp.
    """

    def __init__(self, model: nn.Module, half_life: float) -> None:
        """half_life: [images]; 0 averages nothing, so that the model's own weights are what ships."""
        self.model, self.half_life = model, half_life
        # Everything that changes a weight changes it in place, so these stay the model's own.
        self._live = {name: tensor.detach() for name, tensor in model.state_dict().items()}
        self._floats = [name for name, tensor in self._live.items() if tensor.is_floating_point()]
        self._state = {name: tensor.clone() for name, tensor in self._live.items()} if half_life else {}

    def update(self, images: int, seen: int) -> None:
        """Move the average after a step of so many images, the run having seen `seen` in all."""
        if not self.half_life:
            return
        decay = 0.5 ** (images / max(min(self.half_life, seen * _RAMP), 1e-8))
        averages, now = ([state[name] for name in self._floats] for state in (self._state, self._live))
        torch._foreach_lerp_(averages, now, 1 - decay)
        for name in self._live.keys() - self._floats:
            self._state[name].copy_(self._live[name])

    def state_dict(self) -> dict[str, Tensor]:
        """The averaged weights under the model's own names."""
        return self._state if self.half_life else self._live

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take averaged weights back, in place. Raises: `KeyError` or `ValueError` where they are another model's."""
        for name, tensor in self._state.items():
            if state[name].shape != tensor.shape:
                raise ValueError(f"{name} has the shape {tuple(state[name].shape)}, not {tuple(tensor.shape)}")
            tensor.copy_(state[name])

    @contextmanager
    def swapped(self) -> Iterator[nn.Module]:
        """The model with averaged weights, in evaluation mode; afterwards it is as it was, bit for bit."""
        live, training = self._live, self.model.training
        kept = {name: tensor.clone() for name, tensor in live.items()} if self.half_life else {}
        for name, tensor in self._state.items():
            live[name].copy_(tensor)
        self.model.eval()
        try:
            with torch.no_grad():
                yield self.model
        finally:
            self.model.train(training)
            for name, tensor in kept.items():
                live[name].copy_(tensor)
