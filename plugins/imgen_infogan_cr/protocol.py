"""What the scores of this paper are taken on: the groups, the draws and the pictures that its metrics have in common.

Source: InfoGAN-CR's authors' code: 500 groups of 100 pictures on dSprites, 300 of 100 on teapots of three factors,
500 of 100 on those of five, 200 of 25 on CdSprites; a tenth of the data set for all else; codes of a FactorVAE are
draws from its posterior.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np

from imgen.data.factored.teapots import Teapots
from imgen.data.factors import Factored
from imgen.errors import DataError
from imgen.metrics.disentanglement.arrays import ArrayCodes
from imgen.metrics.disentanglement.checked import finite_codes
from imgen.metrics.disentanglement.representation import (
    Groups,
    ModelCodes,
    Representation,
    Rows,
    representation_of,
)
from imgen.model import Encoder
from imgen_infogan_cr.given import GivenCodes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from imgen.metrics import Evaluation

Part = TypeVar("Part", Groups, Rows)

_KEY = "infogan-cr"
_GROUPS, _ANYWHERE, _ROWS, _PICTURES, _HELD_OUT = 21, 22, 23, 24, 25  # streams of the evaluation's seed
_PER_FACTOR = 100  # groups
_GROUP_SIZE = 100
_GROUP_SIZE_OF_TWO_FACTORS = 25


@dataclass(frozen=True)
class MetricData:
    """Codes that the paper's metrics share; each part is encoded when the first of them asks for it.

    Every part follows from the evaluation's seed and its own sizes alone, whatever else is asked for.
    """

    evaluation: Evaluation
    representation: Representation
    group_count: int
    group_size: int
    row_count: int
    anywhere_count: int

    @property
    def groups(self) -> Groups:
        """Things that share the value of one factor: of the first factor, the second, and so on in turn."""
        count, size = self.group_count, self.group_size
        return self.evaluation.once(
            (_KEY, "groups", count, size),
            lambda: _whole(self.representation.groups(count, size, self._rng(_GROUPS))),
        )

    @property
    def rows(self) -> Rows:
        """Draws of all factors, with replacement where the data set draws them: values, places and codes."""
        codes, count = self.representation, self.row_count

        def make() -> Rows:
            # These metrics test on what they were fitted to: of a file, nothing need be held out.
            return codes.any_rows(count) if isinstance(codes, ArrayCodes) else codes.rows(count, self._rng(_ROWS))

        return self.evaluation.once((_KEY, "rows", count), lambda: _whole(make()))

    @property
    def anywhere(self) -> NDArray[np.float32]:
        """Codes of different things, (anywhere_count, D), by which the spread of a group is scaled."""
        return _different(self.evaluation, self.representation, self.anywhere_count, _ANYWHERE)

    @property
    def factor_names(self) -> Sequence[str]:
        """In order."""
        return [factor.name for factor in self.representation.factors]

    @property
    def kinds(self) -> Sequence[bool]:
        """Of each factor, whether its values are kinds, which no line leads along."""
        return [not factor.ordered for factor in self.representation.factors]

    def held_out(self, n: int) -> Rows:
        """Other rows than `rows`, to test on what was fitted to these; the paper's metrics have none.

        Raises: `DataError` where there are not so many, or `rows` leaves none of a file.
        """
        codes = self.representation
        if isinstance(codes, ArrayCodes) and self.row_count > codes.rows_to_fit_to:
            raise DataError(
                f"{self.row_count:,} rows leave none of {codes.things:,} to hold out: set rows={codes.rows_to_fit_to}"
            )
        return self.evaluation.once(
            (_KEY, "held out", n), lambda: _whole(codes.rows(n, self._rng(_HELD_OUT), held_out=True))
        )

    def _rng(self, stream: int) -> np.random.Generator:
        return np.random.default_rng([self.evaluation.seed, stream])


def metric_data(evaluation: Evaluation, *, groups: int = 0, group_size: int = 0, rows: int = 0) -> MetricData:
    """What a metric of this paper is taken on; the same for all that ask with the same sizes.

    groups, group_size: 0 is the paper's: 100 groups for each factor, of 100 things, or of 25 where there are but two
    factors; or the groups that a file of codes, or of teapots, brings with it.
    rows: of `rows` and of `anywhere`; 0 is the paper's, a tenth of the data set, or all rows of a file.
    Raises: `DataError` where the model reads no codes, or nothing is known of the data's factors.
    """
    codes = evaluation.once((_KEY, "representation"), lambda: _representation(evaluation))
    factors = len(codes.factors)
    all_groups = _PER_FACTOR * factors
    size = _GROUP_SIZE if factors > 2 else _GROUP_SIZE_OF_TWO_FACTORS
    all_rows = all_anywhere = max(2, codes.things // 10)
    if isinstance(codes, ArrayCodes | GivenCodes):
        all_groups, size = codes.stored_groups or (all_groups, size)
    if isinstance(codes, ArrayCodes):
        all_rows, all_anywhere = codes.things, codes.different
    return MetricData(
        evaluation, codes, groups or all_groups, group_size or size, rows or all_rows, rows or all_anywhere
    )


def codes_of_pictures(evaluation: Evaluation, most: int) -> NDArray[np.float32]:
    """Codes of so many different pictures of the data set, or of all where it has fewer, whatever is known of them.

    Raises: `DataError` where the model reads no codes, or the data set has no pictures.
    """
    codes = evaluation.once((_KEY, "reading"), lambda: _reading(evaluation))
    different = codes.different if isinstance(codes, ArrayCodes) else codes.things
    return _different(evaluation, codes, min(most, different), _PICTURES)


def _representation(evaluation: Evaluation) -> Representation:
    codes = representation_of(evaluation, sampled=True)
    if isinstance(codes, ModelCodes) and isinstance(codes.dataset, Teapots):
        return GivenCodes(codes.model, codes.dataset, codes.device, codes.sampled)
    return codes


def _reading(evaluation: Evaluation) -> Representation:
    """The same, or of data of which no factors are known: of those, codes `anywhere` alone can be asked for."""
    model, dataset = evaluation.model, evaluation.dataset
    if isinstance(model, Encoder) and not isinstance(dataset, Factored):
        if "images" not in dataset.columns:
            raise DataError("this data set has no single pictures to read codes from; take one that has")
        return ModelCodes(model, cast(Factored, dataset), evaluation.device, sampled=True)
    return evaluation.once((_KEY, "representation"), lambda: _representation(evaluation))


def _different(evaluation: Evaluation, codes: Representation, count: int, stream: int) -> NDArray[np.float32]:
    rng = np.random.default_rng([evaluation.seed, stream])
    return evaluation.once((_KEY, "different", stream, count), lambda: finite_codes(codes.anywhere(count, rng)))


def _whole(part: Part) -> Part:
    finite_codes(part.codes)
    return part
