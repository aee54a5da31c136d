"""Do turns return losses, and nothing else? Does each move its own players alone?

PYTEST_DONT_REWRITE: the messages say all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from imgen.algorithm import Algorithm, Batch, Turn, moves_of
from imgen.testing.steps import steps_of_note
from imgen.testing.told import blamed, called, copy, names
from imgen.train.noise import seed_noise
from imgen.train.play import Eager, House, Seat, restart, take_seats

_CPU = torch.device("cpu")
_AGAIN = 2
"""How many plays of a turn are looked at closely: with first weights and buffers, and with those that came of them."""


def check_turns(made: Algorithm, batches: list[dict[str, Tensor]]) -> None:
    """Every turn gives finite losses, for its own players, and moves these alone; every player moves."""
    seats, first = take_seats(made), copy(made)
    played: set[str] = set()
    times: Counter[str] = Counter()
    for step in (*range(len(batches)), *steps_of_note(made)):
        # Later steps are for those alone who come late, as after a warm-up.
        if step < len(batches) or _movers(made, step) - played:
            for turn, batch in turns_of(made, step, batches[step % len(batches)], seats):
                times[called(turn)] += 1
                _check_turn(turn, batch, made, seats, again=times[called(turn)] <= _AGAIN)
                played.update(moves_of(turn).players)
    still = set(seats) - played
    assert not still, (
        f"{names(still)} never moves in {len(batches)} steps, nor at any later one that was looked at; if its turns "
        "come later, give more steps, or settings with which they come sooner"
    )
    for name, seat in seats.items():
        moved = any(not torch.equal(first[key], parameter) for key, parameter in seat.parameters.items())
        assert moved, f"player '{name}' has turns but its parameters stay as they were: its loss must hang on them"


def _movers(made: Algorithm, step: int) -> set[str]:
    with blamed(f"turns({step})"):
        return {name for turn in made.turns(step) for name in moves_of(turn).players}


def turns_of(
    made: Algorithm, step: int, batch: dict[str, Tensor], seats: dict[str, Seat]
) -> Iterator[tuple[Turn, dict[str, Tensor]]]:
    """The turns of a step, each with its batch, as the trainer comes to them."""
    seed_noise(step, _CPU)
    for name in made.restarts(step):
        restart(name, seats)
    for seat in seats.values():
        seat.pace(step)
    with torch.no_grad():
        made.prepare(step)
    batch = {**batch, **made.share(batch)}
    for turn in made.turns(step):
        with blamed("turns()"):
            moves = moves_of(turn)
        unknown = set(moves.players) - set(seats)
        assert moves.players and not unknown, (
            f"turn '{called(turn)}' moves {moves.players}; @turn names one or more of the players {names(seats)}"
        )
        yield turn, batch
    with torch.no_grad():
        made.conclude(step)


def _check_turn(turn: Turn, batch: Batch, made: Algorithm, seats: Mapping[str, Seat], *, again: bool) -> None:
    """again: whether to play it again and again, to see what its losses hang on."""
    movers = moves_of(turn).players
    for name, seat in seats.items():
        for parameter in seat.parameters.values():
            parameter.requires_grad_(name in movers)
    before, noise = copy(made), torch.get_rng_state()
    losses, values = turn(batch)
    _check_told(turn, losses, values)
    written = {key: value.clone() for key, value in made.state_dict().items() if not torch.equal(value, before[key])}
    touched = [key for key, each in made.named_parameters() if key in written or each.grad is not None]
    assert not touched, (
        f"turn '{called(turn)}' itself moves {touched[0]}; it must only return losses: the trainer moves its players"
    )
    if again:
        _check_buffers(turn, batch, made, losses, before, written, noise)
    made.load_state_dict(before)
    torch.set_rng_state(noise)
    advice = "a loss must hang on the parameters of its player, and nothing that it reads be written in place"
    with blamed(f"turn '{called(turn)}': {advice}"):
        House(Eager(_CPU)).play(turn, batch, made, seats)
    mine = {key for name in movers for key in seats[name].parameters}
    foreign = [key for key, each in made.named_parameters() if key not in mine and not torch.equal(each, before[key])]
    assert not foreign, f"turn '{called(turn)}' moves {foreign[0]}, which is not of its players {names(movers)}"


def _check_told(turn: Turn, losses: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    who, movers = f"turn '{called(turn)}'", moves_of(turn).players
    assert set(losses) == set(movers), f"{who} gives losses for {names(losses)}; it must for {names(movers)}"
    for key, value in {**values, **losses}.items():
        assert isinstance(value, Tensor) and not value.dim(), f"{who}: '{key}' must be a tensor without dimensions"
        assert value.isfinite(), f"{who}: '{key}' is {value.item()}; with first weights it must be a finite number"


def _check_buffers(
    turn: Turn,
    batch: Batch,
    made: Algorithm,
    losses: Mapping[str, Tensor],
    before: Mapping[str, Tensor],
    written: Mapping[str, Tensor],
    noise: Tensor,
) -> None:
    """Play the turn again with what it wrote: losses that change were reading it."""

    def again(changed: Mapping[str, Tensor]) -> bool:
        made.load_state_dict({**before, **changed})
        torch.set_rng_state(noise)
        return all(torch.equal(losses[name], loss) for name, loss in turn(batch)[0].items())

    assert again({}), (
        f"turn '{called(turn)}' gives another loss when played again: it must be a function of its batch, the "
        "algorithm's state_dict and torch's own random numbers"
    )
    # The power iteration of spectral norm copies what it writes, so it is safe.
    suspects = {key: value for key, value in written.items() if ".parametrizations." not in key}
    if suspects and not again(suspects):
        read = [key for key, value in suspects.items() if not again({key: value})]
        raise AssertionError(
            f"turn '{called(turn)}' writes the buffer {names(read or suspects)}, which its own loss reads; write the "
            "evidence to a second buffer, and move this one in prepare()"
        )
