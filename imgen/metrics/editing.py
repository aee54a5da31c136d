"""Measurements of models that set attributes of pictures: is the new value seen, and is all else as it was?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from imgen.binding import Count, NonNegative, Place, Rate
from imgen.data.labels import UNKNOWN
from imgen.data.spec import Attribute, fetch
from imgen.errors import DataError
from imgen.images import to_float
from imgen.metrics.classifier import Judge, JudgeKind, JudgeSettings, judge_of, predictions, scores
from imgen.metrics.translation import rows_of, translate
from imgen.model import Classifier, Way

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imgen.metrics import Evaluation

Measure = Callable[["Evaluation"], dict[str, float]]
Heads = Mapping[tuple[int, int], Way]
"""A model's ways by place of the attribute and of the value that they set."""


def heads_of(evaluation: Evaluation, metric: str) -> Heads:
    """The model's ways from any picture to a value of an attribute of the data set, in the data set's order.

    Raises: `DataError`, beginning with the metric's name, where there is none, or no labelled pictures are held out.
    """
    attributes = labelled(evaluation, metric)
    ways = {(way.attribute, way.target): way for way in getattr(evaluation.model, "ways", ()) if way.source is None}
    found = {
        (place, value): ways[attribute.name, name]
        for place, attribute in enumerate(attributes)
        for value, name in enumerate(attribute.values)
        if (attribute.name, name) in ways
    }
    if not found:
        known = ", ".join(attribute.name for attribute in attributes)
        raise DataError(f"{metric}: needs a model that sets values of the data set's attributes ({known})")
    return found


def labelled(evaluation: Evaluation, metric: str) -> tuple[Attribute, ...]:
    """The attributes of a data set that holds labelled pictures out.

    Raises: `DataError`, beginning with the metric's name, where it does not.
    """
    test = getattr(evaluation.dataset, "test", {})
    if not evaluation.dataset.spec.attributes or not {"images", "attributes"} <= set(test):
        raise DataError(f"{metric}: needs a data set of pictures with attributes, some of them held out")
    return evaluation.dataset.spec.attributes


def known_values(evaluation: Evaluation) -> NDArray[np.int64]:
    """All that is known of the held-out pictures, (N, A)."""
    column: Any = evaluation.dataset.test["attributes"]  # type: ignore[attr-defined]
    return fetch(column, np.arange(int(column.shape[0]))).numpy()


def pictures_of(evaluation: Evaluation, rows: NDArray[np.int64]) -> Tensor:
    """Held-out pictures, (len(rows), C, H, W) in [-1, 1], on the CPU."""
    return to_float(fetch(evaluation.dataset.test["images"], rows))  # type: ignore[attr-defined]


def edit_sets(heads: Heads, known: NDArray[np.int64], n: int) -> Iterator[tuple[int, int, NDArray[np.int64]]]:
    """For every head its attribute, its value, and the pictures to edit: those known to show another value.

    At most n of them, taken evenly. A head without any is left out. Shapes: known: (N, A).
    """
    for place, value in heads:
        others = np.flatnonzero((known[:, place] != UNKNOWN) & (known[:, place] != value))
        if len(others):
            yield place, value, others[rows_of(len(others), n)]


def key_of(name: str) -> str:
    """A name as a part of the name of a figure, which holds no spaces."""
    return name.replace(" ", "-")


def edit_accuracy(
    *,
    pictures: Count = 500,
    chained: NonNegative = 3,
    judge: JudgeKind = "auto",
    classifier: Place | None = None,
    classifier_steps: Count = 800,
    classifier_batch: Count = 64,
    classifier_width: Count = 16,
    classifier_rate: Rate = 4e-3,
    mirrored: bool = True,
) -> Measure:
    """Whether edited pictures show the value that was set, and still what else they showed, as a judge tells.

    The edit set of a head, that is of value v of attribute k, are the held-out pictures whose value of k is known and
    another, taken evenly. All are translated by that head, and the judge reads input and output. `edit_<value>` is the
    share of outputs that it reads as v, and `edit_accuracy` the mean over heads. `kept` is the mean, over heads and
    over the attributes other than k, of the share of outputs of which it reads the same value as of the input;
    `kept_<attribute>` is the same over the heads of that attribute alone: what stays when it is edited. What the judge
    cannot read counts as wrong and as not kept.

    Chained edits: of the pairs of attributes (0, 1), (0, 2), (1, 2), (0, 3), ... the first `chained`, each with all
    values v of the one and w of the other. Held-out pictures that are known to show others of both, taken evenly,
    are translated by the head of v, and what it makes by the head of w. `chained_<attribute>_<attribute>` is the share
    of final outputs that are read as v and as w at once, the mean over values, and `chained` the mean over pairs.

    Heads, and chains, for which no picture is held out are left out. The judge is the data set's own oracle, where
    pictures are drawn, or else a classifier (see the model `attribute-classifier`) that is trained on all that is known
    of the training pictures, whatever the model was shown of it. `judge_<attribute>` is the share of at most 5,000
    held-out real pictures, taken evenly, of which it tells the known value, and `read_<value>` the same among the real
    pictures that show that value: no figure above means more than these. `by_oracle` is 1 where the oracle was the
    judge, and 0 where the classifier was: figures of the one do not compare with those of the other.

    Settings:
        pictures: pictures edited by each head, and by each chain, at most as many as there are [pictures]
        chained: pairs of attributes that are edited one after the other; 0: none [pairs]
        judge: who reads attributes; auto takes the data set's oracle where it has one
        classifier: weights file of the classifier, read where it exists and written where not; null: neither
        classifier_steps: training of the classifier [steps]
        classifier_batch: pictures in a batch of the classifier [pictures]
        classifier_width: channels of the classifier's first layer [channels]
        classifier_rate: highest learning rate of the classifier
        mirrored: whether half of the classifier's training pictures are mirrored

    Raises: `DataError` where the model has no head for any attribute of the data set, no pictures are held out to edit,
    or no judge can be had.
    """
    settings = JudgeSettings(
        judge=judge,
        path=classifier,
        steps=classifier_steps,
        batch=classifier_batch,
        width=classifier_width,
        rate=classifier_rate,
        mirrored=mirrored,
    )

    def measure(evaluation: Evaluation) -> dict[str, float]:
        heads, known = heads_of(evaluation, "edit-accuracy"), known_values(evaluation)
        sets = list(edit_sets(heads, known, pictures))
        if not sets:
            raise DataError("edit-accuracy: needs held-out pictures whose values are known and not all the same")
        try:
            judged = judge_of(evaluation, settings)
        except DataError as error:
            raise DataError(f"edit-accuracy: {error}") from error
        told = _single(evaluation, heads, sets, judged)
        told |= _chained(evaluation, heads, known, judged, pairs=chained, pictures=pictures)
        told["by_oracle"] = float(judged.kind == "oracle")
        told |= {f"judge_{key_of(name)}": share for name, share in judged.accuracy.items()}
        return told | {f"read_{key_of(name)}": share for name, share in judged.recall.items()}

    return measure


