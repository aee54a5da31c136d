"""A turn recorded as a graph of tensor operations: parameters, buffers and batch in, losses and gradients out."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule

from imgen.algorithm import Batch, Turn
from imgen.train.play import Seat

_PLAIN = (bool, int, float, str, type(None))


class Untraceable(Exception):
    """A turn is no function of parameters, buffers and batch; the message says what it depends on."""


@dataclass(frozen=True)
class Operands:
    """Where the tensors lie that a turn works on; they are looked up at every play, as buffers may be replaced."""

    parameters: list[nn.Parameter]
    places: list[tuple[dict[str, Tensor], str]]
    modules: list[nn.Module]

    @classmethod
    def of(cls, turn: Turn, seats: Mapping[str, Seat]) -> Operands:
        """Those of everybody at the table, and buffers of the algorithm; of the players where nobody owns the turn."""
        owner = getattr(turn, "__self__", None)
        roots = [owner] if isinstance(owner, nn.Module) else [n for s in seats.values() for n in s.player.networks]
        modules = list(dict.fromkeys(module for root in roots for module in root.modules()))
        places: dict[int, tuple[dict[str, Tensor], str]] = {}
        for module in modules:
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    places.setdefault(id(buffer), (module._buffers, name))  # type: ignore[arg-type]
        parameters = [parameter for seat in seats.values() for parameter in seat.parameters.values()]
        return cls(parameters, list(places.values()), modules)

    def buffers(self) -> list[Tensor]:
        """The buffers of now."""
        return [home[name] for home, name in self.places]

    def tensors(self, batch: Batch) -> list[Tensor]:
        """All that goes into a graph, in its order."""
        return [*self.parameters, *self.buffers(), *batch.values()]


class Moment:
    """Buffers, attributes and generators of noise as they are now, to come back to."""

    def __init__(self, operands: Operands, device: torch.device) -> None:
        """operands: whose buffers a turn may write; device: where it draws."""
        self._buffers = [(buffer, buffer.detach().clone()) for buffer in operands.buffers()]
        self._held = [(own, dict(own)) for module in operands.modules for own in (vars(module), module._buffers)]
        self._device = device
        self._noise = torch.get_rng_state()
        self._noise_there = torch.cuda.get_rng_state(device) if device.type == "cuda" else None

    def replaced(self) -> str:
        """The name of a tensor or plain value that another has come in place of since; '' where there is none."""
        for own, before in self._held:
            for name in {**before, **own}:
                then, now = before.get(name), own.get(name)
                if now is not then and (
                    isinstance(then, Tensor) or isinstance(now, Tensor) or (isinstance(now, _PLAIN) and now != then)
                ):
                    return name
        return ""

    def recall(self) -> None:
        """Make everything what it was."""
        for own, before in self._held:
            for name in [name for name in own if name not in before]:
                del own[name]
            own.update(before)
        with torch.no_grad():
            for buffer, value in self._buffers:
                buffer.copy_(value)
        torch.set_rng_state(self._noise)
        if self._noise_there is not None:
            torch.cuda.set_rng_state(self._noise_there, self._device)


def host_values(turn: Turn) -> Hashable:
    """Plain values among the attributes of the turn's algorithm: what it may read besides tensors."""
    owner = getattr(turn, "__self__", None)
    return tuple(item for item in vars(owner).items() if isinstance(item[1], _PLAIN)) if owner is not None else ()


def layout(batch: Batch) -> Hashable:
    """Names, sizes, kinds and memory order of a batch."""
    return tuple((name, each.shape, each.stride(), each.dtype, each.device) for name, each in batch.items())


def record(function: Callable[[Sequence[Tensor]], Sequence[Tensor]], inputs: Sequence[Tensor]) -> GraphModule:
    """Run a function once and give what it ran, as a graph from `inputs` to what it gave.

    Its backward passes are recorded as autograd runs them, on the real tensors.

    Raises: `Untraceable` where it works on tensors besides `inputs`, or waits for other processes; whatever torch
        raises where it reads a number from a tensor.
    """
    from torch._dispatch.python import enable_python_dispatcher
    from torch.fx.experimental.proxy_tensor import make_fx

    with enable_python_dispatcher():  # in which batch norm says that it writes its running statistics
        graph = make_fx(lambda *given: list(function(given)))(*inputs)
    _check(graph)
    return graph


def _check(graph: GraphModule) -> None:
    for node in graph.graph.nodes:
        if node.op == "get_attr" and any(
            user.target is not torch.ops.aten.lift_fresh_copy.default for user in node.users
        ):
            raise Untraceable("it works on a tensor that is no parameter, no buffer and not of its batch")
        if node.op == "call_function" and str(getattr(node.target, "namespace", "")).startswith(("c10d", "_c10d")):
            raise Untraceable("it asks other processes")


def compiled(graph: GraphModule, inputs: Sequence[Tensor], options: Mapping[str, Any]) -> Callable[..., Sequence[Any]]:
    """The graph as fused kernels; options: torch inductor's."""
    # Not before it is asked for: the compiler takes as long to import as torch itself.
    import torch._inductor

    with torch.no_grad():
        return torch._inductor.compile(graph, list(inputs), options=dict(options))
