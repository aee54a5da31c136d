"""One turn: losses and gradients, in one way or another; average over processes, clip, move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from imgen import dist
from imgen.algorithm import Algorithm, Batch, Losses, Player, Turn, moves_of
from imgen.errors import Miswritten, near_miss
from imgen.train.profiling import part


@dataclass
class Seat:
    """A player at the table: its parameters by name, and the optimizer that moves them."""

    player: Player
    parameters: dict[str, nn.Parameter]
    optimizer: Optimizer
    rates: list[float]
    """The optimizer's own learning rates, before the schedule."""
    bound: Mapping[str, Tensor] | None = None
    """Gradients that the parameters hold from one play of a turn to the next, where they are lasting ones."""

    def pace(self, step: int) -> None:
        """Set the learning rates of a step."""
        factor = self.player.schedule(step)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor


def take_seats(algorithm: Algorithm) -> dict[str, Seat]:
    """A seat for every player.

    Raises: `Miswritten` where one is no `Player`, two share a parameter, or one belongs to nobody: a fault of the
        paper's code.
    """
    seats: dict[str, Seat] = {}
    owner: dict[str, str] = {}
    for name, player in algorithm.players().items():
        _check_player(name, player, algorithm)
        parameters = player.named_parameters(algorithm)
        for parameter in parameters:
            if parameter in owner:
                raise Miswritten(f"players '{owner[parameter]}' and '{name}' both own the parameter {parameter}")
            owner[parameter] = name
        seats[name] = seat(player, parameters)
    orphans = [name for name, _ in algorithm.named_parameters() if name not in owner]
    if orphans:
        raise Miswritten(
            f"no player owns the parameter {orphans[0]} ({len(orphans)} in all); players() names the networks of each"
        )
    return seats


def _check_player(name: str, player: Any, algorithm: Algorithm) -> None:
    who = f"players(): '{name}'"
    if not isinstance(player, Player):
        raise Miswritten(f"{who} is a {type(player).__name__}; it must be a Player([network, ...], adam(...))")
    if isinstance(player.networks, nn.Module):
        raise Miswritten(f"{who} has a network and no list of them; write Player([network, ...], ...)")
    if not callable(player.optimizer) or isinstance(player.optimizer, Optimizer):
        raise Miswritten(f"{who} has a {type(player.optimizer).__name__}, which imgen makes: give it adam(...)")
    if not player.named_parameters(algorithm):
        raise Miswritten(f"{who} owns no parameter of the game; its networks must be attributes of the algorithm")


def seat(player: Player, parameters: dict[str, nn.Parameter]) -> Seat:
    """Build the optimizer of a player, afresh."""
    optimizer = player.optimizer(list(parameters.values()))
    return Seat(player, parameters, optimizer, [group["lr"] for group in optimizer.param_groups])


def name_of(turn: Turn) -> str:
    """What a turn is called in messages and logs."""
    return getattr(turn, "__name__", type(turn).__name__)


def _told(turn: Turn, told: Any, seats: Mapping[str, Seat]) -> tuple[Losses, Mapping[str, Tensor]]:
    """What a turn gave.

    Raises: `Miswritten` where that is not losses for its players and values to log, all of them tensors.
    """
    who, movers = f"turn '{name_of(turn)}'", moves_of(turn).players
    if not (isinstance(told, tuple) and len(told) == 2 and all(isinstance(each, Mapping) for each in told)):
        raise Miswritten(
            f"{who} gives a {type(told).__name__}; it must give two mappings: losses by player, and values to log"
        )
    losses, values = told
    for name in movers:
        if name not in seats or name not in losses:
            what = f"gives no loss for '{name}'" if name in seats else f"moves '{name}', which is no player"
            raise Miswritten(f"{who} {what}{near_miss(name, losses if name in seats else seats)}")
    for name, value in (*losses.items(), *values.items()):
        if not isinstance(value, Tensor):
            raise Miswritten(f"{who}: '{name}' is a {type(value).__name__}; it must be a tensor without dimensions")
        if value.dim():
            raise Miswritten(f"{who}: '{name}' is {tuple(value.shape)}; it must have no dimensions, as a mean has none")
    for name in movers:
        if not losses[name].requires_grad:
            raise Miswritten(f"{who}: the loss of '{name}' is cut off from its networks, as by detach() or no_grad")
    return losses, values


@dataclass(frozen=True)
class Derived:
    """What comes of a turn before anybody moves: losses and values to log, and gradients by player and parameter.

    A way may write all of them into the same memory at its next call for this turn.
    """

    losses: Mapping[str, Tensor]
    values: Mapping[str, Tensor]
    gradients: Mapping[str, Mapping[str, Tensor]]
    lasting: bool = False
    """Whether these are the same tensors at every call for this turn, in the memory order of their parameters."""


class Way(Protocol):
    """How losses and gradients of a turn are computed: the same in every way, but for rounding."""

    def derive(self, turn: Turn, batch: Batch, seats: Mapping[str, Seat]) -> Derived:
        """Compute one turn; nobody moves, and nothing waits for the device."""


