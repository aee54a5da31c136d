"""The classifier of kinds behind the inception score of dSprites: its network, its training and its file."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from imgen.binding import Count
from imgen.data.factors import Factored
from imgen.data.loader import Loader
from imgen.data.spec import Attribute, DataSpec, Factor
from imgen.errors import DataError
from imgen.images import to_float
from imgen.metrics.weights import kept_with, read_weights, write_weights
from imgen.optim import Adam
from imgen_infogan_cr.networks import conv, narrow_widths, start

NAME = "shape-classifier"
"""What the classifier is registered as."""
TOLD = ("steps", "batch", "lr", "settle", "seed")
"""What the file of a classifier tells of its training."""
_TOGETHER = 2**16  # rows whose factors are looked up at once


class ShapeClassifier(nn.Module):
    """Probabilities of the values of every attribute, from four convolutions and two dense layers.

    Each layer but the last is followed by a leaky rectifier of slope 0.2, and that by batch normalisation.

    Settings:
        dim: channels of the first layers; the two innermost have twice as many [channels]
        hidden: units of the dense layer

    Shapes: `forward`: pictures (B, C, H, W) in [-1, 1], square and a power of two, to logits (B, values of all).
    Source: Lin et al., InfoGAN-CR, 2020: the network that the authors train to tell the three shapes of dSprites.
    Raises: `ValueError` where the data have no attributes.
    """

    def __init__(self, data: DataSpec, *, dim: Count = 32, hidden: Count = 128) -> None:
        super().__init__()
        if not data.attributes:
            raise ValueError("a classifier of kinds needs data whose kinds are told as attributes")
        self.attributes = data.attributes
        self.sizes = [len(attribute.values) for attribute in data.attributes]
        widths = narrow_widths(data, dim)
        layers: list[nn.Module] = []
        for c_in, c_out in pairwise([data.image[0], *widths]):
            layers += [conv(c_in, c_out), nn.LeakyReLU(0.2), nn.BatchNorm2d(c_out)]
        layers += [nn.Flatten(), nn.Linear(16 * widths[-1], hidden), nn.LeakyReLU(0.2), nn.BatchNorm1d(hidden)]
        # The authors' decay of 0.9 and eps of 1e-5 are what batch norm has here anyway.
        self.layers = nn.Sequential(*layers, nn.Linear(hidden, sum(self.sizes)))
        start(self)

    def forward(self, images: Tensor) -> Tensor:
        return self.layers((images + 1) / 2).float()

    def classify(self, images: Tensor) -> list[Tensor]:
        """For each attribute the probabilities of its values, (B, values), of pictures (B, C, H, W) in [-1, 1]."""
        return [torch.softmax(logits, dim=1) for logits in self(images).split(self.sizes, dim=1)]


@dataclass(frozen=True, kw_only=True)
class Training:
    """How the classifier is trained; the authors' values are the defaults.

    epochs: walks through all pictures. steps: at most so many batches, 0 for all that the epochs have. batch: pictures
    in a batch. lr: Adam's rate, which stays. settle: batches after the last that move the running averages of batch
    norm alone; the authors have none. seed: of first weights and order.
    """

    epochs: int = 5
    steps: int = 0
    batch: int = 64
    lr: float = 0.01
    settle: int = 100
    seed: int = 0

    def whole(self, pictures: int) -> int:
        """Batches in all its epochs."""
        return max(1, self.epochs * pictures // self.batch)

    def length(self, pictures: int) -> int:
        """Batches that it makes."""
        return min(self.steps or self.whole(pictures), self.whole(pictures))


class Trained(NamedTuple):
    """A classifier, and its training as its file tells of it: what `TOLD` names, the `steps` being those made."""

    model: ShapeClassifier
    origin: Mapping[str, Any]


@dataclass(kw_only=True)
class _Kinds:
    """Pictures and which kind each shows, for the loader: it walks through shuffled epochs."""

    spec: DataSpec
    columns: Mapping[str, Any]


def kind_of(dataset: Any) -> tuple[int, Factor]:
    """The first factor of a data set that is a kind: its place among the factors, and itself.

    Raises: `DataError` where nothing is known of the factors, or none is a kind.
    """
    if not isinstance(dataset, Factored):
        raise DataError("nothing is known of the factors of this data; take dsprites or the like")
    for place, factor in enumerate(dataset.spec.factors):
        if not factor.ordered and factor.size > 1:
            return place, factor
    told = ", ".join(factor.name for factor in dataset.spec.factors)
    raise DataError(f"none of the factors of this data is a kind, such as a shape, but {told}; take dsprites")


def with_kinds(dataset: Any) -> DataSpec:
    """The data's spec with its kind as the one attribute, its values by number: what a classifier is built for."""
    _, factor = kind_of(dataset)
    values = tuple(f"{factor.name} {value}" for value in range(factor.size))
    return replace(dataset.spec, attributes=(Attribute(factor.name, values),))


