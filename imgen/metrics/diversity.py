"""How unlike one another generated pictures are."""

from __future__ import annotations

import torch

from imgen.binding import Count
from imgen.data.spec import fetch
from imgen.errors import DataError
from imgen.images import to_float
from imgen.metrics import Evaluation, Measured, Metric, ms_ssim
from imgen.metrics.generated import CHUNK, codes_of, generated_pairs
from imgen.metrics.real_pairs import rng_of
from imgen.metrics.verification import Pairs


def ms_ssim_diversity(*, pairs: Count = 10_000) -> Metric:
    """1 - MS-SSIM over pairs of generated pictures, and of real ones beside: higher is more diverse.

    Every picture of a pair is drawn anew, with fresh codes. The real pairs are distinct ones of the data set's
    pictures, every pair as likely as any other. Both rules of taking the mean are told, as they differ by several
    hundredths: `per_pair` takes MS-SSIM of each pair, terms below 0 counting as 0, and then the mean; `batch` takes the
    mean of each scale's term over all pairs, and then their product. Pictures under 64 pixels have fewer scales, and
    the weights of those that are left are scaled to sum to 1: compare pictures of one size alone.

    Settings:
        pairs: generated pairs, and as many real ones [pairs]

    Raises: `DataError` where the model makes no pictures from codes, or the data set has no so many pairs of pictures.
    """

    def measure(evaluation: Evaluation) -> Measured:
        codes_of(evaluation, "ms-ssim-diversity")
        images = evaluation.dataset.columns.get("images")
        rows = 0 if images is None else int(images.shape[0])
        if images is None or rows * (rows - 1) // 2 < pairs:
            raise DataError(
                f"ms-ssim-diversity: {pairs:,} distinct pairs need more pictures than the data set's {rows:,}; "
                f"set pairs to {rows * (rows - 1) // 2:,} or less"
            )
        generator = torch.Generator().manual_seed(evaluation.seed)
        made = ms_ssim.terms_of(generated_pairs(evaluation, pairs, generator))
        rng = rng_of(evaluation, "diversity")
        some = Pairs(torch.arange(rows).numpy()).draw_different(pairs, rng)
        parts = [some[start : start + CHUNK] for start in range(0, pairs, CHUNK)]
        real = ms_ssim.terms_of((to_float(fetch(images, p[:, 0])), to_float(fetch(images, p[:, 1]))) for p in parts)
        values = {f"diversity_{rule}": value for rule, value in ms_ssim.diversity(made).items()}
        values |= {f"real_diversity_{rule}": value for rule, value in ms_ssim.diversity(real).items()}
        scales = made.shape[1]
        return Measured(
            values=values,
            counts={"pairs": pairs, "real_pairs": pairs, "scales": scales},
            protocol=f"1 - MS-SSIM of pairs drawn anew, {scales} scales. {ms_ssim.PROTOCOL}",
            details={"terms": made.mean(dim=0).tolist(), "real_terms": real.mean(dim=0).tolist()},
        )

    return measure
