"""Does an algorithm keep the promises of `imgen.algorithm`, and does a run of it ship and resume?

PYTEST_DONT_REWRITE: the messages say all.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from imgen import binding, images
from imgen.algorithm import Algorithm
from imgen.build import config_of
from imgen.data.loader import Loader
from imgen.data.spec import Dataset
from imgen.errors import ImgenError
from imgen.model import ModelConfig
from imgen.plugins import Plugins, installed
from imgen.recipe import Part, Recipe
from imgen.registry import Factory
from imgen.testing import promises
from imgen.testing.moving import check_whole
from imgen.testing.replaying import check_replayed
from imgen.testing.running import check_rebuilt, check_resumed, check_seeds
from imgen.testing.settings import check_settings
from imgen.testing.steps import check_steps, steps_of_note
from imgen.testing.told import blamed, copy
from imgen.testing.turns import check_turns, turns_of
from imgen.testing.waiting import check_waiting
from imgen.train.noise import seed_noise
from imgen.train.play import take_seats
from imgen.train.shapes import check_batch
from imgen.train_settings import TrainSettings

_ODD = 5  # items


def check_algorithm(
    algorithm: str | Factory,
    dataset: Dataset,
    *,
    settings: Mapping[str, Any] | None = None,
    steps: int = 3,
    batch: int = 4,
    plugins: Plugins | None = None,
) -> None:
    """An algorithm keeps every promise of `imgen.algorithm` on this data set.

    algorithm: its registered name, or the factory itself; settings: as a recipe gives them.
    plugins: where names are looked up; left out, those that are installed.
    Units: steps, at least 2, enough of them for every player to move; batch in items.
    """
    assert steps >= 2, "check_algorithm stops a run half-way, so it needs steps=2 or more"
    plugins = plugins or installed()
    name = algorithm if isinstance(algorithm, str) else algorithm.__qualname__
    factory = plugins.registry("algorithms").get(algorithm).load() if isinstance(algorithm, str) else algorithm
    check_settings(factory)
    plain, problems = binding.check(factory, settings or {}, plugins.build)
    assert not problems, f"{name}: " + "; ".join(problem.text for problem in problems)
    promises.keep_all("algorithms", Game(name, factory, dataset, plain, plugins, steps, batch))


@dataclass
class Game:
    """An algorithm under test: how it is built, and the data that it is played on.

    settings: all of them, as plain values. Units: batch in items.
    """

    name: str
    factory: Factory
    dataset: Dataset
    settings: Mapping[str, Any]
    plugins: Plugins
    steps: int = 3
    batch: int = 4
    _folder: list[tempfile.TemporaryDirectory[str]] = field(default_factory=list)

    def make(self, seed: int = 0) -> Algorithm:
        """A new one, its first weights following from a seed."""
        seed_noise(seed, torch.device("cpu"))
        made: Algorithm = binding.build(
            self.factory, self.dataset.spec, settings=self.settings, resolve=self.plugins.build
        )
        return made

    @cached_property
    def batches(self) -> list[dict[str, Tensor]]:
        """Batches as the trainer hands them to turns."""
        loader = Loader(self.dataset, batch=self.batch, seed=0, device=torch.device("cpu"), resident="never", workers=1)
        drawn = [loader.batch(step) for step in range(self.steps)]
        loader.close()
        pictures = [name for name, tensor in drawn[0].items() if tensor.dtype == torch.uint8]
        return [{**each, **{name: images.to_float(each[name]) for name in pictures}} for each in drawn]

    @cached_property
    def config(self) -> ModelConfig:
        """What the weights file of its model says of itself."""
        recipe = Recipe("check", Part(self.name, self.settings), Part("check", {}), TrainSettings())
        made = self.make()
        with blamed(f"'{made.ships}' must rebuild `model`"):
            return config_of(made, recipe, self.dataset.spec, self.plugins)

    @cached_property
    def run(self) -> Path:
        """A run that was trained to its end, after one that was stopped has been found to be the same."""
        self._folder.append(tempfile.TemporaryDirectory(prefix="imgen-contracts-"))
        folder = Path(self._folder[-1].name)
        train = TrainSettings(batch=self.batch, steps=self.steps, workers=1)
        check_resumed(self.make, self.dataset, train, self.config, folder)
        return folder / "whole"


def ships(game: Game) -> None:
    """It is an Algorithm with a `model`, and `ships` names a registered model."""
    made, name = game.make(), game.name
    assert isinstance(made, Algorithm), f"{name} builds a {type(made).__name__}; it must be an imgen.Algorithm"
    assert isinstance(getattr(made, "model", None), nn.Module), f"{name} has no network `model`, the one that ships"
    told = getattr(made, "ships", None)
    assert isinstance(told, str) and told in game.plugins.registry("models"), (
        f"{name}.ships is {told!r}; it must be the name of a registered model, which rebuilds `model`"
    )


def players(game: Game) -> None:
    """Players own every parameter once, and all that they own is in the state."""
    made = game.make()
    with blamed("players() must own every parameter once"):
        take_seats(made)
    known = {id(parameter) for parameter in made.parameters()}
    for name, player in made.players().items():
        lost = [network for network in player.networks for each in network.parameters() if id(each) not in known]
        assert not lost, (
            f"player '{name}' owns a {type(lost[0]).__name__} that is not in the algorithm's state_dict; "
            "make it an attribute of the algorithm"
        )


def expects(game: Game) -> None:
    """Batches of the data set are what it expects."""
    with blamed("the first batch does not fit `expects`"):
        check_batch(game.batches[0], game.make().expects, game.name)


def turns(game: Game) -> None:
    """Turns give losses and move their own players alone."""
    check_turns(game.make(), game.batches)


def waiting(game: Game) -> None:
    """Nothing in a step makes the host wait."""
    numbers = {0, 1, *steps_of_note(game.make())}
    check_waiting(game.make, {step: game.batches[step % len(game.batches)] for step in sorted(numbers)})


def replayed(game: Game) -> None:
    """Turns do the same when a device replays what it did."""
    check_replayed(game.make, game.batches)


def odd(game: Game) -> None:
    """Batches of an odd number of items are played, or refused in one line."""
    drawn = game.batches[0]
    batch = {name: torch.cat([tensor] * _ODD)[:_ODD] for name, tensor in drawn.items()}
    try:
        check_waiting(game.make, {0: batch})
    except ImgenError:
        return
    except AssertionError as error:
        # Another contract says where it waits.
        if "must not wait" in str(error):
            return
        raise AssertionError(
            f"a batch of {_ODD} items must be played as one of {game.batch} is, or be refused by a DataError: {error}"
        ) from error.__cause__


def steps(game: Game) -> None:
    """Turns, restarts and milestones follow from the step alone."""
    check_steps(game.make())


def moving(game: Game) -> None:
    """Everything that it holds moves with it, also what it makes while it is played."""
    made = game.make()
    for turn, batch in turns_of(made, 0, game.batches[0], take_seats(made)):
        turn(batch)
    check_whole(made, game.name)


def seeds(game: Game) -> None:
    """The same seed gives the same losses, another one others."""
    check_seeds(game.make, game.batches[:2])


def preview(game: Game) -> None:
    """Previews are sheets of pictures, and change nothing."""
    made, data = game.make(), game.dataset.spec
    before, drawn = copy(made), game.batches[0]
    made.model.eval()
    with torch.no_grad():
        batch = {**drawn, **made.share(drawn)}
        sheet = made.preview(batch)
    assert isinstance(sheet, Tensor) and sheet.dim() == 5 and sheet.shape[2:] == data.image, (
        f"preview() gives {tuple(getattr(sheet, 'shape', ()))}; it must give "
        f"(rows, columns, {', '.join(map(str, data.image))})"
    )
    assert sheet.is_floating_point() and sheet.isfinite().all(), "preview() must give finite floats"
    assert sheet.abs().max() < 10, "preview() gives values far from [-1, 1]; pictures go from -1, black, to 1, white"
    changed = [key for key, value in made.state_dict().items() if not torch.equal(value, before[key])]
    assert not changed, f"preview() changes {changed[0]}; looking at a run must not change it"


def resumed(game: Game) -> None:
    """A run that was stopped half-way ends as one that was not."""
    assert game.run


def rebuilt(game: Game) -> None:
    """The weights file of a run makes what the run's own model makes."""
    made = game.make()
    check_rebuilt(made.model, made.ships, game.run / "model.safetensors", game.dataset.spec, game.plugins)