def _single(
    evaluation: Evaluation, heads: Heads, sets: list[tuple[int, int, NDArray[np.int64]]], judge: Judge
) -> dict[str, float]:
    attributes = evaluation.dataset.spec.attributes
    edited: dict[str, float] = {}
    kept: dict[str, list[float]] = {}
    for place, value, rows in sets:
        images = pictures_of(evaluation, rows)
        before, after = judge.read(images), judge.read(translate(evaluation, images, heads[place, value]))
        attribute = attributes[place]
        edited[f"edit_{key_of(attribute.values[value])}"] = share_of(after[:, place] == value)
        others = [other for other in range(len(attributes)) if other != place]
        if others:
            same = (after == before) & (before != UNKNOWN)
            kept.setdefault(f"kept_{key_of(attribute.name)}", []).append(share_of(same[:, others]))
    told = {"edit_accuracy": mean_of(edited.values())}
    if kept:
        told["kept"] = mean_of(share for shares in kept.values() for share in shares)
    return told | edited | {name: mean_of(shares) for name, shares in kept.items()}


def _chained(
    evaluation: Evaluation, heads: Heads, known: NDArray[np.int64], judge: Judge, *, pairs: int, pictures: int
) -> dict[str, float]:
    attributes = evaluation.dataset.spec.attributes
    told = {}
    for first, second in [(i, j) for j in range(len(attributes)) for i in range(j)][:pairs]:
        shares = []
        for v, w in [(v, w) for i, v in heads if i == first for j, w in heads if j == second]:
            wanted = np.array([v, w])
            both = known[:, [first, second]]
            rows = np.flatnonzero(((both != UNKNOWN) & (both != wanted)).all(axis=1))
            if not len(rows):
                continue
            images = pictures_of(evaluation, rows[rows_of(len(rows), pictures)])
            for head in ((first, v), (second, w)):
                images = translate(evaluation, images, heads[head])
            shares.append(share_of((judge.read(images)[:, [first, second]] == torch.from_numpy(wanted)).all(dim=1)))
        if shares:
            told[f"chained_{key_of(attributes[first].name)}_{key_of(attributes[second].name)}"] = mean_of(shares)
    return {"chained": mean_of(told.values()), **told} if told else {}


def head_accuracy(*, pictures: Count = 5000) -> Measure:
    """How well the model itself tells the attributes of real pictures, as its discriminator learnt from few labels.

    Held-out pictures, taken evenly, are given to the model as they are, and the likeliest value of each attribute, by
    probabilities in float32, is compared with the known one. `accuracy_<attribute>` is the share told right of the
    pictures whose value is known, and `accuracy` the mean over attributes. `recall_<value>` is the share among the
    pictures that show that value, and `recall` the mean over values: where one value is rare, telling always the other
    has a high accuracy and a recall of one half.

    Settings:
        pictures: held-out pictures, at most as many as there are [pictures]

    Raises: `DataError` where the model tells other attributes than those of the data set, or none, or none is known.
    """

    def measure(evaluation: Evaluation) -> dict[str, float]:
        attributes = labelled(evaluation, "head-accuracy")
        model: Any = evaluation.model
        if not isinstance(model, Classifier) or tuple(model.attributes) != attributes:
            raise DataError("head-accuracy: needs a model that tells the attributes of the data set (classify)")
        training = bool(getattr(model, "training", False))
        if training:
            evaluation.model.eval()
        try:
            accuracy, recall = scores(
                lambda images: predictions(model, images, evaluation.device), evaluation.dataset, pictures
            )
        finally:
            if training:
                evaluation.model.train()
        if not accuracy:
            raise DataError("head-accuracy: no value of any held-out picture is known")
        told = {"accuracy": mean_of(accuracy.values()), "recall": mean_of(recall.values())}
        told |= {f"accuracy_{key_of(name)}": share for name, share in accuracy.items()}
        return told | {f"recall_{key_of(name)}": share for name, share in recall.items()}

    return measure


def share_of(right: Tensor) -> float:
    """How many of these are right, of all."""
    return float(right.double().mean())


def mean_of(values: Iterable[float]) -> float:
    """The mean of some figures."""
    return float(np.mean(list(values)))
