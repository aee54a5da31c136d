"""Who tells what edited pictures show: the data set's own oracle, or a classifier that is trained for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from imgen.data.labels import UNKNOWN
from imgen.data.loader import Loader
from imgen.data.spec import Attribute, DataSpec, fetch
from imgen.errors import DataError
from imgen.images import to_float
from imgen.metrics.attribute_network import AttributeClassifier
from imgen.metrics.translation import rows_of
from imgen.metrics.weights import kept_with, read_weights, write_weights
from imgen.optim import Adam

if TYPE_CHECKING:
    from imgen.metrics import Evaluation

NAME = "attribute-classifier"
"""What the classifier is registered as."""
MOST_HELD_OUT = 5000
"""Held-out pictures, at most, on which a judge is judged."""
_BATCH = 128
_MOST_WEIGHT = 20.0  # of a value that hardly any picture shows: one picture must not make up a batch

Kind = Literal["oracle", "classifier"]
JudgeKind = Literal["auto", "oracle", "classifier"]


@dataclass(frozen=True, kw_only=True)
class JudgeSettings:
    """Who is to tell attributes, and how a classifier is trained for it.

    judge: the data set's own oracle or a classifier; auto: the oracle where there is one. path: of the classifier's
    weights, which are read where the file exists and written where not; None: neither. steps, batch, width, rate: of
    its training, the rate being the highest of Adam's. mirrored: whether half of its pictures are mirrored.
    """

    judge: JudgeKind = "auto"
    path: str | None = None
    steps: int = 800
    batch: int = 64
    width: int = 16
    rate: float = 4e-3
    mirrored: bool = True


@dataclass(frozen=True, kw_only=True)
class Judge:
    """Someone who tells the attributes of pictures.

    read: pictures (N, C, H, W) in [-1, 1] to places of values, int64 (N, A) on the CPU, -1 where it cannot tell.
    accuracy: by name of the attribute, the share of held-out real pictures with a known value that it tells right.
    recall: by name of the value, the same among the pictures that show that value.
    """

    kind: Kind
    read: Callable[[Tensor], Tensor]
    accuracy: Mapping[str, float]
    recall: Mapping[str, float]


@dataclass(kw_only=True)
class _Truth:
    """All pictures to train on with all that is known of them, for the loader: it walks through shuffled epochs."""

    spec: DataSpec
    columns: Mapping[str, Any]


def judge_of(evaluation: Evaluation, settings: JudgeSettings) -> Judge:
    """The judge for an evaluation; a classifier is trained once for all evaluations with equal settings in a process.

    Raises: `DataError` where the data set has no labelled pictures, no oracle that was asked for, or the file of
    weights is not that of a classifier of its attributes.
    """
    dataset: Any = evaluation.dataset
    if not dataset.spec.attributes or "attributes" not in getattr(dataset, "test", {}):
        raise DataError("needs a data set of pictures with attributes, some of them held out")
    oracle: Callable[[Tensor], Tensor] | None = getattr(dataset, "read_attributes", None)
    if settings.judge == "oracle" and oracle is None:
        raise DataError("this data set cannot read attributes from pictures; set judge to classifier")
    if oracle is not None and settings.judge != "classifier":
        return _judged("oracle", oracle, dataset)
    judges = kept_with(dataset)
    key = (NAME, settings, evaluation.seed, str(evaluation.device))
    if key not in judges:
        model = _classifier(evaluation, settings)

        # Not the evaluation itself: a judge that held the data set would never end, and it neither.
        judges[key] = _judged("classifier", partial(predictions, model, device=evaluation.device), dataset)
    judge: Judge = judges[key]
    return judge


def predictions(model: Any, images: Tensor, device: torch.device) -> Tensor:
    """The likeliest value of each attribute, int64 (N, A) on the CPU, as a model's `classify` tells of pictures.

    -1 where it tells no numbers, as of pictures that are none. The model is taken as it is: in evaluation mode.

    Shapes: images: (N, C, H, W) in [-1, 1].
    """
    with torch.no_grad():
        return torch.cat([_likeliest(model.classify(some.to(device))).cpu() for some in images.split(_BATCH)])


def _likeliest(told: list[Tensor]) -> Tensor:
    """Of probabilities of the values of each attribute, (B, values), the places of the highest: (B, A)."""
    # The highest of what is no number would be the first, and so right for one head of every attribute.
    places = [torch.where(each.isfinite().all(dim=1), each.float().argmax(dim=1), UNKNOWN) for each in told]
    return torch.stack(places, dim=1)


def scores(
    read: Callable[[Tensor], Tensor], dataset: Any, most: int = MOST_HELD_OUT
) -> tuple[dict[str, float], dict[str, float]]:
    """Shares of held-out pictures that are told right: by attribute among those known, and by value among its own.

    At most `most` pictures, taken evenly, as they are. What no picture shows is left out.
    """
    rows = rows_of(int(dataset.test["attributes"].shape[0]), most)
    known = fetch(dataset.test["attributes"], rows)
    # In parts: what is held out need not fit into memory as floats.
    parts = [rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]
    told = [read(to_float(fetch(dataset.test["images"], part))) for part in parts]
    right = torch.cat([known[:0], *told]) == known
    accuracy, recall = {}, {}
    for place, attribute in enumerate(dataset.spec.attributes):
        shown = known[:, place]
        if (shown != UNKNOWN).any():
            accuracy[attribute.name] = float(right[shown != UNKNOWN, place].double().mean())
        for value, name in enumerate(attribute.values):
            if (shown == value).any():
                recall[name] = float(right[shown == value, place].double().mean())
    return accuracy, recall


def train_classifier(
    dataset: Any, settings: JudgeSettings, seed: int, device: torch.device | str = "cpu"
) -> AttributeClassifier:
    """A classifier of the attributes of a `Labelled` data set, trained on all that is known of its training pictures.

    Pictures come from walks through reshuffled epochs, half of them mirrored where `mirrored`. The loss is the sum over
    attributes of the mean cross-entropy over the pictures of a batch whose value is known. A value weighs as the
    inverse of its frequency, at most 20 times the usual, so that a rare one is told as readily as a frequent one: the
    pictures to be judged are edited ones, among which values are not as frequent as among real ones. Adam's rate rises
    over the first tenth of the steps and falls to 0 as a cosine. Weights, order and mirroring follow from the seed;
    random number generators of torch and numpy are left as they were. float32, on CUDA bfloat16 where autocast chooses.

    Raises: `DataError` where no training picture has a known value.
    """
    device = torch.device(device)
    truth: Tensor | None = getattr(dataset, "truth", None)
    if truth is None or not (truth != UNKNOWN).any():
        raise DataError("no training picture has a known value; a classifier cannot be trained")
    model = _first(dataset.spec, settings.width, seed).to(device)
    weights = [each.to(device) for each in _weights(truth, dataset.spec.attributes)]
    columns = {"images": dataset.columns["images"], "attributes": truth}
    # It keeps pictures in memory, or on the device, where they fit, and else reads the next batches meanwhile.
    loader = Loader(_Truth(spec=dataset.spec, columns=columns), batch=settings.batch, seed=seed, device=device)
    noise = torch.Generator().manual_seed(seed)
    adam = Adam(model.parameters(), lr=settings.rate)
    cuda = device.type == "cuda"
    deterministic = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)
    try:
        with deterministic, torch.enable_grad():
            for step in range(settings.steps):
                batch = loader.batch(step)
                images = to_float(batch["images"])
                if settings.mirrored:
                    mirror = (torch.rand(len(images), generator=noise) < 0.5).to(device)
                    images = torch.where(mirror[:, None, None, None], images.flip(3), images)
                with torch.autocast(device.type, torch.bfloat16, enabled=cuda):
                    told = model(images)
                loss = torch.stack(
                    [
                        _masked(logits.float(), batch["attributes"][:, place], weights[place])
                        for place, logits in enumerate(told)
                    ]
                ).sum()
                adam.param_groups[0]["lr"] = settings.rate * _pace(step, settings.steps)
                adam.zero_grad()
                loss.backward()
                adam.step()
    finally:
        loader.close()
    return model.eval().requires_grad_(False)


def _first(spec: DataSpec, width: int, seed: int) -> AttributeClassifier:
    with torch.random.fork_rng(devices=[]):
        # `torch.manual_seed` would seed every device.
        torch.default_generator.manual_seed(seed)
        return AttributeClassifier(spec, width=width)


def _weights(truth: Tensor, attributes: tuple[Attribute, ...]) -> list[Tensor]:
    """Of each value of each attribute: as much as makes all values of it weigh the same in all."""
    weights = []
    for place, attribute in enumerate(attributes):
        known = truth[:, place][truth[:, place] != UNKNOWN]
        counts = torch.bincount(known, minlength=len(attribute.values)).float()
        shown = int((counts > 0).sum())
        weights.append((len(known) / (max(shown, 1) * counts.clamp_min(1))).clamp_max(_MOST_WEIGHT))
    return weights


def _masked(logits: Tensor, values: Tensor, weights: Tensor) -> Tensor:
    """The mean over known values of the weighed cross-entropy; 0 where none is known."""
    lost = cross_entropy(logits, values, weight=weights, ignore_index=UNKNOWN, reduction="sum")
    return lost / (values != UNKNOWN).sum().clamp_min(1)


def _pace(step: int, steps: int) -> float:
    rise = min(1.0, (step + 1) / max(1.0, steps / 10))
    return rise * (1 + math.cos(math.pi * step / steps)) / 2


def _classifier(evaluation: Evaluation, settings: JudgeSettings) -> AttributeClassifier:
    """Read from its file where it exists, or else trained, and written where a path is given."""
    path = Path(settings.path) if settings.path else None
    if path and path.exists():
        return read_classifier(path, evaluation.dataset.spec, evaluation.device)
    model = train_classifier(evaluation.dataset, settings, evaluation.seed, evaluation.device)
    if path:
        origin = {"steps": settings.steps, "batch": settings.batch, "rate": settings.rate, "seed": evaluation.seed}
        origin = {"mirrored": settings.mirrored, **origin}
        write_weights(path, model, NAME, {"width": settings.width}, evaluation.dataset.spec, origin)
    return model


def read_classifier(path: Path, spec: DataSpec, device: torch.device | str) -> AttributeClassifier:
    """A classifier from its weights file.

    Raises: `DataError` where it is none, or one of other attributes or sizes than those of `spec`.
    """
    model, config = read_weights(path, device)
    if not isinstance(model, AttributeClassifier):
        raise DataError(f"{path}: holds the model '{config.name}'; a classifier is a file of the model '{NAME}'")
    if config.data.attributes != spec.attributes or config.data.image != spec.image:
        raise DataError(f"{path}: was trained on other attributes or sizes; remove it, or give another path")
    return model


def _judged(kind: Kind, read: Callable[[Tensor], Tensor], dataset: Any) -> Judge:
    accuracy, recall = scores(read, dataset)
    return Judge(kind=kind, read=read, accuracy=accuracy, recall=recall)
