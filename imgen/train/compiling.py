"""Turns compiled: losses and gradients of a turn as one graph of fused kernels."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from imgen import dist
from imgen.algorithm import Batch, Turn
from imgen.errors import ImgenError
from imgen.train import tracing
from imgen.train.play import Derived, Eager, Seat
from imgen.train.tracing import Moment, Operands, Untraceable

Say = Callable[[str], None]

_MOST = 4  # kinds of batch, or of plain values, in which one turn is compiled
_OPTIONS = {
    # Noise is drawn by the generators that eager turns draw from, in their order.
    "fallback_random": True,
}


class Unequal(Exception):
    """A compiled turn does not give what the eager one gives."""


@dataclass(frozen=True)
class Rounding:
    """How far a compiled turn may be from the eager one: sums are taken in another order, and fused.

    loss: of each loss, relative to it or to 1, whichever is more; also of buffers and values, relative to the largest
        of their numbers.
    gradient: of a player's whole gradient, the norm of the difference relative to its norm.
    """

    loss: float
    gradient: float


FP32 = Rounding(loss=1e-3, gradient=5e-2)
BF16 = Rounding(loss=5e-2, gradient=0.3)
"""Fused kernels keep float32 between operations, where eager ones round to bf16 after each."""


class Compiled:
    """Each turn as one graph: forward, backward and gradients of gradients, recorded as autograd runs them.

    The first play of a turn is the recording. It is compared with what the compiled graph gives for the same batch,
    noise and buffers; a turn that differs by more than rounding, or cannot be recorded or compiled, is played eagerly
    from then on, with one line that says so. What is recorded is the turn as a function of tensors: parameters,
    buffers and its batch. Plain numbers of the algorithm are part of the recording, which is made anew when one of
    them changes.
    """

    def __init__(self, device: torch.device, bf16: bool = False, say: Say | None = None) -> None:
        """bf16: products are autocast to it; say: told in one line what is played eagerly, and why."""
        self.eager = Eager(device, bf16)
        self._say = say or logging.getLogger(__name__).warning
        self._rounding = BF16 if bf16 else FP32
        self._graphs: dict[Turn, dict[Any, _Graph]] = {}
        self._eagerly: set[Turn] = set()
        self._works: bool | None = None

    def derive(self, turn: Turn, batch: Batch, seats: Mapping[str, Seat]) -> Derived:
        """Run the turn's graph, which is made if there is none yet."""
        if self._works is None:
            works = self._self_test()
            # All or none: a turn that asks other processes is played once more where it was tried in vain.
            self._works = not dist.any_true(not works, self.eager.device)
            if works and not self._works:
                self._say("turns are played eagerly, as nothing can be compiled in another process")
        if not self._works or turn in self._eagerly:
            return self.eager.derive(turn, batch, seats)
        graphs = self._graphs.setdefault(turn, {})
        key = tracing.host_values(turn), tracing.layout(batch)
        if (graph := graphs.get(key)) is not None:
            return graph(batch)
        operands = Operands.of(turn, seats)
        moment = Moment(operands, self.eager.device)
        try:
            if len(graphs) == _MOST:
                raise Untraceable(f"its batches or the plain values that it reads are of more than {_MOST} kinds")
            graph = _Graph(turn, batch, seats, operands, self.eager)
            if name := moment.replaced():
                raise Untraceable(
                    f"it replaces '{name}'; what a turn changes must be a buffer that is written in place"
                )
            moment.recall()
            derived = graph(batch)
            graph.check(derived, self._rounding)
        except ImgenError:
            raise  # such as by Ctrl-C, or a fault that would come up again
        except Exception as error:
            # Whatever the compiler raises, a turn that can be played is played; its own faults come up again there.
            moment.recall()
            self._eagerly.add(turn)
            graphs.clear()
            self._say(f"turn '{getattr(turn, '__name__', turn)}' is played eagerly, not compiled: {_reason(error)}")
            return self.eager.derive(turn, batch, seats)
        graphs[key] = graph
        return derived

    def _self_test(self) -> bool:
        """Whether this machine compiles a small gradient of a gradient and gets it right."""
        device = self.eager.device
        inputs = [torch.linspace(-1, 1, 8, device=device).requires_grad_(), torch.linspace(0, 1, 8, device=device)]
        found: list[Tensor] = []

        def steep(given: Sequence[Tensor]) -> list[Tensor]:
            items = given[1].detach().requires_grad_()
            score = (items * given[0]).sigmoid().sum()
            (slope,) = torch.autograd.grad(score, items, create_graph=True)
            found.extend(torch.autograd.grad(slope.square().sum(), given[0]))
            return found

        try:
            run = tracing.compiled(tracing.record(steep, inputs), inputs, _OPTIONS)
            with torch.no_grad():
                (again,) = run(*inputs)
            if not torch.allclose(again, found[0], rtol=1e-4, atol=1e-6):
                raise Unequal("a small gradient of a gradient comes out wrong")
        except ImgenError:
            raise
        except Exception as error:
            self._say(f"turns are played eagerly, as nothing can be compiled here: {_reason(error)}")
            return False
        return True


