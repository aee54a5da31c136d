"""Turns on record: what the device does in a turn is recorded once, and played again without the host's work.

On a GPU a record is a CUDA graph. It reads and writes the memory that it was recorded with: parameters and buffers
where they lie, a batch that is copied to its place once in a step, and gradients that come out where they did before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from imgen.algorithm import Batch, Turn
from imgen.train.play import Derived, Seat, Way
from imgen.train.tracing import host_values, layout

Play = Callable[[], Derived]
Say = Callable[[str], None]

REHEARSALS = 3
"""Eager plays before a turn is recorded: kernels are chosen and workspaces made in them."""

_MOST_SHAPES = 4  # kinds of batches that records are kept for
_MOST_TURNS = 64  # of one kind of batch; more are functions that are made anew in every step
_MOST_CHANGES = 8  # after which it is said what keeps records from being used


class Unrecordable(Exception):
    """A turn cannot be recorded; the message says why."""


class Record(Protocol):
    """A turn that was recorded. derived: what comes of it, in the memory that every replay writes."""

    derived: Derived

    def replay(self) -> None:
        """Do on the device what the turn did, with what its memory holds now and fresh random numbers."""


class Recorder(Protocol):
    """A device that can record."""

    def rehearse(self, play: Play) -> Derived:
        """Play as it will be when it is recorded, without recording."""

    def record(self, play: Play) -> Record:
        """Record what `play` does, without doing it.

        Raises: `Unrecordable`, with device and random numbers as they were before.
        """


class Captured:
    """A way to compute turns: eagerly a few times, then from a record of what the device did.

    Turns that cannot be recorded are played eagerly for good. Optimizers, clipping and what processes share stay
    outside, so that restarts and learning rates need no new record.
    """

    def __init__(self, eager: Way, recorder: Recorder, say: Say | None = None, *, rehearsals: int = REHEARSALS) -> None:
        """eager: how a turn is played that is not on record; say: is given a line for each turn that cannot be."""
        self._eager, self._recorder, self._rehearsals = eager, recorder, rehearsals
        self._say = say or logging.getLogger(__name__).warning
        self._stages: dict[Hashable, _Stage] = {}
        self._stage: _Stage | None = None
        self._places: _Places | None = None
        self._refused: set[Turn] = set()
        self._crowded, self._changes = False, 0

    def derive(self, turn: Turn, batch: Batch, seats: Mapping[str, Seat]) -> Derived:
        """Replay the turn where it is on record; else play it, and record it when it has been played often enough."""
        if turn in self._refused:
            return self._play(turn, batch, seats)
        try:
            stage = self._set(turn, batch, seats)
            record = stage.records.get(turn) if stage else None
            if record is None:
                if stage is None or (turn not in stage.played and len(stage.played) >= _MOST_TURNS):
                    return self._play(turn, batch, seats)
                on_stage, stage.played[turn] = stage.batch, stage.played.get(turn, 0) + 1
                if stage.played[turn] <= self._rehearsals:
                    return self._recorder.rehearse(lambda: self._play(turn, on_stage, seats))
                record = self._recorder.record(lambda: self._play(turn, on_stage, seats, lasting=True))
                stage.records[turn] = record
        except Unrecordable as why:
            self._refused.add(turn)
            name = getattr(turn, "__name__", type(turn).__name__)
            self._say(f"turn '{name}' is played eagerly, as it cannot be captured: {why}")
            return self._play(turn, batch, seats)
        record.replay()
        return record.derived

    def _set(self, turn: Turn, batch: Batch, seats: Mapping[str, Seat]) -> _Stage | None:
        """The stage for a batch, with the batch on it; none where there are too many kinds of batches.

        Raises: `Unrecordable` where the batch is not data alone.
        """
        if self._stage is not None and self._stage.holds(batch):
            return self._stage
        hanging = [name for name, each in batch.items() if each.requires_grad]
        if hanging:
            raise Unrecordable(f"'{hanging[0]}' of its batch hangs on networks; make it in the turn, or detach it")
        # Once in a step: what was put elsewhere is not where the records look for it, and numbers are part of them.
        changed = self._places.changed() if self._places else ""
        if self._places is None or changed:
            self._stages.clear()
            self._places = _Places(turn, seats)
            self._changes += bool(changed)
            if self._changes == _MOST_CHANGES:
                self._say(
                    f"turns are captured anew whenever {changed} changes; a buffer that is written in place is not"
                )
        kind = layout(batch)
        self._stage = self._stages.get(kind)
        if self._stage is None and len(self._stages) < _MOST_SHAPES:
            self._stage = self._stages[kind] = _Stage.like(batch)
        if self._stage is not None:
            self._stage.put(batch)
        elif not self._crowded:
            self._crowded = True
            self._say(f"batches come in more than {_MOST_SHAPES} shapes; turns with any further one are played eagerly")
        return self._stage

    def _play(self, turn: Turn, batch: Batch, seats: Mapping[str, Seat], *, lasting: bool = False) -> Derived:
        with _no_kept_casts():
            derived = self._eager.derive(turn, batch, seats)
        # Cut off, so that nothing of this backward pass lives on: what gathers the gradient of a parameter remembers
        # the stream that it was made on, and a recording must not wait for another one.
        return Derived(
            {name: loss.detach() for name, loss in derived.losses.items()},
            {name: value.detach() for name, value in derived.values.items()},
            {name: _laid_out(gradients, seats[name]) for name, gradients in derived.gradients.items()},
            lasting=lasting,
        )


@dataclass
class _Stage:
    """A place for batches of one kind, and what was recorded with it."""

    batch: dict[str, Tensor]
    records: dict[Turn, Record] = field(default_factory=dict)
    played: dict[Turn, int] = field(default_factory=dict)
    _sources: dict[str, tuple[Tensor, int]] = field(default_factory=dict)

    @classmethod
    def like(cls, batch: Batch) -> _Stage:
        return cls({name: torch.empty_like(each, requires_grad=False) for name, each in batch.items()})

    def holds(self, batch: Batch) -> bool:
        """Whether the batch lies here already: the same tensors, of which none was written since."""
        sources = self._sources
        return len(batch) == len(sources) and all(
            name in sources and sources[name][0] is each and sources[name][1] == each._version
            for name, each in batch.items()
        )

    def put(self, batch: Batch) -> None:
        new = [
            name
            for name, each in batch.items()
            if name not in self._sources
            or self._sources[name][0] is not each
            or self._sources[name][1] != each._version
        ]
        with torch.no_grad():
            torch._foreach_copy_([self.batch[name] for name in new], [batch[name] for name in new])
        self._sources = {name: (each, each._version) for name, each in batch.items()}


class _Places:
    """Where parameters and buffers of a game lie in memory, and the plain values among its attributes."""

    def __init__(self, turn: Turn, seats: Mapping[str, Seat]) -> None:
        game = getattr(turn, "__self__", None)
        owners: list[dict[str, Any]] = [dict(seat.parameters) for seat in seats.values()]
        if isinstance(game, nn.Module):
            owners = [own for each in game.modules() for own in (each._parameters, each._buffers)]
        held = [(owner, name) for owner in owners for name, tensor in owner.items() if tensor is not None]
        self._owners, self._names = [owner for owner, _ in held], [name for _, name in held]
        self._turn, self._found, self._values = turn, self._now(), host_values(turn)

    def changed(self) -> str:
        """What was put elsewhere, or has another value; nothing where all is as it was."""
        try:
            places = self._now()
        except TypeError:
            return "a parameter or buffer"  # it is gone
        if places != self._found:
            name = next(name for name, one, other in zip(self._names, places, self._found, strict=True) if one != other)
            return f"the memory of '{name}'"
        return "a plain value of the algorithm" if host_values(self._turn) != self._values else ""

    def _now(self) -> list[int]:
        # By maps, as this is done at every step: there may be hundreds.
        return list(map(Tensor.data_ptr, map(dict.get, self._owners, self._names)))  # type: ignore[arg-type]


def _laid_out(gradients: Mapping[str, Tensor], seat: Seat) -> dict[str, Tensor]:
    """Gradients in the memory order of their parameters, as optimizers want them."""
    found = {}
    for name, gradient in gradients.items():
        parameter = seat.parameters[name]
        if gradient.stride() != parameter.stride():
            gradient = torch.empty_like(parameter, requires_grad=False).copy_(gradient)
        found[name] = gradient
    return found


@contextmanager
def _no_kept_casts() -> Iterator[None]:
    """Let autocast cast a weight whenever it is used: a kept one would be of the weight as it was when recorded."""
    before = torch.is_autocast_cache_enabled()
    torch.set_autocast_cache_enabled(False)
    try:
        yield
    finally:
        torch.set_autocast_cache_enabled(before)
