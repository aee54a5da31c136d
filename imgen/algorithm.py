"""What a paper implements: players, who own networks, and the turns that they take.

A turn returns losses and never optimises; the trainer does that, once for every paper.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, TypeVar

from torch import Tensor, nn

from imgen.errors import Miswritten
from imgen.schedules import Schedule, constant

if TYPE_CHECKING:
    from imgen.optim import OptimizerFactory
    from imgen.paper import Paper

Batch = Mapping[str, Tensor]
Losses = Mapping[str, Tensor]  # one scalar for each player that moves
Turn = Callable[[Batch], tuple[Losses, Mapping[str, Tensor]]]
_Method = TypeVar("_Method", bound=Callable[..., object])


@dataclass(frozen=True)
class Player:
    """Networks that move together, and how they move.

    schedule: factor on the optimizer's learning rate, as a function of the step (from 0).
    clamp: after every move each parameter is clipped to [-clamp, clamp] (WGAN); None: not at all.
    """

    networks: Sequence[nn.Module]
    optimizer: OptimizerFactory
    schedule: Schedule = field(default_factory=constant)
    clamp: float | None = None

    def named_parameters(self, algorithm: nn.Module) -> dict[str, nn.Parameter]:
        """This player's parameters under their names in the algorithm's `state_dict`."""
        mine = {id(parameter) for network in self.networks for parameter in network.parameters()}
        return {name: parameter for name, parameter in algorithm.named_parameters() if id(parameter) in mine}


@dataclass(frozen=True)
class Moves:
    """What the decorator `turn` notes of a method."""

    players: tuple[str, ...]
    second_order: bool


def turn(*players: str, second_order: bool = False) -> Callable[[_Method], _Method]:
    """Mark a method of an algorithm as a turn in which these players move.

    The method maps a batch to (loss by player, values to log). It sees tensors only and draws its noise on the
    batch's device. second_order: it takes the gradient of a gradient.
    """

    def mark(method: _Method) -> _Method:
        method.moves = Moves(players, second_order)  # type: ignore[attr-defined]
        return method

    return mark


def moves_of(method: Turn) -> Moves:
    """What `turn` noted of this method.

    Raises: `Miswritten` where the method bears no `@turn`.
    """
    moves = getattr(method, "moves", None)
    if not isinstance(moves, Moves):
        name = getattr(method, "__qualname__", repr(method))
        raise Miswritten(f"{name} is played as a turn but is not marked: put @turn('player') above it")
    return moves


class Algorithm(nn.Module):
    """A paper's game. Submodules are its networks and buffers its state: `state_dict()` is the whole truth.

    The constructor is the recipe's schema: `(self, data: DataSpec, *, settings...)`, defaults are the paper's.
    """

    model: nn.Module
    """What ships: averaged, previewed and exported. All else is scaffolding."""

    ships: ClassVar[str]
    """Name of the registered model that rebuilds `model`; it takes those of the algorithm's settings that it names."""

    paper: ClassVar[Paper | None] = None
    """What it follows, for model cards: where it was published, where this differs, what the models cannot do."""

    shows_data: ClassVar[bool] = True
    """Whether previews can show pictures of the data, as `preview` reads them from its batch.

    Where those are of people, or of whom is not known, `imgen push` leaves previews out unless it is asked for them.
    """

    expects: ClassVar[Mapping[str, str]] = {}
    """Entries of a batch and their dimensions, such as {"images": "B 2 C H W"}; a letter stands for any size."""

    spellings: ClassVar[Mapping[str, str | Mapping[str, Mapping[str, str]]]] = {}
    """Names that other programs gave to settings, for the command line: {"learning_rate": "algorithm.lr"}.

    Where a program counted in another unit, {"iterations": "train.steps * 5"}: whole numbers are multiplied.
    Where a flag chose between whole arrangements, the settings that each of its values stands for. `run.out` and
    `run.device` are the options of the command.
    """

    def players(self) -> dict[str, Player]:
        """Who owns which parameters: disjoint, and together complete."""
        raise Miswritten(f"{type(self).__name__} has no method `players`")

    def turns(self, step: int) -> Sequence[Turn]:
        """The turns of this step, in order: plain Python on an int."""
        raise Miswritten(f"{type(self).__name__} has no method `turns`")

    def prepare(self, step: int) -> None:
        """Once before the turns of a step: move coefficients and controllers, in place."""

    def share(self, batch: Batch) -> dict[str, Tensor]:
        """What this step's turns have in common, drawn once on the batch's device and added to the batch."""
        return {}

    def restarts(self, step: int) -> Sequence[str]:
        """Players that start afresh at this step: each of their networks has a `reset_parameters()`."""
        return ()

    def conclude(self, step: int) -> None:
        """Once after the turns of a step: what follows from the parameters as they have become, in place."""

    def milestones(self) -> Mapping[int, str]:
        """Names of states that are kept for good: {1000: "warmed-up"} is the one after 1000 steps.

        Its checkpoint is never removed, and RUN@warmed-up names its weights.
        """
        return {}

    def settle(self, batch: Batch) -> None:
        """Show the model, in training mode, real inputs as it will be given them: for batch norm's statistics.

        Called with a few batches before the model is looked at or ships. Models without batch norm, and those whose
        statistics need no care, do without it.
        """

    def preview(self, batch: Batch) -> Tensor:
        """Pictures to show, (rows, columns, C, H, W) in [-1, 1]; what rows and columns mean is said by the override."""
        raise Miswritten(f"{type(self).__name__} has no method `preview`")
