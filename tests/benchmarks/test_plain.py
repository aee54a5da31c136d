"""Plain steps are the same work: equal losses on equal weights, batches and noise, before any move and after some."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from imgen.train.noise import mix, seed_noise

sys.path.insert(0, str(Path(__file__).parent))
from contests import Ours, Theirs, both, recipe_of
from plain import Contest, contests

CPU, SEED = torch.device("cpu"), 3
CONTESTS = contests()


@pytest.fixture
def sides(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Ours, Theirs, Contest]]:
    """imgen and the plain step on tiny networks, of the contest that the test is for."""
    contest = CONTESTS[request.param]
    recipe = recipe_of(request.param, contest, CPU, seed=SEED, tiny=True, play="eager")
    ours, theirs = both(contest, recipe, CPU, tmp_path)
    yield ours, theirs, contest
    ours.close()


def losses(ours: Ours, batch: dict[str, torch.Tensor], cycle: int) -> dict[str, torch.Tensor]:
    """Of all turns, as the contract asks for those of the plain step."""
    game, step, found = ours.trainer.algorithm, ours.trainer.step, {}
    torch.manual_seed(SEED)
    batch = batch | game.share(batch)
    for turn in [turn for each in range(step, step + cycle) for turn in game.turns(each)]:
        torch.manual_seed(SEED)
        found |= {f"{turn.__name__}/{name}": loss.detach() for name, loss in turn(batch)[0].items()}
    return found


@pytest.mark.parametrize("sides", CONTESTS, indirect=True)
def test_losses_are_equal_before_any_move_and_after_some(sides):
    ours, theirs, contest = sides
    game, steps = ours.trainer.algorithm, contest.cycle
    first, start = ours.trainer.batches.of(0), averaged(theirs)
    drawn = theirs.plain.draw()
    assert {name: (x.shape, x.dtype) for name, x in drawn.items()} == {n: (x.shape, x.dtype) for n, x in first.items()}
    assert all(each.is_contiguous() for each in (*drawn.values(), *weights(theirs))), "in torch's own order"
    with torch.no_grad():
        game.prepare(0)
    before = losses(ours, first, contest.cycle)
    torch.testing.assert_close(before, detached(theirs.plain.losses(first, SEED)), rtol=1e-4, atol=1e-6)
    for step in range(steps):
        batch = ours.trainer.batches.of(step)
        ours.steps(1)
        seed_noise(mix(SEED, 0, step), CPU)
        theirs.plain.play(batch)
        theirs.plain.done += 1
    with torch.no_grad():
        game.prepare(steps)
    after = losses(ours, first, contest.cycle)
    torch.testing.assert_close(after, detached(theirs.plain.losses(first, SEED)), rtol=2e-3, atol=1e-5)
    assert not any(torch.equal(after[name], loss) for name, loss in before.items()), "all have moved"
    # Adam makes whole moves of gradients that are nought but for rounding, as those of biases before a norm.
    moved, apart = shipped(ours) - start, averaged(theirs) - shipped(ours)
    assert apart.norm() < moved.norm() / 2 or not len(start), "averages are those of imgen"


def averaged(theirs: Theirs) -> torch.Tensor:
    """Averaged weights in a row; none where the recipe has none."""
    found = vars(theirs.plain)
    averages = found.get("averages", [found["average"]] if "average" in found else [])
    return torch.cat([torch.empty(0), *(x.detach().flatten() for each in averages for x in each.copy.parameters())])


def shipped(ours: Ours) -> torch.Tensor:
    """Those of imgen."""
    trainer = ours.trainer
    state, names = trainer.averaged.state_dict(), dict(trainer.algorithm.model.named_parameters())
    return torch.cat([torch.empty(0), *(state[name].flatten() for name in names if trainer.settings.ema_half_life)])


def weights(theirs: Theirs) -> list[torch.Tensor]:
    networks = [each for each in vars(theirs.plain).values() if isinstance(each, torch.nn.Module)]
    assert networks
    return [parameter for network in networks for parameter in network.parameters()]


def detached(found: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: loss.detach() for name, loss in found.items()}
