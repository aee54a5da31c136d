"""Measurements of what edits leave of a picture: its pixels, and who is on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from imgen.binding import Count, Place
from imgen.data.labels import UNKNOWN
from imgen.errors import DataError
from imgen.metrics import pixels
from imgen.metrics.editing import Heads, Measure, edit_sets, heads_of, key_of, known_values, mean_of, pictures_of
from imgen.metrics.embedding.embedder import Embedding, embedder_of
from imgen.metrics.pixels import unit
from imgen.metrics.translation import rows_of, translate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imgen.metrics import Evaluation

_BATCH = 64
FALSE_ACCEPTS = 1e-3
"""Share of the pairs of different pictures that may pass for one and the same person."""


def edit_reconstruction(*, pictures: Count = 500) -> Measure:
    """How much of a picture is lost by setting what it shows already, and on the way to another value and back.

    For every attribute k, of the held-out pictures x whose value y of k is known, at most `pictures`, taken evenly, are
    compared with what the head of y makes of them (`same_...`), and, for every other value v, with what the head of y
    makes of what the head of v made (`round_...`). Both pictures are in [0, 1]: `..._l1` is the mean absolute
    difference per pixel and channel, `..._psnr` the mean over pictures of 10 log10(1 / MSE), at most 100 dB each, and
    `..._ssim` the mean structural similarity (11-pixel Gaussian window, sigma 1.5), left out for pictures smaller than
    the window. Each is the mean over pictures, and over v, of an attribute, then over attributes;
    `same_psnr_<attribute>` and `round_psnr_<attribute>` are those of one. A model that changes nothing loses nothing
    (see `edit-accuracy`), and one can hide a picture in another as faint noise, which flatters the round trips.

    Settings:
        pictures: held-out pictures for each attribute, at most as many as there are [pictures]

    Raises: `DataError` where the model has no head for any value that held-out pictures show.
    """

    def measure(evaluation: Evaluation) -> dict[str, float]:
        heads, known = heads_of(evaluation, "edit-reconstruction"), known_values(evaluation)
        attributes = evaluation.dataset.spec.attributes
        found: dict[str, list[float]] = {}
        alone: dict[str, float] = {}
        for place, attribute in enumerate(attributes):
            rows = np.flatnonzero(known[:, place] != UNKNOWN)
            rows = rows[rows_of(len(rows), pictures)]
            for kind, parts in _compared(evaluation, heads, place, known[:, place], rows).items():
                for name, values in parts.items():
                    figure = float(torch.cat(values).mean())
                    found.setdefault(f"{kind}_{name}", []).append(figure)
                    if name == "psnr":
                        alone[f"{kind}_psnr_{key_of(attribute.name)}"] = figure
        if not found:
            raise DataError("edit-reconstruction: no held-out picture shows a value that the model has a head for")
        return {name: mean_of(values) for name, values in found.items()} | alone

    return measure


def _compared(
    evaluation: Evaluation, heads: Heads, place: int, values: NDArray[np.int64], rows: NDArray[np.int64]
) -> dict[str, dict[str, list[Tensor]]]:
    """By kind, "same" or "round", and by figure: those of the pictures, value after value of one attribute."""
    found: dict[str, dict[str, list[Tensor]]] = {}
    for y in [value for attribute, value in heads if attribute == place]:
        chosen = rows[values[rows] == y]
        if not len(chosen):
            continue
        images = pictures_of(evaluation, chosen)
        made = [("same", translate(evaluation, images, heads[place, y]))]
        for v in [value for attribute, value in heads if attribute == place and value != y]:
            there = translate(evaluation, images, heads[place, v])
            made.append(("round", translate(evaluation, there, heads[place, y])))
        for kind, came in made:
            for name, figures in _alike(images, came).items():
                found.setdefault(kind, {}).setdefault(name, []).append(figures)
    return found


def _alike(images: Tensor, came: Tensor) -> dict[str, Tensor]:
    x, y = unit(images), unit(came)
    told = {"l1": pixels.l1(x, y), "psnr": pixels.psnr(x, y)}
    if min(x.shape[2:]) >= pixels.SSIM_SIDE:
        parts = zip(x.split(_BATCH), y.split(_BATCH), strict=True)
        told["ssim"] = torch.cat([pixels.ssim(*pair) for pair in parts])
    return told


def edit_identity(*, embedding: Place | None = None, pictures: Count = 500) -> Measure:
    """Whether an edited picture still shows the same person, as a network for recognising faces sees it.

    The network is the model of the weights file `embedding`, whose `embed(images)` gives (B, D) for pictures in
    [-1, 1]; where it was trained at another size, they are resized to it (bilinear, antialiased). For every head, the
    held-out pictures that are known to show another value of its attribute, at most `pictures`, taken evenly, are
    edited; `identity_<attribute>` is the mean cosine between the embeddings of picture and edit over the heads of an
    attribute, and `identity` the mean over attributes.

    Beside it, over all pairs of two different ones of at most `pictures` held-out pictures, `floor` is the mean cosine
    and `pairs` their number; two photos of one person count as different pictures. `threshold` is the lowest cosine
    that no more than a thousandth of these pairs exceeds, and `verified` the share of edits whose cosine exceeds it,
    with `verified_<attribute>`, taken as the means above. Fewer than 1,000 pairs allow none to exceed it.

    Settings:
        embedding: weights file of a model with `embed`; null: none, and the measurement says so
        pictures: pictures edited by each head, and pictures that are paired, at most as many as there are [pictures]

    Raises: `DataError` where no embedding is given or it does not fit, or the model has no head for any attribute of
    the data set, or fewer than two pictures are held out.
    """

    def measure(evaluation: Evaluation) -> dict[str, float]:
        heads, known = heads_of(evaluation, "edit-identity"), known_values(evaluation)
        network = _embedding(evaluation, embedding)
        rows = rows_of(len(known), pictures)
        if len(rows) < 2:
            raise DataError("edit-identity: needs two held-out pictures or more")
        apart = pair_cosines(network(pictures_of(evaluation, rows)))
        threshold = threshold_of(apart, FALSE_ACCEPTS)
        cosines: dict[int, list[float]] = {}
        verified: dict[int, list[float]] = {}
        for place, value, chosen in edit_sets(heads, known, pictures):
            images = pictures_of(evaluation, chosen)
            edits = translate(evaluation, images, heads[place, value])
            ends = (network(each) for each in (images, edits))
            near = torch.linalg.vecdot(*ends)
            cosines.setdefault(place, []).append(float(near.mean()))
            verified.setdefault(place, []).append(float((near > threshold).double().mean()))
        if not cosines:
            raise DataError("edit-identity: needs held-out pictures whose values are known and not all the same")
        told = {"floor": float(apart.mean()), "threshold": threshold, "pairs": float(len(apart))}
        for name, shares in (("identity", cosines), ("verified", verified)):
            alone = {place: mean_of(values) for place, values in shares.items()}
            told[name] = mean_of(alone.values())
            attributes = evaluation.dataset.spec.attributes
            told |= {f"{name}_{key_of(attributes[place].name)}": share for place, share in alone.items()}
        return told

    return measure


def pair_cosines(embedded: Tensor) -> Tensor:
    """Cosines of all pairs of two different rows. Shapes: embedded: (N, D), of length 1 -> (N (N - 1) / 2,)."""
    rows, columns = torch.triu_indices(len(embedded), len(embedded), offset=1)
    return (embedded @ embedded.T)[rows, columns]


def threshold_of(cosines: Tensor, share: float) -> float:
    """The lowest of these cosines that no more than a share of them exceeds."""
    ordered = cosines.sort(descending=True).values
    # One more than may exceed it: with equal ones, fewer do. The addend is for 0.001 * 3000, which is 2.9999.
    return float(ordered[int(share * len(ordered) + 1e-9)])


def _embedding(evaluation: Evaluation, file: str | None) -> Embedding:
    """The network to recognise faces by."""
    if file is None:
        raise DataError(
            "edit-identity: needs a network that recognises whom pictures show; give the setting embedding the weights "
            "file of a model with `embed(images)`"
        )
    return embedder_of(evaluation, file, "edit-identity")