class _Graph:
    """A compiled turn for one kind of batch, and how its flat results are told."""

    def __init__(self, turn: Turn, batch: Batch, seats: Mapping[str, Seat], operands: Operands, eager: Eager) -> None:
        """Play the turn once, recording it, and compile what was recorded."""
        self.operands = operands
        inputs = operands.tensors(batch)
        derived: list[Derived] = []

        def play(_: Sequence[Tensor]) -> list[Tensor]:
            derived.append(eager.derive(turn, batch, seats))
            return _flat(derived[0])

        graph = tracing.record(play, inputs)
        self.eagerly: list[Tensor] | None = [
            each.detach().clone() for each in (*_flat(derived[0]), *operands.buffers())
        ]
        self.losses, self.values = list(derived[0].losses), list(derived[0].values)
        self.gradients = {name: list(each) for name, each in derived[0].gradients.items()}
        self.run = tracing.compiled(graph, inputs, _OPTIONS)

    def __call__(self, batch: Batch) -> Derived:
        """Play the turn."""
        with torch.no_grad():
            told = iter(self.run(*self.operands.tensors(batch)))
        return Derived(
            {name: next(told) for name in self.losses},
            {name: next(told) for name in self.values},
            {player: {name: next(told) for name in names} for player, names in self.gradients.items()},
        )

    def check(self, derived: Derived, rounding: Rounding) -> None:
        """Compare the first results with those of the recording, which are then forgotten.

        Raises: `Unequal` where they differ by more than rounding.
        """
        assert self.eagerly is not None
        told = iter(self.eagerly)
        scalars = [("loss", name, derived.losses[name]) for name in self.losses]
        scalars += [("value", name, derived.values[name]) for name in self.values]
        for what, name, scalar in scalars:
            _compare(f"{what} '{name}'", [scalar], [next(told)], rounding.loss, least=1.0)
        for player, names in self.gradients.items():
            theirs = [next(told) for _ in names]
            mine = [derived.gradients[player][name] for name in names]
            _compare(f"the gradient of '{player}'", mine, theirs, rounding.gradient)
        for (_, name), buffer in zip(self.operands.places, self.operands.buffers(), strict=True):
            _compare(f"buffer '{name}'", [buffer], [next(told)], rounding.loss, least=1e-3)
        self.eagerly = None


def _flat(derived: Derived) -> list[Tensor]:
    gradients = (gradient for each in derived.gradients.values() for gradient in each.values())
    return [*derived.losses.values(), *derived.values.values(), *gradients]


def _compare(what: str, mine: Sequence[Tensor], theirs: Sequence[Tensor], bound: float, least: float = 1e-12) -> None:
    """Raises: `Unequal` where the norm of the difference is more than a share of the norm, or of `least`."""
    apart = _norm([one.double() - other.double() for one, other in zip(mine, theirs, strict=True)])
    size = max(_norm([other.double() for other in theirs]), least)
    # Written so that what is not a number is unequal, unless it is so in both.
    if not apart <= bound * size and not (size != size and any(bool(one.isnan().any()) for one in mine)):
        raise Unequal(f"{what} differs from the eager one by {apart / size:.2g} of it")


def _norm(tensors: Sequence[Tensor]) -> float:
    return sum((float(each.square().sum()) for each in tensors), 0.0) ** 0.5


def _reason(error: Exception) -> str:
    """The first line that an error says, or its kind."""
    told = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return told[:200]
