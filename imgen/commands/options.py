"""What several commands share: the device, JSON on standard output, and MODEL arguments."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgen.errors import ImgenError
from imgen.loading import weights_named

if TYPE_CHECKING:
    from imgen.model import ModelConfig

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
device = click.option("--device", metavar="D", help="cpu, cuda or cuda:1; default: a GPU if there is one.")


def say(line: str) -> None:
    """A message for people: standard output is for paths and data."""
    click.echo(line, err=True)


def give(told: Any) -> None:
    """The one JSON object of a command."""
    click.echo(json.dumps(told, indent=1))


def pick_device(wanted: str | None) -> str:
    """The device to compute on.

    Raises: `ImgenError` where it is not there.
    """
    import torch

    if wanted is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=wanted)
        return wanted
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ImgenError(f"--device {wanted}: not usable here ({reason}); take cpu, or leave the option out") from None


def find_weights(model: str | None, can: Callable[[ModelConfig, Path], bool], what: str) -> Path:
    """The weights file of a MODEL argument: a file, a run folder, or the newest run that can do what is asked.

    RUN@NAME and RUN@STEP are the checkpoints that a run keeps; user/name and user/name@revision are on the Hub.

    Raises: `WeightsError` where there is none; `HubError` where there is none on the Hub.
    """
    if model is not None:
        return weights_named(model, say)
    from imgen.train import run

    found = run.newest_that(can, what, passing=say)
    say(f"using {found}")
    return found


def called(weights: Path, config: ModelConfig) -> str:
    """What files made with these weights are called after: the run and, of a former state, its step; or the model.

    Of a model of the Hub, its repository.
    """
    from imgen.hub.reference import origin_of
    from imgen.train import checkpoint
    from imgen.train.run import run_of, weights_of

    if (there := origin_of(weights)) is not None:
        return there.repo.replace("/", "-")
    file = weights.resolve()
    folder = run_of(file)
    if folder is None:
        return config.name
    former = file.name == checkpoint.WEIGHTS and file != weights_of(folder).resolve()
    return f"{folder.name}@{int(file.parent.name.removeprefix('step-'))}" if former else folder.name
