"""Does an algorithm keep the promises of `imgen.algorithm`, and does a run of it ship and resume?"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast
from unittest import mock

import torch
from torch import Tensor, nn

from imgen import binding, images
from imgen.algorithm import Algorithm, Batch, Turn, moves_of
from imgen.build import config_of, load_model
from imgen.data.loader import Loader
from imgen.data.spec import Dataset, DataSpec
from imgen.model import Embedder, Generator, ModelConfig, Translator
from imgen.plugins import Plugins, installed
from imgen.recipe import Part, Recipe
from imgen.registry import Factory
from imgen.testing.models import check_model
from imgen.testing.settings import check_settings
from imgen.testing.told import blamed, copy, names
from imgen.train import checkpoint
from imgen.train.play import House, Seat, restart, take_seats
from imgen.train.shapes import check_batch
from imgen.train.signals import StopSignals
from imgen.train.trainer import Trainer
from imgen.train_settings import TrainSettings

Make = Callable[[int], Algorithm]
"""Builds the algorithm under test, its first weights following from a seed."""


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

    def make(seed: int) -> Algorithm:
        torch.manual_seed(seed)
        made: Algorithm = binding.build(factory, dataset.spec, settings=plain, resolve=plugins.build)
        return made

    with torch.random.fork_rng(devices=[]), tempfile.TemporaryDirectory() as folder:
        made = make(0)
        config = _check_ships(made, name, plain, dataset.spec, plugins)
        _check_players(made)
        batches = _batches(dataset, batch, steps)
        with blamed("the first batch does not fit `expects`"):
            check_batch(batches[0], made.expects, name)
        _check_turns(made, batches)
        _check_without_values(make(0), batches)
        _check_preview(made, batches[0], dataset.spec)
        _check_resume(make, dataset, TrainSettings(batch=batch, steps=steps, workers=1), config, Path(folder))
        _check_rebuilt(make(0), Path(folder) / "whole" / "model.safetensors", dataset.spec, plugins)


def _check_ships(
    made: Algorithm, name: str, settings: Mapping[str, Any], data: DataSpec, plugins: Plugins
) -> ModelConfig:
    assert isinstance(made, Algorithm), f"{name} builds a {type(made).__name__}; it must be an imgen.Algorithm"
    assert isinstance(getattr(made, "model", None), nn.Module), f"{name} has no network `model`, the one that ships"
    ships = getattr(made, "ships", None)
    assert isinstance(ships, str) and ships in plugins.registry("models"), (
        f"{name}.ships is {ships!r}; it must be the name of a registered model, which rebuilds `model`"
    )
    part = Part(name, settings)
    return config_of(made, Recipe("check", part, Part("check", {}), TrainSettings()), data, plugins)


def _check_players(made: Algorithm) -> None:
    with blamed("players() must own every parameter once"):
        take_seats(made)
    known = {id(parameter) for parameter in made.parameters()}
    for name, player in made.players().items():
        lost = [network for network in player.networks for each in network.parameters() if id(each) not in known]
        assert not lost, (
            f"player '{name}' owns a {type(lost[0]).__name__} that is not in the algorithm's state_dict; "
            "make it an attribute of the algorithm"
        )


def _check_turns(made: Algorithm, batches: list[dict[str, Tensor]]) -> None:
    seats, first = take_seats(made), copy(made)
    played: set[str] = set()
    for step, drawn in enumerate(batches):
        for turn, batch in _turns(made, step, drawn, seats):
            _check_turn(turn, batch, made, seats)
            played.update(moves_of(turn).players)
    still = set(seats) - played
    assert not still, f"{names(still)} never moves in {len(batches)} steps; if its turns come later, give more steps"
    for name, seat in seats.items():
        moved = any(not torch.equal(first[key], parameter) for key, parameter in seat.parameters.items())
        assert moved, f"player '{name}' has turns but its parameters stay as they were: its loss must hang on them"


def _turns(
    made: Algorithm, step: int, batch: dict[str, Tensor], seats: dict[str, Seat]
) -> Iterator[tuple[Turn, dict[str, Tensor]]]:
    """The turns of a step, each with its batch, as the trainer comes to them."""
    torch.manual_seed(step)
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
            f"turn '{_called(turn)}' moves {moves.players}; @turn names one or more of the players {names(seats)}"
        )
        yield turn, batch
    with torch.no_grad():
        made.conclude(step)


def _check_turn(turn: Turn, batch: Batch, made: Algorithm, seats: Mapping[str, Seat]) -> None:
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
        f"turn '{_called(turn)}' itself moves {touched[0]}; it must only return losses: the trainer moves its players"
    )
    _check_buffers(turn, batch, made, losses, before, written, noise)
    made.load_state_dict(before)
    torch.set_rng_state(noise)
    advice = "a loss must hang on the parameters of its player, and nothing that it reads be written in place"
    with blamed(f"turn '{_called(turn)}': {advice}"):
        House(torch.device("cpu")).play(turn, batch, made, seats)
    mine = {key for name in movers for key in seats[name].parameters}
    foreign = [key for key, each in made.named_parameters() if key not in mine and not torch.equal(each, before[key])]
    assert not foreign, f"turn '{_called(turn)}' moves {foreign[0]}, which is not of its players {names(movers)}"


def _check_told(turn: Turn, losses: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    who, movers = f"turn '{_called(turn)}'", moves_of(turn).players
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
        f"turn '{_called(turn)}' gives another loss when played again: it must be a function of its batch, the "
        "algorithm's state_dict and torch's own random numbers"
    )
    # The power iteration of spectral norm copies what it writes, so it is safe.
    suspects = {key: value for key, value in written.items() if ".parametrizations." not in key}
    if suspects and not again(suspects):
        read = [key for key, value in suspects.items() if not again({key: value})]
        raise AssertionError(
            f"turn '{_called(turn)}' writes the buffer {names(read or suspects)}, which its own loss reads; write the "
            "evidence to a second buffer, and move this one in prepare()"
        )


def _check_without_values(made: Algorithm, batches: list[dict[str, Tensor]]) -> None:
    """Play the turns on a device that holds no values: what works there neither waits for one nor names another."""
    made = made.to("meta")
    for step, drawn in enumerate(batches):
        batch = {name: tensor.to("meta") for name, tensor in drawn.items()}
        batch |= made.share(batch)
        for turn in made.turns(step):
            advice = (
                f"turn '{_called(turn)}' must not read a value on the host (.item(), if), have sizes that hang on "
                "values, or make tensors anywhere but on its batch's device"
            )
            # autocast refuses a device that it does not know, and paper code may well switch it off.
            with blamed(advice), mock.patch.object(torch, "autocast", lambda *_, **__: nullcontext()):
                turn(batch)


def _check_preview(made: Algorithm, batch: Mapping[str, Tensor], data: DataSpec) -> None:
    before = copy(made)
    made.model.eval()
    with torch.no_grad():
        sheet = made.preview({**batch, **made.share(batch)})
    made.model.train()
    assert sheet.dim() == 5 and sheet.shape[2:] == data.image, (
        f"preview() gives {tuple(sheet.shape)}; it must give (rows, columns, {', '.join(map(str, data.image))})"
    )
    assert sheet.is_floating_point() and sheet.isfinite().all(), "preview() must give finite floats"
    assert sheet.abs().max() < 10, "preview() gives values far from [-1, 1]; pictures go from -1, black, to 1, white"
    changed = [key for key, value in made.state_dict().items() if not torch.equal(value, before[key])]
    assert not changed, f"preview() changes {changed[0]}; looking at a run must not change it"


def _check_resume(make: Make, dataset: Dataset, settings: TrainSettings, config: ModelConfig, folder: Path) -> None:
    """A run that is stopped half-way and taken up from its files ends in the same bits as one that is not."""
    half = TrainSettings(steps=settings.steps // 2, batch=settings.batch, workers=1)
    # Other first weights the second time: all that matters is to come from the files.
    for seed, run, part in ((0, "whole", settings), (0, "halves", half), (1, "halves", settings)):
        Trainer(make(seed), dataset, part, folder / run, config=config).fit(StopSignals())
    whole, halves = checkpoint.latest(folder / "whole"), checkpoint.latest(folder / "halves")
    assert whole and halves and whole.step == halves.step
    for file in ("algorithm", "optim", "ema"):
        one, other = whole.read(file), halves.read(file)
        wrong = sorted(key for key in one.keys() | other.keys() if not _same(one.get(key), other.get(key)))
        assert not wrong, (
            f"a run that was stopped and resumed differs from one that was not, first in {wrong[0]} ({file}); all "
            "that changes while training, and all that is drawn at first, must be a parameter or a buffer"
        )


def _check_rebuilt(made: Algorithm, weights: Path, data: DataSpec, plugins: Plugins) -> None:
    with blamed(f"'{made.ships}' must rebuild `model` from its weights file"):
        rebuilt, _ = load_model(weights, plugins)
    made.model.load_state_dict(rebuilt.state_dict())
    if isinstance(rebuilt, (Embedder, Generator, Translator)):
        check_model(rebuilt, data)
    if not isinstance(rebuilt, (Generator, Translator)):
        return
    if isinstance(rebuilt, Translator):
        _check_alike(cast("Translator", made.model.eval()), rebuilt, made.ships, data)
        return
    original = cast("Generator", made.model.eval())
    with torch.no_grad():
        z = torch.cat([rebuilt.draw(code, 4) for code in rebuilt.codes], dim=1)
        assert original.codes == rebuilt.codes and torch.equal(original(z), rebuilt(z)), (
            f"the model '{made.ships}' rebuilt from its weights file makes other pictures; every setting on which "
            "`model` hangs must bear the same name in the algorithm and in the registered model"
        )


def _check_alike(original: Translator, rebuilt: Translator, ships: str, data: DataSpec) -> None:
    shown = torch.rand(4, *((data.vector,) if data.vector else data.image)) * 2 - 1
    with torch.no_grad():
        same = list(original.ways) == list(rebuilt.ways) and all(
            torch.equal(original.translate(shown, way), rebuilt.translate(shown, way)) for way in rebuilt.ways
        )
    assert same, (
        f"the model '{ships}' rebuilt from its weights file translates otherwise; every setting on which `model` hangs "
        "must bear the same name in the algorithm and in the registered model"
    )


def _batches(dataset: Dataset, batch: int, steps: int) -> list[dict[str, Tensor]]:
    """Batches as the trainer hands them to turns."""
    loader = Loader(dataset, batch=batch, seed=0, device=torch.device("cpu"), resident="never", workers=1)
    drawn = [loader.batch(step) for step in range(steps)]
    loader.close()
    pictures = [name for name, tensor in drawn[0].items() if tensor.dtype == torch.uint8]
    return [{**each, **{name: images.to_float(each[name]) for name in pictures}} for each in drawn]


def _same(one: Tensor | None, other: Tensor | None) -> bool:
    return one is not None and other is not None and torch.equal(one, other)


def _called(turn: Turn) -> str:
    return getattr(turn, "__name__", repr(turn))
