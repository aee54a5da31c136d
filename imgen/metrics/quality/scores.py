"""Registered scores of generated and translated pictures: FID, KID, inception score, precision and recall."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge, Le

from imgen.binding import Count, Place
from imgen.metrics import Measured, Metric
from imgen.metrics.quality.features import Seen
from imgen.metrics.quality.frechet import frechet_distance, moments
from imgen.metrics.quality.inception_score import inception_score
from imgen.metrics.quality.kernel import kernel_distance
from imgen.metrics.quality.neighbours import neighbourhoods
from imgen.metrics.quality.networks import Network, NetworkName
from imgen.metrics.quality.rows import Question, Values, answer

if TYPE_CHECKING:
    from imgen.metrics import Evaluation

SubsetSize = Annotated[int, Ge(2), Le(10_000)]


def fid(*, network: NetworkName = "inception", weights: Place | None = None, pictures: Count = 50_000) -> Metric:
    """Fréchet inception distance: how far features of made pictures are from those of real ones; 0 is equal.

    Features are taken for normal distributions, and `fid` is |m - m'|^2 + tr(C + C' - 2 (C C')^(1/2)). A model that
    makes pictures from latents is measured beside the pictures to train on; one that translates on held-out pictures,
    `fid_ab` and `fid_ba`, or `fid_<value>` where it sets attributes, and `fid` is then the mean over ways. `fid_real`
    is the same distance between two halves of the real pictures. The distance of few pictures is too large: compare
    at equal counts only.

    Pictures are resized as the network has it inside: for inception bilinear as in TensorFlow 1, as published figures
    have it, and bilinear for others. `fid-clean` is another protocol.

    Settings:
        network: inception as the references have it, a classifier of one's own, or random features that need nothing
        weights: file of the network's weights; null: those of the network's own, which a classifier has not
        pictures: made pictures, and real ones, at most as many as there are [pictures]

    Raises: `DataError` where the model makes no pictures, there are too few, or the network cannot be had.
    Source: Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash equilibrium", 2017.
    """
    return _fid("fid", network, weights, pictures, clean=False)


def fid_clean(*, network: NetworkName = "inception", weights: Place | None = None, pictures: Count = 50_000) -> Metric:
    """Fréchet inception distance as `fid`, of pictures resized without aliasing or rounding; 0 is equal.

    Pictures are resized to the network's size by a bicubic filter with antialiasing, in floating point. Figures cannot
    be compared with those of `fid`.

    Settings:
        network: inception as the references have it, a classifier of one's own, or random features that need nothing
        weights: file of the network's weights; null: those of the network's own, which a classifier has not
        pictures: made pictures, and real ones, at most as many as there are [pictures]

    Raises: `DataError` as `fid` does.
    Source: Parmar, Zhang, Zhu, "On aliased resizing and surprising subtleties in GAN evaluation", 2022.
    """
    return _fid("fid-clean", network, weights, pictures, clean=True)


def kid(
    *,
    network: NetworkName = "inception",
    weights: Place | None = None,
    pictures: Count = 50_000,
    subsets: Count = 100,
    subset_size: SubsetSize = 1000,
) -> Metric:
    """Kernel inception distance: an unbiased distance of features, of any number of pictures; about 0 is equal.

    `kid` is the mean over subsets of the squared maximum mean discrepancy with the kernel (x . y / D + 1)^3, and
    `kid_std` the standard deviation over them; it is not multiplied by 1,000, as some tables have it. `kid_real` is of
    two halves of the real pictures. Ways of translators are named as for `fid`.

    Settings:
        network: inception as the references have it, a classifier of one's own, or random features that need nothing
        weights: file of the network's weights; null: those of the network's own, which a classifier has not
        pictures: made pictures, and real ones, at most as many as there are [pictures]
        subsets: how many are drawn [subsets]
        subset_size: pictures of either kind in one, or as many as there are [pictures]

    Raises: `DataError` as `fid` does.
    Source: Bińkowski, Sutherland, Arbel, Gretton, "Demystifying MMD GANs", 2018.
    """
    return _kid("kid", network, weights, pictures, (subsets, subset_size), clean=False)


def kid_clean(
    *,
    network: NetworkName = "inception",
    weights: Place | None = None,
    pictures: Count = 50_000,
    subsets: Count = 100,
    subset_size: SubsetSize = 1000,
) -> Metric:
    """Kernel inception distance as `kid`, of pictures resized without aliasing or rounding; about 0 is equal.

    Settings:
        network: inception as the references have it, a classifier of one's own, or random features that need nothing
        weights: file of the network's weights; null: those of the network's own, which a classifier has not
        pictures: made pictures, and real ones, at most as many as there are [pictures]
        subsets: how many are drawn [subsets]
        subset_size: pictures of either kind in one, or as many as there are [pictures]

    Raises: `DataError` as `fid` does.
    Source: Parmar, Zhang, Zhu, "On aliased resizing and surprising subtleties in GAN evaluation", 2022.
    """
    return _kid("kid-clean", network, weights, pictures, (subsets, subset_size), clean=True)


def inception_scores(
    *,
    network: NetworkName = "inception",
    weights: Place | None = None,
    pictures: Count = 50_000,
    splits: Count = 10,
    clean: bool = False,
) -> Metric:
    """Inception score: is each picture surely of one class, and are all of many? From 1 up to the number of classes.

    `inception_score` is the mean over splits of exp(E KL(p(y|x) || p(y))), and `inception_score_std` the standard
    deviation over them. A classifier of several attributes gives `inception_score_<attribute>` of each, and
    `inception_score` is the mean. `..._real` are of the real pictures. Made pictures are compared with no real ones, so
    a model that shows each class once has the highest score.

    Settings:
        network: inception as the references have it, or a classifier of one's own; random features have no classes
        weights: file of the network's weights; null: those of the network's own, which a classifier has not
        pictures: made pictures, and real ones, at most as many as there are [pictures]
        splits: parts of the pictures, each with a score of its own [parts]
        clean: whether pictures are resized without aliasing or rounding, as for `fid-clean`

    Raises: `DataError` as `fid` does, and where the network tells no classes.
    Source: Salimans et al., "Improved techniques for training GANs", 2016.
    """

    asked = Question(
        metric="inception-score",
        network=network,
        weights=weights,
        clean=clean,
        pictures=pictures,
        score=lambda made, _, __: _scores_of(made, splits),
        floor=lambda real, _: _scores_of(real, splits),
        least=splits,
        of="chances",
        words=f"{splits} splits",
    )
    return lambda evaluation: answer(evaluation, asked)


def precision_recall(
    *,
    network: NetworkName = "inception",
    weights: Place | None = None,
    pictures: Count = 50_000,
    neighbours: Count = 3,
    density_neighbours: Count = 5,
    clean: bool = False,
) -> Metric:
    """Fidelity and diversity apart: are made pictures among real ones, and real ones among made ones?

    A feature's radius of k is its distance to the k-th nearest other one of its own kind. With k = `neighbours`,
    `precision` is the share of made pictures within the radius of a real one, and `recall` that of real pictures within
    the radius of a made one. With k = `density_neighbours`, `density` is the mean over made pictures of the number of
    radii of real ones that they are in, divided by k, about 1 for equal sets and more where all are in the middle, and
    `coverage` the share of real pictures with a made one in their radius. `..._real` are of two halves of the real
    pictures. All four depend on the number of pictures.

    Settings:
        network: inception, a classifier of one's own, or random features that need nothing; the papers have VGG-16
        weights: file of the network's weights; null: those of the network's own, which a classifier has not
        pictures: made pictures, and real ones, at most as many as there are [pictures]
        neighbours: of precision and recall [pictures]
        density_neighbours: of density and coverage [pictures]
        clean: whether pictures are resized without aliasing or rounding, as for `fid-clean`

    Raises: `DataError` as `fid` does.
    Source: Kynkäänniemi et al., "Improved precision and recall metric for assessing generative models", 2019; Naeem et
    al., "Reliable fidelity and diversity metrics for generative models", 2020.
    """

    def measure(evaluation: Evaluation) -> Measured:
        def score(made: Seen, real: Seen, _: object) -> Values:
            found = neighbourhoods(
                made.features,
                real.features,
                neighbours=neighbours,
                density_neighbours=density_neighbours,
                device=evaluation.device,
            )
            return asdict(found)

        return answer(
            evaluation,
            Question(
                metric="precision-recall",
                network=network,
                weights=weights,
                clean=clean,
                pictures=pictures,
                score=score,
                least=max(neighbours, density_neighbours) + 1,
                words=f"{neighbours} neighbours, of density and coverage {density_neighbours}",
            ),
        )

    return measure


def _fid(metric: str, network: str, weights: str | None, pictures: int, *, clean: bool) -> Metric:
    def score(made: Seen, real: Seen, _: object) -> Values:
        return {"fid": frechet_distance(moments(real.features), moments(made.features))}

    def remark(seeing: Network, fewest: int) -> str:
        if fewest > seeing.dimension:
            return ""
        return (
            f"{fewest:,} pictures are not more than the {seeing.dimension:,} features: covariances are singular, and "
            "the distance is far too large; compare at equal counts only, or take kid"
        )

    asked = Question(
        metric=metric,
        network=network,
        weights=weights,
        clean=clean,
        pictures=pictures,
        score=score,
        least=2,
        remark=remark,
    )
    return lambda evaluation: answer(evaluation, asked)


def _kid(
    metric: str, network: str, weights: str | None, pictures: int, subsets: tuple[int, int], *, clean: bool
) -> Metric:
    count, size = subsets

    def score(made: Seen, real: Seen, rng: np.random.Generator) -> Values:
        mean, std = kernel_distance(made.features, real.features, rng, count, size)
        return {"kid": mean, "kid_std": std}

    def remark(_: Network, fewest: int) -> str:
        return "" if fewest >= size else f"subsets are of {fewest:,} pictures, as there are not the {size:,} asked for"

    asked = Question(
        metric=metric,
        network=network,
        weights=weights,
        clean=clean,
        pictures=pictures,
        score=score,
        least=2,
        words=f"{count:,} subsets of at most {size:,}",
        remark=remark,
    )
    return lambda evaluation: answer(evaluation, asked)


def _scores_of(seen: Seen, splits: int) -> Values:
    """The score of each attribute, and their mean; of one classification alone, its own."""
    found, start = {}, 0
    for name, count in seen.classes.items():
        found[name] = inception_score(seen.chances[:, start : start + count], splits)
        start += count
    told = {
        "inception_score": float(np.mean([mean for mean, _ in found.values()])),
        "inception_score_std": float(np.mean([std for _, std in found.values()])),
    }
    if len(found) > 1:
        told |= {f"inception_score_{name.replace(' ', '-')}": mean for name, (mean, _) in found.items()}
    return told
