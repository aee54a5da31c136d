"""A trained model by its name: a run, a weights file, a state that a run keeps, or a repository on the Hub."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from imgen.errors import WeightsError
from imgen.hub.reference import Reference, is_reference

if TYPE_CHECKING:
    from torch import nn

    from imgen.model import ModelConfig


def load(model: str | Path, device: str = "cpu") -> tuple[nn.Module, ModelConfig]:
    """A trained model in evaluation mode, and its configuration.

    model: a run folder, a `model.safetensors`, `RUN@NAME` or `RUN@STEP`, or `user/name` and `user/name@revision` on the
    Hub. The model keeps one or more of the contracts of `imgen.model`: `Generator`, `Translator`, `Encoder` ...

    Raises: `WeightsError` where there is none, it is damaged, or its plugin is missing, which it names; `HubError`
    where the Hub has none.
    """
    from imgen.build import load_model
    from imgen.plugins import installed

    return load_model(weights_named(model), installed(), device)


def weights_named(model: str | Path, say: Callable[[str], None] = lambda line: None) -> Path:
    """The weights file of a model by its name.

    say: told in a line where the Hub cannot be asked and what was fetched before is used.
    Raises: `WeightsError` where there is none; `HubError` where there is none on the Hub.
    """
    from imgen.train import run

    path, text = Path(model), str(model)
    if path.is_dir():
        if run.is_run(path):
            return run.weights_of(path)
        if (path / "model.safetensors").is_file():
            return path / "model.safetensors"
        raise WeightsError(f"{path}: not a run: it has neither a recipe.yaml nor a model.safetensors")
    folder, at, which = text.rpartition("@")
    if at and not path.exists() and run.is_run(Path(folder)):
        return run.weights_at(Path(folder), which)
    if path.exists():
        return path
    if on_the_hub(text):
        from imgen.hub.pull import pull

        return pull(Reference.parse(text), parts=("model", "card"), say=say).weights
    hidden = is_reference(text) and Path(path.parts[0]) != run.ROOT
    there = (
        f"hub:{text} for that of the Hub, as there is a folder {path.parts[0]} here"
        if hidden
        else "user/name on the Hub"
    )
    raise WeightsError(f"{path}: no such file or run; give a run folder, a model.safetensors, or {there}")


def on_the_hub(model: str) -> bool:
    """Whether a name is that of a model on the Hub: user/name, where there is no folder `user` here.

    A run that is misspelt should not be looked for elsewhere, so that `runs/name` never is; hub:runs/name is.
    """
    from imgen.train import run

    first = Path(Path(model).parts[0]) if model else run.ROOT
    return is_reference(model) and (model.startswith("hub:") or not (first == run.ROOT or first.exists()))
