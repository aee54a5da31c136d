"""Measurements of translations between two domains that need no network of anybody's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from imgen.binding import Count
from imgen.data.spec import fetch
from imgen.errors import DataError
from imgen.images import to_float
from imgen.metrics import pixels
from imgen.metrics.pixels import unit
from imgen.model import Way

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imgen.metrics import Evaluation

Measure = Callable[["Evaluation"], dict[str, float]]

_BATCH = 64


def way_between(evaluation: Evaluation, source: str, target: str) -> Way | None:
    """The model's way from one domain to the other, "a" or "b" each, or None where it has none.

    A way from any picture serves where none starts at the source itself.
    """
    names = dict(zip("ab", evaluation.dataset.spec.domains, strict=False))
    ways = list(getattr(evaluation.model, "ways", ()))
    for start in (names.get(source), None):
        for way in ways:
            if way.source == start and way.target == names.get(target):
                return Way(way.source, way.target)
    return None


def directions(evaluation: Evaluation, metric: str) -> dict[str, Way]:
    """The model's ways between the two domains of pictures: under "ab", "ba" or both.

    Raises: `DataError`, beginning with the metric's name, where there is none, or there are no such domains.
    """
    spec = evaluation.dataset.spec
    if len(spec.domains) != 2 or spec.vector:
        raise DataError(f"{metric}: needs a data set with two domains of pictures")
    found = {key: way_between(evaluation, *key) for key in ("ab", "ba")}
    ways = {key: way for key, way in found.items() if way is not None}
    if not ways:
        raise DataError(f"{metric}: needs a model that translates between '{spec.domains[0]}' and '{spec.domains[1]}'")
    return ways


def rows_of(length: int, n: int) -> NDArray[np.int64]:
    """At most n rows of a column, taken evenly from its first to its last: (min(length, n),), in order."""
    return np.arange(length) if length <= n else np.linspace(0, length - 1, n).round().astype(np.int64)


def held_out(evaluation: Evaluation, domain: str, n: int) -> Tensor:
    """At most n held-out items of a domain, those of `rows_of`, on the CPU: pictures in [-1, 1], or vectors.

    Raises: `DataError` where the data set holds none out.
    """
    column: Any = getattr(evaluation.dataset, "test", {}).get(domain)
    if column is None or not column.shape[0]:
        name = evaluation.dataset.spec.domains["ab".index(domain)]
        raise DataError(f"the data set holds nothing of '{name}' out, and a measurement needs items held out")
    rows = rows_of(int(column.shape[0]), n)
    items = fetch(column, rows)
    return to_float(items) if items.dtype == torch.uint8 else items.float()


def translate(evaluation: Evaluation, items: Tensor, way: Way) -> Tensor:
    """What the model makes of items, on the CPU: 64 at a time, in evaluation mode, without gradients.

    The model is left in the mode that it was in.
    """
    model: Any = evaluation.model
    training = bool(getattr(model, "training", False))
    if training:
        model.eval()
    try:
        with torch.no_grad():
            made = [model.translate(some.to(evaluation.device), way).float().cpu() for some in items.split(_BATCH)]
    finally:
        if training:
            model.train()
    return torch.cat(made)


def translated(evaluation: Evaluation, way: Way, n: int) -> tuple[Tensor, Tensor]:
    """At most n held-out items of the way's source and what becomes of them, both on the CPU.

    Raises: `DataError` where the data set holds none out.
    """
    names = evaluation.dataset.spec.domains
    # A way from any picture starts at the domain that is not its target.
    place = names.index(way.source) if way.source in names else 1 - names.index(way.target)
    items = held_out(evaluation, "ab"[place], n)
    return items, translate(evaluation, items, way)


def cycle_error(*, pictures: Count = 500) -> Measure:
    """How much of a picture is lost on the way to the other domain and back.

    Held-out pictures of "a", taken evenly, are translated to "b" and back to "a": `aba_mse` is the mean squared and
    `aba_l1` the mean absolute difference between what went and what came back, per pixel and channel, of pictures in
    [0, 1]. `bab_mse` and `bab_l1` are the same from "b". A small error alone says little: a model that changes
    nothing has none (see `diversity`), and one can hide a picture in another as faint noise.

    Settings:
        pictures: held-out pictures of each domain, at most as many as there are [pictures]

    Raises: `DataError` where the model has no way back, or the data set has no pictures held out.
    """

    def measure(evaluation: Evaluation) -> dict[str, float]:
        ways = directions(evaluation, "cycle-error")
        if len(ways) < 2:
            raise DataError(f"cycle-error: needs a model with both ways; this one has only '{next(iter(ways))}'")
        told = {}
        for (key, way), back in zip(ways.items(), reversed(ways.values()), strict=True):
            went, there = translated(evaluation, way, pictures)
            went, came = unit(went), unit(translate(evaluation, there, back))
            told[f"{key}{key[0]}_mse"] = float(pixels.mse(went, came).mean())
            told[f"{key}{key[0]}_l1"] = float(pixels.l1(went, came).mean())
        return told

    return measure


def paired_error(*, pictures: Count = 500) -> Measure:
    """How far translations are from the very pictures that they should be, where held-out pictures are aligned.

    Held-out pictures i of "a" and "b", taken evenly, show the same thing. Picture i of "a" is translated and compared
    with picture i of "b", both in [0, 1]: `ab_l1` and `ab_mse` are the mean absolute and squared differences per
    pixel and channel, `ab_psnr` the mean over pictures of 10 log10(1 / MSE), at most 100 dB each, and `ab_ssim` the
    mean structural similarity (11-pixel Gaussian window, sigma 1.5), left out for pictures smaller than the window.
    `ba_...` are the same the other way, for models that have it. Where many answers are right, as for colours of a
    drawing, these figures favour the blurred mean of all.

    Settings:
        pictures: held-out pairs, at most as many as there are [pairs]

    Raises: `DataError` where the held-out pictures are not aligned, or the model has neither way.
    """

    def measure(evaluation: Evaluation) -> dict[str, float]:
        ways = directions(evaluation, "paired-error")
        if not getattr(evaluation.dataset, "aligned", False):
            raise DataError("paired-error: needs a data set whose held-out pictures are aligned, one of each domain")
        told = {}
        for key, way in ways.items():
            made = unit(translated(evaluation, way, pictures)[1])
            wanted = unit(held_out(evaluation, key[1], pictures))
            told[f"{key}_l1"] = float(pixels.l1(made, wanted).mean())
            told[f"{key}_mse"] = float(pixels.mse(made, wanted).mean())
            told[f"{key}_psnr"] = float(pixels.psnr(made, wanted).mean())
            if min(made.shape[2:]) >= pixels.SSIM_SIDE:
                parts = zip(made.split(_BATCH), wanted.split(_BATCH), strict=True)
                told[f"{key}_ssim"] = float(torch.cat([pixels.ssim(*pair) for pair in parts]).mean())
        return told

    return measure


def diversity(*, pictures: Count = 500) -> Measure:
    """Whether translations differ from each other as real pictures do, and from their inputs at all.

    The distance of two pictures in [0, 1] is the root of the mean squared difference over pixels and channels after
    both are averaged over blocks of 2x2, of 4x4 and of 8x8 pixels: the mean of the three. No network is in it, so it
    sees layout, colour and coarse texture, and not what things are.

    `made_ab` is the mean distance over all pairs of held-out pictures of "a" translated to "b", `real_ab` that over
    all pairs of as many held-out pictures of "b", and `ratio_ab` = made / real: 1 is as diverse as real, near 0 is
    collapsed, and above 1 is possible. `change_ab` is the mean distance of a translation from its own input, divided
    by the mean over all pairs of a held-out picture of "a" and one of "b": near 0, nothing was changed. `..._ba` are
    the same the other way, for models that have it. Pictures are taken evenly from those held out.

    Settings:
        pictures: held-out pictures of each domain, at most as many as there are [pictures]

    Raises: `DataError` where the model has neither way, fewer than two pictures of a domain are held out, or all of
    a domain are the same.
    """

    def measure(evaluation: Evaluation) -> dict[str, float]:
        told = {}
        for key, way in directions(evaluation, "diversity").items():
            source, made = (unit(images) for images in translated(evaluation, way, pictures))
            target = unit(held_out(evaluation, key[1], pictures))
            n = min(len(made), len(target))
            if n < 2:
                raise DataError("diversity: needs two held-out pictures of each domain or more")
            even = [torch.from_numpy(rows_of(len(images), n)) for images in (made, target)]
            differ, real = pixels.diversity(made[even[0]]), pixels.diversity(target[even[1]])
            # Rounding leaves equal pictures some 1e-8 apart.
            if real < 1e-6:
                raise DataError(f"diversity: all held-out pictures of '{way.target}' are the same")
            told[f"ratio_{key}"] = differ / real
            told[f"made_{key}"], told[f"real_{key}"] = differ, real
            change, apart = pixels.distance(made, source).mean(), pixels.distances(source, target).mean()
            told[f"change_{key}"] = float(change / apart)
        return told

    return measure


def shared_factor(*, pictures: Count = 500) -> Measure:
    """Whether what both domains show, such as a view, is carried over: correlation of factors read from pictures.

    The data set reads its factors from held-out pictures of "a", taken evenly, and from their translations.
    `<factor>_ab` is the absolute value of Pearson's correlation between the two, over the pictures in which both
    could be read, and `<factor>_ab_sign` is 1 or -1, or 0 where there is no correlation: nothing pairs the domains, so
    a mirrored mapping is as legitimate an answer. A factor that fewer than 3 pictures show, or that never varies,
    has correlation 0. `readable_ab` is the part of the translations of which every factor could be read. `..._ba` are
    the same the other way, for models that have it.

    Settings:
        pictures: held-out pictures of each domain, at most as many as there are [pictures]

    Raises: `DataError` where the data set cannot read factors from pictures, or the model has neither way.
    """

    def measure(evaluation: Evaluation) -> dict[str, float]:
        ways = directions(evaluation, "shared-factor")
        read: Callable[[Tensor], Mapping[str, Tensor]] | None = getattr(evaluation.dataset, "read", None)
        if read is None:
            raise DataError("shared-factor: needs a data set that can read factors from pictures, such as a drawn one")
        told = {}
        for key, way in ways.items():
            before, after = (read(images) for images in translated(evaluation, way, pictures))
            for factor, values in before.items():
                r = pixels.correlation(values, after[factor])
                told[f"{factor}_{key}"], told[f"{factor}_{key}_sign"] = abs(r), float(np.sign(r))
            unread = torch.stack([values.isnan() for values in after.values()]).any(dim=0)
            told[f"readable_{key}"] = float((~unread).double().mean())
        return told

    return measure
