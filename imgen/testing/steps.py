"""Do turns, restarts and milestones follow from the step alone?

PYTEST_DONT_REWRITE: the messages say all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch

from imgen.algorithm import Algorithm, moves_of
from imgen.testing.told import blamed, called, copy, names
from imgen.train.play import restart, take_seats

_LOOKED_AT = 300


def steps_of_note(made: Algorithm) -> list[int]:
    """Some early steps, and those at which a turn is played for the first time or a milestone is reached."""
    seen: set[tuple[str, ...]] = set()
    found = []
    for step in _looked_at(made):
        played = tuple(sorted(called(turn) for turn in made.turns(step)))
        if played not in seen:
            seen.add(played)
            found.append(step)
    return found


def steps_to_move_all(made: Algorithm, most: int) -> int:
    """Steps after which every player has had a turn, or `most` where that takes longer."""
    waiting = set(made.players())
    for step in range(most):
        for turn in made.turns(step):
            waiting -= set(moves_of(turn).players)
        if not waiting:
            return step + 1
    return most


def _looked_at(made: Algorithm) -> Iterable[int]:
    kept = [near for step in _milestones(made) for near in (step - 1, step, step + 1)]
    # Schedules change with round numbers as often as anywhere.
    far = [factor * 10**power for factor in (1, 2, 5) for power in range(2, 7)]
    return sorted({*range(_LOOKED_AT), *kept, *far} - {-1})


def check_steps(made: Algorithm) -> None:
    """What is played, restarted and kept at a step is plain Python on its number: asked twice, it is the same."""
    before, noise, seats = copy(made), torch.get_rng_state(), take_seats(made)
    looked_at = list(_looked_at(made))
    for step in looked_at:
        with blamed(f"turns({step})"):
            played, again = list(made.turns(step)), list(made.turns(step))
            for turn in played:
                unknown = set(moves_of(turn).players) - set(seats)
                assert not unknown, f"turns({step}) plays a turn of {names(unknown)}; the players are {names(seats)}"
        one, other = ([called(turn) for turn in each] for each in (played, again))
        assert one == other, f"turns({step}) gives other turns when asked again; it must follow from the step alone"
    restarted = _restarts(made, looked_at)
    unknown = {name for several in restarted.values() for name in several} - set(seats)
    assert not unknown, f"restarts() names {names(unknown)}; the players are {names(seats)}"
    changed = [key for key, value in made.state_dict().items() if not torch.equal(value, before[key])]
    assert not changed and torch.equal(noise, torch.get_rng_state()), (
        f"turns(), restarts() or milestones() {f'changes {changed[0]}' if changed else 'draws random numbers'}; they "
        "say what is played, and prepare() is where things change"
    )
    for name in {name for several in restarted.values() for name in several}:
        with blamed(f"restarts() names '{name}'"):
            restart(name, seats)
        moved = any(not torch.equal(before[key], value) for key, value in seats[name].parameters.items())
        assert moved, (
            f"player '{name}' restarts, but reset_parameters() leaves its parameters as they are; draw them anew"
        )
        made.load_state_dict(before)


def _restarts(made: Algorithm, looked_at: Iterable[int]) -> dict[int, Sequence[str]]:
    found = {}
    for step in looked_at:
        with blamed(f"restarts({step})"):
            several, again = made.restarts(step), made.restarts(step)
        assert not isinstance(several, str), (
            f"restarts({step}) gives {several!r}; it must be a sequence of players' names"
        )
        assert list(several) == list(again), f"restarts({step}) gives other players when asked again"
        if several:
            found[step] = several
    return found


def _milestones(made: Algorithm) -> dict[int, str]:
    with blamed("milestones() must map numbers of steps, from 1, to names"):
        kept = dict(made.milestones())
    for step, name in kept.items():
        assert isinstance(step, int) and not isinstance(step, bool) and step > 0, (
            f"milestones() has {step!r}; it must map numbers of steps, from 1, to names"
        )
        fits = isinstance(name, str) and name and name == name.lower() and name.replace("-", "a").isalnum()
        assert fits, f"milestones() has the name {name!r}; it must be in kebab-case, as in RUN@warmed-up"
    assert len(set(kept.values())) == len(kept), f"milestones() uses a name twice: {list(kept.values())}"
    assert kept == dict(made.milestones()), "milestones() gives others when asked again"
    return kept
