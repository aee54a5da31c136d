"""Inception score, confidence and missing modes of generated sprites, as a classifier of their kinds sees them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
import torch
from annotated_types import Ge

from imgen.binding import Count, NonNegative, Place, Rate
from imgen.data.spec import fetch
from imgen.errors import DataError
from imgen.images import to_float
from imgen.metrics import Measured
from imgen.metrics.weights import kept_with
from imgen.model import Generator
from imgen_infogan_cr.shape_classifier import (
    NAME,
    TOLD,
    ShapeClassifier,
    Trained,
    Training,
    kinds_of,
    shape_classifier_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from imgen.metrics import Evaluation

_BATCH = 64  # pictures in a forward pass, as the authors have it
_TOGETHER = 2048  # real pictures that are fetched at once
_POOR = 0.9  # a classifier that tells less than this of real pictures right is warned of


class ShapeScores(NamedTuple):
    """What probabilities say: see `shape_scores`. counts: pictures by their likeliest class."""

    inception_score: float
    log_std: float
    confidence: float
    mode_kl: float
    counts: tuple[int, ...]


def shape_scores(probabilities: NDArray[np.floating]) -> ShapeScores:
    """How sure a classifier is of pictures, and how evenly they are spread over its classes.

    inception_score: the exponential of the mean divergence KL(p_i || mean of all p), from 1 to the number of classes,
    without splits. log_std: the population deviation of these divergences. confidence: the mean highest probability.
    mode_kl: the divergence of the shares of likeliest classes from equal shares, from 0 to the logarithm of the number
    of classes; of several likeliest classes the first. Natural logarithms; 0 log 0 is 0.

    Shapes: probabilities: (n, classes), rows summing to 1.
    Raises: `ValueError` where they are none.
    Source: Lin et al., InfoGAN-CR, 2020, the authors' measures of dSprites; Salimans et al., 2016, has splits.
    """
    p = np.asarray(probabilities, np.float64)
    if p.ndim != 2 or not p.size or not np.isfinite(p).all() or (p < 0).any() or not (p.sum(axis=1) > 0).all():
        raise ValueError(f"scores need probabilities, (pictures, classes), none negative or NaN, not {p.shape}")
    counts = np.bincount(p.argmax(axis=1), minlength=p.shape[1])
    rows = p / p.sum(axis=1, keepdims=True)
    each = divergence(rows, p.mean(axis=0) / p.mean(axis=0).sum())
    shares = counts / counts.sum()
    return ShapeScores(
        inception_score=float(np.exp(each.mean())),
        log_std=float(each.std()),
        confidence=float(p.max(axis=1).mean()),
        mode_kl=float(divergence(shares, np.full(len(shares), 1 / len(shares)))),
        counts=tuple(int(count) for count in counts),
    )


def divergence(p: NDArray[np.floating], q: NDArray[np.floating]) -> NDArray[np.float64]:
    """KL(p || q) in nats: what p leaves out counts nothing, what q alone leaves out counts without end.

    Shapes: (..., classes) each -> (...).
    """
    p, q = np.broadcast_arrays(np.asarray(p, np.float64), np.asarray(q, np.float64))
    with np.errstate(divide="ignore"):
        ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    return np.asarray((p * np.log(ratio)).sum(axis=-1), np.float64)


def shape_inception_score(
    *,
    pictures: Annotated[int, Ge(2)] = 50_000,
    weights: Place | None = None,
    epochs: Count = 5,
    steps: NonNegative = 0,
    batch: Annotated[int, Ge(2)] = 64,
    lr: Rate = 0.01,
    settle: NonNegative = 100,
    classifier_seed: NonNegative = 0,
) -> Callable[[Evaluation], Measured]:
    """Inception score, confidence and missing modes of generated sprites, by a classifier trained on the real ones.

    For models that generate, and data of which a factor is a kind: its values are the classes. `inception_score`,
    `log_std`, `confidence` and `mode_kl` are those of `shape_scores`; with `real_` before them, those of as many real
    pictures, or of all where there are fewer. `classifier_accuracy` is the share of these that are told right; the
    classifier has seen them, as the authors hold none out.

    The classifier is an instrument: its seed is a setting, so that repetitions with other seeds and all models of a
    comparison are measured with the same one. It is trained once in a process, or once for all where `weights` is
    given. The five passes through dSprites are 57,600 batches; `steps` asks for fewer, and the record tells how many.

    Settings:
        pictures: generated, and as many real ones beside them [pictures]
        weights: file of the classifier, read where it exists and written where not; left out, neither
        epochs: walks of the classifier through all real pictures [passes]
        steps: of the classifier's training at most; 0 for all that the epochs have [batches]
        batch: of the classifier's training [pictures]
        lr: of the classifier's training: Adam's rate, which stays
        settle: further batches that move the running averages of its batch norm alone; the authors have none [batches]
        classifier_seed: of the classifier's first weights and the order of its pictures

    Source: Lin et al., InfoGAN-CR, 2020; there batch norm is not settled. Pictures are as the model gives them, not
    rounded to 8 bits.
    Raises: `DataError` where the model generates nothing that fits, or the data has no kinds.
    """
    training = Training(epochs=epochs, steps=steps, batch=batch, lr=lr, settle=settle, seed=classifier_seed)

    def measure(evaluation: Evaluation) -> Measured:
        _check(evaluation)
        trained = shape_classifier_of(evaluation.dataset, training, weights, evaluation.device)
        made = _told(trained.model, _generated(evaluation, pictures), evaluation.device)
        real, accuracy = _real(evaluation, trained, pictures, (training, weights))
        notes = _notes(trained, training, evaluation.dataset, accuracy)
        if np.isfinite(made).all():
            scores = shape_scores(made)
        else:
            wrong = int((~np.isfinite(made)).any(axis=1).sum())
            scores = ShapeScores(np.nan, np.nan, np.nan, np.nan, ())
            notes.append(f"{wrong:,} of {pictures:,} generated pictures are no numbers, so nothing can be said of them")
        values = trained.model.attributes[0].values
        named = {name: value for name, value in scores._asdict().items() if name != "counts"}
        real_named = {f"real_{name}": value for name, value in real._asdict().items() if name != "counts"}
        made_steps = int(trained.origin["steps"])
        return Measured(
            values={**named, **real_named, "classifier_accuracy": accuracy},
            counts={"pictures": pictures, "real_pictures": sum(real.counts), "classifier_steps": made_steps},
            protocol=_protocol(trained),
            details={
                "counts": dict(zip(values, scores.counts, strict=False)),
                "real_counts": dict(zip(values, real.counts, strict=True)),
                "classifier": dict(trained.origin),
            },
            notes=notes,
        )

    return measure


def _protocol(trained: Trained) -> str:
    told, kind = trained.origin, trained.model.attributes[0].name
    return (
        f"a classifier of {kind} trained for {int(told['steps']):,} batches of {told['batch']} with Adam's rate "
        f"{told['lr']:g} and seed {told['seed']}, its batch norm settled over {told['settle']}, no picture held out; "
        "one inception score over all pictures; natural logarithms"
    )


def _check(evaluation: Evaluation) -> None:
    if not isinstance(evaluation.model, Generator):
        raise DataError("this model makes no pictures from latents, so they cannot be scored")


def _generated(evaluation: Evaluation, pictures: int) -> Iterable[Tensor]:
    """Batches of pictures in [-1, 1], all codes drawn from their priors by the seed of the evaluation."""
    model: Any = evaluation.model
    wanted = tuple(evaluation.dataset.spec.image)
    generator = torch.Generator().manual_seed(evaluation.seed)
    latents = torch.cat([model.draw(code, pictures, generator) for code in model.codes], dim=1)
    for some in latents.split(_BATCH):
        with torch.no_grad():
            made: Tensor = model(some.to(evaluation.device)).float()
        if tuple(made.shape[1:]) != wanted:
            raise DataError(f"the model makes pictures of {tuple(made.shape[1:])}; those of this data are {wanted}")
        yield made


def _told(classifier: ShapeClassifier, batches: Iterable[Tensor], device: torch.device) -> NDArray[np.float64]:
    """Probabilities of the classes, (n, classes), of batches of pictures in [-1, 1]."""
    with torch.no_grad():
        return np.concatenate([classifier.classify(some.to(device))[0].double().cpu().numpy() for some in batches])


def _real(evaluation: Evaluation, trained: Trained, pictures: int, which: Hashable) -> tuple[ShapeScores, float]:
    """Scores of real pictures without replacement, and how many of them are told right; kept with the data set."""
    dataset: Any = evaluation.dataset
    column = dataset.columns["images"]
    kept = kept_with(dataset)
    key = (NAME, "real", which, pictures, evaluation.seed, str(evaluation.device))
    if key not in kept:
        rows = np.random.default_rng([evaluation.seed, 29]).permutation(int(column.shape[0]))[:pictures]
        parts = (fetch(column, rows[at : at + _TOGETHER]) for at in range(0, len(rows), _TOGETHER))
        told = _told(
            trained.model, (to_float(some) for part in parts for some in part.split(_BATCH)), evaluation.device
        )
        right = told.argmax(axis=1) == kinds_of(dataset, rows).numpy()
        kept[key] = shape_scores(told), float(right.mean())
    found: tuple[ShapeScores, float] = kept[key]
    return found


def _notes(trained: Trained, training: Training, dataset: Any, accuracy: float) -> list[str]:
    """What a reader of the scores must know of the classifier."""
    pictures = int(dataset.columns["images"].shape[0])
    made, whole = int(trained.origin["steps"]), Training(batch=training.batch).whole(pictures)
    notes = []
    if made < whole:
        notes.append(f"the classifier was trained for {made:,} batches; the authors' 5 passes are {whole:,}")
    wanted = {**asdict(training), "steps": training.length(pictures)}
    other = [name for name in TOLD if trained.origin.get(name) != wanted[name]]
    if other:
        told = ", ".join(f"{name} {trained.origin.get(name)} (not {wanted[name]})" for name in other)
        notes.append(f"the classifier's file was trained otherwise than the settings say: {told}")
    if accuracy < _POOR:
        notes.append(f"the classifier tells only {accuracy:.1%} of real pictures right, so the scores say little")
    return notes
