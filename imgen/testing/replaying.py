"""Is all that a turn does done by the device?

What a GPU may do is played here on the CPU: the operations of a turn are taped once, in the memory that they worked on,
and played again from the tape. What a turn does besides, on the host, happens while it is taped and never again.

PYTEST_DONT_REWRITE: the messages say all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree
from torch.utils._python_dispatch import TorchDispatchMode

from imgen.algorithm import Algorithm
from imgen.testing.steps import steps_of_note
from imgen.testing.told import called
from imgen.testing.turns import turns_of
from imgen.train.graphs import Captured, Play, Record
from imgen.train.play import Derived, Eager, House, Way, take_seats

_STEPS = 3
"""How many steps are played: what is done on the host when a turn is recorded tells in those that follow."""


@dataclass
class _Step:
    """One operation. made: tensors of its own that it gave, which a replay writes again."""

    func: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    made: list[tuple[int, Tensor]]


class _Taping(TorchDispatchMode):
    """Notes every operation, forward and backward; keeps what it worked on alive, so that no memory is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[_Step] = []
        self._own: set[int] = set()
        self._before: dict[int, tuple[Tensor, Tensor]] = {}
        self._views: list[Any] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.partition("::")[2]
        given = [each for each in _pytree.tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        # Batch norm does not say that it writes its running statistics.
        writes = func._schema.is_mutable or "batch_norm" in name
        for each in given if writes else ():
            if _memory(each) not in self._own:
                self._before.setdefault(_memory(each), (each, _whole(each).clone()))
        # As they are seen now: operations like `squeeze_` change how a tensor looks at its memory.
        seen, by_name = _pytree.tree_map_only(Tensor, Tensor.detach, (tuple(args), dict(kwargs)))
        found = func(*args, **kwargs)
        shared = {_memory(each) for each in given}
        leaves = _pytree.tree_leaves(found)
        made = [
            (place, each.detach())
            for place, each in enumerate(leaves)
            if isinstance(each, Tensor) and each.numel() and _memory(each) not in shared
        ]
        self._own.update(_memory(each) for _, each in made)
        # A view looks at its memory, whatever comes to stand there.
        if torch.Tag.inplace_view in func.tags:
            return found
        if made or func._schema.is_mutable or not any(isinstance(each, Tensor) for each in leaves):
            self.steps.append(_Step(func, seen, by_name, made))
        else:
            self._views.append(found)
        return found

    def undo(self) -> None:
        """Put back what was there before: a device that records does nothing yet."""
        for tensor, before in self._before.values():
            _whole(tensor).copy_(before)


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _whole(tensor: Tensor) -> Tensor:
    """All of the memory in which a tensor lies."""
    flat = tensor.detach().new_empty(0)
    return flat.set_(tensor.untyped_storage())


@dataclass
class _Taped:
    derived: Derived
    taping: _Taping

    def replay(self) -> None:
        with torch._C._AutoDispatchBelowAutograd():
            for step in self.taping.steps:
                leaves = _pytree.tree_leaves(step.func(*step.args, **step.kwargs))
                for place, made in step.made:
                    made.copy_(leaves[place])


class Tape:
    """Records what the CPU does in a turn, as CUDA graphs do of a GPU."""

    def rehearse(self, play: Play) -> Derived:
        """Play."""
        return play()

    def record(self, play: Play) -> Record:
        """Play, note every operation, and undo it all. What the host reads meanwhile stays as it is."""
        noise, taping = torch.get_rng_state(), _Taping()
        try:
            with taping:
                derived = play()
        finally:
            with torch.no_grad():
                taping.undo()
            torch.set_rng_state(noise)
        return _Taped(derived, taping)


def check_replayed(make: Callable[[], Algorithm], batches: Sequence[Mapping[str, Tensor]]) -> None:
    """Turns that are replayed from a record give, bit for bit, what they give when they are played."""
    batches = batches[:_STEPS]
    steps = sorted({*range(len(batches)), *steps_of_note(make())})
    eager = Eager(torch.device("cpu"))
    captured = Captured(eager, Tape(), rehearsals=0)
    (plays, state), (replays, replayed) = (_run(make(), batches, steps, way) for way in (eager, captured))
    for (who, told), (_, again) in zip(plays, replays, strict=True):
        wrong = [key for key, value in told.items() if not torch.equal(value, again[key])]
        assert not wrong, f"{who} gives another '{wrong[0]}' when it is replayed from a record; {_RULE}"
    wrong = [key for key, value in state.items() if not torch.equal(value, replayed[key])]
    assert not wrong, f"{wrong[0]} becomes another when turns are replayed from records; {_RULE}"


_RULE = (
    "a GPU replays what its device did, and no Python: a turn must be a function of its batch, parameters, buffers "
    "and torch's own random numbers; what changes from step to step must be a buffer that prepare() writes in place"
)


def _run(
    made: Algorithm, batches: Sequence[Mapping[str, Tensor]], steps: Sequence[int], way: Way
) -> tuple[list[tuple[str, dict[str, Tensor]]], dict[str, Tensor]]:
    """All that turns tell in these steps, and the state in the end."""
    seats, house, told = take_seats(made), House(way), []
    for step in steps:
        for turn, batch in turns_of(made, step, dict(batches[step % len(batches)]), seats):
            losses, values = house.play(turn, batch, made, seats)
            told.append(
                (f"turn '{called(turn)}'", {key: each.detach().clone() for key, each in {**losses, **values}.items()})
            )
    return told, made.state_dict()
