"""Which code follows which factor: a first look at whether factors of variation were found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, cast

import numpy as np
import torch
from annotated_types import Ge

from imgen.data.factors import Factored
from imgen.errors import DataError
from imgen.images import to_float
from imgen.model import Encoder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imgen.metrics import Evaluation

_BATCH = 256


def squared_correlations(codes: NDArray[np.floating], factors: NDArray[np.floating]) -> NDArray[np.float64]:
    """How much of each factor's variance a straight line through each code explains.

    A code or a factor that never varies explains nothing and is not explained.

    Shapes: codes: (n, D), factors: (n, K) -> (D, K), from 0 to 1.
    """
    z, y = (values - values.mean(axis=0) for values in (codes.astype(np.float64), factors.astype(np.float64)))
    products = z.T @ y
    scale = np.outer((z**2).sum(axis=0), (y**2).sum(axis=0))
    return np.divide(products**2, scale, out=np.zeros_like(products), where=scale > 0)


def best_and_gap(found: NDArray[np.floating]) -> tuple[float, float]:
    """Means over factors: of the largest entry of its column, and of how far ahead of the second largest that is.

    Shapes: found: (D, K).
    """
    ordered = np.sort(found, axis=0)[::-1]
    ahead = ordered[0] - (ordered[1] if len(ordered) > 1 else 0)
    return float(ordered[0].mean()), float(ahead.mean())


def factor_correlation(*, pictures: Annotated[int, Ge(2)] = 2000) -> Callable[[Evaluation], Mapping[str, float]]:
    """Whether each known factor is followed by one code: squared correlations, and their lead over the next code.

    For models that encode, and data whose factors are known. Factors whose values are kinds are left out; those that
    go round in a circle are taken as plain numbers, so that no code can follow them all the way.

    Settings:
        pictures: how many are drawn to look at [pictures]
    """

    def measure(evaluation: Evaluation) -> Mapping[str, float]:
        dataset = evaluation.dataset
        if not isinstance(dataset, Factored):
            raise DataError(
                "factor-correlation: nothing is known of the factors of this data; take dsprites or the like"
            )
        if not isinstance(evaluation.model, Encoder):
            raise DataError("factor-correlation: this model reads no codes from pictures")
        places = [place for place, factor in enumerate(dataset.spec.factors) if factor.ordered]
        if not places:
            raise DataError("factor-correlation: none of the factors of this data lies along a line")
        values = dataset.draw_factors(pictures, np.random.default_rng([evaluation.seed, 11]))
        codes = encoded(evaluation.model, dataset.show(values), evaluation.device)
        found = squared_correlations(codes, values[:, places])
        best, gap = best_and_gap(found)
        names = [dataset.spec.factors[place].name for place in places]
        return {"best": best, "gap": gap, **{name: float(found[:, k].max()) for k, name in enumerate(names)}}

    return measure


def encoded(model: Encoder, images: torch.Tensor, device: torch.device) -> NDArray[np.float32]:
    """Codes of pictures (n, C, H, W), uint8 -> (n, D)."""
    with torch.no_grad():
        parts = [model.encode(to_float(part.to(device))).cpu() for part in images.split(_BATCH)]
    return cast("NDArray[np.float32]", torch.cat(parts).float().numpy())