@dataclass(frozen=True)
class Eager:
    """Operation after operation, as the turn is written. bf16: products are autocast to it."""

    device: torch.device
    bf16: bool = False

    def derive(self, turn: Turn, batch: Batch, seats: Mapping[str, Seat]) -> Derived:
        """Freeze whoever does not move, play, and take the gradient of each loss for its own player."""
        movers = moves_of(turn).players
        freeze(movers, seats)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            losses, values = _told(turn, turn(batch), seats)
        return Derived(losses, values, _gradients(losses, movers, seats))


def freeze(movers: Sequence[str], seats: Mapping[str, Seat]) -> None:
    """Let the parameters of these players, and no others, ask for gradients."""
    for name, other in seats.items():
        for parameter in other.parameters.values():
            parameter.requires_grad_(name in movers)


def _gradients(
    losses: Mapping[str, Tensor], movers: Sequence[str], seats: Mapping[str, Seat]
) -> dict[str, dict[str, Tensor]]:
    found: dict[str, dict[str, Tensor]] = {}
    for place, name in enumerate(movers, 1):
        parameters = seats[name].parameters
        # A loss moves its own player only, even where another player's loss hangs on the same forward pass.
        gradients: tuple[Tensor | None, ...] = torch.autograd.grad(
            losses[name], list(parameters.values()), retain_graph=place < len(movers), allow_unused=True
        )
        found[name] = {
            key: gradient for key, gradient in zip(parameters, gradients, strict=True) if gradient is not None
        }
    return found


@dataclass(frozen=True)
class House:
    """How turns are played, the same for all: the way they are computed, clipping, and what processes share."""

    way: Way
    clip_grad: float = 0.0

    def play(
        self, turn: Turn, batch: Batch, algorithm: Algorithm, seats: Mapping[str, Seat]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Play one turn and move its players; gives (loss by player, values to log), still on the device."""
        called = name_of(turn)
        with part(f"{called}: losses and gradients"):
            derived = self.way.derive(turn, batch, seats)
        if dist.world() > 1:
            with part(f"{called}: mean of all processes"):
                # Buffers hold evidence and running statistics: every process goes on with the mean of all.
                buffers = [buffer for buffer in algorithm.buffers() if buffer.is_floating_point()]
                dist.average([*(each for mine in derived.gradients.values() for each in mine.values()), *buffers])
        with part(f"{called}: move"):
            for name, gradients in derived.gradients.items():
                self._move(seats[name], gradients, derived.lasting)
        return dict(derived.losses), dict(derived.values)

    def _move(self, seat: Seat, gradients: Mapping[str, Tensor], lasting: bool) -> None:
        if seat.bound is not gradients:
            _bind(seat, gradients)
        if self.clip_grad:
            _clip(seat, self.clip_grad)
        seat.optimizer.step()
        # Lasting ones stay where they are: parameters are many, and each costs the host time at every move.
        seat.bound = gradients if lasting else None
        if not lasting:
            seat.optimizer.zero_grad(set_to_none=True)
        if seat.player.clamp is not None:
            bound = seat.player.clamp
            with torch.no_grad():
                for parameter in seat.parameters.values():
                    parameter.clamp_(-bound, bound)


def _clip(seat: Seat, largest: float) -> None:
    """Scale the gradients of a player, in place, so that their norm is no larger."""
    held = [parameter for parameter in seat.parameters.values() if parameter.grad is not None]
    norm = nn.utils.get_total_norm([parameter.grad for parameter in held if parameter.grad is not None])
    # Parameters that are added up have one and the same tensor for a gradient, which is scaled once.
    apart = {id(parameter.grad): parameter for parameter in held}
    nn.utils.clip_grads_with_norm_(list(apart.values()), largest, norm)


def _bind(seat: Seat, gradients: Mapping[str, Tensor]) -> None:
    """Hand the parameters of a player these gradients, and none to those that a loss does not reach."""
    for name, parameter in seat.parameters.items():
        gradient = gradients.get(name)
        # Fused optimizers walk through memory: a gradient in another order would move the wrong weights.
        if gradient is not None and gradient.stride() != parameter.stride():
            gradient = torch.empty_like(parameter, requires_grad=False).copy_(gradient)
        parameter.grad = gradient


def restart(name: str, seats: dict[str, Seat]) -> None:
    """Let a player start afresh, in place: new first weights, a new optimizer. Buffers stay.

    Raises: `Miswritten` where one of its networks has no `reset_parameters()`.
    """
    player = seats[name].player
    for network in player.networks:
        reset: Any = getattr(network, "reset_parameters", None)
        if reset is None:
            raise Miswritten(f"player '{name}' restarts, but its {type(network).__name__} has no reset_parameters()")
        with torch.no_grad():
            reset()
    seats[name] = seat(player, seats[name].parameters)