def kinds_of(dataset: Any, rows: np.ndarray[Any, np.dtype[np.int64]]) -> Tensor:
    """Which kind the pictures of rows show, from 0: int64, (len(rows),)."""
    place, _ = kind_of(dataset)
    parts = [rows[at : at + _TOGETHER] for at in range(0, len(rows), _TOGETHER)]
    return torch.from_numpy(np.concatenate([dataset.places(dataset.factors_of(part))[:, place] for part in parts]))


def train_shape_classifier(
    dataset: Any, training: Training, device: torch.device | str = "cpu"
) -> tuple[ShapeClassifier, int]:
    """A classifier of a data set's kinds, in evaluation mode, and the batches it was trained on.

    The mean cross-entropy over batches from walks through reshuffled epochs of all pictures; Adam. Weights and order
    follow from the seed; random number generators of torch and numpy are left as they were. float32.

    The rate stays high to the end, so weights still move when training ends, and the running averages of batch norm lag
    behind them: a network that tells 99 % of a batch right by the batch's own statistics may tell a third right by its
    running ones. So weights are held for `settle` more batches, while the averages catch up.

    Raises: `DataError` where the data has no kinds, the network cannot take its pictures, or training diverges.
    """
    device = torch.device(device)
    spec = with_kinds(dataset)
    images = dataset.columns["images"]
    pictures = int(images.shape[0])
    model = _arranged(_first(spec, training.seed).to(device))
    columns = {"images": images, "kinds": kinds_of(dataset, np.arange(pictures))}
    loader = Loader(_Kinds(spec=spec, columns=columns), batch=training.batch, seed=training.seed, device=device)
    adam = Adam(model.parameters(), lr=training.lr)
    steps = training.length(pictures)
    deterministic = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)
    try:
        with deterministic:
            for step in range(steps + training.settle):
                batch = loader.batch(step)
                shown = to_float(batch["images"]).contiguous(memory_format=torch.channels_last)
                with torch.set_grad_enabled(step < steps):
                    loss = cross_entropy(model(shown), batch["kinds"])
                if step < steps:
                    adam.zero_grad()
                    loss.backward()
                    adam.step()
    finally:
        loader.close()
    if not _finite(model):
        raise DataError(f"the classifier of kinds diverged; take a smaller rate than {training.lr:g}")
    return model.eval().requires_grad_(False), steps


def shape_classifier_of(
    dataset: Any, training: Training, path: str | Path | None = None, device: torch.device | str = "cpu"
) -> Trained:
    """The classifier of a data set's kinds, trained once in a process for equal data, training and file.

    path: of its weights, which are read where the file exists and written where not; None: neither.
    Raises: `DataError` where it cannot be trained, read or written, or the file is of other data.
    """
    file = Path(path).expanduser() if path else None
    kept = kept_with(dataset)
    key: Hashable = (NAME, training, str(file), str(device))
    if key not in kept:
        if file and file.exists():
            kept[key] = read_shape_classifier(file, dataset, device)
        else:
            kept[key] = _trained(dataset, training, file, device)
    found: Trained = kept[key]
    return found


def read_shape_classifier(path: Path, dataset: Any, device: torch.device | str = "cpu") -> Trained:
    """A classifier from its weights file.

    Raises: `DataError` where it is none, or one of other kinds, factors or sizes than those of the data set.
    """
    model, config = read_weights(path, device)
    if not isinstance(model, ShapeClassifier):
        raise DataError(f"{path}: holds the model '{config.name}'; a classifier of kinds is a file of '{NAME}'")
    wanted = with_kinds(dataset)
    if replace(config.data, about="") != replace(wanted, about=""):
        raise DataError(f"{path}: was trained on other kinds, factors or sizes; remove it, or give another path")
    origin = config.origin
    if not all(isinstance(origin.get(name), int | float) for name in TOLD) or not _finite(model):
        raise DataError(f"{path}: does not say how it was trained, or holds no numbers; remove it")
    return Trained(_arranged(model), origin)


def _trained(dataset: Any, training: Training, file: Path | None, device: torch.device | str) -> Trained:
    if file and file.parent.exists() and not file.parent.is_dir():
        # Told before an hour of training, not after it.
        raise DataError(f"{file}: {file.parent} is no folder, so the classifier cannot be written there")
    model, steps = train_shape_classifier(dataset, training, device)
    origin = {**asdict(training), "steps": steps}
    if file:
        write_weights(file, model, NAME, {}, with_kinds(dataset), origin)
    return Trained(model, origin)


def _arranged(model: ShapeClassifier) -> ShapeClassifier:
    """With channels last, in which the convolutions round otherwise: trained and read ones alike."""
    arranged: ShapeClassifier = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return arranged


def _finite(model: nn.Module) -> bool:
    return all(bool(value.isfinite().all()) for value in model.state_dict().values())


def _first(spec: DataSpec, seed: int) -> ShapeClassifier:
    with torch.random.fork_rng(devices=[]):
        # `torch.manual_seed` would seed every device.
        torch.default_generator.manual_seed(seed)
        try:
            return ShapeClassifier(spec)
        except ValueError as error:
            raise DataError(f"no classifier of kinds for these pictures: {error}") from error
